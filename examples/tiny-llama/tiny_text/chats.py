"""Conversations: questions about the tables, stories on request, and small talk."""

from .numbers import question as number_question
from .repeat import repeat
from .scene import Scene
from .stories import tell
from .template import expand

REQUESTS = [
    "Tell me a story about {}.",
    "Tell me a story about {}, please.",
    "Please tell me a story about {}.",
    "Can you tell me a story about {}?",
    "I want to hear a story about {}.",
    "Do you know a story about {}?",
    "A story about {}, please.",
]
ANY_STORY = ["Tell me a story.", "Please tell me a story.", "Can you tell me a story?", "I want to hear a story."]
ANOTHER = ["Another one, please.", "One more, please.", "Tell me another story.", "Another story, please."]


def read_talks(path):
    """Small talk: lists of templates that take turns, the user's first."""
    talks = []
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line.partition(": ")[2] for line in paragraph.splitlines() if not line.startswith("#")]
        if lines:
            talks.append(lines)
    return talks


def casual(asked, dice):
    """As people type in a hurry: small letters, often no mark at the end."""
    asked = asked.replace("colour", "color") if dice.chance(0.5) else asked
    asked = asked[0].lower() + asked[1:] if dice.chance(0.7) else asked
    return asked.rstrip(".?!") if dice.chance(0.6) and "." not in asked[:-1] else asked


class Chats:
    def __init__(self, lists, plots, tables, talks):
        self._lists, self._plots, self._tables, self._talks = lists, plots, tables, talks
        self._animals = next(table.rows for table in tables if table.name == "animals")

    def converse(self, dice):
        """A list of turns, the user's first."""
        kind = dice.below(100)
        if kind < 10:
            pairs = [repeat(self._lists, dice)]
        elif kind < 54:
            pairs = self._questions(dice)
        elif kind < 78:
            pairs = self._small_talk(dice)
        else:
            pairs = self._stories(dice)
        if dice.chance(0.1):
            pairs = [(casual(asked, dice), answer) for asked, answer in pairs]
        return [turn for pair in pairs for turn in pair]

    def question(self, dice):
        if dice.chance(0.2):
            return number_question(dice, self._animals)
        # A large table has more to learn.
        tables = [table for table in self._tables for _ in range(1 + len(table.rows) * len(table.groups) // 60)]
        return dice.pick(tables).question(dice)

    def _questions(self, dice):
        pairs = self._opening(dice) if dice.chance(0.1) else []
        for _ in range(dice.pick([1, 1, 2, 2, 3])):
            pairs += self.question(dice)
        return pairs + (self._thanks(dice) if dice.chance(0.1) else [])

    def _small_talk(self, dice):
        pairs = self._pairs(dice.pick(self._talks), dice)
        return pairs + (self.question(dice) if dice.chance(0.3) else [])

    def _stories(self, dice):
        about, story = tell(dice.pick(self._plots), self._lists, dice)
        asked = dice.pick(ANY_STORY) if dice.chance(0.15) else dice.pick(REQUESTS).format(about)
        pairs = [(asked, story)]
        if dice.chance(0.1):
            pairs.append((dice.pick(ANOTHER), tell(dice.pick(self._plots), self._lists, dice)[1]))
        elif dice.chance(0.1):
            pairs += self._thanks(dice)
        return pairs

    def _opening(self, dice):
        return self._pairs(self._talks[0], dice)

    def _thanks(self, dice):
        return [
            (
                dice.pick(["Thank you!", "Thanks!", "Thank you very much."]),
                dice.pick(["You are welcome!", "I was glad to help.", "You are welcome. Ask me again!"]),
            )
        ]

    def _pairs(self, talk, dice):
        scene = Scene(self._lists, dice)
        turns = [expand(line, dice, scene) for line in talk]
        return list(zip(turns[::2], turns[1::2], strict=True))
