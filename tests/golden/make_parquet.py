"""Writes the small Parquet files that the tests read: python tests/golden/make_parquet.py tests/golden/data

Needs pandas and pyarrow. Every file holds the rows of rows.json, as far as its columns go.
"""

import json
import pathlib
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = ["the parcel came late", "naïve 漢字 🙂", "", "two\nlines and \"quotes\"", "the parcel came late"]
LABELS = ["delivery", "other", "other", "other", "delivery"]


def conversation(row):
    turns = [{"role": "user", "content": f"question {row}"}, {"role": "assistant", "content": f"answer {row}"}]
    return ([{"role": "system", "content": None}] if row == 1 else []) + turns


def rows():
    for at, (text, label) in enumerate(zip(TEXTS, LABELS)):
        yield {
            "text": text,
            "label": label,
            "place": at - 2,
            "large": 2**62 + at,
            "share": at / 4,
            "flag": at % 2 == 0,
            "note": None if at % 2 else f"note {at}",
            "messages": conversation(at),
            "tags": [f"t{tag}" for tag in range(at % 3)],
        }


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    records = list(rows())
    (folder / "rows.json").write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n")
    frame = pd.DataFrame(records)
    frame["label"] = frame["label"].astype("category")
    frame.to_parquet(folder / "pandas.parquet")
    table = pa.Table.from_pylist(records)
    for compression in ["none", "snappy", "zstd", "gzip", "lz4", "brotli"]:
        pq.write_table(table, folder / f"{compression}.parquet", compression=compression, row_group_size=2)
    pq.write_table(table, folder / "v2.parquet", version="2.6", data_page_version="2.0", use_dictionary=False)
    narrow = table.select(["text", "place", "share"]).set_column(0, "text", table["text"].cast(pa.large_string()))
    narrow = narrow.set_column(1, "place", table["place"].cast(pa.int8()))
    narrow = narrow.set_column(2, "share", table["share"].cast(pa.float32()))
    pq.write_table(narrow, folder / "narrow.parquet")
    plain = pa.table({"text": pa.array([text.encode() for text in TEXTS], pa.binary())})
    pq.write_table(plain, folder / "bytes.parquet")
    pq.write_table(table.slice(0, 0), folder / "empty.parquet")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
