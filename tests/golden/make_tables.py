"""Writes the small texts that the tests read as rows, and what pandas reads of them:

    python tests/golden/make_tables.py tests/golden/data/tables

Needs pandas, pyarrow and zstandard. `read.json` has for each file the rows as pandas reads them when it is told delimiter and encoding
(the tests have to guess them, but for those under `named`), every field a text.
"""

import csv
import gzip
import io
import json
import pathlib
import sys

import pandas as pd
import pyarrow as pa

WESTERN = [
    ("le café coûte 3 francs; voilà", "prix"),
    ('"déjà vu", dit-elle', "autre"),
    ("deux\nlignes, et | une barre\tou deux", "autre"),
    ("", "prix"),
    (" über alles, naïve ", "autre"),
]
TYPOGRAPHIC = [("“quoted” – 5 € more…", "prix"), ("it’s fine", "autre")]
EASTERN = [("包裹 来晚了; 对吧", "送货"), ("退款, 谢谢", "退款"), ("我的\n\"钱\"", "退款")]
JAPANESE = [("荷物が遅い", "配送"), ("返金、お願い", "返金")]


def table(rows, sep=",", encoding="utf-8", end="\n"):
    text = io.StringIO()
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(text, sep=sep, index=False, lineterminator=end)
    return text.getvalue().encode(encoding)


def lines(rows):
    return "".join(json.dumps(dict(zip(["text", "label"], row)), ensure_ascii=False) + "\n" for row in rows).encode()


def zstd(contents):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(contents)
    return sink.getvalue().to_pybytes()


def packed(contents):
    """Python's zlib with a fixed time, so that a second run writes the same bytes."""
    return gzip.compress(contents, mtime=0)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    utf16 = table(WESTERN + EASTERN, encoding="utf-16-le")
    tables = {
        "commas.csv": (table(WESTERN), ",", "utf-8"),
        "semicolons.csv": (table(WESTERN, ";"), ";", "utf-8"),
        "tabs.csv": (table(WESTERN, "\t", end="\r\n"), "\t", "utf-8"),
        "bars.csv": (table(WESTERN, "|"), "|", "utf-8"),
        "mark.csv": (table(WESTERN, encoding="utf-8-sig"), ",", "utf-8-sig"),
        "latin1.csv": (table(WESTERN, encoding="latin-1"), ",", "latin-1"),
        "windows.csv": (table(WESTERN + TYPOGRAPHIC, ";", "cp1252", "\r\n"), ";", "cp1252"),
        "utf16.csv": (b"\xff\xfe" + utf16, ",", "utf-16"),
        "utf16-big.csv": (b"\xfe\xff" + table(EASTERN, "\t", "utf-16-be"), "\t", "utf-16"),
        "utf16-unmarked.csv": (table(WESTERN, encoding="utf-16-le"), ",", "utf-16-le"),
        "packed.csv.gz": (packed(table(WESTERN)), ",", "utf-8"),
        "packed-semicolons.csv.zst": (zstd(table(WESTERN, ";")), ";", "utf-8"),
        "packed-latin1.csv.gz": (packed(table(WESTERN, encoding="latin-1")), ",", "latin-1"),
    }
    named = {
        "gbk.csv": (table(EASTERN, encoding="gbk"), ",", "gbk"),
        "shift-jis.csv": (table(JAPANESE, encoding="shift_jis"), ",", "shift_jis"),
        "cyrillic.csv": (table([("Посылка опоздала", "доставка")], encoding="cp1251"), ",", "cp1251"),
        "carets.csv": (table(WESTERN, "^"), "^", "utf-8"),
        "latin1-named.csv": (table(WESTERN, encoding="latin-1"), ",", "latin-1"),
    }
    json_lines = {
        "rows.ndjson": lines(WESTERN + EASTERN),
        "lines.json": lines(WESTERN + EASTERN),
        "packed.jsonl.gz": packed(lines(WESTERN + EASTERN)),
        "packed.jsonl.zst": zstd(lines(WESTERN + EASTERN)),
    }
    read = {}
    for name, (contents, sep, encoding) in {**tables, **named}.items():
        (folder / name).write_bytes(contents)
        frame = pd.read_csv(folder / name, sep=sep, encoding=encoding, dtype=str, keep_default_na=False)
        entry = {"rows": frame.to_dict("records")}
        if name in named:
            entry["named"] = {"delimiter": sep, "encoding": encoding}
        read[name] = entry
    for name, contents in json_lines.items():
        (folder / name).write_bytes(contents)
        read[name] = {"rows": pd.read_json(folder / name, lines=True, dtype=str).to_dict("records")}
    quoted = table(WESTERN, ";").decode()
    assert csv.Sniffer().sniff(quoted, ",;\t|").delimiter == ";"
    (folder / "read.json").write_text(json.dumps(read, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
