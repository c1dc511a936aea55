"""Examples a second on texts of natural lengths: all-MiniLM-L6-v2 learns the section of Debian packages.

Our `spartui train` against PyTorch loops with the same rows, batch size, targets and trainable count, an epoch each in
turn. The steps themselves are timed, with the making of the batch; tokenizing and loading are not.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import descriptions
import report
from pipes import Worker, environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Name in the table, and what natural_worker.py is told.
PEERS = {
    "peft-sparta's wrapper": ["peft-sparta"],
    "PyTorch, dense gradient, then gather": ["pytorch"],
    "PyTorch, the same, batches grouped by length": ["pytorch", "--grouped"],
}
RECIPE = """\
[model]
path = {model}
dtype = "float32"
device = "cpu"

[data]
train = {rows}
validation = {few}
max_length = {max_length}
too_long = "truncate"

[method]
kind = "sparta"
sparsity = {sparsity}
targets = ["value", "attention.output"]

[optimizer]
learning_rate = 2e-3

[schedule]
kind = "constant"
warmup_steps = 0

[train]
epochs = 1
batch_size = {batch}
evaluate_every = 0
checkpoint_every = 0
"""


class Ours:
    """`spartui train`, a new run each round."""

    def __init__(self, options, folder, rows):
        self.options, self.runs, self.recipe = options, folder / "runs", folder / "recipe.toml"
        write_rows(folder / "few.jsonl", rows[:: max(1, len(rows) // 16)])
        paths = {"model": options.model.resolve(), "rows": folder / "rows.jsonl", "few": folder / "few.jsonl"}
        quoted = {name: json.dumps(str(path)) for name, path in paths.items()}
        self.recipe.write_text(
            RECIPE.format(**quoted, max_length=options.max_length, sparsity=options.sparsity, batch=options.batch)
        )

    def epoch(self, seed):
        command = [str(self.options.binary), "train", str(self.recipe), "--headless", "--json"]
        command += ["--runs-dir", str(self.runs), "--set", f"train.seed={seed}"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(self.options.threads))
        shutil.rmtree(self.runs, ignore_errors=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr.strip()}")
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return [event for event in events if event["event"] == "step"]


class Peer:
    def __init__(self, options, folder, name):
        command = [
            sys.executable, str(HERE / "natural_worker.py"), *PEERS[name], "--model", str(options.model),
            "--rows", str(folder / "rows.jsonl"), "--batch", str(options.batch),
            "--max-length", str(options.max_length), "--sparsity", str(options.sparsity),
        ]  # fmt: skip
        log = folder / "logs" / ("-".join(PEERS[name]) + ".log")
        self.worker = Worker(name, command, log, options.threads)

    def epoch(self, seed):
        return self.worker.ask(seed=seed)["steps"]


def examples_per_second(steps, skipped):
    """Of a process's first steps none counts; batches come in random order, so that leaves a fair sample."""
    counted = steps[skipped:]
    return sum(step["examples"] for step in counted) / sum(step["seconds"] for step in counted)


def measure(options, folder, rows):
    ours = Ours(options, folder, rows)
    contestants = {"spartui": ours} | {name: Peer(options, folder, name) for name in PEERS}
    rates = {name: [] for name in contestants}
    trainable = {name: peer.worker.ready["trainable"] for name, peer in contestants.items() if name != "spartui"}
    names = list(contestants)
    for at in range(options.rounds):
        for name in names[at % len(names) :] + names[: at % len(names)]:
            steps = contestants[name].epoch(seed=at + 1)
            rates[name].append(examples_per_second(steps, options.skip))
            print(f"round {at + 1}: {name} {rates[name][-1]:.1f} examples/s", file=sys.stderr)
            if name == "spartui":
                trainable[name] = steps[0]["trainable"]
                check_tokens(steps, contestants)
    for name in PEERS:
        contestants[name].worker.close()
    return rates, trainable


def check_tokens(steps, contestants):
    ours = sum(step["tokens"] for step in steps)
    for name in PEERS:
        theirs = contestants[name].worker.ready["tokens"]
        if theirs != ours:
            sys.exit(f"natural.py: an epoch has {ours} tokens for spartui and {theirs} for {name}: not the same rows")


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def result_of(options, setting, rows, rates, trainable):
    entries = []
    for name, rate in rates.items():
        entry = {"name": name, "trainable": trainable[name], "examples_per_second": report.spread(rate)}
        if name != "spartui":
            entry["ours_to_this"] = report.ratio(rates["spartui"], rate)
        entries.append(entry)
    labels = len({row["label"] for row in rows})
    words = report.spread([len(row["text"].split()) for row in rows])
    texts = {"rows": len(rows), "labels": labels} | {f"words_{key}": words[key] for key in ("median", "low", "high")}
    batches = {"batch": options.batch, "max_length": options.max_length}
    return {"setting": setting, "texts": texts, **batches, "contestants": entries}


def markdown(result):
    texts = result["texts"]
    about = (
        f"{texts['rows']} texts of {texts['words_low']} to {texts['words_high']} words "
        f"(median {texts['words_median']:g}), {texts['labels']} labels; "
        f"batches of {result['batch']}, cut at {result['max_length']} tokens; float32."
    )
    head = ["program", "trainable", "examples/s", "ours / its"]
    rows = report.table(head, [table_row(entry) for entry in result["contestants"]])
    return "\n\n".join([report.setting_line(result["setting"]), about, rows]) + "\n"


def table_row(entry):
    times = report.shown(entry["ours_to_this"], 2) if "ours_to_this" in entry else ""
    return [entry["name"], f"{entry['trainable']:,}", report.shown(entry["examples_per_second"], 1), times]


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/spartui")
    parser.add_argument("--model", type=Path, default=ROOT / "models/all-MiniLM-L6-v2", help="folder of a BERT")
    parser.add_argument("--cache", type=Path, default=ROOT / "target/peers", help="folder for rows, runs and logs")
    parser.add_argument("--output", type=Path, help="where .md and .json go, without ending [CACHE/natural]")
    parser.add_argument("--rows", type=Path, help="texts of your own instead: JSON lines with text and label")
    parser.add_argument("--count", type=int, default=960, help="rows of an epoch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip", type=int, default=3, help="first steps of each epoch that do not count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sparsity", type=float, default=0.99)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--max-length", type=int, default=128)
    return parser.parse_args()


def rows_of(options):
    if options.rows:
        return descriptions.from_file(options.rows, options.count)
    return descriptions.from_apt(options.count)


def main():
    options = options_of()
    setting = report.setting(options.binary, options.threads)
    rows = rows_of(options)
    folder = options.cache.resolve() / "natural"
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "rows.jsonl", rows)
    rates, trainable = measure(options, folder, rows)
    result = result_of(options, setting, rows, rates, trainable)
    report.write(options.output or options.cache / "natural", markdown(result), result)


if __name__ == "__main__":
    main()
