"""Checks an adapter that spartui wrote, and its predictions, by an independent merge into transformers' model.

    python tests/golden/check_adapter.py MODEL ADAPTER TEXTS.jsonl PREDICTIONS.jsonl

MODEL is a BERT folder in Hugging Face layout, ADAPTER a folder in peft-sparta's layout (sparse_deltas.safetensors,
head_init.safetensors, config.json), TEXTS.jsonl what `spartui predict` was given, PREDICTIONS.jsonl what it wrote.
Prints the largest difference of the logits. Exit status: 0 within the tolerance, 1 beyond it, 2 the adapter is
malformed.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification


def malformed(message):
    print(f"malformed: {message}", file=sys.stderr)
    sys.exit(2)


def read_adapter(folder):
    """{parameter name: (index columns, deltas)}; names with or without `bert.`, the head as `score` or `classifier`."""
    indices, deltas = {}, {}
    for key, value in load_file(str(folder / "sparse_deltas.safetensors")).items():
        kind, _, name = key.partition(".")
        if kind not in ("indices", "deltas"):
            malformed(f"key {key!r} begins with neither `indices.` nor `deltas.`")
        name = name.removeprefix("bert.").replace("score.", "classifier.")
        (indices if kind == "indices" else deltas)[name] = value
    if indices.keys() != deltas.keys():
        malformed(f"indices and deltas differ: {sorted(indices.keys() ^ deltas.keys())[:5]}")
    return {name: (indices[name], deltas[name]) for name in indices}


def check_entry(name, parameter, index, delta):
    if index.dtype != torch.int32 or delta.dtype != torch.float32:
        malformed(f"{name}: indices are {index.dtype}, deltas {delta.dtype}; expected int32 and float32")
    if index.dim() != 2 or index.shape[1] != parameter.dim() or delta.shape != index.shape[:1]:
        malformed(f"{name}: indices {list(index.shape)}, deltas {list(delta.shape)} for {list(parameter.shape)}")
    if len(index) and ((index < 0).any() or (index >= torch.tensor(parameter.shape)).any()):
        malformed(f"{name}: an index is outside {list(parameter.shape)}")
    if len(index) != len(torch.unique(index, dim=0)):
        malformed(f"{name}: an index occurs twice")
    if not delta.isfinite().all():
        malformed(f"{name}: a delta is not finite")


@torch.no_grad()
def merge(model, adapter, merged):
    """Rewrites the model's parameters; counts of touched scalars by parameter."""
    counts = {}
    for name, parameter in model.named_parameters():
        name = name.removeprefix("bert.")
        if name not in adapter:
            malformed(f"{name} is missing; the reference loader wants an entry, if an empty one, for every parameter")
        index, delta = adapter[name]
        check_entry(name, parameter, index, delta)
        if name.startswith("classifier.") and len(delta) != parameter.numel():
            malformed(f"{name}: the head trains fully, but {len(delta)} of {parameter.numel()} scalars are there")
        counts[name] = len(delta)
        if merged and len(delta):
            place = index.long().unbind(1)
            parameter[place] = (parameter[place].float() + delta).to(parameter.dtype)
    return counts


def build(arguments, adapter, labels, merged=True):
    head = load_file(str(arguments.adapter / "head_init.safetensors"))
    if head.get("head") is None or head["head"].shape[0] != labels:
        malformed(f"head_init.safetensors holds {[(k, list(v.shape)) for k, v in head.items()]} for {labels} labels")
    model = BertForSequenceClassification.from_pretrained(
        str(arguments.model), num_labels=labels, dtype=torch.float32, attn_implementation="eager",
        ignore_mismatched_sizes=True)
    model.bert.to(getattr(torch, arguments.dtype))  # the head stays in float32
    if head["head"].shape != model.classifier.weight.shape:
        malformed(f"head is {list(head['head'].shape)}, the model wants {list(model.classifier.weight.shape)}")
    with torch.no_grad():
        model.classifier.weight.copy_(head["head"])
        model.classifier.bias.copy_(head.get("head_bias", torch.zeros(labels)))
    counts = merge(model, adapter, merged)
    return model.eval(), counts


@torch.no_grad()
def logits_of(model, tokenizer, arguments, row):
    pair = [row[arguments.text_pair]] if arguments.text_pair else []
    encoding = tokenizer.encode(row[arguments.text], *pair)
    output = model.bert(torch.tensor([encoding.ids]), token_type_ids=torch.tensor([encoding.type_ids]))
    return model.classifier(output.pooler_output.float())[0]


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["model", "adapter", "texts", "predictions"]:
        parser.add_argument(name, type=Path)
    parser.add_argument("--text", default="text", help="column of TEXTS.jsonl (default: text)")
    parser.add_argument("--text-pair", help="column of the second text, where there is one")
    parser.add_argument("--max-length", type=int, help="longer texts are truncated (default: the model's positions)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of the encoder")
    parser.add_argument("--tolerance", type=float, help="default: 1e-4, or 0.1 for bfloat16")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    default = 1e-4 if arguments.dtype == "float32" else 0.1
    tolerance = default if arguments.tolerance is None else arguments.tolerance

    for name in ["config.json", "sparse_deltas.safetensors", "head_init.safetensors"]:
        if not (arguments.adapter / name).is_file():
            malformed(f"{arguments.adapter} has no {name}")

    names = json.loads((arguments.adapter / "config.json").read_text(encoding="utf-8")).get("id2label")
    if not names or sorted(names) != sorted(map(str, range(len(names)))):
        malformed(f"config.json has id2label {names!r}")
    adapter = read_adapter(arguments.adapter)
    model, counts = build(arguments, adapter, len(names))
    base, _ = build(arguments, adapter, len(names), merged=False)
    unknown = adapter.keys() - counts.keys()
    if unknown:
        print(f"note: entries of no parameter: {sorted(unknown)[:5]}")
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(arguments.max_length or model.config.max_position_embeddings)

    texts, predictions = read_lines(arguments.texts), read_lines(arguments.predictions)
    if len(texts) != len(predictions) or not texts:
        malformed(f"{len(texts)} texts, {len(predictions)} predictions")
    largest, moved, wrong = 0.0, 0.0, 0
    for number, (row, prediction) in enumerate(zip(texts, predictions), 1):
        logits, written = logits_of(model, tokenizer, arguments, row), torch.tensor(prediction["logits"])
        if written.shape != logits.shape or not written.isfinite().all():
            malformed(f"predictions, line {number}: logits {prediction['logits']} for {len(names)} labels")
        assert logits.isfinite().all(), f"line {number}: the merged model itself gives {logits.tolist()}"
        difference = (logits - written).abs().max().item()
        if difference > tolerance:
            print(f"line {number}: {difference:.3g}  expected {logits.tolist()}  found {prediction['logits']}")
        largest = max(largest, difference)
        moved = max(moved, (logits - logits_of(base, tokenizer, arguments, row)).abs().max().item())
        top = logits.topk(min(2, len(names))).values
        if "label" in prediction and (top[0] - top[-1]) > 2 * tolerance:
            wrong += prediction["label"] != names[str(logits.argmax().item())]
        if "probabilities" in prediction:
            expected = logits.softmax(-1) - torch.tensor(prediction["probabilities"])
            largest = max(largest, expected.abs().max().item())
    head = sum(count for name, count in counts.items() if name.startswith("classifier."))
    print(f"{len(texts)} texts; {sum(counts.values()) - head} scalars in "
          f"{sum(1 for name, count in counts.items() if count and not name.startswith('classifier.'))} sites, "
          f"{head} in the head; deltas move the logits by up to {moved:.3g}")
    if wrong:
        print(f"{wrong} labels differ")
    print(f"largest difference {largest:.3g} (tolerance {tolerance:.3g})")
    sys.exit(1 if wrong or not largest <= tolerance else 0)


if __name__ == "__main__":
    main()
