"""Tokens of models whose added tokens stand beside tokenizer.json, as transformers reads them, for the tests to compare with.

    python tests/golden/make_added_tokens.py tests/golden

Needs transformers and tokenizers. Each case is the tokenizer of chat/ without some of its added tokens, and files beside it.
"""

import json
import pathlib
import sys
import tempfile

from transformers import PreTrainedTokenizerFast

TEXTS = ["<|im_start|>user\nHello <|im_end|>\n<tool> x</s>", "a <tool>  b<tool>c", "<|user|>x<|assistant|> One<|im_end|></s>"]
PLAIN = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}


def token(content, **flags):
    return {"content": content, **PLAIN, **flags}


# The added tokens that tokenizer.json keeps, and the files beside it.
CASES = {
    "list": (["<s>"], {"tokenizer_config.json": {"added_tokens_decoder": {"4": token("<|im_start|>"), "5": token("<|im_end|>"), "900": token("<tool>", lstrip=True)}}}),
    "list-flags": (["<s>", "</s>", "<|im_end|>"], {"tokenizer_config.json": {"added_tokens_decoder": {"5": token("<|im_end|>", lstrip=True, special=False), "1001": token("<tool>", rstrip=True), "1000": token("One", special=False, normalized=True, single_word=True)}}}),
    "additional": (["<s>"], {"tokenizer_config.json": {"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<tool>"], "eos_token": "</s>"}}),
    "extra": (["<s>"], {"tokenizer_config.json": {"extra_special_tokens": ["<|im_start|>"], "additional_special_tokens": ["<|im_end|>"]}}),
    "named": (["<s>"], {"tokenizer_config.json": {"extra_special_tokens": {"image_token": "<tool>"}, "user_token": "<|user|>", "eos_token": "<|im_end|>"}}),
    "older": (["<s>"], {"added_tokens.json": {"<|im_start|>": 4, "<|im_end|>": 5, "<tool>": 900}, "special_tokens_map.json": {"eos_token": {"content": "<|im_end|>", **{k: v for k, v in PLAIN.items() if k != "special"}}, "bos_token": "<s>", "additional_special_tokens": ["<tool>"]}, "tokenizer_config.json": {"eos_token": "</s>"}}),
    "map-unused": (["<s>"], {"special_tokens_map.json": {"eos_token": "<|im_end|>"}, "tokenizer_config.json": {"eos_token": "</s>", "added_tokens_decoder": {"2": token("<s>")}}}),
    "end-in-vocabulary": (["<s>", "<|im_start|>"], {"tokenizer_config.json": {"eos_token": "<|im_end|>"}}),
    "end-nowhere": (["<s>"], {"tokenizer_config.json": {"eos_token": "<tool>"}}),
    "nothing": (["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>"], {}),
}


def main(folder):
    whole = json.loads((folder / "chat" / "tokenizer.json").read_text())
    cases = []
    for name, (kept, files) in CASES.items():
        own = {**whole, "added_tokens": [added for added in whole["added_tokens"] if added["content"] in kept]}
        with tempfile.TemporaryDirectory() as model:
            model = pathlib.Path(model)
            (model / "tokenizer.json").write_text(json.dumps(own))
            for file, contents in files.items():
                (model / file).write_text(json.dumps(contents))
            tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
            texts = []
            for text in TEXTS:
                ids = tokenizer(text)["input_ids"]
                texts.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True)})
            cases.append({"name": name, "kept": kept, "files": files, "texts": texts, "names": tokenizer.special_tokens_map, "end": tokenizer.eos_token_id})
    (folder / "chat" / "added.json").write_text(json.dumps({"cases": cases}, ensure_ascii=False, indent=None) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
