#!/usr/bin/env python3
"""Writes the text that the tiny llama is pretrained on: train.jsonl and validation.jsonl, the same bytes every time."""

import argparse
import hashlib
import json
from pathlib import Path

from tiny_text.corpus import Corpus
from tiny_text.dice import Dice

SEED = 10605
TRAIN_ROWS = 13000
VALIDATION_ROWS = 250


def rows(count):
    """Different rows, in a mixed order."""
    corpus, dice, found = Corpus(), Dice(SEED), {}
    while len(found) < count:
        found[corpus.row(dice)] = None
    return list(found)


def write(path, texts):
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    data = lines.encode()
    path.write_bytes(data)
    print(f"{path}: {len(texts)} rows, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "text", help="the folder to write to")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    texts = rows(TRAIN_ROWS + VALIDATION_ROWS)
    write(folder / "validation.jsonl", texts[:VALIDATION_ROWS])
    write(folder / "train.jsonl", texts[VALIDATION_ROWS:])


if __name__ == "__main__":
    main()
