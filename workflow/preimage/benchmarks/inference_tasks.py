"""Rows of the public benchmark of simulation-based inference (Lueckmann et al. 2021): C2ST of methods that use at most
10,000 simulations and no likelihood, against the reference posteriors of ten observations of each of six tasks.

Measured where there is a copy of the benchmark's tasks (the folder `sbibm/tasks` of its package) as `data/sbibm/tasks`,
or as `sbibm/tasks` in the folder that PREIMAGE_TEST_DATA names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preimage.benchmarks import inference_peers
from preimage.benchmarks.timing import row
from preimage.inference import reference
from preimage.inference.answer import Estimate, Task
from preimage.inference.base import InferenceMethod
from preimage.inference.checks.c2st import c2st
from preimage.inference.simulator import Simulator
from preimage.inference.simulators import loading
from preimage.support.jax_setup import use_one_thread
from preimage.support.rng import generator

# What the best method is to reach, at most.
REACH = {
    "two_moons": 0.58,
    "gaussian_linear": 0.54,
    "gaussian_mixture": 0.58,
    "slcp": 0.84,
    "sir": 0.62,
    "lotka_volterra_ode": 0.90,
}
# Tasks whose files lie in a folder of another name: there is another built-in simulator of that name.
FOLDERS = {"lotka_volterra_ode": "lotka_volterra"}
SIMULATIONS = 10_000
# Of regions that are judged, and draws at which densities are asked for that.
LEVEL, DENSITIES = 0.9, 1000
METHODS: dict[str, dict[str, Any]] = {
    "npe": {"kind": "npe"},
    "npe, 4 rounds": {"kind": "npe", "rounds": 4},
    "abc_smc": {"kind": "abc_smc"},
}
# C2ST takes a minute an observation, with more than two parameters several: not every method is asked of every task.
ASKED = {
    "gaussian_linear": ["npe"],
    "gaussian_mixture": ["npe", "abc_smc"],
    "slcp": ["npe"],
    "sir": ["npe", "npe, 4 rounds"],
    "lotka_volterra_ode": ["npe", "npe, 4 rounds"],
}
PEER = "draws of the reference itself"
# Who is asked too, where it is installed: what it is called, and of how many observations at most.
PEERS: dict[str, tuple[str, Callable[..., list[np.ndarray]], int]] = {
    "gaussian_mixture": ("BayesFlow's flow matching", inference_peers.bayesflow, 10),
    "lotka_volterra_ode": ("sbi's sequential NPE, 4 rounds", inference_peers.sbi, 3),
}
# Of the reference's draws, how many must lie in 90 % regions of rounds.
COVERED = (0.8, 0.97)


def folder() -> Path:
    """Return where the copy of the benchmark's tasks is, if there is one."""
    return Path(os.environ.get("PREIMAGE_TEST_DATA", "data")) / "sbibm" / "tasks"


def answers(task: str, spec: dict[str, Any], observations: int, seed: int = 0) -> Iterator[tuple[np.ndarray, Estimate]]:
    """Yield the reference's draws (k, d) and a method's answer, with as many draws, to each of a task's first
    observations. Raises StudyError without a copy."""
    made, x, references = _read(task, observations)
    draws = len(references[0])
    options = InferenceMethod.of({"simulations": SIMULATIONS, **spec})
    options = options.changed(draws=draws) if hasattr(options, "draws") else options
    method = options.train(Task(made, x.shape[1]), generator(seed, task))
    for k, answer in enumerate(method.infer(x, generator(seed, f"{task}.infer"))):
        assert method.simulations + answer.simulations <= SIMULATIONS
        yield references[k], answer


def _read(task: str, observations: int) -> tuple[Simulator, np.ndarray, Sequence[np.ndarray]]:
    """Return a task's simulator, its first observations (sets, n, D), and the draws of their references."""
    made = loading.load({"simulator": task})
    observed = reference.read(str(folder() / FOLDERS.get(task, task)), made)
    return made, observed.x[:observations], observed.references[:observations]


def scores(task: str, spec: dict[str, Any], observations: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the C2ST of a method (observations,), and the share of the reference's draws that lie within its regions
    of 90 % (observations,), NaN where it has no density."""
    rows = []
    for k, (true, answer) in enumerate(answers(task, spec, observations, seed)):
        picked = generator(seed, f"{task}.draws{k}").choice(len(answer.draws), len(true), p=answer.weights)
        # Draws that all weigh the same are taken as they are.
        even = len(answer.draws) == len(true) and np.ptp(answer.weights) == 0
        rows.append((c2st(true, answer.draws if even else answer.draws[picked]), _covered(true, answer)))
    found, covered = np.array(rows).T
    return found, covered


def _covered(true: np.ndarray, answer: Estimate) -> float:
    if answer.log_density is None:
        return float("nan")
    own, theirs = (answer.log_density(draws[:DENSITIES]) for draws in (answer.draws, true))
    return float((theirs >= np.quantile(own, 1 - LEVEL)).mean())


def of_task(task: str, observations: int) -> Iterator[dict[str, Any]]:
    best = 1.0
    for name in ASKED.get(task, METHODS):
        found, covered = (values.mean() for values in scores(task, METHODS[name], observations))
        best = min(best, float(found))
        yield row(f"{task}, {name}: mean C2ST of {observations} observations", found, 0.5, PEER, "", "reported", True)
        if "rounds" in METHODS[name]:
            what = f"{task}, {name}: draws of the reference within regions of {100 * LEVEL:g} %"
            yield row(
                what, covered, LEVEL, "nominal", "", "{} to {}".format(*COVERED), COVERED[0] <= covered <= COVERED[1]
            )
    if task in PEERS:
        yield from of_peer(task, observations)
    reach = REACH[task]
    yield row(f"{task}, the best of these: mean C2ST", best, 0.5, PEER, "", f"at most {reach}", best <= reach)


def of_peer(task: str, observations: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the row of a peer with as many simulations; nothing where it is not installed."""
    name, peer, most = PEERS[task]
    made, x, references = _read(task, min(observations, most))
    try:
        drawn = peer(Task(made, x.shape[1]), x, len(references[0]), SIMULATIONS, seed)
    except ImportError:
        return
    found = float(np.mean([c2st(r, d) for r, d in zip(references, drawn, strict=True)]))
    yield row(f"{task}, {name}: mean C2ST of {len(x)} observations", found, 0.5, PEER, "", "reported", True)


def measure(task: str, observations: int = 10) -> Iterator[dict[str, Any]]:
    """Yield the rows of a task; one that says so where there is no copy of the tasks."""
    use_one_thread()
    if not folder().is_dir():
        yield {"what": f"not measured: no copy of the public benchmark's tasks in {folder()}", "reached": False}
        return
    yield from of_task(task, observations)
