"""Stories out of plots."""

from .scene import Scene
from .template import expand


def read_plots(path):
    paragraphs = path.read_text(encoding="utf-8").split("\n\n")
    return [lines for lines in map(_plot, paragraphs) if lines]


def tell(plot, lists, dice):
    """What the story is about, and the story."""
    about, sentences = plot
    scene = Scene(lists, dice)
    kept = [line.removeprefix("?") for line in sentences if not line.startswith("?") or dice.chance(0.5)]
    story = " ".join(expand(line, dice, scene) for line in kept)
    if "{hero}" in " ".join(sentences) and dice.chance(0.25):
        return scene("hero"), story.strip()
    subject = expand(about, dice, scene)
    return subject[0].lower() + subject[1:], " ".join(story.split())


def _plot(paragraph):
    lines = [line for line in paragraph.splitlines() if line and not line.startswith("#")]
    return (lines[0].removeprefix("about: "), lines[1:]) if lines else None
