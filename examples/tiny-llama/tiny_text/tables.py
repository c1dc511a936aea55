"""Facts and questions out of tables: rows of a small world, and sentences about one row."""

from .template import expand, slots


class Table:
    """The rows of one file, its sentences, and its groups of questions."""

    def __init__(self, path):
        self.name, self.rows, self.sayings, self.groups = path.stem, [], [], []
        columns = None
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, rest = line.partition(": ")
            if key == "say":
                self.sayings.append(rest)
            elif key == "ask":
                self.groups.append({"ask": rest})
            elif key in ("answer", "more"):
                self.groups[-1][key] = rest
            elif " | " in line and columns is None:
                columns = line.split(" | ")
            elif " | " in line:
                self.rows.append(dict(zip(columns, line.split(" | "), strict=True)))

    def fact(self, dice):
        saying = dice.pick(self.sayings)
        return _say(saying, dice, self._bind(self._row(saying, dice), dice))

    def facts_of_one(self, dice, count):
        """A few different sentences about one row."""
        row = dice.pick(self.rows)
        fitting = [saying for saying in self.sayings if _fits(saying, row)]
        dice.shuffle(fitting)
        return [_say(saying, dice, self._bind(row, dice)) for saying in fitting[:count]]

    def question(self, dice):
        """A list of (question, answer): one, or two of which the second leans on the first."""
        group = dice.pick(self.groups)
        row = self._row(group["ask"] + group["answer"], dice)
        bound = self._bind(row, dice)
        turns = [(_say(group["ask"], dice, bound), _say(group["answer"], dice, bound))]
        if "more" in group and dice.chance(0.35):
            bound = self._bind(self._row(group["ask"] + group["answer"], dice, row), dice)
            turns.append((_say(group["more"], dice, bound), _say(group["answer"], dice, bound)))
        return turns

    def _row(self, template, dice, unlike=None):
        return dice.pick([row for row in self.rows if row is not unlike and _fits(template, row)])

    def _bind(self, row, dice):
        """Looks columns up in the row; `other.column` in a row that differs in all columns asked for so far."""
        other = {}

        def look_up(slot):
            column = slot.removeprefix("other.")
            if column == slot:
                return row[column]
            if column not in other:
                other.update(self._other(row, column, dice))
            return other[column]

        return look_up

    def _other(self, row, column, dice):
        keys = [key for key in row if key in ("colour", "kind", column)]
        unlike = [it for it in self.rows if it[column] != "-" and all(it[key] != row[key] for key in keys)]
        return dice.pick(unlike or [it for it in self.rows if it[column] not in ("-", row[column])])


def _fits(template, row):
    return all(row.get(slot, "") != "-" for slot in slots(template))


def _say(template, dice, bound):
    return expand(template, dice, bound)
