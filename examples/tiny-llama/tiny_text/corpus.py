"""The whole corpus, row by row."""

from pathlib import Path

from . import numbers
from .chats import Chats, read_talks
from .scene import read_words
from .stories import read_plots, tell
from .tables import Table

GRAMMAR = Path(__file__).parent.parent / "grammar"
NO_TABLES = ("words", "stories", "chats")


class Corpus:
    def __init__(self):
        self.lists = read_words(GRAMMAR / "words.txt")
        self.plots = read_plots(GRAMMAR / "stories.txt")
        paths = sorted(path for path in GRAMMAR.glob("*.txt") if path.stem not in NO_TABLES)
        self.tables = [Table(path) for path in paths]
        self.chats = Chats(self.lists, self.plots, self.tables, read_talks(GRAMMAR / "chats.txt"))

    def row(self, dice):
        """One row of text: a chat, a story, or some facts."""
        kind = dice.below(100)
        if kind < 62:
            return render(self.chats.converse(dice))
        if kind < 88:
            return tell(dice.pick(self.plots), self.lists, dice)[1]
        return self._facts(dice)

    def _facts(self, dice):
        if dice.chance(0.4):
            return " ".join(dice.pick(self.tables).facts_of_one(dice, 4))
        table = dice.pick(self.tables)
        facts = [numbers.fact(dice) if dice.chance(0.15) else table.fact(dice) for _ in range(3 + dice.below(3))]
        return " ".join(dict.fromkeys(facts))


def render(turns):
    """A chat as the model's chat template writes it, without the mark that the tokenizer puts in front."""
    marks = ["<|user|>", "<|assistant|>"]
    return "".join(f"{marks[at % 2]}{turn}<|turn|>" for at, turn in enumerate(turns))
