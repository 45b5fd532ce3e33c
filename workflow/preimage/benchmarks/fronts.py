"""Rows of trade-offs: NSGA-II beside pymoo's at equal evaluations, and a proven front on a forest beside pymoo's at
equal CPU time. Hypervolumes are in shares of the training rows' ranges.

pymoo is in the extra `peers`; where it is not installed, its cells are empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from preimage.benchmarks import mixes
from preimage.benchmarks.timing import row
from preimage.core import fronts, objective
from preimage.core.objective import Pareto
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question

Function = Callable[[np.ndarray], np.ndarray]
EVALUATIONS, MEMBERS, SEEDS = 10_000, 100, 5
PROVEN, SECONDS = 0.01, 30
TRADE = {"pareto": {"maximize": ["strength"], "minimize": ["price"]}}


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of the table."""
    for what, space, function, outputs in (
        ("ZDT1, 10 inputs", unit(10), zdt1, ["f", "g"]),
        ("ZDT3, 10 inputs", unit(10), zdt3, ["f", "g"]),
        ("DTLZ2, 7 inputs, 3 outputs", unit(7), dtlz2, ["f", "g", "h"]),
    ):
        yield _evolved(what, question(space, function, outputs))
    yield _evolved("concrete's forest, strength and price", mixes.of_both(TRADE))
    yield _proven("concrete's forest of strength and price", mixes.of_both(TRADE))
    yield _proven("concrete's forest of strength, and a formula of price", mixes.by_formula(TRADE))


def _evolved(what: str, asked: Question) -> dict[str, Any]:
    """Return a row: the median hypervolume over some seeds, ours and pymoo's."""
    ours = [_volume(asked, _nsga2(asked, seed)) for seed in range(SEEDS)]
    try:
        peer = [_volume(asked, pymoo(asked, seed, ("n_eval", EVALUATIONS))) for seed in range(SEEDS)]
    except ImportError:
        peer = [float("nan")]
    mine, other = float(np.median(ours)), float(np.median(peer))
    what = f"hypervolume after {EVALUATIONS:,} evaluations: {what}"
    return row(what, mine, other, "pymoo's NSGA-II", "share", "no less than the peer's", not mine < other)


def _proven(name: str, asked: Question) -> dict[str, Any]:
    """Return a row: the share of the largest possible hypervolume that a proven front lacks at most."""
    wanted = asked.objective
    assert isinstance(wanted, Pareto)
    options = {"kind": "certified", "boxes": 10**9, "seconds": SECONDS, "gap": PROVEN, "memory": 2000}
    spent = time.process_time()
    ((answer, Y),) = asking.ask(Inverter.of(options), [asked], np.random.default_rng(0))
    spent = time.process_time() - spent
    bound = wanted.shares_of(np.array(answer.certificate["front"]))
    largest, found = fronts.hypervolume(bound), _volume(asked, Y)
    try:
        peer = 1 - _volume(asked, pymoo(asked, 0, ("time", spent))) / largest
    except ImportError:
        peer = float("nan")
    lacks = 1 - found / largest
    what = f"front of {name} in {spent:.1f} s of CPU ({len(Y)} points): share of hypervolume lacking at most"
    return row(
        what,
        lacks,
        peer,
        "pymoo's NSGA-II at equal CPU",
        "share",
        f"{PROVEN} in {SECONDS} s",
        lacks <= PROVEN and spent <= SECONDS,
    )


def _volume(asked: Question, Y: np.ndarray) -> float:
    assert isinstance(asked.objective, Pareto)
    return fronts.hypervolume(asked.objective.shares(Y))


def _nsga2(asked: Question, seed: int) -> np.ndarray:
    inverter = Inverter.of({"kind": "nsga2", "evaluations": EVALUATIONS, "members": MEMBERS})
    ((_, Y),) = asking.ask(inverter, [asked], np.random.default_rng(seed))
    return Y


def pymoo(asked: Question, seed: int, until: tuple[str, Any]) -> np.ndarray:
    """Return the outputs (n, m) of every point that pymoo's NSGA-II saw and nothing else it saw dominates, so that
    neither side is judged by its last population."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize

    wanted = asked.objective
    assert isinstance(wanted, Pareto)
    shares, seen = wanted.shares, list[np.ndarray]()

    class Peer(Problem):
        def __init__(self) -> None:
            space = asked.space
            super().__init__(n_var=len(space.inputs), n_obj=len(wanted.outputs), xl=space.low, xu=space.high)

        def _evaluate(self, X: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
            seen.append(asked.predict(X))
            out["F"] = shares(seen[-1])

    minimize(Peer(), NSGA2(pop_size=MEMBERS), until, seed=seed)
    Y = np.concatenate(seen)
    return Y[wanted.best(Y)]


# -- questions ---------------------------------------------------------------------------------------------------------


def unit(d: int) -> Space:
    return Space(tuple(Input(f"x{j}", 0.0, 1.0) for j in range(d)))


def question(space: Space, function: Function, outputs: list[str], rows: int = 200) -> Question:
    """Return the question for the smallest of all outputs, with random rows."""
    rng = np.random.default_rng(0)
    X = space.low + rng.random((rows, len(space.inputs))) * (space.high - space.low)
    Y = function(X)
    wanted = objective.build("o", {"pareto": {"minimize": outputs}}, outputs, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    # As a simulator: starting from the rows would be an advantage.
    return Question(space, wanted, function, X[:0], Y, np.arange(0), on_simulator=True)


# -- problems of Zitzler, Deb, Thiele 2000 and of Deb, Thiele, Laumanns, Zitzler 2002 ----------------------------------


def zdt1(X: np.ndarray) -> np.ndarray:
    g = 1 + 9 * X[:, 1:].mean(axis=1)
    return np.stack([X[:, 0], g * (1 - np.sqrt(X[:, 0] / g))], axis=1)


def zdt3(X: np.ndarray) -> np.ndarray:
    g, f = 1 + 9 * X[:, 1:].mean(axis=1), X[:, 0]
    return np.stack([f, g * (1 - np.sqrt(f / g) - f / g * np.sin(10 * np.pi * f))], axis=1)


def dtlz2(X: np.ndarray) -> np.ndarray:
    g = 1 + ((X[:, 2:] - 0.5) ** 2).sum(axis=1)
    a, b = (X[:, k] * np.pi / 2 for k in (0, 1))
    return np.stack([g * np.cos(a) * np.cos(b), g * np.cos(a) * np.sin(b), g * np.sin(a)], axis=1)
