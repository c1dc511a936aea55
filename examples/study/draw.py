"""Draws the data of the tasks about Debian's packages from their one-line descriptions.

    apt-cache dumpavail | python3 draw.py FOLDER section|language|role|team [KEY]

section: which section of the archive is a package in? language: which programming language is it written in, by its tag
"implemented-in"? role: what is it (a library, a program, documentation), by its tag "role"? team: which of Debian's
teams looks after it? Writes train.jsonl, validation.jsonl and test.jsonl with the columns "text" and "label", and says what
it drew. Of the labels, those count that
have enough descriptions. A description counts once, and not at all where packages with
several labels have it. Packages of one source go to one of the three files, so that no file holds what another one all but
says. The key decides which; the order of the rows is keyed too.
"""

import collections
import dataclasses
import json
import pathlib
import re
import sys

from archive import description, packages, share, source


@dataclasses.dataclass
class Task:
    """What is asked of a description."""

    noun: str
    labels_of: object
    least: int
    """Descriptions of a label that counts."""
    labels: int
    rows: int
    """The least labels and rows that make a task."""
    shares: tuple


def section(fields):
    """Sections of other parts of an archive have these as a prefix."""
    return {fields.get("Section", "").rsplit("/", 1)[-1]} - {""}


def language(fields):
    return tags(fields, "implemented-in")


def role(fields):
    return tags(fields, "role")


def team(fields):
    """Maintainers who are not a single person."""
    name = fields.get("Maintainer", "").split("<", 1)[0].strip()
    return {name} if re.search(r"\b(Team|Group|Maintainers|Force|Project)\b", name) else set()


def tags(fields, facet):
    return set(re.findall(facet + r"::([^,\s]+)", fields.get("Tag", ""))) - {"TODO"}


TASKS = {
    "section": Task("sections", section, 200, 20, 20_000, (("test", 0.08), ("validation", 0.035))),
    "team": Task("teams", team, 500, 12, 15_000, (("test", 0.1), ("validation", 0.05))),
    "role": Task("roles", role, 150, 8, 15_000, (("test", 0.16), ("validation", 0.06))),
    "language": Task("languages", language, 100, 5, 5_000, (("test", 0.3), ("validation", 0.1))),
}


def main():
    folder, task = pathlib.Path(sys.argv[1]), TASKS[sys.argv[2]]
    key = sys.argv[3] if len(sys.argv) > 3 else f"spartui study: {sys.argv[2]}"
    labels_of, sources = collections.defaultdict(set), {}
    for fields in packages(sys.stdin):
        text = description(fields)
        labels = task.labels_of(fields)
        if text and labels and "Package" in fields:
            labels_of[text] |= labels
            # The first of its sources by name, so that the order of the archive does not matter.
            sources[text] = min(source(fields), sources.get(text, source(fields)))
    single = {text: next(iter(of)) for text, of in labels_of.items() if len(of) == 1}
    counts = collections.Counter(single.values())
    labels = sorted(label for label, count in counts.items() if count >= task.least)
    files = {"train": [], **{name: [] for name, _ in task.shares}}
    for text, label in single.items():
        if label not in labels:
            continue
        at, name = share(key, sources[text]), "train"
        for other, size in task.shares:
            if at < size:
                name = other
                break
            at -= size
        files[name].append((share(key, text), text, label))
    # A label whose packages are of few sources may be missing in a file; it is nothing to learn or to be measured then.
    labels = [label for label in labels if all(any(row[2] == label for row in drawn) for drawn in files.values())]
    files = {name: [row for row in drawn if row[2] in labels] for name, drawn in files.items()}
    rows = sum(map(len, files.values()))
    if len(labels) < task.labels or rows < task.rows:
        sys.exit(
            f"only {rows} descriptions in {len(labels)} {task.noun}: the study needs {task.rows:,} in {task.labels}; "
            "`apt-get update` with Debian's or Ubuntu's main archive fills the list of packages"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in files.items():
        lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for _, text, label in sorted(drawn))
        (folder / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    largest = max(labels, key=lambda label: counts[label])
    most = sum(row[2] == largest for drawn in files.values() for row in drawn)
    said = ", ".join(f"{len(drawn):,} {name}" for name, drawn in files.items())
    summary = (
        f"{rows:,} distinct descriptions in {len(labels)} {task.noun} ({said} rows), "
        f"the largest {largest} with {most / rows:.1%}."
    )
    (folder / "drawn.txt").write_text(summary + "\n", encoding="utf-8")
    print(summary)


main()
