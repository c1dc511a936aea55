"""Makes sparta_adapter/: a small model and two adapters, trained and saved by the Python package peft-sparta, with the
outputs of its own loader. No line of spartui takes part.

    pip install torch==2.11.0 transformers==5.23.0 tokenizers==0.23.3 safetensors==0.8.0 peft-sparta==0.0.3
    python tests/golden/make_sparta_adapter.py        # in the repository's root

    sparta_adapter/model/           a random Llama in bfloat16, untied, with a tokenizer of whole words
    sparta_adapter/classification/  `SpaRTA.save` of a classifier, and head_init.safetensors
    sparta_adapter/causal/          `SpaRTA.save` of a language model whose embeddings of two tokens train whole, for
                                    which the package writes 64-bit indices
    sparta_adapter/tokens/          `SpaRTA.save` of a classifier with a new token, whose row trains in full, and the
                                    tokenizer that has it
    sparta_adapter/golden.json      see `main`

The package's trainer would save the head's start as a pickle file; its loader prefers the safetensors file that is
written here.
"""

import json
import math
import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F
from peft_sparta import SpaRTA, SpaRTAforCausalLM, SpaRTAforSequenceClassification
from peft_sparta.trainer.sft.model_loader import load_classification_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

HERE = Path("tests/golden/sparta_adapter")
MODEL, CLASSIFICATION, CAUSAL, TOKENS = (HERE / name for name in ("model", "classification", "causal", "tokens"))

WORDS = "the a kettle lamp chair bread soup rain wind snow falls burns boils breaks was is very too hot cold warm old new \
quietly slowly again today tomorrow and but we they buy mend eat . , ! ?".split()
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>"] + WORDS
LABELS = ["weather", "kitchen", "repair"]
ROWS = [
    ("the rain falls quietly and the wind is cold .", 0),
    ("we eat hot soup and warm bread .", 1),
    ("the old chair breaks again , we mend the lamp !", 2),
    ("snow falls today", 0),
    ("the kettle boils", 1),
    ("they buy a new lamp tomorrow , but the old lamp was very old .", 2),
    ("cold wind , warm rain ?", 0),
    ("is the bread too old ?", 1),
]


def make_model():
    torch.manual_seed(407)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False, initializer_range=0.15,
        pad_token_id=0, bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(MODEL)
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(MODEL)


def train(model, rate, loss):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    losses = []
    for _ in range(8):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0], losses


def save(sparta, folder):
    folder.mkdir()
    sparta.eval()
    sparta.save(str(folder), merged=False)


def train_classifier(tokenizer):
    torch.manual_seed(12)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(MODEL), num_labels=len(LABELS), id2label=dict(enumerate(LABELS)),
        label2id={label: at for at, label in enumerate(LABELS)}, dtype=torch.bfloat16)
    # As the package's trainer sets up the head.
    model.score.weight.data = model.score.weight.data.float() * 3.0 / math.sqrt(model.score.in_features)
    model.score.register_forward_pre_hook(lambda module, given: (given[0].float(),))
    sparta = SpaRTA(model, sparsity=0.9)
    texts, labels = zip(*ROWS)
    batch = tokenizer(list(texts), return_tensors="pt", padding=True)
    train(sparta, 3e-2, lambda: sparta(**batch, labels=torch.tensor(labels)).loss)
    save(sparta, CLASSIFICATION)
    head = sparta.get_init_param(model.score.weight).contiguous()
    save_file({"head": head}, CLASSIFICATION / "head_init.safetensors", metadata={"format": "pt"})


def with_new_token():
    return load_classification_model(str(MODEL), len(LABELS), dict(enumerate(LABELS)), "random", None, ["<sep>"],
                                     dtype=torch.bfloat16)


def train_with_new_token():
    torch.manual_seed(14)
    tokenizer, model = with_new_token()
    sparta = SpaRTA(model, sparsity=0.9, trainable_tokens=[len(VOCABULARY)])
    batch = tokenizer([marked(text) for text, _ in ROWS], return_tensors="pt", padding=True)
    labels = torch.tensor([label for _, label in ROWS])
    train(sparta, 3e-2, lambda: sparta(**batch, labels=labels).loss)
    save(sparta, TOKENS)
    tokenizer.save_pretrained(TOKENS)
    head = sparta.get_init_param(model.score.weight).contiguous()
    save_file({"head": head}, TOKENS / "head_init.safetensors", metadata={"format": "pt"})
    # The package's trainer saves these as a pickle file too.
    rows = sparta.get_init_param(model.get_input_embeddings().weight)[len(VOCABULARY):].float().contiguous()
    save_file({"new_embeddings": rows}, TOKENS / "new_embeddings_init.safetensors", metadata={"format": "pt"})
    return rows


def marked(text):
    return text.replace(",", "<sep>").replace("and", "<sep>")


@torch.no_grad()
def outputs_with_new_token(rows):
    """By the package's loader, to which the rows are given as the pickle file that it can read, and in float32."""
    tokenizer, model = with_new_token()
    ids = [tokenizer(marked(text)).input_ids for text, _ in ROWS]
    deltas = flat_deltas(TOKENS)
    kept = (TOKENS / "new_embeddings_init.safetensors").read_bytes()
    (TOKENS / "new_embeddings_init.safetensors").unlink()
    torch.save(rows, TOKENS / "new_embeddings_init.pt")
    loaded = SpaRTAforSequenceClassification(str(TOKENS))
    (TOKENS / "new_embeddings_init.pt").unlink()
    (TOKENS / "new_embeddings_init.safetensors").write_bytes(kept)
    reference = [loaded(torch.tensor([row]))[0].tolist() for row in ids]
    model.get_input_embeddings().weight.data[len(VOCABULARY):] = rows
    head = load_file(TOKENS / "head_init.safetensors")["head"]
    model = exact(model, deltas)
    model.score.weight.copy_(head + torch.tensor(deltas["score.weight"][1]).view(head.shape))
    exactly = [model(input_ids=torch.tensor([row])).logits[0].tolist() for row in ids]
    return {"texts": [marked(text) for text, _ in ROWS], "input_ids": ids, "reference": reference, "float32": exactly,
            "row": deltas["model.embed_tokens.weight"][0][0] // 32}


def train_language_model(tokenizer):
    torch.manual_seed(13)
    model = AutoModelForCausalLM.from_pretrained(str(MODEL), dtype=torch.bfloat16)
    whole = [VOCABULARY.index(word) for word in ("kettle", "lamp")]
    sparta = SpaRTA(model, sparsity=0.8, trainable_tokens=whole)

    batch = tokenizer([text for text, _ in ROWS], return_tensors="pt", padding=True)
    targets = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
    train(sparta, 3e-2, lambda: sparta(**batch, labels=targets).loss)
    save(sparta, CAUSAL)
    assert load_file(CAUSAL / "sparse_deltas.safetensors")["indices.model.embed_tokens.weight"].dtype == torch.int64


def flat_deltas(adapter):
    """{name: [flat indices, sorted; deltas]} of every parameter that has some."""
    tensors = load_file(adapter / "sparse_deltas.safetensors")
    shapes = {name: value.shape for name, value in load_file(MODEL / "model.safetensors").items()}
    shapes["score.weight"] = (len(LABELS), shapes["lm_head.weight"][1])
    found = {}
    for key, indices in tensors.items():
        name = key.removeprefix("indices.")
        if name != key and len(indices):
            columns = indices.long().unbind(1)
            flat = columns[0] if len(columns) == 1 else columns[0] * shapes[name][1] + columns[1]
            flat, order = flat.sort()
            found[name] = [flat.tolist(), tensors[f"deltas.{name}"][order].tolist()]
    return found


def summary(deltas):
    """Of each parameter: how many, the first few, and sums over all (those of the values in float64)."""
    return {
        name: {
            "count": len(indices), "indices": indices[:6], "values": [float(f"{value:.9g}") for value in values[:6]],
            "sum_of_indices": sum(indices), "sum_of_values": math.fsum(values),
            "sum_of_products": math.fsum(index * value for index, value in zip(indices, values)),
        }
        for name, (indices, values) in deltas.items()
    }


@torch.no_grad()
def exact(model, deltas):
    """The model in float32, with the deltas added and nothing rounded."""
    model = model.float().eval()
    for name, parameter in model.named_parameters():
        if name in deltas and name != "score.weight":
            indices, values = deltas[name]
            parameter.view(-1)[indices] += torch.tensor(values)
    return model


@torch.no_grad()
def logprobs(model, ids):
    scores = F.log_softmax(model(input_ids=torch.tensor([ids])).logits[0].float(), -1)
    return [scores[at, token].item() for at, token in enumerate(ids[1:])]


@torch.no_grad()
def main():
    if HERE.exists():
        shutil.rmtree(HERE)
    HERE.mkdir(parents=True)
    torch.set_num_threads(1)
    make_model()
    tokenizer = AutoTokenizer.from_pretrained(str(MODEL))
    with torch.enable_grad():
        train_classifier(tokenizer)
        train_language_model(tokenizer)
        rows = train_with_new_token()

    texts = [text for text, _ in ROWS]
    ids = [tokenizer(text).input_ids for text in texts]
    deltas = {"classification": flat_deltas(CLASSIFICATION), "causal": flat_deltas(CAUSAL)}

    # Each text by itself: padding rounds differently.
    classifier = SpaRTAforSequenceClassification(str(CLASSIFICATION))
    reference = [classifier(torch.tensor([row]))[0].tolist() for row in ids]
    model = AutoModelForSequenceClassification.from_pretrained(str(MODEL), num_labels=len(LABELS))
    head = load_file(CLASSIFICATION / "head_init.safetensors")["head"]
    model = exact(model, deltas["classification"])
    model.score.weight.copy_(head + torch.tensor(deltas["classification"]["score.weight"][1]).view(head.shape))
    classification = [model(input_ids=torch.tensor([row])).logits[0].tolist() for row in ids]

    language_model = exact(AutoModelForCausalLM.from_pretrained(str(MODEL)), deltas["causal"])
    loaded = SpaRTAforCausalLM(str(CAUSAL))

    golden = {
        "labels": LABELS,
        "texts": texts,
        "input_ids": ids,
        "deltas": {task: summary(found) for task, found in deltas.items()},
        # `reference` is the package's loader, all in bfloat16; `float32` rounds nothing.
        "classification": {"reference": reference, "float32": classification},
        "causal": {
            "reference": [logprobs(loaded, row) for row in ids],
            "float32": [logprobs(language_model, row) for row in ids],
        },
        "tokens": outputs_with_new_token(rows),
    }
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")
    for folder in (MODEL, CLASSIFICATION, CAUSAL, TOKENS):
        for path in folder.iterdir():
            path.chmod(0o644)


if __name__ == "__main__":
    main()
