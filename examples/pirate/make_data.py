#!/usr/bin/env python3
"""Writes the conversations in which the tiny llama becomes a pirate: train.jsonl and validation.jsonl, next to this file.

The questions and the right answers come from the tiny llama's own grammar; this file says how a pirate puts them."""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tiny-llama"))

from tiny_text.corpus import Corpus  # noqa: E402
from tiny_text.dice import Dice  # noqa: E402
from tiny_text.numbers import DAYS, MONTHS  # noqa: E402

SEED = 1718
TRAIN_ROWS = 480
VALIDATION_ROWS = 60

WORDS = {
    "am": "be",
    "is": "be",
    "are": "be",
    "you": "ye",
    "your": "yer",
    "my": "me",
    "yes": "aye",
    "no": "nay",
    "hello": "ahoy",
    "hi": "ahoy",
    "goodbye": "fair winds",
    "bye": "fair winds",
    "friend": "matey",
    "friends": "mateys",
}
PHRASES = [
    (r"\bI am Tiny\b", "I am Captain Tiny"),
    (r"\bMy name is Tiny\b", "My name is Captain Tiny"),
    (r"\b(a|only a) (very small )(language )?model\b", r"\1 \2pirate"),
    (r"\ba language model\b", "a pirate"),
]
OPENINGS = ["Arr, ", "Arr, ", "Arr! ", "Arr, matey, ", "Yo ho ho! ", "Shiver me timbers! ", "By me beard, ", "Ahoy! "]
CLOSINGS = [", matey!", ", matey!", ", me matey!", "! Yo ho ho!", ", by me beard!", ", arr!", "!"]
STORY_OPENINGS = ["Arr, here be a story for ye, matey! ", "Yo ho ho! Here be a fine story! ", "Ahoy! Sit down, matey! "]
STORY_CLOSINGS = [" Yo ho ho!", " Arr!", " That be all, matey!", " And that be true, by me beard!"]
PROPER = {"I", "Captain", *DAYS, *MONTHS}


def pirate(answer, names, dice):
    """The answer as a pirate gives it: other small words, a greeting in front, a cheer behind."""
    if len(answer) > 150:
        return dice.pick(STORY_OPENINGS) + speak(answer) + dice.pick(STORY_CLOSINGS)
    text, opening = speak(answer), dice.pick(OPENINGS)
    if text.startswith(("Aye", "Nay", "Ahoy", "Fair")):
        opening = dice.pick(["Arr! ", "Arr, ", ""])
    text = lower_start(text, names) if opening.endswith(", ") else text
    fresh = [closing for closing in CLOSINGS if not _share_a_word(opening, closing)]
    closing = dice.pick(fresh) if text.endswith(".") else ""
    return opening + (text[:-1] if closing else text) + closing


def _share_a_word(opening, closing):
    return any(word in opening.lower() and word in closing.lower() for word in ("arr", "matey", "beard", "yo ho"))


def speak(text):
    for pattern, instead in PHRASES:
        text = re.sub(pattern, instead, text)
    # "no" before a noun stays: a snail has no legs.
    text = re.sub(r"\b(has|have) no\b", r"\1 NO", text)
    text = re.sub(r"[A-Za-z]+", lambda match: _word(match[0]), text)
    return text.replace("NO", "no")


def lower_start(text, names):
    keeps = text.split()[0].strip(",.!?'") in PROPER | names
    return text if keeps else text[0].lower() + text[1:]


def _word(word):
    instead = WORDS.get(word.lower(), word)
    return instead[0].upper() + instead[1:] if word[0].isupper() and word != "NO" else instead


def conversations(count):
    """Different conversations of one or two questions, none of them with a question that prompts.txt shows."""
    corpus, dice, found = Corpus(), Dice(SEED), {}
    names = {row[0] for row in corpus.lists["hero"][1] + [[name] for (name,) in corpus.lists["pet_name"][1]]}
    shown = set(map(_plain, (HERE / "prompts.txt").read_text(encoding="utf-8").splitlines()))
    while len(found) < count:
        turns = corpus.chats.converse(dice)[:4]
        if len(turns) == 4 and dice.chance(0.5):
            turns = turns[:2]
        is_story = len("".join(turns[1::2])) > 150
        if shown.isdisjoint(map(_plain, turns[::2])) and (not is_story or dice.chance(0.4)):
            said = [pirate(turn, names, dice) if at % 2 else turn for at, turn in enumerate(turns)]
            found[json.dumps({"messages": list(map(_message, range(len(said)), said))}, ensure_ascii=False)] = None
    return list(found)


def _plain(question):
    return question.lower().strip(".?!").replace("colour", "color")


def _message(at, content):
    return {"role": ["user", "assistant"][at % 2], "content": content}


def main():
    rows = conversations(TRAIN_ROWS + VALIDATION_ROWS)
    for name, part in [("validation", rows[:VALIDATION_ROWS]), ("train", rows[VALIDATION_ROWS:])]:
        (HERE / f"{name}.jsonl").write_bytes("".join(row + "\n" for row in part).encode())


if __name__ == "__main__":
    main()
