"""Trains, exports and merges a small model of each family of the second wave with spartui, and loads the results.

    python tests/golden/check_families.py --spartui target/release/spartui --work FOLDER [--only NAME]

For each family a random model is saved by transformers itself, with a tokenizer of words. spartui trains SpaRTA and LoRA
on it for some steps, writes complete models (`export --format merged`), and gives their loss. transformers loads each of
these, PEFT the LoRA adapter on the base model, and the mean losses of the same rows are compared. Exit status: 0 if all
agree within the tolerance, else 1.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "curves")]

import torch
import torch.nn.functional as F
import transformers
from families.models import MODELS
from make_families import random_weight
from peft import PeftModel
from small_models import WORDS, word_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

NAMES = ["ministral-window", "ministral3-growing", "smollm3-interval", "olmo2-plain", "olmo3-window",
         "granite-multipliers", "arcee-relu2", "cohere-tied", "cohere2-pattern", "glm-half", "glm4-half", "phi-half",
         "gpt_neox-pythia"]
TOLERANCE = 1e-4
RECIPE = """
[model]
path = "{model}"
dtype = "float32"
[task]
kind = "causal-lm"
[data]
train = "{rows}"
validation = "{rows}"
format = "text"
append_end = false
max_length = 60
too_long = "truncate"
[method]
kind = "{kind}"
targets = {targets}
sparsity = 0.8
rank = 2
alpha = 4.0
[optimizer]
learning_rate = 0.02
[train]
max_steps = 8
epochs = 8
batch_size = 4
"""


def write_model(folder, name):
    config = dict(MODELS[name]["config"], vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    kind = config.pop("model_type")
    for old in ("torch_dtype", "dtype", "architectures", "transformers_version"):
        config.pop(old, None)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            parameter.copy_(random_weight(parameter_name, parameter.shape, kind, dict(embed=0.2), generator))
    model.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)


def write_rows(path):
    rows = [" ".join(WORDS[(7 * row + 3 * place * place) % len(WORDS)] for place in range(4 + 3 * row))
            for row in range(6)]
    path.write_text("".join(json.dumps(dict(text=row)) + "\n" for row in rows))
    return rows


def run(spartui, work, *arguments):
    done = subprocess.run([str(spartui), "--runs-dir", str(work / "runs"), *map(str, arguments)], capture_output=True,
                          text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


@torch.no_grad()
def loss_of(model, tokenizer, rows):
    total, count = 0.0, 0
    for row in rows:
        ids = torch.tensor([tokenizer(row)["input_ids"]])
        total += F.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="sum").item()
        count += ids.shape[1] - 1
    return total / count


def check(spartui, work, name):
    folder = work / name
    folder.mkdir(parents=True)
    base = folder / "base"
    write_model(base, name)
    rows = write_rows(folder / "rows.jsonl")
    tokenizer = AutoTokenizer.from_pretrained(base)
    worst = 0.0
    for kind in ("sparta", "lora"):
        groups = sorted({"v_proj", "o_proj", "down_proj"})
        recipe = folder / f"{kind}.toml"
        recipe.write_text(RECIPE.format(model=base, rows=folder / "rows.jsonl", kind=kind, targets=json.dumps(groups)))
        run(spartui, folder, "train", recipe, "--headless", "--run", kind)
        merged = folder / f"merged-{kind}"
        run(spartui, folder, "export", kind, "--format", "merged", "--output", merged)
        ours = json.loads(run(spartui, folder, "evaluate", "--run", kind, "--data", folder / "rows.jsonl", "--json"))
        loaded, info = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"], info
        losses = dict(merged=loss_of(loaded, tokenizer, rows))
        if kind == "lora":
            plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
            start = loss_of(plain, tokenizer, rows)
            losses["peft"] = loss_of(PeftModel.from_pretrained(plain, folder / "runs" / kind / "adapter").eval(),
                                     tokenizer, rows)
            assert abs(losses["peft"] - start) > 0.01, "the adapter changes nothing"
        for found in losses.values():
            worst = max(worst, abs(found - ours["eval_loss"]) / found)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spartui", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="a new folder")
    parser.add_argument("--only", default="", help="only models whose name begins so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = False
    for name in (name for name in NAMES if name.startswith(arguments.only)):
        worst = check(arguments.spartui.resolve(), arguments.work.resolve(), name)
        failed |= worst > TOLERANCE
        print(f"{name:22} largest relative difference of a loss {worst:.1e}", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
