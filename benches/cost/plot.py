"""Line plots with logarithmic axes as SVG, without a plotting library."""

import math
from dataclasses import dataclass, field

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 160, 40, 48
COLOURS = ("#1f6feb", "#d1242f", "#2da44e", "#8250df", "#bf8700", "#57606a")


@dataclass
class Line:
    name: str
    points: list
    dashed: bool = False


@dataclass
class Plot:
    """`marks` are (x, y, text). The axes span all points; both are logarithmic."""

    title: str
    x_label: str
    y_label: str
    lines: list = field(default_factory=list)
    marks: list = field(default_factory=list)

    def svg(self):
        points = [point for line in self.lines for point in line.points]
        x_axis = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
        y_axis = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
        parts = [frame(self), *grid(x_axis, y_axis)]
        for at, line in enumerate(self.lines):
            parts += drawn(line, COLOURS[at // 2 % len(COLOURS)], x_axis, y_axis, at)
        parts += [marked(mark, x_axis, y_axis) for mark in self.marks]
        return "\n".join([*parts, "</svg>\n"])


class Axis:
    def __init__(self, values, start, end):
        self.low, self.high = min(values), max(values)
        if self.low == self.high:
            self.low, self.high = self.low / 2, self.high * 2
        self.start, self.end = start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        """1, 2 and 5 of each power of ten; of many powers only 1."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        digits = (1, 2, 5) if len(powers) < 4 else (1,)
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        return [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]


def frame(plot):
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>
<text x="{LEFT}" y="22" font-size="14">{plot.title}</text>
<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{plot.x_label}</text>
<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle"
 transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})">{plot.y_label}</text>"""


def grid(x_axis, y_axis):
    top, bottom, left, right = y_axis.end, y_axis.start, x_axis.start, x_axis.end
    for tick in x_axis.ticks():
        x = x_axis.at(tick)
        yield f'<path d="M{x:.1f} {top}V{bottom}" stroke="#ddd"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        yield f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'


def drawn(line, colour, x_axis, y_axis, at):
    """The line, and its name in the legend at the right."""
    places = [(x_axis.at(x), y_axis.at(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    if not line.dashed:
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
    y = TOP + 14 + 16 * at
    yield f'<path d="M{WIDTH - RIGHT + 12} {y - 4}h22" stroke="{colour}" stroke-width="2"{dashes}/>'
    yield f'<text x="{WIDTH - RIGHT + 40}" y="{y}">{line.name}</text>'


def marked(mark, x_axis, y_axis):
    x, y, text = mark
    x, y = x_axis.at(x), y_axis.at(y)
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="black" stroke-width="1.5"/>'
        f'<text x="{x - 10:.1f}" y="{y - 10:.1f}" text-anchor="end">{text}</text>'
    )
