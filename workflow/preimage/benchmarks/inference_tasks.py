"""Rows of the public benchmark of simulation-based inference (Lueckmann et al. 2021): C2ST of methods that use at most
10,000 simulations and no likelihood, against the reference posteriors of ten observations of each of six tasks.

Measured where there is a copy of the benchmark's tasks (the folder `sbibm/tasks` of its package) as `data/sbibm/tasks`,
or as `sbibm/tasks` in the folder that PREIMAGE_TEST_DATA names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from preimage.benchmarks import inference_peers
from preimage.benchmarks.timing import row
from preimage.inference import reference
from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.checks.c2st import c2st
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
# Where it is installed, BayesFlow's flow matching is asked too.
ASKED_OF_PEERS = ("gaussian_mixture",)


def folder() -> Path:
    """Return where the copy of the benchmark's tasks is, if there is one."""
    return Path(os.environ.get("PREIMAGE_TEST_DATA", "data")) / "sbibm" / "tasks"


def scores(task: str, spec: dict[str, Any], observations: int, seed: int = 0) -> np.ndarray:
    """Return the C2ST (observations,) of a method on a task's first observations. Raises StudyError without a copy."""
    made = loading.load({"simulator": task})
    observed = reference.read(str(folder() / FOLDERS.get(task, task)), made)
    x, references = observed.x[:observations], observed.references[:observations]
    draws = len(references[0])
    options = InferenceMethod.of({"simulations": SIMULATIONS, **spec})
    options = options.changed(draws=draws) if hasattr(options, "draws") else options
    method = options.train(Task(made, x.shape[1]), generator(seed, task))
    found = []
    for k, answer in enumerate(method.infer(x, generator(seed, f"{task}.infer"))):
        assert method.simulations + answer.simulations <= SIMULATIONS
        picked = generator(seed, f"{task}.draws{k}").choice(len(answer.draws), draws, p=answer.weights)
        # Draws that all weigh the same are taken as they are.
        even = len(answer.draws) == draws and np.ptp(answer.weights) == 0
        found.append(c2st(references[k], answer.draws if even else answer.draws[picked]))
    return np.array(found)


def of_task(task: str, observations: int) -> Iterator[dict[str, Any]]:
    best = 1.0
    for name in ASKED.get(task, METHODS):
        found = float(scores(task, METHODS[name], observations).mean())
        best = min(best, found)
        yield row(f"{task}, {name}: mean C2ST of {observations} observations", found, 0.5, PEER, "", "reported", True)
    if task in ASKED_OF_PEERS:
        yield from of_peer(task, observations)
    reach = REACH[task]
    yield row(f"{task}, the best of these: mean C2ST", best, 0.5, PEER, "", f"at most {reach}", best <= reach)


def of_peer(task: str, observations: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the row of BayesFlow with as many simulations; nothing where it is not installed."""
    made = loading.load({"simulator": task})
    observed = reference.read(str(folder() / FOLDERS.get(task, task)), made)
    x, references = observed.x[:observations], observed.references[:observations]
    try:
        drawn = inference_peers.bayesflow(Task(made, x.shape[1]), x, len(references[0]), SIMULATIONS, seed)
    except ImportError:
        return
    found = float(np.mean([c2st(r, d) for r, d in zip(references, drawn, strict=True)]))
    what = f"{task}, BayesFlow's flow matching: mean C2ST of {len(x)} observations"
    yield row(what, found, 0.5, PEER, "", "reported", True)


def measure(task: str, observations: int = 10) -> Iterator[dict[str, Any]]:
    """Yield the rows of a task; one that says so where there is no copy of the tasks."""
    use_one_thread()
    if not folder().is_dir():
        yield {"what": f"not measured: no copy of the public benchmark's tasks in {folder()}", "reached": False}
        return
    yield from of_task(task, observations)
