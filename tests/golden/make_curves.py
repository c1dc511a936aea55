"""Makes the models and loss curves of curves/ with peft-sparta and PyTorch, without a line of spartui.

    python tests/golden/make_curves.py --output tests/golden/curves

Needs peft-sparta 0.0.3 beside what make.py needs; curves/README.md has the versions. Everything is seeded and computed
on one thread: a second run on the same machine writes the same bytes.
"""

import argparse
import contextlib
import io
import shutil
from pathlib import Path

from make import write_json, write_tensors  # also forbids the hub

import numpy
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from curves import reference
from curves.batches import make_batches, right_padded
from curves.small_models import CONFIGS, HEADS, LABELS, write_head_model, write_model

# --- What is trained -------------------------------------------------------------------------------------------------

NO_CLIPPING = 1e9  # the trainer measures gradient norms only where it may clip them
VALUE_AND_OUTPUT = ["embed_tokens", "self_attn.q", "self_attn.k", "mlp", "norm", "lm_head"]
ALL_LINEAR = ["embed_tokens", "norm", "lm_head"]
CONSTANT = dict(learning_rate=3e-3, min_learning_rate=3e-3, schedule="linear", warmup_steps=0)
COSINE = dict(learning_rate=4e-3, min_learning_rate=4e-4, schedule="cosine", warmup_steps=10)
LINEAR = dict(learning_rate=3e-3, min_learning_rate=1e-3, schedule="linear", warmup_steps=5)
PLAIN = dict(weight_decay=0.0, max_grad_norm=NO_CLIPPING, head_init="random")
KINDS = {
    "constant": dict(PLAIN, **CONSTANT, frozen_modules=VALUE_AND_OUTPUT, sparsity=0.95),
    "cosine": dict(PLAIN, **COSINE, frozen_modules=ALL_LINEAR, sparsity=0.9, head_init="from_pretrained"),
    "decay": dict(PLAIN, **LINEAR, frozen_modules=VALUE_AND_OUTPUT, sparsity=0.95, weight_decay=3.0),
    "clipped": dict(PLAIN, **CONSTANT, frozen_modules=ALL_LINEAR, sparsity=0.9),
}
TASKS = {"classification": "sequence-classification", "causal": "causal-lm"}
SPARSE = [(model, task, kind) for model in ("llama", "gemma") for task in TASKS
          for kind in ("constant", "cosine", "decay")]
SPARSE += [("gemma2", "causal", "cosine"), ("llama", "causal", "clipped"), ("llama", "classification", "clipped")]
CLIP_AT = {"causal": 1.0, "classification": 2.0}  # some steps go over it, others do not

FULL = [("llama", "classification"), ("llama", "causal"), ("gemma", "causal"), ("gpt2", "causal"),
        ("bert", "classification")]
FULL_BY_REFERENCE = FULL[:3]
BETAS, EPSILON = (0.9, 0.99), 1e-8


def seed(*words):
    torch.manual_seed(int.from_bytes(" ".join(words).encode(), "big") % 2**31)


def float32s(values):
    """Written with as few digits as tell them apart."""
    return [float(str(numpy.float32(value))) for value in values]


def learning(losses, norms, rates):
    return dict(loss=float32s(losses), grad_norm=float32s(norms), learning_rate=rates)


def optimizer_fields(curve):
    return dict(betas=BETAS, epsilon=EPSILON, weight_decay=curve["weight_decay"],
                max_grad_norm=0.0 if curve["max_grad_norm"] == NO_CLIPPING else curve["max_grad_norm"])


# --- SpaRTA, by peft-sparta ------------------------------------------------------------------------------------------

def flat_indices(indices, shape):
    flat = torch.zeros(len(indices), dtype=torch.int64)
    for column, size in zip(indices.long().unbind(1), shape):
        flat = flat * size + column
    assert torch.equal(flat, flat.sort().values)
    return flat


def sites_of(sparse):
    return {name: parameter for name, parameter in sparse.model.named_parameters()
            if len(sparse.indices[name]) and name != "score.weight"}


def sparse_curve(models, batches, model_name, task, kind):
    curve = dict(model=model_name, task=TASKS[task], **KINDS[kind])
    if kind == "clipped":
        curve["max_grad_norm"] = CLIP_AT[task]
    if task == "causal":
        curve["head_init"] = None
    seed(model_name, task, kind)
    tokenizer, model = reference.load(models / model_name, task == "causal", curve["head_init"])
    sparse = reference.sparse(model, curve)
    tensors = {f"indices.{name}": flat_indices(sparse.indices[name], parameter.shape)
               for name, parameter in sites_of(sparse).items()}
    if task == "classification":
        tensors["head"] = model.score.weight.detach().clone()
    stats, _ = reference.train(sparse, tokenizer, batches, curve, "sparse")
    tensors |= {f"deltas.{name}": sparse.deltas[name].detach() for name in sites_of(sparse)}
    if task == "classification":
        tensors["deltas.score.weight"] = sparse.deltas["score.weight"].detach().view_as(tensors["head"])
    fields = dict(model=model_name, task=TASKS[task], method="sparta", head_init=curve["head_init"],
                  sparsity=curve["sparsity"], frozen_modules=curve["frozen_modules"],
                  all_parameters=sum(parameter.numel() for parameter in model.parameters()),
                  trainable=sum(delta.numel() for delta in sparse.parameters()),
                  no_decay=["score.weight"] if task == "classification" else [], **optimizer_fields(curve))
    return fields | learning(stats["train_loss"], stats["grad_norm"], stats["lr"]), tensors


# --- Full fine-tuning ------------------------------------------------------------------------------------------------

HEADS_OF = ("score.", "classifier.")


def load_plain(folder, task):
    if task == "causal":
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(LABELS), dtype=torch.float32)


def initial_head(model):
    return {f"initial.{name}": value.detach().clone() for name, value in model.named_parameters()
            if name.startswith(HEADS_OF)}


def change_norms(model, before):
    """How far each parameter went, in the 2-norm; not what only rounding moves: biases that a softmax cancels."""
    return {name: float(str(numpy.float32((value.detach().double() - before[name].double()).norm())))
            for name, value in model.named_parameters() if not name.endswith(("key.bias", "c_attn.bias"))}


def full_curve(models, batches, model_name, task):
    """PyTorch and transformers alone. Everything decays but the classification head."""
    seed("full", model_name, task)
    model = load_plain(models / model_name, task)
    tensors, before = initial_head(model), {name: value.detach().clone() for name, value in model.named_parameters()}
    exempt = [name for name, _ in model.named_parameters() if name.startswith(HEADS_OF)]
    groups = [dict(params=[value for name, value in model.named_parameters() if name not in exempt], weight_decay=0.01)]
    if exempt:
        groups.append(dict(params=[value for name, value in model.named_parameters() if name in exempt],
                           weight_decay=0.0))
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=BETAS, eps=EPSILON)
    losses, norms = [], []
    model.train()
    for batch in batches:
        loss = model(**right_padded(batch, task == "causal"), use_cache=False).loss if model_name != "bert" \
            else model(**right_padded(batch, False)).loss
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), NO_CLIPPING).item())
        losses.append(loss.item())
        optimizer.step()
    fields = dict(model=model_name, task=TASKS[task], method="full", made_by="pytorch", no_decay=exempt,
                  **optimizer_fields(dict(weight_decay=0.01, max_grad_norm=NO_CLIPPING)),
                  change=change_norms(model, before))
    return fields | learning(losses, norms, [1e-3] * len(batches)), tensors


def full_curve_by_reference(models, batches, model_name, task):
    """peft-sparta's `full_sft`: vectors and embeddings do not decay, the classification head does."""
    curve = dict(PLAIN, task=TASKS[task], learning_rate=1e-3, min_learning_rate=1e-4, schedule="cosine",
                 warmup_steps=10, weight_decay=1.0)
    seed("full by reference", model_name, task)
    tokenizer, model = reference.load(models / model_name, task == "causal", "random")
    tensors, before = initial_head(model), {name: value.detach().clone() for name, value in model.named_parameters()}
    stats, optimizer = reference.train(model, tokenizer, batches, curve, "full_sft")
    exempt = {id(value) for group in optimizer.param_groups if group["weight_decay"] == 0.0
              for value in group["params"]}
    fields = dict(model=model_name, task=TASKS[task], method="full", made_by="peft-sparta",
                  no_decay=[name for name, value in model.named_parameters() if id(value) in exempt],
                  **optimizer_fields(curve), change=change_norms(model, before))
    return fields | learning(stats["train_loss"], stats["grad_norm"], stats["lr"]), tensors


# --- Heads from the language model's ---------------------------------------------------------------------------------

def head_cases(folder, spec):
    cases, tensors = [], {}
    for number, responses in enumerate(spec["responses"]):
        names = dict(enumerate(responses))
        tokenizer, model = reference.load_classification_model(str(folder), len(responses), names, "from_pretrained",
                                                               responses, dtype=torch.float32)
        tokens = [tokenizer.tokenize(response) for response in responses]
        cases.append(dict(responses=responses, tokens=tokens, head=f"head.{number}",
                          ids=tokenizer.convert_tokens_to_ids([pieces[0] for pieces in tokens])))
        tensors[f"head.{number}"] = model.score.weight.detach().clone()
    return cases, tensors


def refused_cases(folder, spec):
    """Responses whose first tokens agree: the reference fails its own assertion."""
    for responses in spec["refused"]:
        try:
            reference.load_classification_model(str(folder), len(responses), dict(enumerate(responses)),
                                                "from_pretrained", responses, dtype=torch.float32)
        except AssertionError:
            continue
        raise ValueError(f"the reference takes {responses}")
    return spec["refused"]


# --- Writing ---------------------------------------------------------------------------------------------------------

def write(folder, name, fields, tensors):
    write_json(folder / f"{name}.json", fields)
    if tensors:
        write_tensors(folder / f"{name}.safetensors", tensors)


def write_all(output):
    models, heads = output / "models", output / "heads"
    for folder in (models, heads, output / "sparta", output / "full"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    batches = make_batches()
    write_json(output / "batches.json", dict(batches=batches))
    for family in CONFIGS:
        write_model(models / family, family)
    for model, task, kind in SPARSE:
        write(output / "sparta", f"{model}-{task}-{kind}", *sparse_curve(models, batches, model, task, kind))
    for model, task in FULL:
        write(output / "full", f"{model}-{task}", *full_curve(models, batches, model, task))
    for model, task in FULL_BY_REFERENCE:
        write(output / "full", f"{model}-{task}-reference", *full_curve_by_reference(models, batches, model, task))
    for name, spec in HEADS.items():
        write_head_model(heads / name, spec)
        cases, tensors = head_cases(heads / name, spec)
        write(heads, name, dict(cases=cases, refused=refused_cases(heads / name, spec)), tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "curves", help="folder to write to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # the trainer prints a table
        write_all(arguments.output)


if __name__ == "__main__":
    main()
