"""Rows of natural lengths: what packages say about themselves, labelled with their section."""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

LABELS = 20
SHORTEST = 20


def from_apt(count, seed=10605):
    """`count` rows drawn from the commonest sections."""
    if not shutil.which("apt-cache"):
        sys.exit("natural.py: no apt-cache here; give rows of your own with --rows FILE.jsonl (text and label)")
    dump = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    rows = sorted({row for row in map(_row, dump.decode(errors="replace").split("\n\n")) if row})
    common = {label for label, _ in Counter(label for _, label in rows).most_common(LABELS)}
    rows = [{"text": text, "label": label} for text, label in rows if label in common]
    if len(rows) < count:
        sys.exit(f"natural.py: apt-cache knows {len(rows)} descriptions, {count} are needed; run apt-get update")
    return random.Random(seed).sample(rows, count)


def from_file(path: Path, count, seed=10605):
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return random.Random(seed).sample(rows, min(count, len(rows)))


def _row(paragraph):
    """Text and label of a package; the text is whole where the list has more than the first line."""
    fields, name = {"": ""}, ""
    for line in paragraph.split("\n"):
        if line.startswith(" "):
            fields[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            fields[name] = value
    text = " ".join(fields.get("Description-en", fields.get("Description", "")).replace("\n .\n", " ").split())
    section = fields.get("Section", "").strip().rpartition("/")[2]
    return (text, section) if section and len(text) >= SHORTEST else None
