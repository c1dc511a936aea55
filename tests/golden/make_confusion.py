"""Precision, recall, F1 and confusion matrices by scikit-learn, for `tests/confusion.rs`.

python tests/golden/make_confusion.py; scikit-learn and numpy are needed.
"""

import json
from pathlib import Path

import numpy
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


def case(name, labels, truth, told):
    places = list(range(len(labels)))
    each = precision_recall_fscore_support(truth, told, labels=places, zero_division=0)
    mean = lambda how: precision_recall_fscore_support(truth, told, average=how, zero_division=0)[:3]
    return {
        "name": name,
        "labels": labels,
        "truth": [int(one) for one in truth],
        "told": [int(one) for one in told],
        "precision": each[0].tolist(),
        "recall": each[1].tolist(),
        "f1": each[2].tolist(),
        "rows": each[3].tolist(),
        "macro": [float(one) for one in mean("macro")],
        "weighted": [float(one) for one in mean("weighted")],
        "matrix": confusion_matrix(truth, told, labels=places).tolist(),
    }


def main():
    draw = numpy.random.default_rng(16)
    cases = []
    for labels, rows in [(2, 9), (3, 40), (7, 90)]:
        truth = draw.integers(labels, size=rows)
        told = numpy.where(draw.random(rows) < 0.6, truth, draw.integers(labels, size=rows))
        cases.append(case(f"{labels} labels", [f"l{place}" for place in range(labels)], truth, told))
    # A label that no row has but one is given, one that no row is given, and one that never occurs.
    cases.append(case("rare", ["a", "b", "c", "d"], [0, 0, 1, 1, 1], [0, 2, 0, 0, 2]))
    cases.append(case("one label", ["a", "b"], [1, 1, 1], [1, 1, 1]))
    Path(__file__).with_name("confusion.json").write_text(json.dumps(cases) + "\n")


main()
