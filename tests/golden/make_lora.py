"""Makes the adapters and loss curves of lora/ with PEFT, on the models and batches of curves/, without a line of spartui.

    python tests/golden/make_lora.py

Needs peft beside what make_curves.py needs, but not peft-sparta; lora/README.md has the versions. Everything is seeded
and computed on one thread: a second run on the same machine writes the same bytes.
"""

import argparse
import json
import shutil
from pathlib import Path

from make import write_json  # also forbids the hub

import numpy
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from curves.batches import right_padded
from curves.small_models import LABELS

BETAS, EPSILON, RATE, DECAY = (0.9, 0.99), 1e-8, 5e-3, 0.1
VARIANTS = {"plain": {}, "rslora": dict(use_rslora=True), "dora": dict(use_dora=True)}
TARGETS = {
    "bert": ["query", "attention.output.dense", "intermediate.dense"],
    "llama": ["q_proj", "v_proj", "o_proj", "down_proj"],
    "gpt2": ["c_attn", "mlp.c_proj"],
}
GROUPS = {"bert": ["query", "attention.output", "intermediate"], "llama": TARGETS["llama"],
          "gpt2": ["c_attn", "mlp.c_proj"]}
CASES = [(model, task, variant) for model, task in (("bert", "classification"), ("llama", "causal"))
         for variant in VARIANTS]
CASES += [("llama", "classification", "plain"), ("gpt2", "causal", "plain"), ("gpt2", "causal", "dora")]
TASKS = {"classification": "sequence-classification", "causal": "causal-lm"}
# Read, but not trained with here: other ranks and scales for some layers, and the end of all names as targets.
PATTERNS = dict(r=4, lora_alpha=8, target_modules="all-linear", rank_pattern={"q_proj": 2, "layers.1.mlp.up_proj": 6},
                alpha_pattern={"v_proj": 32}, use_rslora=True)
TEXTS = ["word3 word4 word5 yes word20", "no word7", "maybe word1 word1 word30 word56 word2 word9", "word11 word12 no"]


def seed(*words):
    torch.manual_seed(int.from_bytes(" ".join(words).encode(), "big") % 2**31)


def float32s(values):
    """Written with as few digits as tell them apart."""
    return [float(str(numpy.float32(value))) for value in values]


def load(folder, task):
    if task == "causal":
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(LABELS), dtype=torch.float32)
    model.config.pad_token_id = 0
    return model


def inputs(model, batch, causal):
    more = {} if model.config.model_type == "bert" else dict(use_cache=False)
    return right_padded(batch, causal) | more


def save(model, folder):
    """As PEFT saves it, with nothing of this machine in it."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = Path(config["base_model_name_or_path"]).name
    for name in ("target_modules", "modules_to_save"):  # sets, in an order of their own each time
        if isinstance(config[name], list):
            config[name] = sorted(config[name])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)


@torch.no_grad()
def predictions(model, folder, causal):
    """Logits of a classifier, and log-probabilities of the tokens of each text of a language model."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model.eval()
    rows = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        logits = model(ids).logits[0]
        if causal:
            logits = logits[:-1].log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
        rows.append(float32s(logits.tolist()))
    model.train()
    return rows


def parameter_groups(model):
    """The magnitudes and the head are exempt from decay."""
    exempt = lambda name: "magnitude" in name or ".modules_to_save." in name
    named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    return [dict(params=[value for name, value in named if not exempt(name)], weight_decay=DECAY),
            dict(params=[value for name, value in named if exempt(name)], weight_decay=0.0)]


def curve(models, batches, output, model_name, task, variant):
    seed(model_name, task, variant)
    causal = task == "causal"
    config = LoraConfig(r=4, lora_alpha=12, lora_dropout=0.0, target_modules=TARGETS[model_name],
                        fan_in_fan_out=model_name == "gpt2", task_type="CAUSAL_LM" if causal else "SEQ_CLS",
                        **VARIANTS[variant])
    model = get_peft_model(load(models / model_name, task), config)
    save(model, output / "start")
    groups = parameter_groups(model)
    trainable = sum(value.numel() for group in groups for value in group["params"])
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPSILON)
    losses, norms = [], []
    model.train()
    for batch in batches:
        loss = model(**inputs(model, batch, causal)).loss
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_([value for group in groups for value in group["params"]], 1e9).item())
        losses.append(loss.item())
        optimizer.step()
    save(model, output / "end")
    fields = dict(model=model_name, task=TASKS[task], variant=variant, rank=4, alpha=12, targets=GROUPS[model_name],
                  trainable=trainable, rate=RATE, betas=BETAS, epsilon=EPSILON, weight_decay=DECAY,
                  loss=float32s(losses), grad_norm=float32s(norms), texts=TEXTS,
                  predictions=predictions(model, models / model_name, causal))
    write_json(output / "curve.json", fields)


def patterns(models, output):
    """An adapter that no run of spartui writes: random numbers in all factors."""
    seed("patterns")
    model = get_peft_model(load(models / "llama", "causal"), LoraConfig(task_type="CAUSAL_LM", **PATTERNS))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value.normal_(0, 0.1)
    save(model, output / "end")
    write_json(output / "curve.json", dict(model="llama", task="causal-lm", texts=TEXTS,
                                           predictions=predictions(model, models / "llama", True)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).parent
    parser.add_argument("--curves", type=Path, default=here / "curves", help="folder of models and batches")
    parser.add_argument("--output", type=Path, default=here / "lora", help="folder to write to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    batches = json.loads((arguments.curves / "batches.json").read_text())["batches"]
    for model, task, variant in CASES:
        folder = arguments.output / f"{model}-{task}-{variant}"
        folder.mkdir(parents=True, exist_ok=True)
        curve(arguments.curves / "models", batches, folder, model, task, variant)
    folder = arguments.output / "llama-causal-patterns"
    folder.mkdir(parents=True, exist_ok=True)
    patterns(arguments.curves / "models", folder)


if __name__ == "__main__":
    main()
