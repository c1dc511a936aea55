"""Makes the models and golden files of families/ with PyTorch and transformers, without a line of spartui.

    python tests/golden/make_families.py --output tests/golden/families

Each config.json is written by hand in families/models.py, half of them with the keys of older transformers, and read
back by transformers itself; so what a key means is what transformers takes it to mean. Each row is computed alone,
without padding. Everything is seeded and computed on one thread: a second run on the same machine writes the same bytes.
"""

import argparse
import copy
import json
import zlib
from pathlib import Path

from families.models import LABELS, MODELS
from make import write_json, write_tensors  # also forbids the hub

import torch
import torch.nn.functional as F
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

# --- Writing a model -------------------------------------------------------------------------------------------------

def is_encoder(config):
    return config["model_type"] in ("bert", "roberta", "xlm-roberta", "camembert", "distilbert")


def classifies(config):
    """Whether transformers has a classifier of this decoder."""
    return config["model_type"] not in ("cohere", "cohere2", "granite")


def stored_dtype(config):
    return getattr(torch, config.get("dtype") or config.get("torch_dtype") or "float32")


def random_weight(name, shape, family, spec, generator):
    """Nothing at its neutral value, attention far from uniform, logits of a scale of about 1."""
    value = torch.randn(*shape, generator=generator)
    last = name.split(".")[-2].lower()
    if name.endswith(".weight") and ("norm" in last or last.startswith("ln_")):
        return 0.2 * value + (0.0 if family.startswith("gemma") else 1.0)
    if "embed" in last or last in ("wte", "wpe"):
        return spec.get("embed", 0.2) * value
    if last in ("q_proj", "k_proj", "qkv_proj", "c_attn", "query_key_value", "query", "key", "q_lin", "k_lin"):
        return 0.3 * value
    return 0.2 * value


def parameters_of(config, spec, generator):
    """Names and shapes are those of transformers' own model; a tied head is not among them."""
    if is_encoder(config.to_dict()) and spec["layout"] == "pretraining":
        auto = transformers.AutoModelForMaskedLM
    elif is_encoder(config.to_dict()):
        auto = AutoModelForSequenceClassification
    else:
        auto = AutoModelForCausalLM
    skeleton = auto.from_config(config)
    weights = {name: random_weight(name, parameter.shape, config.model_type, spec, generator)
               for name, parameter in sorted(skeleton.named_parameters())}
    tied = "lm_head.decoder.weight"  # XLM-RoBERTa's files hold it under the name of the embeddings
    if is_encoder(config.to_dict()) and tied in weights:
        weights[skeleton.base_model_prefix + ".embeddings.word_embeddings.weight"] = weights.pop(tied)
    return weights, skeleton.base_model_prefix


def write_model(folder, spec, generator):
    """config.json and the weights, in the dtype that the config names."""
    config = {key: value for key, value in spec["config"].items() if value != "absent"}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    weights, prefix = parameters_of(AutoConfig.from_pretrained(str(folder)), spec, generator)
    weights = {name: value.to(stored_dtype(config)) for name, value in weights.items()}
    if spec.get("layout") == "embed_out":  # as before transformers 5
        weights = {name.replace("lm_head.", "embed_out."): value for name, value in weights.items()}
    if spec.get("layout") == "bare":
        weights = {name.removeprefix(prefix + "."): value for name, value in weights.items()}
    if spec.get("extra") == "masks":
        size = config["n_positions"]
        mask = torch.ones(size, size, dtype=torch.uint8).tril().view(1, 1, size, size)
        weights |= {f"h.{layer}.attn.bias": mask.clone() for layer in range(config["n_layer"])}
    if spec.get("layout") == "sharded":
        write_shards(folder, weights)
    else:
        write_tensors(folder / "model.safetensors", weights, {"format": "pt"})


def write_shards(folder, weights):
    """Two files; cut in the middle of a layer, as a size limit does."""
    names = list(weights)
    cut = len(names) // 2
    files = {"model-00001-of-00002.safetensors": names[:cut], "model-00002-of-00002.safetensors": names[cut:]}
    for file, part in files.items():
        write_tensors(folder / file, {name: weights[name] for name in part}, {"format": "pt"})
    index = dict(
        metadata=dict(total_size=sum(value.numel() * value.element_size() for value in weights.values())),
        weight_map={name: file for file, part in files.items() for name in part})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


# --- Loading ---------------------------------------------------------------------------------------------------------

def load(auto, folder, dtype, attention="eager", may_miss=(), may_exceed=(), **keys):
    loaded, info = auto.from_pretrained(
        str(folder), dtype=dtype, attn_implementation=attention, output_loading_info=True, **keys)
    surprises = dict(
        missing=[name for name in info["missing_keys"] if not name.startswith(tuple(may_miss))],
        unexpected=[name for name in info["unexpected_keys"] if not name.startswith(tuple(may_exceed))],
        mismatched=list(info["mismatched_keys"]), errors=list(info.get("error_msgs") or []))
    assert not any(surprises.values()), f"{folder}: {surprises}"
    for name, buffer in loaded.named_buffers():
        assert not name.endswith("inv_freq") or buffer.dtype == torch.float32, name
    return loaded.eval()


def load_causal(folder, dtype, attention="eager"):
    return load(AutoModelForCausalLM, folder, dtype, attention)


def load_scorer(folder, score):
    """transformers' own classifier on a decoder, headed by `score`; the last token is never taken for padding."""
    scorer = load(AutoModelForSequenceClassification, folder, torch.float32, may_miss=["score."],
                  may_exceed=["lm_head.", "embed_out."], num_labels=len(LABELS))
    scorer.config.pad_token_id = None
    with torch.no_grad():
        scorer.score.weight.copy_(score)
    return scorer


def load_classifier(folder, dtype, attention="eager", head=None):
    keys = dict(may_miss=["classifier.", "pre_classifier."], may_exceed=["lm_head.", "vocab_"]) if head else {}
    classifier = load(AutoModelForSequenceClassification, folder, dtype, attention, **keys)
    if head:
        with torch.no_grad():
            for name, value in head.items():
                classifier.get_parameter(name).copy_(value)
    return classifier


def fresh(loaded):
    """transformers keeps the frequencies of the longest text so far in the model: each row gets its own copy."""
    return copy.deepcopy(loaded)


# --- Batches ---------------------------------------------------------------------------------------------------------

def random_rows(lengths, generator, vocabulary, token_types=1):
    """Right-padded with id 0. Ids from 3 on, so that no row holds a padding id by chance."""
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    types = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(4, vocabulary, (length,), generator=generator)
        if token_types > 1:
            types[row, length // 2:length] = 1
    batch = dict(lengths=list(lengths), input_ids=ids)
    return batch | dict(token_type_ids=types) if token_types > 1 else batch


def each_row(batch):
    """The rows of a batch as inputs of one row each, without padding."""
    for row, length in enumerate(batch["lengths"]):
        keys = ["input_ids", "token_type_ids"] if "token_type_ids" in batch else ["input_ids"]
        yield {key: batch[key][row:row + 1, :length] for key in keys}


def chosen_positions(length):
    """At the end, and in the middle of long rows: all logits of all tokens would be too many bytes."""
    return [length // 2, length - 1] if length > 10 else [length - 1]


def summary(logits, reference):
    difference = (logits.double() - reference.double()).abs()
    return dict(largest=difference.max().item(), root_mean_square=difference.square().mean().sqrt().item())


# --- Decoders --------------------------------------------------------------------------------------------------------

@torch.no_grad()
def causal_logits(loaded, batch, positions):
    """One line of logits per (row, position), in order; and the final normed hidden state of each row's last token."""
    lines, last = [], []
    for inputs, chosen in zip(each_row(batch), positions):
        output = fresh(loaded)(**inputs, output_hidden_states=True)
        lines.append(output.logits[0, chosen])
        last.append(output.hidden_states[-1][0, -1])
    return torch.cat(lines), torch.stack(last)


def golden_causal_batch(name, batch, loaded, scorer, score):
    positions = [chosen_positions(length) for length in batch["lengths"]]
    result = dict(name=name, **batch, positions=positions)
    exact, last = causal_logits(loaded["float32"], batch, positions)
    low, low_last = causal_logits(loaded["bfloat16"], batch, positions)
    result |= dict(logits_float32=exact, logits_bfloat16=low, bfloat16_error=summary(low, exact))
    if "sdpa" in loaded:
        other, _ = causal_logits(loaded["sdpa"], batch, positions)
        if not torch.equal(other, low):
            result |= dict(logits_bfloat16_sdpa=other, bfloat16_sdpa_error=summary(other, exact))
    check_logits(name, exact, low)
    if scorer is None:
        return result
    classes = F.linear(last, score)
    with torch.no_grad():
        theirs = torch.cat([fresh(scorer)(**inputs).logits for inputs in each_row(batch)])
    assert torch.allclose(classes, theirs, atol=1e-5), f"{name}: {(classes - theirs).abs().max()}"
    result |= dict(class_logits_float32=classes,
                   class_logits_bfloat16_head_float32=F.linear(low_last.float(), score))
    return result


def check_logits(name, *tensors):
    for logits in tensors:
        assert logits.isfinite().all() and logits.float().std() > 0.05, f"{name}: {logits.float().std()}"


def golden_decoder(folder, spec, generator):
    config = spec["config"]
    vocabulary = config["vocab_size"]
    score = 0.5 * torch.randn(len(LABELS), config.get("n_embd") or config["hidden_size"], generator=generator)
    loaded = dict(float32=load_causal(folder, torch.float32), bfloat16=load_causal(folder, torch.bfloat16))
    if loaded["float32"]._supports_sdpa:  # not Gemma 2: sdpa has no cap
        loaded["sdpa"] = load_causal(folder, torch.bfloat16, "sdpa")
    scorer = load_scorer(folder, score) if classifies(config) else None

    batches = {"unequal": random_rows([19, 7, 12, 13, 2], generator, vocabulary),
               "longest": random_rows([30, 1], generator, vocabulary)}
    batches["unequal"]["input_ids"][0, 6] = 0  # the padding id as a real token, once inside and once at the end
    batches["unequal"]["input_ids"][1, 6] = 0
    golden = dict(family=config["model_type"], task="causal-lm", features=spec["features"],
                  **({"score": score} if scorer else {}),
                  batches=[golden_causal_batch(name, batch, loaded, scorer, score) for name, batch in batches.items()])
    if spec.get("generation"):
        golden["generation"] = golden_generation(
            loaded["float32"], generator, vocabulary, NEW_TOKENS if spec["generation"] is True else spec["generation"])
    if spec.get("generation", 0) > 1:
        golden["training"] = golden_training(folder, generator, vocabulary)
    if spec.get("gradients"):
        golden["gradients"] = golden_causal_gradients(folder, generator, vocabulary)
    if spec.get("class_gradients"):
        golden["class_gradients"] = golden_score_gradients(folder, score, generator, vocabulary)
    write_json(folder / "golden.json", golden)
    return golden


NEW_TOKENS = 12


@torch.no_grad()
def golden_generation(loaded, generator, vocabulary, count):
    """transformers' greedy continuations, the same with and without its cache; no step is close to a tie."""
    prompts, continuations, margin = [], [], float("inf")
    tries = 0
    while len(prompts) < 2:
        tries += 1
        assert tries < 500, "no prompt whose continuation is lively and far from ties"
        prompt = torch.randint(4, vocabulary, (1, [9, 3][len(prompts)]), generator=generator)
        variants = [
            fresh(loaded).generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=count,
                eos_token_id=None, pad_token_id=0, use_cache=use_cache)[0].tolist()
            for use_cache in [True, False]]
        text = torch.tensor([variants[0]])
        best = fresh(loaded)(text).logits[0, prompt.shape[1] - 1:-1].topk(2).values
        smallest = (best[:, 0] - best[:, 1]).min().item()
        tokens = variants[0][prompt.shape[1]:]
        if smallest < 0.01 or len(set(tokens)) < 4:
            continue
        assert variants[0] == variants[1] and len(tokens) == count
        prompts.append(prompt[0].tolist())
        continuations.append(tokens)
        margin = min(margin, smallest)
    return dict(prompts=prompts, max_new_tokens=count, tokens=continuations, smallest_margin=margin)


# --- Gradients -------------------------------------------------------------------------------------------------------

NUMERICS = ("weights and activations float64; norms, softmax and rope angles inside transformers' decoders float32; "
            "stored as float32")


def write_gradients(path, loaded):
    gradients = {name: parameter.grad for name, parameter in loaded.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    write_tensors(path, {name: gradient.float() for name, gradient in gradients.items()})


def golden_causal_gradients(folder, generator, vocabulary):
    """target_mask[row][t] = 1: token t is predicted, from position t - 1. Mean over the targets of all rows."""
    batch = random_rows([13, 6, 21, 9], generator, vocabulary)
    mask = torch.zeros_like(batch["input_ids"])
    for row, (first, last) in enumerate([(1, 13), (4, 6), (9, 17), (3, 9)]):
        mask[row, first:last] = 1
    mask[2, 19] = 1  # a second turn
    loaded = load_causal(folder, torch.float32).double()
    total = 0.0
    for row, inputs in enumerate(each_row(batch)):
        logits = loaded(**inputs).logits[0]
        wanted = mask[row, 1:inputs["input_ids"].shape[1]].bool()
        losses = F.cross_entropy(logits[:-1].double(), inputs["input_ids"][0, 1:], reduction="none")
        total = total + losses[wanted].sum()
    loss = total / mask.sum()
    loss.backward()
    write_gradients(folder / "gradients.safetensors", loaded)
    return dict(file="gradients.safetensors", numerics=NUMERICS, **batch, target_mask=mask, targets=int(mask.sum()),
                loss=loss.item())


def class_gradients(folder, loaded, batch):
    labels = torch.tensor([0, 2, 1, 1])
    logits = torch.cat([loaded(**inputs).logits for inputs in each_row(batch)])
    loss = F.cross_entropy(logits.double(), labels)
    loss.backward()
    write_gradients(folder / "class_gradients.safetensors", loaded)
    return dict(file="class_gradients.safetensors", numerics=NUMERICS, **batch, labels=labels, loss=loss.item(),
                logits_float64=logits.detach())


def golden_score_gradients(folder, score, generator, vocabulary):
    batch = random_rows([13, 6, 21, 9], generator, vocabulary)
    return class_gradients(folder, load_scorer(folder, score).double(), batch)


# --- Training --------------------------------------------------------------------------------------------------------

TRAINING = dict(steps=10, learning_rate=0.01, betas=[0.9, 0.999], epsilon=1e-8, every=7, rank=2, alpha=4.0)


def losses_of(loaded, batch, weights_now, trained):
    """Ten steps of AdamW on one batch; every token but a row's first is a target."""
    optimizer = torch.optim.AdamW(trained, lr=TRAINING["learning_rate"], betas=TRAINING["betas"],
                                  eps=TRAINING["epsilon"], weight_decay=0.0)
    losses = []
    for _ in range(TRAINING["steps"]):
        total, count = 0.0, 0
        for inputs in each_row(batch):
            logits = torch.func.functional_call(loaded, weights_now(), kwargs=inputs).logits[0]
            total = total + F.cross_entropy(logits[:-1], inputs["input_ids"][0, 1:], reduction="sum")
            count += inputs["input_ids"].shape[1] - 1
        loss = total / count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def golden_training(folder, generator, vocabulary):
    """SpaRTA with every seventh scalar of each linear layer in the blocks; LoRA with first factors by a formula."""
    batch = random_rows([13, 6, 21, 9], generator, vocabulary)
    loaded = load_causal(folder, torch.float32)
    for parameter in loaded.parameters():
        parameter.requires_grad_(False)
    weights = {f"{name}.weight": module.weight for name, module in loaded.named_modules()
               if isinstance(module, torch.nn.Linear) and module is not loaded.get_output_embeddings()}
    places = {name: torch.arange(0, weight.numel(), TRAINING["every"]) for name, weight in weights.items()}
    deltas = {name: torch.zeros(len(at), requires_grad=True) for name, at in places.items()}

    def sparse():
        return {name: weight + torch.zeros(weight.numel()).index_put((places[name],), deltas[name]).view_as(weight)
                for name, weight in weights.items()}

    rank, scale = TRAINING["rank"], TRAINING["alpha"] / TRAINING["rank"]
    downs = {name: first_factor(rank, weight.shape[1]).requires_grad_() for name, weight in weights.items()}
    ups = {name: torch.zeros(weight.shape[0], rank, requires_grad=True) for name, weight in weights.items()}

    def low_rank():
        return {name: weight + scale * (ups[name] @ downs[name]) for name, weight in weights.items()}

    return dict(TRAINING, **batch, sites=len(weights), sparta=losses_of(loaded, batch, sparse, list(deltas.values())),
                lora=losses_of(loaded, batch, low_rank, [*downs.values(), *ups.values()]))


def first_factor(rank, width):
    row, column = torch.arange(rank).view(-1, 1), torch.arange(width).view(1, -1)
    return ((row * 31 + column * 17) % 13 - 6) / 20


# --- Encoders --------------------------------------------------------------------------------------------------------

@torch.no_grad()
def class_logits(loaded, batch):
    return torch.cat([loaded(**inputs).logits for inputs in each_row(batch)])


def golden_class_batch(name, batch, loaded):
    exact, low, other = (class_logits(loaded[kind], batch) for kind in ["float32", "bfloat16", "sdpa"])
    result = dict(name=name, **batch, logits_float32=exact, logits_float64=class_logits(loaded["float64"], batch),
                  logits_bfloat16=low, bfloat16_error=summary(low, exact))
    if not torch.equal(low, other):
        result |= dict(logits_bfloat16_sdpa=other, bfloat16_sdpa_error=summary(other, exact))
    check_logits(name, exact, low)
    return result


def random_head(folder, generator):
    """A head for a file that has none: every parameter of transformers' classifier that is not of the encoder."""
    skeleton = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(str(folder)))
    return {name: 0.3 * torch.randn(*parameter.shape, generator=generator)
            for name, parameter in skeleton.named_parameters()
            if not name.startswith(skeleton.base_model_prefix + ".")}


def golden_encoder(folder, spec, generator):
    config = spec["config"]
    vocabulary, types = config["vocab_size"], config.get("type_vocab_size", 1)
    head = random_head(folder, generator) if spec["layout"] == "pretraining" else None
    loaded = dict(float32=load_classifier(folder, torch.float32, head=head),
                  float64=load_classifier(folder, torch.float32, head=head).double(),
                  bfloat16=load_classifier(folder, torch.bfloat16, head=head),
                  sdpa=load_classifier(folder, torch.bfloat16, "sdpa", head=head))
    batches = {"unequal": random_rows([19, 7, 12, 3, 2], generator, vocabulary),
               "longest": random_rows([30, 1, 10], generator, vocabulary),
               "zero inside": random_rows([14, 9, 4], generator, vocabulary)}
    batches["zero inside"]["input_ids"][0, 6] = 0
    batches["zero inside"]["input_ids"][1, 8] = 0
    if types > 1:
        batches["two token types"] = random_rows([14, 6, 11], generator, vocabulary, types)
    golden = dict(family=config["model_type"], task="sequence-classification", features=spec["features"],
                  labels=LABELS, **(dict(head=head) if head else {}),
                  batches=[golden_class_batch(name, batch, loaded) for name, batch in batches.items()])
    if spec["class_gradients"]:
        batch = random_rows([13, 6, 21, 9], generator, vocabulary, types)
        golden["class_gradients"] = class_gradients(folder, fresh(loaded["float64"]), batch)
    write_json(folder / "golden.json", golden)
    return golden


# --- All of it -------------------------------------------------------------------------------------------------------

def make(folder, name, spec):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    write_model(folder, spec, generator)
    golden = (golden_encoder if is_encoder(spec["config"]) else golden_decoder)(folder, spec, generator)
    logits = torch.cat([batch["logits_float32"].flatten() for batch in golden["batches"]])
    error = max(batch["bfloat16_error"]["largest"] for batch in golden["batches"])
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name:20} {size:7} bytes  logits std {logits.std():5.2f} largest {logits.abs().max():6.2f}  "
          f"bfloat16 off by {error:.3f}  {spec['features']}", flush=True)
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "families", help="folder to write to")
    parser.add_argument("--only", default="", help="only models whose name begins so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    sizes = [make(arguments.output / name, name, spec) for name, spec in MODELS.items()
             if name.startswith(arguments.only)]
    print(f"{len(sizes)} models, {sum(sizes)} bytes")


if __name__ == "__main__":
    main()
