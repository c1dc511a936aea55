"""Our step against peft-sparta's, PEFT LoRA's and full fine-tuning's, in turn on one machine.

Every contestant trains the same model (model.py) on random tokens. In each round each of them runs a few steps while
the others sleep; a round's figure is the median of its steps, and ratios are taken within rounds.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import report
from model import DTYPES, add_shape_options, config_folder, folders, shape_of
from pipes import Worker, environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGETS = {"all-linear": "all linears", "v_proj,o_proj": "v and o"}
NAMES = {"ours": "spartui", "peft-sparta": "peft-sparta", "lora": "PEFT LoRA", "full": "full fine-tuning"}
# peft-sparta's trainer uses autocast by default; so does everybody here whose weights are bfloat16.
AUTOCAST = {"float32": False, "bfloat16": True}


class Ours:
    """`spartui bench`, started anew each round; it times its own steps, after its own warm-up."""

    def __init__(self, options, folder, dtype, targets):
        self.command = [
            str(options.binary), "bench", "--json", "--model", str(folder), "--dtype", dtype, "--task", "causal-lm",
            "--sparsity", str(options.sparsity), "--targets", targets, "--batch", str(options.batch),
            "--length", str(options.length), "--warmup", str(options.warmup), "--steps", str(options.steps),
            "--device", options.device, *(["--random"] if options.device == "cuda" else []),
        ]  # fmt: skip
        self.memory = "device" if options.device == "cuda" else "rss"
        self.threads = options.threads

    def round(self):
        done = subprocess.run(self.command, capture_output=True, text=True, env=environment(self.threads))
        if done.returncode != 0:
            sys.exit(f"{' '.join(self.command)} ended with status {done.returncode}:\n{done.stderr.strip()}")
        said = json.loads(done.stdout)
        # Without a measurement after loading, the program's own pages count against us.
        loaded = said.get(f"loaded_{self.memory}_mib", said["weights_mib"])
        peak = said[f"peak_{self.memory}_mib"]
        return Round(said["median_step_ms"], peak, loaded, said["trainable"], said["floor_ms"])

    def close(self):
        pass


class Peer:
    """A Python contestant; it stays loaded from round to round."""

    def __init__(self, options, folder, dtype, targets, name):
        command = [
            sys.executable, str(HERE / "peer_worker.py"), name, "--model", str(folder), "--dtype", dtype,
            "--sparsity", str(options.sparsity), "--targets", targets, "--batch", str(options.batch),
            "--length", str(options.length), "--warmup", str(options.warmup), "--device", options.device,
        ]  # fmt: skip
        command += ["--autocast"] if AUTOCAST[dtype] else []
        log = options.cache / "logs" / f"{name}-{dtype}-{targets}.log"
        self.worker, self.steps = Worker(name, command, log, options.threads), options.steps

    def round(self):
        said = self.worker.ask(steps=self.steps)
        step = median(said["step_ms"])
        return Round(step, said["peak_rss_mib"], said["loaded_rss_mib"], self.worker.ready["trainable"])

    def close(self):
        self.worker.close()


@dataclass
class Round:
    """What a contestant's turn gave; memory in MiB."""

    step_ms: float
    peak_rss: float | None
    loaded_rss: float | None
    trainable: int
    floor_ms: float | None = None


def measure(options, folder, dtype):
    """All contestants of a dtype, in turn; the rounds of each by (name, targets)."""
    contestants = start(options, folder, dtype)
    rounds = {key: [] for key in contestants}
    keys = list(contestants)
    for at in range(options.rounds):
        # Nobody always follows the same one.
        for key in keys[at % len(keys) :] + keys[: at % len(keys)]:
            rounds[key].append(contestants[key].round())
            name, targets = key
            print(f"{dtype} round {at + 1}: {name} {targets} {rounds[key][-1].step_ms:.0f} ms", file=sys.stderr)
    ranks = {key: peer.worker.ready["rank"] for key, peer in contestants.items() if key[0] == "lora"}
    for contestant in contestants.values():
        contestant.close()
    return rounds, ranks


def start(options, folder, dtype):
    contestants = {}
    for targets in options.targets:
        contestants["ours", targets] = Ours(options, folder, dtype, targets)
        for name in ("peft-sparta", "lora"):
            contestants[name, targets] = Peer(options, folder, dtype, targets, name)
    # It has no targets, so one serves for all settings.
    contestants["full", ""] = Peer(options, folder, dtype, options.targets[0], "full")
    return contestants


def compare(rounds, ranks, targets, tokens):
    """The rows of a setting, as they go into the JSON."""
    ours = rounds["ours", targets]
    rows = []
    for name in NAMES:
        theirs = rounds["full", ""] if name == "full" else rounds[name, targets]
        step = report.spread([turn.step_ms for turn in theirs])
        memory = above_weights(theirs)
        row = {"name": name, "trainable": theirs[0].trainable, "step_ms": step}
        row |= {"tokens_per_second": tokens / step["median"] * 1e3, "above_weights_mib": memory}
        row |= {"peak_rss_mib": max((turn.peak_rss for turn in theirs if turn.peak_rss), default=None)}
        row |= {"rank": ranks.get((name, targets))}
        if name == "ours":
            row["floor_ms"] = report.spread([turn.floor_ms for turn in theirs])
            row["step_to_floor"] = report.spread([turn.step_ms / turn.floor_ms for turn in theirs])
        else:
            row["ours_to_this"] = report.ratio([turn.step_ms for turn in ours], [turn.step_ms for turn in theirs])
            mine = above_weights(ours)
            row["our_memory_to_this"] = mine / memory if mine and memory else None
        rows.append(row)
    return rows


def above_weights(rounds):
    """The most that any round took above what was resident with the weights loaded."""
    return max((turn.peak_rss - turn.loaded_rss for turn in rounds if turn.peak_rss and turn.loaded_rss), default=None)


def markdown(result):
    parts = [report.setting_line(result["setting"]), f"{result['shape']}; {result['batch']}."]
    for entry in result["settings"]:
        parts += [f"### {TARGETS[entry['targets']]}, {entry['dtype']}", setting_table(entry["rows"])]
        ours = entry["rows"][0]
        floor, times = report.shown(ours["floor_ms"], 0), report.shown(ours["step_to_floor"], 3)
        parts.append(f"Our floor: {floor} ms. Our step to our floor: {times}.")
    return "\n\n".join(parts) + "\n"


def setting_table(rows):
    head = ["method", "trainable", "step, ms", "tokens/s", "our time / its", "above weights, MiB", "our memory / its"]
    return report.table(head, [table_row(row) for row in rows])


def table_row(row):
    rank = f", rank {row['rank']}" if row["rank"] else ""
    time = report.shown(row["ours_to_this"], 2) if "ours_to_this" in row else ""
    memory = f"{row['our_memory_to_this']:.2f}" if row.get("our_memory_to_this") else ""
    above = f"{row['above_weights_mib']:,.0f}" if row["above_weights_mib"] else ""
    speed = f"{row['tokens_per_second']:,.0f}"
    step = report.shown(row["step_ms"], 0)
    return [NAMES[row["name"]] + rank, f"{row['trainable']:,}", step, speed, time, above, memory]


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/spartui")
    parser.add_argument("--cache", type=Path, default=ROOT / "target/peers", help="folder for models and logs")
    parser.add_argument("--output", type=Path, help="where .md and .json go, without ending [CACHE/peers]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of each contestant in a round")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="on cuda everybody draws random weights, and nothing is written"
    )
    parser.add_argument("--sparsity", type=float, default=0.99)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    add_shape_options(parser)
    return parser.parse_args()


def main():
    options = options_of()
    shape = shape_of(options)
    result = {"setting": report.setting(options.binary, options.threads, options.device), "shape": str(shape), "sizes": asdict(shape)}
    result |= {"batch": f"{options.batch} x {options.length} tokens, {options.sparsity:.2%} sparsity", "settings": []}
    if options.device == "cuda":
        places = dict.fromkeys(DTYPES, config_folder(shape, options.cache))
    else:
        places = folders(shape, options.cache)
    for dtype, folder in places.items():
        if dtype in options.dtypes:
            rounds, ranks = measure(options, folder, dtype)
            for targets in options.targets:
                rows = compare(rounds, ranks, targets, options.batch * options.length)
                result["settings"].append({"dtype": dtype, "targets": targets, "rows": rows})
    report.write(options.output or options.cache / "peers", markdown(result), result)


if __name__ == "__main__":
    main()
