"""Rows of ranking by a committee: how often the first candidate is true, over fresh seeds and all targets.

The same networks, asked in three ways: the lowest loss of ten starts of L-BFGS-B (what the source system did), the
committee's choice among 300 starts (`committee: true`), and the training row that lies nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from preimage.benchmarks.asking import World, questions, ranked, rows, world
from preimage.benchmarks.timing import row
from preimage.inversion import committee as judges
from preimage.problems.built_in import binary_decimal, robot_arm

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("multistart", {"starts": 10, "start_from": "uniform"}),
    "committee": ("multistart", {"starts": 300, "start_from": "uniform", "engine": "batched"}),
    "lookup": ("lookup", {}),
}
SEEDS = 20
ARM_TARGETS = 50


def digits(count: int, samples: int, seeds: int = SEEDS) -> dict[str, Any]:
    """Return the share of true first candidates of the committee's answer beside the plain one; lookup in its name."""
    goals = np.arange(2.0**count)[:, None]
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, samples])
        found.append(errors(world(binary_decimal.build(count), samples, "neural_network", rng), goals, rng))
    share = {way: float(np.mean([np.abs(f[way]) < 0.5 for f in found])) for way in WAYS}
    what = (
        f"binary_decimal, {count} digits, {samples:,} samples, {seeds} seeds, all {len(goals)} targets: share of true "
        f"answers, committee (lookup {share['lookup']:.3f}: without noise, nearest rows win too)"
    )
    first, plain = share["committee"], share["plain"]
    return row(what, first, plain, "lowest loss of 10 starts", "", "0.99", first >= 0.99)


def arm(seeds: int = 5) -> dict[str, Any]:
    """Return the mean true distance on a smooth problem: the committee must not pay for its caution there."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        w = world(robot_arm.build(), 1000, "neural_network", rng)
        found.append(errors(w, rows(w.problem, ARM_TARGETS, rng)[1], rng))
    distance = {way: float(np.mean([np.linalg.norm(f[way], axis=1).mean() for f in found])) for way in WAYS}
    what = (
        f"robot_arm, 1,000 samples, {seeds} seeds, {ARM_TARGETS} targets: mean true distance, committee "
        f"(lookup {distance['lookup']:.4f})"
    )
    good = distance["committee"] <= distance["plain"]
    return row(what, distance["committee"], distance["plain"], "lowest loss of 10 starts", "", "no worse", good)


def errors(w: World, goals: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return by way of asking how far the first candidate of each target (targets, m) is from it in truth."""
    asked = questions(w, goals)
    error = np.abs(w.Y - w.trained.out_of_fold[0]).mean(axis=0)
    judge = judges.assemble(w.trained.surrogate, error, asked[0], np.zeros(w.X.shape[1], int), {}, rng)
    found = {}
    for way, (kind, options) in WAYS.items():
        first = [X[0] for X in ranked(w, asked, kind, options, rng, judge if way == "committee" else None)[0]]
        found[way] = w.problem.simulate(np.array(first)) - goals
    return found


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    yield digits(2, 1000)
    yield digits(3, 3000)
    yield arm()
