"""Draws the data of the language chapter, and the text on which its model is pretrained. Nothing of it is shipped.

    apt-cache dumpavail | python3 draw_text.py FOLDER describe|depend|pretrain

describe: write a package's one-line description, given its name, section and dependencies. depend: write a package's section and
dependencies, given its name and description. Both write train.jsonl, validation.jsonl and test.jsonl with the columns "prompt" and
"completion". pretrain: train.jsonl and validation.jsonl with the column "text", of this machine's manual pages in English, of the
documentation in Python's standard library, and of other packages than those of the two tasks. Packages of one source are in one
file. A keyed draw decides which, and the order of the rows.
"""

import ast
import gzip
import json
import pathlib
import re
import sys
import sysconfig

from archive import description, packages, share, source

# Shares of the sources of packages; the rest is for pretraining.
FILES = (("test", 0.05), ("validation", 0.02), ("train", 0.33))
MOST = {"test": 1500, "validation": 500, "train": 12_000}
# Characters of one row of text for pretraining.
LONGEST = 1200


KEY = "spartui study: text"


def facts(fields):
    """Name, section, the first dependencies without versions, and description of a package; None where one is missing."""
    text = description(fields)
    names = (re.split(r"[\s|(:]", one.strip(), maxsplit=1)[0] for one in fields.get("Depends", "").split(","))
    depends = list(dict.fromkeys(filter(None, names)))[:4]
    section = fields.get("Section", "").rsplit("/", 1)[-1]
    if not (text and section and fields.get("Package")):
        return None
    return fields["Package"], section, ", ".join(depends) or "nothing", text


def file_of(fields):
    at = share(KEY, source(fields))
    for name, size in FILES:
        if at < size:
            return name
        at -= size
    return "pretrain"


def describe(name, section, depends, text):
    return {"prompt": f"Package: {name}\nSection: {section}\nDepends: {depends}\nDescription:", "completion": f" {text}"}


def depend(name, section, depends, text):
    return {"prompt": f"Package: {name}\nDescription: {text}\nSection:", "completion": f" {section}\nDepends: {depends}"}


def manual_page(path):
    """The running text of a manual page, near enough: the lines of its source that are no requests, without escapes."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read(200_000).splitlines()
    except (OSError, UnicodeDecodeError, EOFError):
        return ""
    kept = []
    for line in lines:
        if line.startswith((".SH", ".SS", ".Sh", ".Ss")):
            kept.append("\n")
            continue
        if line.startswith((".B ", ".I ", ".BR ", ".IR ", ".Nd ")):
            line = line.split(" ", 1)[1]
        elif line.startswith((".", "'")):
            continue
        line = re.sub(r"\\f(\[\w*\]|\(\w\w|.)|\\s[-+]?\d", "", line)
        line = re.sub(r"\\\(?(aq|\(aq)", "'", line).replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")
        line = re.sub(r"\\\*?(\[[^\]]*\]|\(..|.)", "", line)
        kept.append(line)
    text = " ".join(kept)
    return "\n".join(re.sub(r"\s+", " ", part).strip() for part in text.split("\n"))


def manual_pages():
    for folder in sorted(pathlib.Path("/usr/share/man").glob("man[1-8]")):
        for path in sorted(folder.glob("*.gz")):
            if not path.is_symlink():
                yield from pieces(manual_page(path))


def docstrings():
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("**/*.py")):
        if "site-packages" in path.parts or "test" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield from pieces(ast.get_docstring(node) or "")


def pieces(text):
    """The parts of a text, cut between paragraphs or sentences."""
    while len(text) > 40:
        cut = len(text)
        if cut > LONGEST:
            cut = max(text.rfind("\n", 0, LONGEST), text.rfind(". ", 0, LONGEST) + 1)
            cut = cut if cut > LONGEST // 2 else LONGEST
        yield text[:cut].strip()
        text = text[cut:].strip()


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def keyed(rows):
    """The distinct rows, in a keyed order."""
    return sorted(dict.fromkeys(rows), key=lambda row: share(KEY, row))


def pretrain(folder, known):
    of_packages = ["".join(describe(*of).values()) for of in known["pretrain"]]
    rows = keyed([*of_packages, *manual_pages(), *docstrings()])
    held = len(rows) // 50
    write(folder, {"validation": [{"text": row} for row in rows[:held][:1000]], "train": [{"text": row} for row in rows[held:]]})
    letters = sum(map(len, rows))
    return (
        f"{len(rows):,} pieces of text, {letters / 1e6:.1f} million characters: {len(of_packages):,} packages, the rest manual pages "
        "and the documentation in Python's standard library."
    )


def task(folder, known, row_of):
    files = {name: keyed(json.dumps(row_of(*of), ensure_ascii=False) for of in known[name])[: MOST[name]] for name, _ in FILES}
    # A description that several packages have would be known from the rows that train.
    seen, distinct = set(), {}
    for name in ("train", "validation", "test"):
        rows = [json.loads(row) for row in files[name]]
        distinct[name] = [row for row in rows if row["completion"] not in seen or row_of is depend]
        seen |= {row["completion"] for row in rows}
    write(folder, distinct)
    said = ", ".join(f"{len(rows):,} {name}" for name, rows in distinct.items())
    return f"{said} rows."


def main():
    folder, what = pathlib.Path(sys.argv[1]), sys.argv[2]
    known = {"pretrain": [], **{name: [] for name, _ in FILES}}
    for fields in packages(sys.stdin):
        of = facts(fields) if "Package" in fields else None
        if of:
            known[file_of(fields)].append(of)
    if len(known["train"]) < 5000:
        sys.exit("too few packages are known: `apt-get update` with Debian's or Ubuntu's main archive fills the list of packages")
    summary = pretrain(folder, known) if what == "pretrain" else task(folder, known, {"describe": describe, "depend": depend}[what])
    (folder / "drawn.txt").write_text(summary + "\n", encoding="utf-8")
    print(summary)


if __name__ == "__main__":
    main()
