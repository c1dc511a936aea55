"""Compares what `spartui predict` wrote with what the Python package peft-sparta computes from the same adapter.

    python tests/golden/check_sparta.py MODEL ADAPTER INPUT.jsonl PREDICTIONS.jsonl [--tolerance 0.02] [--text text]

ADAPTER is loaded by the package's own loader (pip install peft-sparta==0.0.3), which reads the base model in bfloat16:
give `spartui predict` --dtype bfloat16. MODEL is the base model's folder, whatever the adapter calls it. Prints the
largest differences. Exit status: 0 within the tolerance, 1 beyond it or another label, 2 the files do not fit.

The tolerance is relative: of logits to the largest of them, of log-probabilities to the largest of those, at least 1.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from peft_sparta import SpaRTAforCausalLM, SpaRTAforSequenceClassification
from transformers import AutoTokenizer


NEW_ROWS = "new_embeddings_init.safetensors"


def misfit(message):
    print(message, file=sys.stderr)
    sys.exit(2)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def with_base(adapter, model, folder):
    """The adapter's files as links in `folder`, naming this base model."""
    for path in adapter.iterdir():
        if path.name == NEW_ROWS:
            # The package's loader hands a torch.device to safetensors for this file, which takes a name only.
            torch.save(load_file(path)["new_embeddings"], folder / "new_embeddings_init.pt")
        elif path.name != "config.json":
            (folder / path.name).symlink_to(path.resolve())
    config = json.loads((adapter / "config.json").read_text())
    config["sparta_pretrained_model"] = str(model.resolve())
    (folder / "config.json").write_text(json.dumps(config))
    return config


@torch.no_grad()
def check_classification(folder, texts, predictions):
    loaded = SpaRTAforSequenceClassification(str(folder))
    pairs, wrong = [], []
    for number, (text, found) in enumerate(zip(texts, predictions)):
        # One by one: padding changes bfloat16's rounding.
        expected = loaded(**loaded.tokenizer([text], return_tensors="pt"))[0]
        logits = torch.tensor(found["logits"])
        if logits.shape != expected.shape:
            misfit(f"row {number} has {len(logits)} logits, not {len(expected)}")
        if not torch.allclose(torch.tensor(found["probabilities"]), logits.softmax(-1), atol=1e-4):
            misfit(f"row {number}: the probabilities are not those of its logits")
        label = loaded.id2label[str(expected.argmax().item())]
        if found["label"] != label:
            margin = expected.max() - expected[logits.argmax()]
            wrong.append((number, found["label"], label, margin.item()))
        pairs.append((logits, expected))
    return pairs, wrong


@torch.no_grad()
def check_causal(folder, model, texts, predictions):
    loaded = SpaRTAforCausalLM(str(folder))
    source = folder if (folder / "tokenizer_config.json").exists() else model
    tokenizer = AutoTokenizer.from_pretrained(str(source))
    pairs = []
    for number, (text, found) in enumerate(zip(texts, predictions)):
        ids = tokenizer(text).input_ids
        if found["tokens"] != ids:
            misfit(f"row {number} has the tokens {found['tokens']}, not {ids}")
        scores = F.log_softmax(loaded(input_ids=torch.tensor([ids])).logits[0].float(), -1)
        expected = scores[torch.arange(len(ids) - 1), ids[1:]]
        if len(found["logprobs"]) != len(expected):
            misfit(f"row {number} has {len(found['logprobs'])} log-probabilities, not {len(expected)}")
        pairs.append((torch.tensor(found["logprobs"]), expected))
    return pairs, []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "input", "predictions"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--text", default="text", help="the column of the texts")
    options = parser.parse_args()
    texts = [row[options.text] for row in rows(options.input)]
    predictions = rows(options.predictions)
    if not texts or len(texts) != len(predictions):
        misfit(f"{len(texts)} texts, but {len(predictions)} predictions")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        config = with_base(options.adapter, options.model, folder)
        if "sparta_extension" in config:
            misfit("the adapter is of an encoder, which peft-sparta does not know")
        if config.get("problem_type") == "single_label_classification":
            what, (pairs, wrong) = "logits", check_classification(folder, texts, predictions)
        else:
            what, (pairs, wrong) = "log-probabilities", check_causal(folder, options.model, texts, predictions)
    largest = max([1.0 if what != "logits" else 1e-6] + [b.abs().max().item() for _, b in pairs if len(b)])
    by_row = [(a - b).abs().max().item() if len(b) else 0.0 for a, b in pairs]
    worst = max(range(len(by_row)), key=by_row.__getitem__)
    print(f"{what}: {len(pairs)} rows, largest difference {by_row[worst]:.3g} in row {worst}, "
          f"{by_row[worst] / largest:.3g} of the largest ({largest:.3g}); tolerance {options.tolerance:g}")
    for number, found, label, margin in wrong:
        print(f"row {number}: label {found!r}, not {label!r} (which leads by {margin:.3g})")
    # Where two labels are as good as equal, either may win.
    beyond = [row for row in wrong if row[3] > options.tolerance * largest]
    sys.exit(1 if beyond or not by_row[worst] <= options.tolerance * largest else 0)


if __name__ == "__main__":
    main()
