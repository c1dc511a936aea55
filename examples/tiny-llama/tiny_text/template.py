"""Templates: `[a|b]` takes one of its parts, `{name}` is filled in, `{a name}` with an article before it."""

import re


def expand(template, dice, look_up):
    """One sentence or more out of a template, with capitals where sentences begin."""
    text, end = _parts(template, dice, look_up)
    if end != len(template):
        raise ValueError(f"a bracket too many in: {template}")
    return tidy(text)


def slots(template):
    """The names in a template, without their articles."""
    return [name.removeprefix("a ") for name in re.findall(r"\{([^}]*)\}", template)]


def tidy(text):
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\b([Aa]) (?=[aeiou])(?!one\b)", r"\1n ", text)
    return re.sub(r"(^\W*|[.!?] \"?|: \"|, \"(?=I\b))([a-z])", lambda match: match[1] + match[2].upper(), text)


def _parts(template, dice, look_up):
    """Expands as far as the brackets fit; a part draws words only if it is the one that is taken."""
    text, at = "", 0
    while at < len(template):
        if template[at] == "[":
            inner, at = _choice(template, at, dice, look_up)
            text += inner
        elif template[at] == "{":
            end = template.index("}", at)
            text += _slot(template[at + 1 : end], look_up)
            at = end + 1
        elif template[at] == "]":
            break
        else:
            text += template[at]
            at += 1
    return text, at


def _choice(template, opening, dice, look_up):
    alternatives, closing = _alternatives(template, opening)
    text, _ = _parts(dice.pick(alternatives), dice, look_up)
    return text, closing + 1


def _alternatives(template, opening):
    depth, start, found = 0, opening + 1, []
    for at in range(opening, len(template)):
        depth += {"[": 1, "]": -1}.get(template[at], 0)
        if depth == 0 or (depth == 1 and template[at] == "|"):
            found.append(template[start:at])
            start = at + 1
        if depth == 0:
            return found, at
    raise ValueError(f"a bracket is open in: {template}")


def _slot(name, look_up):
    if name.startswith("a "):
        value = look_up(name[2:])
        return ("an " if value[0] in "aeiou" else "a ") + value
    return look_up(name)
