"""Requests to say some words again: they teach the model early to look back at what was said."""

LISTS = ("hero", "hero", "toy", "animal", "colour", "small_thing", "pet_name", "fruit", "day")
REQUESTS = ["Say after me: {}.", "Please repeat: {}.", "Repeat after me: {}.", "Say this again: {}."]


def repeat(lists, dice):
    """One (request, answer)."""
    words = [dice.pick(lists[dice.pick(LISTS)][1])[0] for _ in range(2 + dice.below(9))]
    joined = dice.pick([", ", " "]).join(words)
    return dice.pick(REQUESTS).format(joined), joined[0].upper() + joined[1:] + "."
