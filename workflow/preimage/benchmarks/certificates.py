"""Rows of proofs on Gaussian processes and networks: seconds of CPU until the optimum is proven, beside rival provers
(`proof_peers`) and scipy's global methods, which prove nothing; target bands decided; and soundness, against the best
that any of them found.

Models are the product's own, trained on rows of waves with a little noise: 500, where nothing else is said.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from preimage.benchmarks import proof_peers
from preimage.benchmarks.forest_peers import limited
from preimage.benchmarks.timing import row
from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.data.rows import Rows
from preimage.inversion import certified
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.question import Question, SearchContext
from preimage.surrogates.kinds.gaussian_process import GaussianProcess
from preimage.surrogates.kinds.neural_network import NeuralNetwork
from preimage.trees import threads

ROWS, NOISE, SECONDS, EVALUATIONS, POINTS = 500, 0.02, 60, 5000, 128
MANY_ROWS = 5000
SHORT = 5
# By how much rivals' bounds may be off, as a share of the output's standard deviation: they keep to tolerances.
PEERS_OFF = 1e-6
# Inputs up to which rivals are asked: they leave gaps in two.
RIVALS_TO = 3
PROCESS: dict[str, Any] = {"hyperparameter_rows": 300, "restarts": 1, "folds": 2}
NETWORK: dict[str, Any] = {
    "layers": [64, 32, 16], "learning_rate": 1e-3, "loss": "mse", "batch": 32, "epochs": 200, "patience": 30,
    "validation_fraction": 0.2, "folds": 2,
}  # fmt: skip
# Kind, inputs, gap in standard deviations of the output, seconds to reach, and rows.
PROCESSES = [
    ("rbf", 2, 1e-3, 0.1, ROWS), ("rbf", 3, 1e-3, 0.3, ROWS), ("rbf", 5, 1e-3, 1.0, ROWS), ("rbf", 6, 1e-2, 5.0, ROWS),
    ("rbf", 8, 1e-2, 60.0, ROWS), ("rbf", 3, 1e-3, 5.0, MANY_ROWS),
    ("matern52", 2, 1e-3, 0.5, ROWS), ("matern52", 3, 1e-3, 1.5, ROWS), ("matern52", 5, 1e-3, 5.0, ROWS),
]  # fmt: skip
# Members, activation, inputs, gap, and seconds to reach.
NETWORKS = [
    (1, "relu", 2, 1e-2, 0.5), (1, "selu", 2, 1e-2, 0.5), (1, "relu", 4, 1e-2, 2.0), (1, "selu", 4, 1e-2, 2.0),
    (5, "selu", 2, 1e-2, 2.0), (5, "selu", 4, 1e-2, 20.0), (1, "relu", 6, 1e-2, 30.0), (1, "selu", 6, 1e-2, 30.0),
    (5, "selu", 6, 0.5, 60.0), (1, "relu", 8, 0.5, 60.0), (1, "selu", 8, 0.5, 60.0),
]  # fmt: skip


def waves(d: int, rows: int = ROWS) -> Rows:
    """Return rows of a wavy function of d inputs from 0 to 1."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (rows, d))
    y = np.sin(6 * X[:, 0]) + 4 * (X[:, 1] - 0.4) ** 2 + np.cos(5 * X[:, 0] * X[:, 1])
    y += 0.7 * np.sin(4 * X[:, 2:]).sum(axis=1)
    return Rows.plain(X, (y + NOISE * rng.normal(size=rows))[:, None])


@cache
def process(kernel: Any, d: int, rows: int = ROWS) -> Any:
    options = GaussianProcess(kernel=kernel, rows=rows, **PROCESS)
    return options.train(waves(d, rows), np.random.default_rng(0)).surrogate


@cache
def network(members: int, activation: str, d: int) -> Any:
    options = NeuralNetwork(**{**NETWORK, "members": members, "activation": activation})
    return options.train(waves(d), np.random.default_rng(0)).surrogate


def asked(model: Any, d: int, entry: dict[str, Any]) -> Question:
    known = waves(d)
    space = Space(tuple(Input(name, 0.0, 1.0) for name in known.inputs))
    wanted = objective.build("o", entry, ["y"], known.Y.std(axis=0), np.ptp(known.Y, axis=0))
    return Question(
        space, wanted, model.predict, known.X, known.Y, known.numbers, gradient=model.gradient, form=model.exact_form()
    )


def prove(question: Question, gap: float) -> tuple[float, Any]:
    """Return the seconds of CPU that a certificate took, and the certificate; what is short is done again, as its first
    run compiles JAX's programs."""
    options = Certified(boxes=10**9, gap=gap, seconds=SECONDS)
    took = np.inf
    for _ in range(2):
        start = time.process_time()
        answer = certified.invert(question, options, SearchContext(np.random.default_rng(0)))
        took = min(took, time.process_time() - start)
        if took > SHORT:
            break
    return took, answer.certificate


def found(question: Question, method: str) -> tuple[float, float]:
    """Return the seconds of CPU that one of scipy's methods took, and the least loss that it found."""
    from scipy import optimize

    bounds = list(zip(question.space.low, question.space.high, strict=True))
    options: dict[str, Any] = {"n": POINTS, "sampling_method": "sobol"}
    if method == "direct":
        options = {"maxfun": EVALUATIONS, "maxiter": EVALUATIONS, "vol_tol": 0.0}

    def loss(x: np.ndarray) -> float:
        return float(question.loss(x[None])[0])

    start = time.process_time()
    result = getattr(optimize, method)(loss, bounds, **options)
    return time.process_time() - start, float(result.fun)


def _optimum(what: str, model: Any, d: int, gap: float, reach: float) -> Iterator[dict[str, Any]]:
    """The least value proven, beside what scipy's methods find."""
    question = asked(model, d, {"minimize": "y"})
    took, proof = prove(question, gap * float(question.Y.std()))
    left = (proof["loss"] - proof["bound"]) / float(question.Y.std())
    said = f"{what}, d = {d}: gap {left:.1e} sd, {proof['boxes']} boxes"
    for method in ("direct", "shgo"):
        other, least = found(question, method)
        beyond = (least - proof["loss"]) / float(question.Y.std())
        name = f"scipy's {method}, {beyond:+.1e} sd from it, unproven"
        good = left <= gap and took <= reach and least >= proof["bound"]
        yield row(said, took, other, name, "s of CPU", f"{reach:g} s, to {gap:g} sd", good)


def _rivals(what: str, model: Any, d: int, gap: float) -> Iterator[dict[str, Any]]:
    """The least value proven beside each rival that knows such a model, which gets a minute."""
    question = asked(model, d, {"minimize": "y"})
    sd, low, high = float(question.Y.std()), question.space.low, question.space.high
    took, proof = prove(question, gap * sd)
    rivals = {"MAiNGO": lambda: proof_peers.maingo(model, low, high, gap * sd, SECONDS)}
    if getattr(getattr(model, "form", None), "activation", "") == "relu":
        program = proof_peers.program(model, low, high)
        share = gap * sd / abs(proof["loss"] - program.constant)
        rivals = {
            "HiGHS": lambda: proof_peers.highs(program, share, SECONDS),
            "SCIP": lambda: proof_peers.scip(program, gap * sd, SECONDS),
        }
    own = (proof["loss"] - proof["bound"]) / sd
    for name, solve in rivals.items():
        try:
            seconds, found = limited(solve, 2 * SECONDS)  # not all keep to a limit
        except RuntimeError as error:  # not installed, or failed
            logging.info("%s is not compared with: %s", name, error)
            continue
        said = f"{name}, no return"
        if found is not None:
            seconds, left = found.seconds, (found.value - found.bound) / sd
            said = f"{name}, gap {left:.1e} sd, value {(found.value - proof['loss']) / sd:+.1e} sd from ours"
        good = own <= gap and (found is None or found.bound <= proof["loss"] + PEERS_OFF * sd)
        yield row(f"{what}, d = {d}: gap {own:.1e} sd", took, seconds, said, "s of CPU", f"to {gap:g} sd", good)


def _bands(what: str, model: Any) -> dict[str, Any]:
    """Forty bands in four inputs, half of them beyond what the model gives: each decided; the slowest one's time."""
    d, slowest, wrong, sd = 4, 0.0, 0, float(waves(4).Y.std())
    low = prove(asked(model, d, {"minimize": "y"}), 1e-2 * sd)[1]
    high = prove(asked(model, d, {"maximize": "y"}), 1e-2 * sd)[1]
    rng = np.random.default_rng(1)
    for k in range(40):
        below, above = low["bound"] - rng.uniform(0.02, 0.5) * sd, -high["bound"] + rng.uniform(0.02, 0.5) * sd
        band = (below - sd, below) if k % 2 else (above, above + sd)
        if k < 20:
            start = rng.uniform(low["loss"], -high["loss"] - 0.1 * sd)
            band = (start, start + 0.1 * sd)
        took, proof = prove(asked(model, d, {"within": {"y": list(map(float, band))}}), 0.0)
        slowest = max(slowest, took)
        wrong += proof["feasible"] != ("yes" if k < 20 else "no")
    said = f"{what}: 20 bands that are met and 20 that are not, d = 4: {wrong} wrong or undecided; the slowest"
    return row(said, slowest, float("nan"), "none", "s of CPU", "10 s, all right", slowest <= 10 and not wrong)


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    threads.use_at_most(1)
    models: list[Callable[[], Any]] = [lambda: process("rbf", 2), lambda: network(1, "relu", 2)]
    for model in models:
        prove(asked(model(), 2, {"minimize": "y"}), 1.0)  # compiles
    for kernel, d, gap, reach, rows in PROCESSES:
        what = f"Gaussian process, {kernel}" + (f", {rows} rows" if rows > ROWS else "")
        yield from _optimum(what, process(kernel, d, rows), d, gap, reach)
        if d <= RIVALS_TO and rows == ROWS:
            yield from _rivals(what, process(kernel, d), d, gap)
    yield _bands("Gaussian process, rbf", process("rbf", 4))
    for members, activation, d, gap, reach in NETWORKS:
        what = f"network 64-32-16, {activation}" + (f", {members} members" if members > 1 else "")
        yield from _optimum(what, network(members, activation, d), d, gap, reach)
        if members == 1 and d <= RIVALS_TO:
            yield from _rivals(what, network(members, activation, d), d, gap)
    yield _bands("network 64-32-16, selu", network(1, "selu", 4))
