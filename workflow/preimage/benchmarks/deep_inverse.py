"""The published deep-inverse benchmark: r_T for T of 1 to 1,024, for every inverter on every surrogate.

Problems, sizes and r_T are those of Ren, Padilla, Malof 2020 ("Benchmarking deep inverse models over time, and the
neural-adjoint method", NeurIPS 33): 10,000 points, 8,000 of them to train on, targets from the others. Their published
neural adjoint, read off their figure 3: r_1 of 5.8e-3 (ballistics), 1.2e-3 (sine wave), 2.3e-4 (robot arm); r_50 of
5e-6, 1.9e-6, 2.7e-6.

Variants: measurement noise on the training rows, targets out of reach, other dimensions.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from preimage.benchmarks.asking import World, questions, ranked, rows, world
from preimage.evidence.best_of import counts
from preimage.problems.loading import Problem
from preimage.surrogates.base import SurrogateKind

TRAINING = 8000
PUBLISHED = "published"
PUBLISHED_R1 = {"sine_wave": 1.2e-3, "robot_arm": 2.3e-4, "ballistics_stepped": 5.8e-3}
REACH_R1 = {"ballistics_stepped": 2.5e-6, "sine_wave": 1e-11, "robot_arm": 1e-10}
# By problem, what its Gaussian process needs: many rows and a rough kernel where the truth has steps.
PROCESS: dict[str, dict[str, Any]] = {
    "ballistics_stepped": {"rows": 4000, "kernel": "matern52"},
    "sine_wave": {"rows": 1000},
    "robot_arm": {"rows": 2000},
}


class Method(NamedTuple):
    """An inverter with its options; `targets` is for how many targets it is asked, by the cost of each."""

    kind: str
    options: Mapping[str, Any]
    targets: int


def methods(targets: int, most: int) -> dict[str, Method]:
    """Return every inverter: those with few starts on all targets, those with many on a twentieth of them."""
    few = max(1, targets // 20)
    batched = {"engine": "batched"}
    return {
        "lookup": Method("lookup", {"rows": most}, targets),
        "multistart": Method("multistart", {**batched, "starts": 16}, targets),
        "multistart_deep": Method("multistart", {**batched, "starts": most}, few),
        "multistart_uniform": Method("multistart", {**batched, "starts": most, "start_from": "uniform"}, few),
        "neural_adjoint": Method("neural_adjoint", {"starts": 64}, few),
        "evolution": Method("evolution", {"evaluations": 2000}, few),
        "cmaes": Method("cmaes", {"evaluations": 2000}, few),
        "random": Method("random", {"evaluations": 2000}, few),
        "hyperopt": Method("hyperopt", {"evaluations": 200}, max(1, few // 5)),
    }


class Variant(NamedTuple):
    """A problem with something made harder; `shift` moves targets out by so many standard deviations."""

    name: str
    problem: Problem
    noise: float = 0.0
    shift: float = 0.0


def variants(names: Iterable[str]) -> Iterator[Variant]:
    for name in names:
        problem = importlib.import_module(f"preimage.problems.built_in.{name}").build()
        yield Variant(PUBLISHED, problem)
    arm = importlib.import_module("preimage.problems.built_in.robot_arm").build()
    yield Variant("noise 0.01", arm, noise=0.01)
    yield Variant("noise 0.1", arm, noise=0.1)
    yield Variant("targets 4 sd out", arm, shift=4.0)
    for extra in (2, 6):
        yield Variant(f"{extra} inputs that do nothing", with_idle_inputs(arm, extra))


def with_idle_inputs(problem: Problem, extra: int) -> Problem:
    """Return the problem with inputs in [-1, 1] that change nothing: what a user who measures too much has."""
    count, draw = len(problem.inputs), problem.draw
    assert draw is not None
    inputs = {**problem.inputs, **{f"idle{k + 1}": (-1.0, 1.0) for k in range(extra)}}

    def more(n: int, rng: np.random.Generator) -> np.ndarray:
        return np.hstack([draw(n, rng), rng.uniform(-1, 1, (n, extra))])

    return replace(problem, inputs=inputs, simulate=lambda X: problem.simulate(X[:, :count]), draw=more)


def measure(targets: int = 1000, most: int = 1024, only: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row a variant, surrogate, inverter and T."""
    for variant in variants(PUBLISHED_R1):
        if only and only not in (variant.name, variant.problem.name):
            continue
        for kind in ("gaussian_process", "neural_network", "random_forest"):
            more = PROCESS[variant.problem.name] if kind == "gaussian_process" else {}
            w = world(variant.problem, TRAINING, kind, np.random.default_rng(0), variant.noise, **more)
            goals = rows(variant.problem, targets, np.random.default_rng(1))[1]
            goals = goals + variant.shift * np.sign(goals - w.Y.mean(axis=0)) * w.Y.std(axis=0)
            # What the variants add is a difference, which fewer targets and starts show.
            size = (targets, most) if variant.name == PUBLISHED else (max(1, targets // 5), max(1, most // 8))
            for name, method in methods(*size).items():
                # A forest has no gradient, and on a step function no start of a local search moves.
                if SurrogateKind.registry[kind].differentiable or method.kind not in ("multistart", "neural_adjoint"):
                    yield from _measure(w, variant, kind, name, method, goals)


def _measure(
    w: World, variant: Variant, kind: str, name: str, method: Method, goals: np.ndarray
) -> list[dict[str, Any]]:
    goals = goals[: method.targets]
    asked = questions(w, goals)
    started = time.perf_counter()
    found, spent = ranked(w, asked, method.kind, method.options, np.random.default_rng(2))
    seconds = time.perf_counter() - started
    fewest = min(len(X) for X in found)
    least = np.array([np.minimum.accumulate(((w.problem.simulate(X[:fewest]) - y) ** 2).mean(axis=1))
                      for X, y in zip(found, goals, strict=True)])  # fmt: skip
    about = {
        "problem": variant.problem.name, "variant": variant.name, "surrogate": kind, "inverter": name,
        "targets": len(goals), "seconds": seconds, "evaluations": spent / len(goals),
    }  # fmt: skip
    return [{**about, "T": T, "r": float(least[:, T - 1].mean())} for T in counts(fewest)]
