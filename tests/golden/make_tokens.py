"""Makes curves/tokens/: what peft-sparta trains beside linear layers, without a line of spartui.

    python tests/golden/make_tokens.py

Needs what make_curves.py needs, and uses its models and batches. Tokens that train in full, new tokens, biases, norms,
embeddings and the language-model head. Everything that is not frozen trains (the package's share of the scalars is set to
1), so that no random choice has to be the same in both programs. The package's own shares for other sparsities are
written too. In the batches the last word of the vocabulary becomes the new token, where there is one.
"""

import json
from pathlib import Path

from make import write_json, write_tensors  # also forbids the hub

import torch
from peft_sparta import SpaRTA
from peft_sparta.trainer.sft import model_loader

from curves import reference
from curves.batches import make_batches
from curves.small_models import LABELS, VOCABULARY
from make_curves import BETAS, EPSILON, NO_CLIPPING, float32s, seed

CURVES = Path(__file__).parent / "curves"
CURVE = dict(learning_rate=3e-3, min_learning_rate=3e-3, schedule="linear", warmup_steps=0, weight_decay=0.0,
             max_grad_norm=NO_CLIPPING)
CASES = {
    # A new token and one of the model's, beside the norms.
    "new-token": dict(model="llama", task="sequence-classification", new_tokens=["<sep>"], tokens=[9, VOCABULARY],
                      frozen=["embed_tokens", "self_attn", "mlp"]),
    # Two tokens beside one linear layer and an untied head.
    "tokens": dict(model="llama", task="causal-lm", tokens=[7, 11],
                   frozen=["embed_tokens", "self_attn.q", "self_attn.k", "self_attn.v", "mlp", "norm"]),
    # Tied: the rows are those of the head too.
    "tied-tokens": dict(model="gemma", task="causal-lm", tokens=[7, 11],
                        frozen=["embed_tokens", "self_attn.q", "self_attn.k", "mlp", "norm"]),
    "tied-embeddings": dict(model="gemma", task="causal-lm", tokens=[], frozen=["self_attn", "mlp"]),
    "biases": dict(model="gpt2", task="causal-lm", tokens=[], frozen=["weight"]),
}
SHARES = [(0.9, ["embed_tokens", "self_attn.q", "self_attn.k", "mlp", "norm"]), (0.8, ["norm"]), (0.7, ["layers.1"])]


def load(case):
    causal = case["task"] == "causal-lm"
    folder = str(CURVES / "models" / case["model"])
    new = case.get("new_tokens")
    if causal:
        return model_loader.load_generative_model(folder, new, dtype=torch.float32)
    return model_loader.load_classification_model(folder, len(LABELS), dict(enumerate(LABELS)), "random", None, new,
                                                  dtype=torch.float32)


def moved(batch, case):
    if not case.get("new_tokens"):
        return batch
    ids = [[VOCABULARY if token == VOCABULARY - 1 else token for token in row] for row in batch["input_ids"]]
    return dict(batch, input_ids=ids)


def shares(model, case):
    """What the package would train at other sparsities, in parameters."""
    found = []
    for sparsity, frozen in SHARES:
        tokens = case["tokens"] if any("embed" in name for name in frozen) else []
        try:
            package = SpaRTA(model, sparsity=sparsity, frozen_modules=frozen, trainable_tokens=tokens or None)
        except ValueError:
            continue
        heads = [value.numel() for name, value in model.named_parameters() if name == "score.weight"]
        free = sum(value.numel() for name, value in model.named_parameters()
                   if name != "score.weight" and not any(part in name for part in frozen))
        expected = package.compute_keep_prob(sparsity) * free + sum(heads)
        expected += len(tokens) * model.get_input_embeddings().embedding_dim
        found.append(dict(sparsity=sparsity, frozen=frozen, tokens=tokens, trainable=expected))
    return found


def curve(name, case, batches):
    seed("tokens", name)
    tokenizer, model = load(case)
    known = shares(model, case)
    own, SpaRTA.compute_keep_prob = SpaRTA.compute_keep_prob, lambda self, sparsity: 1.0
    package = SpaRTA(model, sparsity=0.5, frozen_modules=case["frozen"], trainable_tokens=case["tokens"] or None)
    SpaRTA.compute_keep_prob = own
    tensors = {}
    if case["task"] != "causal-lm":
        tensors["head"] = model.score.weight.detach().clone()
    if case.get("new_tokens"):
        tensors["new_rows"] = model.get_input_embeddings().weight.data[VOCABULARY:].clone()
    stats, _ = reference.train(package, tokenizer, [moved(batch, case) for batch in batches],
                               dict(CURVE, task=case["task"]), "sparse")
    trained = {parameter: delta.detach() for parameter, delta in package.deltas.items()
               if len(delta) and parameter != "score.weight"}
    tensors |= {f"deltas.{parameter}": delta for parameter, delta in trained.items()}
    fields = dict(case, betas=BETAS, epsilon=EPSILON, weight_decay=0.0, max_grad_norm=0.0,
                  all_parameters=sum(value.numel() for value in model.parameters()),
                  trainable=sum(delta.numel() for delta in package.parameters()), shares=known,
                  loss=float32s(stats["train_loss"]), grad_norm=float32s(stats["grad_norm"]),
                  learning_rate=stats["lr"])
    return fields, tensors


def main():
    torch.set_num_threads(1)
    folder = CURVES / "tokens"
    folder.mkdir(exist_ok=True)
    batches = make_batches()
    assert batches == json.loads((CURVES / "batches.json").read_text())["batches"]
    for name, case in CASES.items():
        fields, tensors = curve(name, case, batches)
        write_json(folder / f"{name}.json", fields)
        write_tensors(folder / f"{name}.safetensors", tensors)
        print(name, fields["trainable"], fields["loss"][0], fields["loss"][-1])


main()
