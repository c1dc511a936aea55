"""Choices that are the same on every machine and in every version of Python."""

import random


class Dice:
    """Only `random()` of a seeded generator is used: it is the one method whose numbers Python promises to keep."""

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def below(self, bound):
        return int(self._random() * bound)

    def chance(self, probability):
        return self._random() < probability

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
