"""What scipy says of paired predictions: `python tests/golden/make_compare.py tests/golden`.

Writes `compare.json`: McNemar's test (exact by `binomtest`, chi-square with continuity correction by `chi2.sf`), tails
of the chi-square distribution, bootstrap intervals by `scipy.stats.bootstrap`, which draws other resamples, and numpy's
quantiles.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import stats

RESAMPLES = 10_000


def mcnemar(b, c):
    if b + c < 25:
        p = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
        return {"only_first": b, "only_second": c, "test": "exact_binomial", "p": float(p)}
    statistic = max(abs(b - c) - 1, 0) ** 2 / (b + c)
    p = float(stats.chi2.sf(statistic, 1))
    return {"only_first": b, "only_second": c, "test": "chi_square_corrected", "statistic": statistic, "p": p}


def bootstrap(name, differences, weights):
    ratio = lambda d, w, axis=-1: d.sum(axis) / w.sum(axis)
    reference = stats.bootstrap(
        (differences, weights), ratio, paired=True, vectorized=True, n_resamples=RESAMPLES, method="percentile",
        rng=np.random.default_rng(1), batch=500,
    )
    return {
        "name": name,
        "differences": differences.tolist(),
        "weights": weights.tolist(),
        "difference": float(differences.sum() / weights.sum()),
        "scipy_low": float(reference.confidence_interval.low),
        "scipy_high": float(reference.confidence_interval.high),
        "standard_error": float(reference.standard_error),
    }


def main():
    random = np.random.default_rng(20261126)
    pairs = [(0, 0), (0, 1), (3, 3), (2, 9), (1, 23), (0, 24), (12, 12), (12, 13), (0, 25), (25, 26), (30, 30)]
    pairs += [(40, 61), (7, 90), (200, 130), (1000, 1100), (3000, 2000)]
    tails = [0.0, 1e-12, 1e-4, 0.02, 0.5, 1.0, 2.9, 3.0, 3.1, 6.6, 15.0, 80.0, 700.0]
    right = random.random((2, 300)) < np.array([[0.8], [0.7]])
    accuracy = right[1].astype(float) - right[0]
    seeds = (random.random((3, 120)) < 0.7).astype(float).mean(0) - (random.random((3, 120)) < 0.75).mean(0)
    tokens = random.integers(1, 40, 90).astype(float)
    losses = tokens * random.normal(0.05, 0.3, 90)
    data = {
        "mcnemar": [mcnemar(b, c) for b, c in pairs],
        "chi_square_1": [[x, float(stats.chi2.sf(x, 1))] for x in tails],
        "bootstrap": [
            bootstrap("accuracy", accuracy, np.ones(300)),
            bootstrap("accuracy over three seeds", seeds, np.ones(120)),
            bootstrap("loss over tokens", losses, tokens),
        ],
    }
    numbers = np.sort(random.normal(0, 1, 37))
    data["quantiles"] = {
        "sorted": numbers.tolist(),
        "shares": [[share, float(np.quantile(numbers, share))] for share in (0.0, 0.025, 0.3, 0.5, 0.777, 0.975, 1.0)],
    }
    path = Path(sys.argv[1]) / "compare.json"
    path.write_text(json.dumps(data, indent=1) + "\n")


main()
