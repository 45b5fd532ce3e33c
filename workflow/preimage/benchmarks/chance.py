"""Rows of chances: how often what was called so likely comes true, on problems whose truth and noise are known.

Tables of 40, 200 and 1,000 rows are drawn from eight functions with noise, a surrogate is trained as in any study, and
asked for targets, bands, one-sided wishes and such with a limit of another output. Answers are chosen as people choose
them: with the best chance, nearest to the rows, with the largest prediction, in the middle of the tolerance. A chance
is set against the probability that a measurement there is as wanted, which the noise gives in closed form. The peer is
the surrogate's own prediction and spread, taken as a normal distribution.

`python -m preimage.benchmarks.chance reliability.svg` draws the figure of the documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from preimage.benchmarks.timing import row
from preimage.core import objective
from preimage.core.domain import Domain
from preimage.core.formulas import NONE
from preimage.core.objective import Limit, Objective
from preimage.core.space import Input, Space
from preimage.data.rows import Rows
from preimage.evidence import chance
from preimage.surrogates import predictive
from preimage.surrogates.base import SurrogateKind

SIZES, SEEDS, FOLDS = (40, 200, 1000), 20, 5
CANDIDATES, NEAR, DOMAIN = 3000, 1000, 0.95
# Of the allowed candidates so many are asked for their chance.
ASKED = 60
SURROGATES: Mapping[str, dict[str, Any]] = {
    "forest": {"kind": "random_forest", "trees": 100, "folds": FOLDS},
    "Gaussian process": {
        "kind": "gaussian_process", "kernel": "rbf", "rows": 2000, "hyperparameter_rows": 800, "restarts": 3,
        "folds": FOLDS,
    },
}  # fmt: skip
BINS = 10
OVERALL, IN_A_CELL = 0.05, 0.10
SAID = ("chance", "peer")
NORMAL = "normal distribution"


# -- problems: two outputs of inputs in [0, 1] -------------------------------------------------------------------------


def friedman(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
    return first, X.sum(axis=1)


def bowl(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ((X - 0.4) ** 2).sum(axis=1), X[:, 0] - X[:, 1]


def wave(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1]) + X[:, 2], X[:, 0] * X[:, 1]


def hartmann(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    A = np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    )
    P = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )  # fmt: skip
    return np.exp(-(A * (X[:, None] - P) ** 2).sum(axis=2)) @ [1, 1.2, 3, 3.2], X.mean(axis=1)


def arm(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t = np.cumsum((X[:, 1:4] - 0.5) * 3, axis=1)
    return X[:, 0] - 0.5 + np.sin(t) @ [0.5, 0.5, 1.0], np.cos(t[:, 0])


def step(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 3 * (X[:, 0] > 0.5) + 2 * (X[:, 1] > 0.3) * X[:, 2] + X[:, 3], X[:, 0] + X[:, 3]


def plane(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return X @ np.arange(1, X.shape[1] + 1), X[:, 0] ** 2


def branin(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = 15 * X[:, 0] - 5, 15 * X[:, 1]
    valley = (b - 5.1 / (4 * np.pi**2) * a * a + 5 / np.pi * a - 6) ** 2
    return valley + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10, a + b


@dataclass(frozen=True)
class Problem:
    """Two outputs, the number of inputs, and the noise in standard deviations of the outputs."""

    outputs: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    inputs: int
    noise: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return np.column_stack(self.outputs(X))


PROBLEMS = {
    "friedman": Problem(friedman, 5, 0.2), "bowl": Problem(bowl, 4, 0.1), "wave": Problem(wave, 3, 0.2),
    "hartmann": Problem(hartmann, 6, 0.1), "arm": Problem(arm, 4, 0.06), "step": Problem(step, 4, 0.2),
    "plane": Problem(plane, 6, 0.2), "branin": Problem(branin, 2, 0.1),
}  # fmt: skip


# -- what is asked, and what comes of it -------------------------------------------------------------------------------


def wishes(Y: np.ndarray) -> list[dict[str, Any]]:
    """Return objectives for a table of these outputs (n, 2)."""

    def at(share: float, k: int = 0) -> float:
        return float(np.quantile(Y[:, k], share))

    reach = np.ptp(Y[:, 0])
    targets = [{"target": {"y": at(a)}, "tolerance": t * reach} for a in (0.05, 0.5, 0.8, 0.95) for t in (0.02, 0.08)]
    return [
        *targets,
        {"within": {"y": [at(0.6), at(0.9)], "z": [at(0.3, 1), at(0.7, 1)]}},
        {"within": {"y": [at(0.2), at(0.4)]}},
        {"within": {"y": {"at_least": at(0.9)}}},
        {"within": {"y": {"at_least": at(0.98)}}},
        {"within": {"y": {"at_least": at(0.8)}}, "subject_to": {"z": {"at_most": at(0.4, 1)}}},
        {"within": {"y": {"at_most": at(0.2)}}, "subject_to": {"z": {"at_least": at(0.6, 1)}}},
    ]


def asked(surrogate: str, name: str, n: int, seed: int) -> list[dict[str, Any]]:
    """Return chance, the peer's chance and the true one of answers on one table."""
    problem, spec = PROBLEMS[name], SURROGATES[surrogate]
    rng = np.random.default_rng([seed, n, *name.encode()])
    noise = problem.noise * problem(rng.uniform(size=(4096, problem.inputs))).std(axis=0)
    X = rng.uniform(size=(n, problem.inputs))
    Y = problem(X) + rng.normal(size=(n, 2)) * noise
    trained = SurrogateKind.of(spec).train(Rows.plain(X, Y), np.random.default_rng(seed))
    levels = np.zeros(problem.inputs, int)
    fitted = predictive.fit(X, levels, Y, trained.out_of_fold, trained.surrogate, np.random.default_rng(seed))
    assert fitted is not None
    outlook = chance.Outlook(trained.surrogate, fitted, NONE, X, Y)
    space = Space(tuple(Input(f"x{j}", 0.0, 1.0) for j in range(problem.inputs)))
    near = X[rng.integers(n, size=NEAR)] + rng.normal(0, 0.05, (NEAR, problem.inputs))
    Z = np.clip(np.vstack([rng.uniform(size=(CANDIDATES, problem.inputs)), near]), 0, 1)
    predicted, score = trained.surrogate.predict(Z), Domain(X).score(Z)
    found = []
    for spec in wishes(Y):
        wanted = objective.build("o", spec, ["y", "z"], Y.std(axis=0).tolist(), np.ptp(Y, axis=0).tolist())
        for way, x in chosen(Z, predicted, score, wanted, outlook, space, rng).items():
            true = _probability(problem(x)[0], noise, wanted)
            peer = _probability(trained.surrogate.predict(x)[0], trained.surrogate.spread(x)[0], wanted)
            said = chance.of_points(x, outlook, wanted, space)[0, 0]
            found.append({"way": way, "chance": said, "peer": peer, "true": true})
    return [{"surrogate": surrogate, "problem": name, "rows": n, "seed": seed, **f} for f in found]


def chosen(
    Z: np.ndarray,
    predicted: np.ndarray,
    score: np.ndarray,
    wanted: Objective,
    outlook: chance.Outlook,
    space: Space,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return answers (1, d) among candidates Z (n, d), by how each is chosen of those that are best by prediction."""
    order = np.lexsort((wanted.loss(predicted), wanted.violation(predicted)))
    good = np.flatnonzero(wanted.met(predicted))
    good = good if len(good) else order[:1]
    inside = good[score[good] <= DOMAIN]
    good = inside if len(inside) else good
    few = rng.permutation(good)[:ASKED]
    found = {
        "best chance": few[chance.of_points(Z[few], outlook, wanted, space)[:, 0].argmax()],
        "nearest": good[score[good].argmin()],
        "any": few[0],
        "largest": good[predicted[good, 0].argmax()],
        "middle": order[np.abs(predicted[order, 0] - np.mean(_ends(wanted)[0])).argmin()],
    }
    if not np.isfinite(_ends(wanted)[0]).all():
        del found["middle"]
    return {way: Z[[k]] for way, k in found.items()}


def _ends(wanted: Objective) -> list[tuple[float, float]]:
    """Return the interval in which each output is as wanted."""
    ends = {0: (-np.inf, np.inf), 1: (-np.inf, np.inf)}
    for column, low, high, margin in zip(wanted.columns, wanted.low, wanted.high, wanted.margin, strict=True):
        ends[column] = (low - margin, high + margin)
    limits: tuple[Limit, ...] = wanted.limits
    for limit in limits:
        ends[limit.column] = (limit.low, limit.high)
    return [ends[0], ends[1]]


def _probability(mean: np.ndarray, deviation: np.ndarray, wanted: Objective) -> float:
    """Return the probability of what is wanted for independent normal outputs (2,)."""
    low, high = np.array(_ends(wanted)).T
    with np.errstate(divide="ignore"):
        return float(np.prod(norm.cdf((high - mean) / deviation) - norm.cdf((low - mean) / deviation)))


# -- figures -----------------------------------------------------------------------------------------------------------


def calibration_error(said: pd.Series, true: pd.Series) -> float:
    """Return the expected calibration error: how far chances are from frequencies, over tenths weighed by their counts
    (Naeini, Cooper, Hauskrecht 2015, AAAI)."""
    tenth = np.minimum((said * BINS).astype(int), BINS - 1)
    gaps = (said.groupby(tenth).mean() - true.groupby(tenth).mean()).abs()
    return float((gaps * said.groupby(tenth).size()).sum() / len(said))


def brier(said: pd.Series, true: pd.Series) -> float:
    """Return the expected Brier score of chances of events that have these probabilities."""
    return float((true * (1 - said) ** 2 + (1 - true) * said**2).mean())


def answers(seeds: int = SEEDS) -> pd.DataFrame:
    """Return every answer of the benchmark."""
    cases = [(s, p, n, seed) for s in SURROGATES for p in PROBLEMS for n in SIZES for seed in range(seeds)]
    return pd.DataFrame([found for case in cases for found in asked(*case)])


def measure(seeds: int = SEEDS) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table."""
    found = answers(seeds)
    for surrogate, part in found.groupby("surrogate", sort=False):
        ours, peer = (brier(part[key], part["true"]) for key in SAID)
        yield row(f"Brier score of chances, {surrogate}", ours, peer, NORMAL, "", "below the peer's", ours < peer)
        for n, of_size in part.groupby("rows"):
            yield _calibrated(f"{surrogate}, {n:,} rows", [of_size], IN_A_CELL)
    yield _calibrated("overall", [found], OVERALL)
    cells = [cell for _, cell in found.groupby(["problem", "rows"])]
    yield _calibrated(f"worst of {len(cells)} cells (problem and rows)", cells, IN_A_CELL)


def _calibrated(what: str, cells: Sequence[pd.DataFrame], reach: float) -> dict[str, Any]:
    """Return a row: the largest calibration error of some cells."""
    ours, peer = (max(calibration_error(cell[key], cell["true"]) for cell in cells) for key in SAID)
    return row(f"calibration error of chances, {what}", ours, peer, NORMAL, "", f"{reach}", ours <= reach)


def draw(found: pd.DataFrame, path: str) -> None:
    """Write the reliability figure: frequency against chance, for us and the peer."""
    with matplotlib.rc_context({"font.size": 11, "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        for k, (surrogate, part) in enumerate(found.groupby("surrogate", sort=False)):
            axes = figure.add_subplot(1, len(SURROGATES), k + 1)
            axes.plot([0, 1], [0, 1], color="0.6", lw=1)
            for key, label in zip(SAID, ("chance", NORMAL), strict=True):
                means = part.groupby(np.minimum((part[key] * BINS).astype(int), BINS - 1))[[key, "true"]].mean()
                axes.plot(means[key], means["true"], marker="o", label=label)
            axes.set(title=str(surrogate), xlabel="chance that was said", xlim=(0, 1), ylim=(0, 1), aspect="equal")
            axes.set_ylabel("came true" if k == 0 else "")
        figure.axes[0].legend(frameon=False, loc="upper left")
        figure.savefig(path)


if __name__ == "__main__":
    draw(answers(int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS), sys.argv[1])
