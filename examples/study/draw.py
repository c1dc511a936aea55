"""Draws the study's data: which section of Debian is a package in, by its one-line description?

    apt-cache dumpavail | python3 draw.py FOLDER [KEY]

Writes train.jsonl, validation.jsonl and test.jsonl with the columns "text" and "label", and says what it drew. Of the
sections, those count that have at least 200 descriptions. A description counts once, and not at all where packages of
several sections have it. Packages of one source go to one of the three files, so that no file holds what another one
all but says. The key decides which; the order of the rows is keyed too.
"""

import collections
import hashlib
import json
import pathlib
import re
import sys

LEAST = 200
SHARES = (("test", 0.08), ("validation", 0.035))


def packages(lines):
    fields = {}
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            yield fields
            fields = {}
        elif not line[0].isspace() and ":" in line:
            name, value = line.split(":", 1)
            fields[name] = value.strip()
    yield fields


def share(key, what):
    """A number from 0 to 1 that belongs to a text."""
    digest = hashlib.blake2b(f"{key}\0{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def main():
    folder = pathlib.Path(sys.argv[1])
    key = sys.argv[2] if len(sys.argv) > 2 else "spartui study"
    sections, sources = collections.defaultdict(set), {}
    for fields in packages(sys.stdin):
        text = fields.get("Description-en") or fields.get("Description") or ""
        text = re.sub(r"\s+", " ", text).strip()
        # Sections of other parts of an archive have these as a prefix.
        section = fields.get("Section", "").rsplit("/", 1)[-1]
        if text and section and "Package" in fields:
            sections[text].add(section)
            source = fields.get("Source", fields["Package"]).split(" ", 1)[0]
            # The first of its sources by name, so that the order of the archive does not matter.
            sources[text] = min(source, sources.get(text, source))
    single = {text: next(iter(of)) for text, of in sections.items() if len(of) == 1}
    counts = collections.Counter(single.values())
    labels = sorted(section for section, count in counts.items() if count >= LEAST)
    files = {"train": [], "validation": [], "test": []}
    for text, section in single.items():
        if section not in labels:
            continue
        at, name = share(key, sources[text]), "train"
        for other, size in SHARES:
            if at < size:
                name = other
                break
            at -= size
        files[name].append((share(key, text), text, section))
    rows = sum(map(len, files.values()))
    if len(labels) < 20 or rows < 20_000:
        sys.exit(
            f"only {rows} descriptions in {len(labels)} sections: the study needs 20,000 in 20; "
            "`apt-get update` with Debian's or Ubuntu's main archive fills the list of packages"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in files.items():
        lines = (json.dumps({"text": text, "label": section}, ensure_ascii=False) for _, text, section in sorted(drawn))
        (folder / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    largest = max(labels, key=lambda section: counts[section])
    said = ", ".join(f"{len(drawn):,} {name}" for name, drawn in files.items())
    summary = (
        f"{rows:,} distinct descriptions in {len(labels)} sections ({said} rows), "
        f"the largest section {largest} with {counts[largest] / rows:.1%}."
    )
    (folder / "drawn.txt").write_text(summary + "\n", encoding="utf-8")
    print(summary)


main()
