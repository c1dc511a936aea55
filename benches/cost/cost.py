"""What a step costs by density, length and depth, above its floor; and where the two ways to a gradient cross.

Runs `spartui bench` on models with random weights (benches/peers/model.py) and reads what `cargo bench --bench gradient`
printed. Writes tables in Markdown and plots as SVG.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

import report  # noqa: E402
from model import DTYPES, Shape, folders  # noqa: E402
from pipes import environment  # noqa: E402
from plot import Line, Plot  # noqa: E402

DENSITIES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
LENGTHS = (64, 128, 256, 512, 1024, 2048)
DEPTHS = (2, 4, 8, 16)
# Density of all linear layers where it is not what varies: 1 % of all parameters, as in benches/peers.
USUAL = 0.0228
ROWS, LENGTH, LONG_TOKENS = 8, 128, 2048


def linears(shape):
    """Scalars of all linear layers of the blocks."""
    hidden, heads = shape.hidden_size, shape.num_attention_heads
    attention = 2 * hidden * hidden + 2 * hidden * hidden * shape.num_key_value_heads // heads
    return shape.num_hidden_layers * (attention + 3 * hidden * shape.intermediate_size)


def parameters(shape):
    norms = (2 * shape.num_hidden_layers + 1) * shape.hidden_size
    return linears(shape) + 2 * shape.vocab_size * shape.hidden_size + norms


def measure(options, shape, dtype, density, rows, length):
    """One run of `spartui bench`, with `density` of all linear layers trainable."""
    folder = folders(shape, options.cache)[dtype]
    sparsity = 1 - density * linears(shape) / parameters(shape)
    command = [
        str(options.binary), "bench", "--json", "--model", str(folder), "--dtype", dtype, "--task", "causal-lm",
        "--sparsity", str(sparsity), "--targets", "all-linear", "--batch", str(rows), "--length", str(length),
        "--warmup", "1", "--steps", str(options.steps),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=environment(options.threads))
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr.strip()}")
    said = json.loads(done.stdout)
    setting = f"{dtype} {density:.2%} {rows} x {length}, {shape.num_hidden_layers} layers"
    print(f"{setting}: {said['median_step_ms']:.0f} ms", file=sys.stderr)
    return {"step": said["median_step_ms"], "floor": said["floor_ms"], "trainable": said["trainable"]}


def sweep(options, what):
    """The points of one sweep, by dtype: (what varies, measurement)."""
    shape = Shape()
    settings = {
        "density": [(100 * density, shape, density, ROWS, LENGTH) for density in DENSITIES],
        "length": [(length, shape, USUAL, LONG_TOKENS // length, length) for length in LENGTHS],
        "depth": [(depth, replace(shape, num_hidden_layers=depth), USUAL, ROWS, LENGTH) for depth in DEPTHS],
    }[what]
    return {
        dtype: [(x, measure(options, shape, dtype, density, rows, length)) for x, shape, density, rows, length in settings]
        for dtype in options.dtypes
    }


TITLES = {
    "density": ("A step by density, 8 x 128 tokens", "density of all linear layers, %"),
    "length": ("A step by length, 2048 tokens", "tokens of a row"),
    "depth": ("A step by depth, 8 x 128 tokens", "blocks"),
}


def plot(what, points):
    title, x_label = TITLES[what]
    lines = []
    for dtype, measured in points.items():
        lines.append(Line(f"{dtype}, step", [(x, said["step"]) for x, said in measured]))
        lines.append(Line(f"{dtype}, floor", [(x, said["floor"]) for x, said in measured], dashed=True))
    return Plot(title, x_label, "ms", lines)


def table(what, points):
    head = [TITLES[what][1]] + [f"{dtype}: {figure}" for dtype in points for figure in ("step, ms", "floor, ms", "ratio")]
    rows = []
    for at, (x, _) in enumerate(next(iter(points.values()))):
        row = [f"{x:g}"]
        for measured in points.values():
            said = measured[at][1]
            row += [f"{said['step']:,.0f}", f"{said['floor']:,.0f}", f"{said['step'] / said['floor']:.3f}"]
        rows.append(row)
    return report.table(head, rows)


def gradient_ways(text, tokens):
    """Shortest milliseconds of both ways by density in percent, by dtype, from what the bench of the gradient printed."""
    ways = {"f32": [], "bf16": []}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 10 and words[0] in ways and words[1] == str(tokens) and words[3] == "%":
            ways[words[0]].append((float(words[2]), float(words[4]), float(words[6])))
    return ways


def crossing(points):
    """Where the sampled way begins to take longer: between two densities, in a straight line of both logarithms."""
    for (x, sampled, dense), (next_x, next_sampled, next_dense) in zip(points, points[1:]):
        before, after = sampled / dense, next_sampled / next_dense
        if before <= 1 < after:
            share = (1 - before) / (after - before)
            return x * (next_x / x) ** share, dense * (next_dense / dense) ** share
    return None


def crossover_plot(ways, tokens):
    title = f"A weight's gradient, sampled and dense: 512 x 1408, {tokens} tokens"
    result = Plot(title, "density, %", "ms")
    for dtype, points in ways.items():
        result.lines.append(Line(f"{dtype}, sampled", [(x, sampled) for x, sampled, _ in points]))
        result.lines.append(Line(f"{dtype}, dense", [(x, dense) for x, _, dense in points], dashed=True))
        if crossed := crossing(points):
            result.marks.append((*crossed, f"{crossed[0]:.0f} %"))
    return result


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/spartui")
    parser.add_argument("--cache", type=Path, default=ROOT / "target/peers", help="folder for models")
    parser.add_argument("--output", type=Path, help="folder of tables and plots [CACHE/cost]")
    parser.add_argument("--sweeps", nargs="*", choices=TITLES, default=list(TITLES))
    parser.add_argument("--gradient", type=Path, help="what `cargo bench --bench gradient` printed, to draw the crossover")
    parser.add_argument("--dtypes", nargs="*", choices=DTYPES, default=list(DTYPES), help="bfloat16 takes minutes without AVX-512")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    options = options_of()
    output = options.output or options.cache / "cost"
    output.mkdir(parents=True, exist_ok=True)
    parts, result = [report.setting_line(report.setting(options.binary, options.threads))], {}
    for what in options.sweeps:
        result[what] = sweep(options, what)
        (output / f"cost-{what}.svg").write_text(plot(what, result[what]).svg())
        parts += [f"#### {TITLES[what][0]}", table(what, result[what])]
    if options.gradient:
        tokens = 1024
        ways = gradient_ways(options.gradient.read_text(), tokens)
        (output / "cost-crossover.svg").write_text(crossover_plot(ways, tokens).svg())
    report.write(output / "cost", "\n\n".join(parts) + "\n", result)


if __name__ == "__main__":
    main()
