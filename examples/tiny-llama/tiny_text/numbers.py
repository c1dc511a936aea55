"""Numbers, days and months, and which of two animals is bigger."""

NUMBERS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SIZES = ["tiny", "small", "middle-sized", "big", "huge"]


def fact(dice):
    return dice.pick([_neighbours_said, _sum_said, _days_said])(dice)


def question(dice, animals):
    """A list of one or two (question, answer)."""
    return dice.pick([_neighbour, _neighbour, _sum, _sum, _count, _larger, _day, _day, _list, _bigger, _bigger])(
        dice, animals
    )


def _capital(text):
    return text[0].upper() + text[1:]


def _plural(number, noun):
    return f"{NUMBERS[number - 1]} {noun}" + ("" if number == 1 else "s")


def _neighbours_said(dice):
    at = dice.below(19)
    low, high = NUMBERS[at], NUMBERS[at + 1]
    return dice.pick(
        [
            f"{_capital(high)} comes after {low}.",
            f"{_capital(low)} comes before {high}.",
            f"After {low} comes {high}.",
            f"{_capital(high)} is one more than {low}.",
        ]
    )


def _sum_said(dice):
    left, right = 1 + dice.below(5), 1 + dice.below(5)
    total = NUMBERS[left + right - 1]
    noun = dice.pick(["apple", "book", "egg", "ball", "stone"])
    return dice.pick(
        [
            f"{_capital(NUMBERS[left - 1])} and {NUMBERS[right - 1]} is {total}.",
            f"{_capital(_plural(left, noun))} and {_plural(right, noun)} make {total} {noun}s.",
        ]
    )


def _days_said(dice):
    words, what = dice.pick([(DAYS, "day"), (MONTHS, "month")])
    at = dice.below(len(words))
    after = words[(at + 1) % len(words)]
    return dice.pick(
        [
            f"After {words[at]} comes {after}.",
            f"{words[at]} comes before {after}.",
            f"The {what} after {words[at]} is {after}.",
        ]
    )


def _neighbour(dice, _):
    at = 1 + dice.below(18)
    number, before, after = NUMBERS[at], NUMBERS[at - 1], NUMBERS[at + 1]
    if dice.chance(0.5):
        asked = dice.pick([f"What comes after {number}?", f"Which number comes after {number}?"])
        turns = [(asked, f"After {number} comes {after}.")]
    else:
        asked = dice.pick([f"What comes before {number}?", f"Which number comes before {number}?"])
        turns = [(asked, f"Before {number} comes {before}.")]
    return turns


def _sum(dice, _):
    left, right = 1 + dice.below(5), 1 + dice.below(5)
    one, two, total = NUMBERS[left - 1], NUMBERS[right - 1], NUMBERS[left + right - 1]
    noun = dice.pick(["apple", "book", "egg", "ball", "stone"])
    if dice.chance(0.5):
        asked = dice.pick(["What is {} and {}?", "How much is {} and {}?", "What is {} plus {}?", "{} and {}?"])
        digits = dice.chance(0.3)
        asked = asked.replace(" plus ", " + ").format(left, right) if digits else _capital(asked.format(one, two))
        return [(asked, f"{_capital(one)} and {two} is {total}.")]
    asked = f"I have {_plural(left, noun)} and get {_plural(right, noun)}. How many do I have now?"
    return [(asked, f"Now you have {total} {noun}s.")]


def _count(dice, _):
    last = 3 + dice.below(8)
    asked = dice.pick(["Count to {}.", "Can you count to {}?", "Please count to {}."]).format(NUMBERS[last - 1])
    return [(asked, _capital(", ".join(NUMBERS[:last])) + ".")]


def _larger(dice, _):
    low, high = sorted([dice.below(12), dice.below(12)])
    if low == high:
        return _larger(dice, _)
    one, two = (low, high) if dice.chance(0.5) else (high, low)
    return [
        (f"Which is more, {NUMBERS[one]} or {NUMBERS[two]}?", f"{_capital(NUMBERS[high])} is more than {NUMBERS[low]}.")
    ]


def _day(dice, _):
    words, what = dice.pick([(DAYS, "day"), (DAYS, "day"), (MONTHS, "month")])
    at = dice.below(len(words))
    before, after = words[at - 1], words[(at + 1) % len(words)]
    if dice.chance(0.65):
        asked = [f"What comes after {words[at]}?", f"Which {what} comes after {words[at]}?"]
        asked += [f"Today is {words[at]}. What day is tomorrow?"] if what == "day" else []
        chosen = dice.pick(asked)
        return [(chosen, f"Tomorrow is {after}." if "tomorrow" in chosen else f"After {words[at]} comes {after}.")]
    asked = [f"What comes before {words[at]}?", f"Which {what} comes before {words[at]}?"]
    asked += [f"Today is {words[at]}. What day was yesterday?"] if what == "day" else []
    chosen = dice.pick(asked)
    return [(chosen, f"Yesterday was {before}." if "yesterday" in chosen else f"Before {words[at]} comes {before}.")]


def _list(dice, _):
    return [
        dice.pick(
            [
                ("What are the days of the week?", "The days are " + _listed(DAYS) + "."),
                ("How many days does a week have?", "A week has seven days."),
                ("How many months does a year have?", "A year has twelve months."),
                ("How many seasons does a year have?", "A year has four seasons."),
                ("What are the seasons?", "The seasons are spring, summer, autumn and winter."),
                ("What is the first day of the week?", "The first day of the week is Monday."),
                ("What is the last day of the week?", "The last day of the week is Sunday."),
                ("What is the first month of the year?", "The first month of the year is January."),
                ("What is the last month of the year?", "The last month of the year is December."),
            ]
        )
    ]


def _listed(words):
    return ", ".join(words[:-1]) + " and " + words[-1]


def _bigger(dice, animals):
    one, two = dice.pick(animals), dice.pick(animals)
    first, second = SIZES.index(one["size"]), SIZES.index(two["size"])
    if first == second:
        return _bigger(dice, animals)
    big, small = (one, two) if first > second else (two, one)
    big, small, one, two = (_article(animal["name"]) for animal in (big, small, one, two))
    if dice.chance(0.4):
        return [(f"Which is smaller, {one} or {two}?", f"{_capital(small)} is smaller than {big}.")]
    if dice.chance(0.5):
        return [(f"Which is bigger, {one} or {two}?", f"{_capital(big)} is bigger than {small}.")]
    is_so = "Yes" if one == big else "No"
    return [(f"Is {one} bigger than {two}?", f"{is_so}, {big} is bigger than {small}.")]


def _article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun
