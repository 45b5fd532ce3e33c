"""Rows of inversion by gradients: its speed beside what the source systems do, on the same models and starts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import minimize

from preimage.benchmarks.asking import World, questions, ranked, rows, world
from preimage.benchmarks.deep_inverse import PROCESS, PUBLISHED_R1, REACH_R1, TRAINING
from preimage.benchmarks.timing import against, row
from preimage.inversion import asking
from preimage.inversion.kinds.multistart import Multistart
from preimage.inversion.question import Question
from preimage.problems.built_in import binary_decimal, robot_arm

TARGET = 2.0
ONE: dict[str, Any] = {"members": 1, "tune": {"method": "grid", "evaluations": 50, "learning_rate": [1e-4, 1e-2]}}


def tuned_network() -> World:
    """Return the source's case: one network on 1,000 rows of two digits, its learning rate tuned."""
    return world(binary_decimal.build(2), 1000, "neural_network", np.random.default_rng(0), **ONE)


def ten_starts(w: World) -> dict[str, Any]:
    """Ten starts on the tuned network: the batched engine against scipy around a Keras call an evaluation."""
    q = questions(w, np.array([[TARGET]]))[0]
    X0 = np.random.default_rng(1).uniform(w.space.low, w.space.high, (10, 2))
    network = keras_model(w)
    found: dict[str, float] = {}

    def ours() -> None:
        found["ours"] = float(q.loss(_batched(q, X0)).min())

    def source() -> None:
        def loss(x: np.ndarray) -> float:
            return float((np.asarray(network(x[None])).item() - TARGET) ** 2)

        bounds = list(zip(w.space.low, w.space.high, strict=True))
        ends = [minimize(loss, x0, method="L-BFGS-B", jac="3-point", bounds=bounds).x for x0 in X0]
        found["source"] = float(q.loss(np.array(ends)).min())

    fast, slow = against(ours, source, repeats=3)
    good = slow / fast >= 500 and found["ours"] <= found["source"]
    what = f"10 starts on the tuned network (loss {found['ours']:.1e}, the source's loop {found['source']:.1e})"
    return row(what, fast, slow, "scipy, a Keras call an evaluation, 3-point", "s", "500 times, loss no worse", good)


def keras_model(w: World) -> Any:
    """Return the trained network as the Keras model that a tracking server would give back."""
    import tempfile
    from pathlib import Path

    from preimage.surrogates import keras_files

    with tempfile.TemporaryDirectory() as folder:
        w.trained.save(Path(folder))
        return keras_files.keras_on_jax().saving.load_model(Path(folder) / "ensemble.keras")


def many_starts(w: World, starts: int = 10_000) -> dict[str, Any]:
    """Starts a second of the batched engine, after compilation, against scipy with exact gradients."""
    q = questions(w, np.array([[TARGET]]))[0]
    X0 = np.random.default_rng(2).uniform(w.space.low, w.space.high, (starts, 2))
    few = Multistart(starts=30, start_from="uniform")
    fast, slow = against(
        lambda: _batched(q, X0),
        lambda: asking.ask(few, [q], np.random.default_rng(2)),
        repeats=3,
    )
    what = f"{starts:,} starts on the tuned network, after compilation"
    return row(
        what, fast / starts, slow / 30, "scipy, exact gradient", "s/start", "5,000 starts/s", starts / fast >= 5000
    )


def arm_targets(count: int = 200) -> dict[str, Any]:
    """All targets at once from their nearest rows, against scipy with exact gradients, one by one."""
    rng = np.random.default_rng(0)
    w = world(robot_arm.build(), 8000, "gaussian_process", rng)
    goals = rows(w.problem, count, rng)[1]
    asked = questions(w, goals)
    r: dict[str, float] = {}

    def by(engine: str) -> Any:
        def run() -> None:
            X = np.concatenate(ranked(w, asked, "multistart", {"starts": 1, "engine": engine}, rng)[0])
            r[engine] = float(((w.problem.simulate(X) - goals) ** 2).mean())

        return run

    fast, slow = against(by("batched"), by("scipy"), repeats=3)
    what = (
        f"{count} targets on the robot arm, Gaussian process, 1 start each (r_1 {r['batched']:.1e}, {r['scipy']:.1e})"
    )
    return row(what, fast, slow, "scipy, exact gradient", "s", "2 s", fast <= 2)


def _batched(q: Question, X0: np.ndarray) -> np.ndarray:
    """Return where the batched engine ends from given starts (n, d)."""
    from preimage.inversion import batched
    from preimage.inversion.multistart import typical_loss

    return batched.descend([q], np.zeros(len(X0), int), X0, q.space.free, [typical_loss(q)]).X


def first_candidates(targets: int = 1000) -> Iterator[dict[str, Any]]:
    """r_1 of the deep-inverse benchmark: one start from the nearest row, one answer a target, re-simulated."""
    for name, reach in REACH_R1.items():
        problem = importlib.import_module(f"preimage.problems.built_in.{name}").build()
        w = world(problem, TRAINING, "gaussian_process", np.random.default_rng(0), **PROCESS[name])
        goals = rows(problem, targets, np.random.default_rng(1))[1]
        asked = questions(w, goals)
        r: dict[str, float] = {}
        for kind, options in (("multistart", {"starts": 1, "engine": "batched"}), ("lookup", {})):
            X = np.array([found[0] for found in ranked(w, asked, kind, options, np.random.default_rng(2))[0]])
            r[kind] = float(((problem.simulate(X) - goals) ** 2).mean())
        what = (
            f"r_1 on {name}, {targets:,} targets, Gaussian process (neural adjoint, published: {PUBLISHED_R1[name]:g})"
        )
        yield row(
            what, r["multistart"], r["lookup"], "nearest training row", "", f"{reach:g}", r["multistart"] <= reach
        )


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    w = tuned_network()
    yield ten_starts(w)
    yield many_starts(w)
    yield arm_targets()
    yield from first_candidates()
