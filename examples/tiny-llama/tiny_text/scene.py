"""The words of one plot: a list's word is drawn when it is first named, and stays."""

import re

SHORT = {"friend": "hero2"}
PRONOUNS = ("he", "him", "his")


def read_words(path):
    """The word lists: name -> (fields, rows)."""
    lists = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(\w+)(?:\(([^)]*)\))?: (.*)", line)
        if match:
            fields = match[2].split(", ") if match[2] else ["name"]
            lists[match[1]] = (fields, [entry.split("/") for entry in match[3].split(", ")])
    return lists


class Scene:
    def __init__(self, lists, dice):
        self._lists, self._dice, self._drawn = lists, dice, {}

    def __call__(self, slot):
        """The value of `list`, `list2` (another word of it), `list.field`, or a pronoun of the hero."""
        if slot.lower() in PRONOUNS:
            slot = f"hero.{slot}"
        name, _, field = slot.partition(".")
        name = SHORT.get(name, name)
        fields, _ = self._lists[name.rstrip("0123456789")]
        value = self._row(name)[fields.index(field.lower()) if field else 0]
        return value.capitalize() if field[:1].isupper() else value

    def _row(self, name):
        if name not in self._drawn:
            plain = name.rstrip("0123456789")
            taken = [row for drawn, row in self._drawn.items() if drawn.rstrip("0123456789") == plain]
            self._drawn[name] = self._dice.pick([row for row in self._lists[plain][1] if row not in taken])
        return self._drawn[name]
