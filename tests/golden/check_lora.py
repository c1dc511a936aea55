"""Checks an adapter of low rank that spartui wrote, and its predictions, by loading it with PEFT.

    python tests/golden/check_lora.py MODEL ADAPTER TEXTS.jsonl PREDICTIONS.jsonl

MODEL is a folder in Hugging Face layout, ADAPTER one in PEFT's (adapter_config.json, adapter_model.safetensors),
TEXTS.jsonl what `spartui predict` was given, PREDICTIONS.jsonl what it wrote. A second check merges the adapter by
PEFT's `merge_and_unload`. Prints the largest differences. Exit status: 0 within the tolerance, 1 beyond it, 2 the
adapter is not what PEFT loads whole.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import PeftConfig, PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification


def malformed(message):
    print(f"malformed: {message}", file=sys.stderr)
    sys.exit(2)


def load(arguments):
    """The base model in the class that the adapter is for, and PEFT's model on top of it."""
    settings = PeftConfig.from_pretrained(arguments.adapter)
    options = dict(dtype=getattr(torch, arguments.dtype), attn_implementation="eager")
    if settings.task_type == "SEQ_CLS":
        labels = AutoConfig.from_pretrained(arguments.adapter).id2label
        base = AutoModelForSequenceClassification.from_pretrained(
            arguments.model, num_labels=len(labels), ignore_mismatched_sizes=True, **options)
        base.config.pad_token_id = 0
    else:
        labels = None
        base = AutoModelForCausalLM.from_pretrained(arguments.model, **options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, arguments.adapter).eval()
    missing = [str(warning.message) for warning in said if "missing adapter keys" in str(warning.message)]
    written = load_file(str(arguments.adapter / "adapter_model.safetensors"))
    loaded = get_peft_model_state_dict(model)
    if missing or written.keys() != loaded.keys():
        malformed(f"PEFT's keys differ: {missing or sorted(written.keys() ^ loaded.keys())[:5]}")
    for name, value in written.items():
        if not torch.equal(value.float(), loaded[name].float()):
            malformed(f"PEFT has other numbers for {name}")
    return model, labels


@torch.no_grad()
def expected(model, ids, labels):
    logits = model(torch.tensor([ids])).logits[0].float()
    if labels is not None:
        return logits
    return logits[:-1].log_softmax(-1).gather(-1, torch.tensor(ids)[1:, None])[:, 0]


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["model", "adapter", "texts", "predictions"]:
        parser.add_argument(name, type=Path)
    parser.add_argument("--text", default="text", help="column of TEXTS.jsonl (default: text)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of the base model")
    parser.add_argument("--tolerance", type=float, help="default: 1e-4, or 0.1 for bfloat16")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tolerance = arguments.tolerance or (1e-4 if arguments.dtype == "float32" else 0.1)
    model, labels = load(arguments)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.config.max_position_embeddings)
    texts, predictions = read_lines(arguments.texts), read_lines(arguments.predictions)
    if len(texts) != len(predictions) or not texts:
        malformed(f"{len(texts)} texts, {len(predictions)} predictions")
    key = "logprobs" if labels is None else "logits"
    rows = [tokenizer.encode(row[arguments.text]).ids for row in texts]
    beside = [expected(model, ids, labels) for ids in rows]
    with model.disable_adapter():
        base = [expected(model, ids, labels) for ids in rows]
    merged = model.merge_and_unload()
    largest = dict(beside=0.0, merged=0.0)
    moved = 0.0
    for ids, with_adapter, without, prediction in zip(rows, beside, base, predictions):
        written = torch.tensor(prediction[key])
        if written.shape != with_adapter.shape or not written.isfinite().all():
            malformed(f"a prediction has the shape {list(written.shape)}, not {list(with_adapter.shape)}")
        largest["beside"] = max(largest["beside"], (written - with_adapter).abs().max().item())
        largest["merged"] = max(largest["merged"], (written - expected(merged, ids, labels)).abs().max().item())
        moved = max(moved, (with_adapter - without).abs().max().item())
    print(f"{len(texts)} texts; the adapter moves the {key} by up to {moved:.3g}")
    print(f"largest difference {largest['beside']:.3g}, merged by PEFT {largest['merged']:.3g} (tolerance {tolerance:.3g})")
    sys.exit(0 if max(largest.values()) <= tolerance else 1)


if __name__ == "__main__":
    main()
