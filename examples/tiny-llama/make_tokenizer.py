#!/usr/bin/env python3
"""Trains the tokenizer of the tiny llama on the text that make_text.py wrote. Needs the Python package "tokenizers"."""

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SPECIAL = ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|turn|>"]


def texts(path):
    """The rows without their marks, which are tokens already."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        for mark in SPECIAL:
            text = text.replace(mark, "\n")
        yield from filter(None, text.split("\n"))


def train(path, vocabulary):
    tokenizer = Tokenizer(models.BPE())
    # A space before the first word too, so that "Anna" is one token wherever a sentence or an answer begins with her.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B", special_tokens=[("<|begin|>", 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(path), trainer)
    return tokenizer


def main():
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, default=here / "text" / "train.jsonl")
    parser.add_argument("--output", type=Path, default=here / "model" / "tokenizer.json")
    parser.add_argument("--vocabulary", type=int, default=1536)
    arguments = parser.parse_args()
    tokenizer = train(arguments.text, arguments.vocabulary)
    if tokenizer.get_vocab_size() != arguments.vocabulary:
        raise SystemExit(f"the text has words for {tokenizer.get_vocab_size()} tokens only, not {VOCABULARY}")
    tokenizer.save(str(arguments.output))


if __name__ == "__main__":
    main()
