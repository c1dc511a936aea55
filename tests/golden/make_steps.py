"""Writes steps.json: how many steps transformers takes for a share of a run, as [share, steps of the run, steps]."""

import json
import pathlib

from transformers import TrainingArguments

rows = []
for share in (0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 0.999):
    arguments = TrainingArguments(output_dir="unused", warmup_steps=share, use_cpu=True)
    for total in (1, 2, 5, 10, 12, 30, 100, 428, 1234, 20000):
        rows.append([share, total, arguments.get_warmup_steps(total)])
path = pathlib.Path(__file__).with_name("steps.json")
path.write_text("[" + ",\n ".join(json.dumps(row) for row in rows) + "]\n")
