"""Rows of experiments to run next: how near to the goal 30 experiments come, in 10 batches of 3 after 10 random ones.

The laboratory is a function without noise or with 5 % of it: a smooth emulator of the concrete mixes that are shipped,
Hartmann's function of six inputs, Branin's of two, and a mixture of five. Asked for are the maximum, a value, and the
maximum under a limit of a second output. A regret of 0 is the best of the space, 1 the median of random points; of a
value, the distance to it. Peers are random points, the TPE of hyperopt and, where it is installed, Optuna's Gaussian
process, which ask one experiment at a time and so know more.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from preimage.acquisition import batch
from preimage.benchmarks.timing import row
from preimage.core import objective, polytope
from preimage.core.space import Input, Linear, Space
from preimage.support import places
from preimage.support.rng import generator

FIRST, BATCHES, EACH = 10, 10, 3
NOISE = 0.05
OUTPUTS = ["y", "cost"]
Outputs = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Laboratory:
    """A function of points in [0, 1] (n, d), of which a mixture adds up to 1, and what is known of it."""

    name: str
    space: Space
    value: Outputs
    noise: float = 0.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the value and a cost (n, 2) without noise."""
        return np.column_stack([self.value(X), X @ np.linspace(0, 1, X.shape[1])])

    @property
    def mixture(self) -> bool:
        return bool(self.space.constraints)


def _space(d: int, mixture: bool = False) -> Space:
    inputs = tuple(Input(f"x{j}", 0.0, 1.0) for j in range(d))
    return Space(inputs, (Linear(tuple((i.name, 1.0) for i in inputs), 1.0, 1.0),) if mixture else ())


def _concrete() -> Outputs:
    folder = places.WORKFLOW.parent / "config" / "data"
    X, y = (pd.read_parquet(folder / f"concrete_{k}.parquet").to_numpy(float) for k in ("features", "targets"))
    X = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    rows = np.random.default_rng(0).permutation(len(X))[:500]
    kernel = kernels.ConstantKernel(1, (1e-2, 1e2)) * kernels.Matern(np.ones(X.shape[1]), (5e-2, 2e1), 2.5)
    kernel = kernel + kernels.WhiteKernel(1e-2, (1e-4, 1))
    fitted = GaussianProcessRegressor(kernel, random_state=0).fit(X[rows], (y[rows, 0] - y.mean()) / y.std())
    return lambda P: np.asarray(fitted.predict(P))


def _hartmann(P: np.ndarray) -> np.ndarray:
    A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    Q = [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
    return np.asarray(np.exp(-(np.array(A) * (P[:, None] - 1e-4 * np.array(Q)) ** 2).sum(axis=2)) @ [1, 1.2, 3, 3.2])


def _branin(P: np.ndarray) -> np.ndarray:
    x, y = 15 * P[:, 0] - 5, 15 * P[:, 1]
    curve = y - 5.1 / (4 * np.pi**2) * x * x + 5 / np.pi * x - 6
    return np.asarray(-(curve**2) - 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) - 10)


def _mixture(P: np.ndarray) -> np.ndarray:
    far = ((P - [0.5, 0.3, 0.15, 0.05, 0]) ** 2).sum(axis=1)
    return np.asarray(1.2 * P[:, 0] * P[:, 1] - 3 * far - 2 * P[:, 3] * P[:, 4] + 0.3 * np.sin(9 * P[:, 2]))


@lru_cache
def laboratories() -> dict[str, Laboratory]:
    """Return the functions, by name."""
    found = [
        Laboratory("concrete", _space(8), _concrete()),
        Laboratory("Hartmann, 6 inputs", _space(6), _hartmann),
        Laboratory("Branin, 5 % noise", _space(2), _branin, NOISE),
        Laboratory("mixture of 5", _space(5, mixture=True), _mixture),
    ]
    return {lab.name: lab for lab in found}


# -- questions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """What is asked of a laboratory: an objective's entry, and the regret of outputs (n, 2)."""

    name: str
    entry: dict[str, Any]
    regret: Callable[[np.ndarray], np.ndarray]


@lru_cache
def questions(name: str) -> list[Question]:
    """Return what is asked of a laboratory: the maximum, a value and the maximum under a limit."""
    lab = laboratories()[name]
    Y = lab(_points(lab, 100_000, np.random.default_rng(0)))
    median, limit = np.median(Y, axis=0)
    best = _largest(lab, np.inf)
    value = median + 0.7 * (best - median)
    return [
        Question("maximum", {"maximize": "y"}, lambda Y: (best - Y[:, 0]) / (best - median)),
        Question("value", {"target": {"y": value}}, lambda Y: np.abs(Y[:, 0] - value) / (best - median)),
        _limited(lab, median, limit),
    ]


def _limited(lab: Laboratory, median: float, limit: float) -> Question:
    best = _largest(lab, limit)

    def regret(Y: np.ndarray) -> np.ndarray:
        return np.where(Y[:, 1] <= limit, (best - Y[:, 0]) / (best - median), np.inf)

    return Question("maximum at a limited cost", {"maximize": "y", "subject_to": {"cost": {"at_most": limit}}}, regret)


def _largest(lab: Laboratory, limit: float) -> float:
    """Return the largest value whose cost keeps a limit, by random points and steps around the best."""
    rng = np.random.default_rng(0)

    def best(X: np.ndarray) -> np.ndarray:
        Y = lab(X)
        return X[np.argsort(np.where(Y[:, 1] <= limit, Y[:, 0], -np.inf))[-50:]]

    X = best(_points(lab, 100_000, rng))
    for scale in np.geomspace(0.1, 1e-4, 100):
        near = np.clip(np.repeat(X, 20, axis=0) + scale * rng.standard_normal((1000, X.shape[1])), 0, 1)
        X = best(np.concatenate([X, near / near.sum(axis=1, keepdims=True) if lab.mixture else near]))
    return float(lab(X[-1:])[0, 0])


def _points(lab: Laboratory, n: int, rng: np.random.Generator) -> np.ndarray:
    d = len(lab.space.inputs)
    return rng.dirichlet(np.ones(d), n) if lab.mixture else rng.random((n, d))


# -- methods -----------------------------------------------------------------------------------------------------------


class Measured:
    """Measurements of a laboratory for a question, with noise; what they are without it is what counts."""

    def __init__(self, lab: Laboratory, question: Question, seed: int) -> None:
        self.lab, self.question = lab, question
        self.rng = generator(seed, f"{lab.name}/{question.name}")
        spread = lab(_points(lab, 1000, np.random.default_rng(0))).std(axis=0)
        self.deviation = lab.noise * spread * [1, 0]
        self.X = _points(lab, FIRST, self.rng)
        self.true = lab(self.X)
        self.Y = self._noisy(self.true)

    def add(self, X: np.ndarray) -> np.ndarray:
        true = self.lab(X)
        self.X, self.true = np.concatenate([self.X, X]), np.concatenate([self.true, true])
        noisy = self._noisy(true)
        self.Y = np.concatenate([self.Y, noisy])
        return noisy

    def objective(self) -> objective.Objective:
        return objective.build("o", self.question.entry, OUTPUTS, self.Y.std(axis=0), np.ptp(self.Y, axis=0), self.Y)

    @property
    def regret(self) -> float:
        return float(min(self.question.regret(self.true).min(), 1.0))

    def _noisy(self, true: np.ndarray) -> np.ndarray:
        return true + self.deviation * self.rng.standard_normal(true.shape)


def ours(found: Measured) -> None:
    space = found.lab.space
    for k in range(BATCHES):
        wish = batch.Wish(space, found.objective())
        chosen, _ = batch.choose(space, [wish], found.X, found.Y, EACH, 0.0, generator(k, "batch"))
        found.add(chosen.X)


def at_random(found: Measured) -> None:
    found.add(_points(found.lab, BATCHES * EACH, found.rng))


def tpe(found: Measured) -> None:
    """Ask the TPE of hyperopt, which begins with random points of its own; a mixture is divided by its sum."""
    from hyperopt import hp

    from preimage.support import tpe

    names = found.lab.space.names

    def merit(values: dict[str, float]) -> float:
        x = np.array([[values[name] for name in names]])
        return float(found.objective().merit(found.add(x / x.sum() if found.lab.mixture else x))[0])

    tpe.search({name: hp.uniform(name, 1e-9, 1) for name in names}, merit, BATCHES * EACH, np.random.default_rng(0))


def optuna_process(found: Measured) -> None:
    """Ask Optuna's Gaussian process, told what is known at first; a mixture is divided by its sum."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = found.lab.space.names
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0, n_startup_trials=0))
    ends = {name: optuna.distributions.FloatDistribution(0, 1) for name in names}
    for x, merit in zip(found.X, found.objective().merit(found.Y), strict=True):
        study.add_trial(
            optuna.trial.create_trial(params=dict(zip(names, x, strict=True)), distributions=ends, value=merit)
        )
    for _ in range(BATCHES * EACH):
        trial = study.ask(ends)
        x = np.array([[max(trial.params[name], 1e-9) for name in names]])
        y = found.add(x / x.sum() if found.lab.mixture else x)
        study.tell(trial, float(found.objective().merit(y)[0]))


def mean_regret(method: Callable[[Measured], None], lab: str, question: Question, seeds: int) -> float:
    """Return the mean regret over seeds after all experiments."""
    regrets = []
    for seed in range(seeds):
        found = Measured(laboratories()[lab], question, seed)
        method(found)
        regrets.append(found.regret)
    return float(np.mean(regrets))


def one_batch(n: int = 8, rows: int = 100) -> dict[str, Any]:
    """A batch of 8 for a table of 100 rows in 8 inputs."""
    lab = laboratories()["concrete"]
    found = Measured(lab, questions("concrete")[0], 0)
    found.add(polytope.sample(lab.space, rows - FIRST, found.rng))
    wish = batch.Wish(lab.space, found.objective())

    def choose() -> None:
        batch.choose(lab.space, [wish], found.X, found.Y, n, 0.0, generator(0, "batch"))

    choose()
    started = time.process_time()
    choose()
    taken = time.process_time() - started
    return row(f"a batch of {n}, {rows} rows, 8 inputs: CPU", taken, 5.0, "limit", "s", "at most 5 s", taken <= 5)


def measure(seeds: int = 20) -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    yield one_batch()
    peers: dict[str, Callable[[Measured], None]] = {"random": at_random, "hyperopt TPE": tpe}
    if importlib.util.find_spec("optuna") and importlib.util.find_spec("torch"):
        peers["Optuna GP"] = optuna_process
    for lab in laboratories():
        for question in questions(lab):
            mine = mean_regret(ours, lab, question, seeds)
            others = {name: mean_regret(peer, lab, question, seeds) for name, peer in peers.items()}
            best = min(others, key=lambda name: others[name])
            what = f"{lab}, {question.name}: mean regret after {BATCHES * EACH} experiments, {seeds} seeds"
            yield row(what, mine, others[best], best, "", "below the peer's", mine < others[best])
