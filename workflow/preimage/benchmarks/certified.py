"""Rows of certified inversion: proofs against dtai-veritas, the line search against black-box optimisers, and growth.

Every peer works on the same forest with the same bounds in this run; one that is not installed leaves its cell empty.
Forests have 100 default trees on the sum of squares and 2,100 training rows unless a row says otherwise.

Peers are in the extra `peers`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preimage.benchmarks import forest_peers
from preimage.benchmarks.timing import row, typical
from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import certified, coordinate
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.kinds.coordinate import Coordinate
from preimage.inversion.question import Question, SearchContext
from preimage.surrogates.brought import xgboost_file
from preimage.trees import threads
from preimage.trees.forest import from_sklearn

ROWS, TREES = 2_100, 100
OPTIONS = {"boxes": 10**9, "gap": 0.0, "memory": 2000, "starts": 4}
CONCRETE = Path("config/data")
PEER_SECONDS = 20
# What is short is repeated until so many seconds are full, on either side, and the median taken.
FILL_SECONDS = 0.5
PEER_NAMES = {"treecf": "treecf's exact mode", "scip": "PySCIPOpt-ML"}
LINE_PEERS = {
    "hyperopt TPE": forest_peers.hyperopt_tpe,
    "Optuna TPE": forest_peers.optuna_tpe,
    "CMA-ES": forest_peers.cma_es,
    "DE": forest_peers.evolution,
}


def bowl(d: int, rows: int = ROWS, trees: int = TREES, **options: Any) -> tuple[Any, Question]:
    """Return scikit-learn's forest of the sum of squares, and the question for its minimum on [-100, 100]^d."""
    from sklearn.ensemble import RandomForestRegressor

    X = np.random.default_rng(0).uniform(-100, 100, (rows, d))
    Y = (X**2).sum(axis=1, keepdims=True)
    model = RandomForestRegressor(trees, random_state=0, n_jobs=-1, **options).fit(X, Y[:, 0]).set_params(n_jobs=1)
    return model, asked(model, X, Y, np.full(d, -100.0), np.full(d, 100.0), {"minimize": "y"})


def concrete(entry: dict[str, Any]) -> tuple[Any, Question]:
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor

    X = pd.read_parquet(CONCRETE / "concrete_features.parquet").to_numpy(float)
    Y = pd.read_parquet(CONCRETE / "concrete_targets.parquet").to_numpy(float)
    model = RandomForestRegressor(TREES, random_state=0, n_jobs=-1).fit(X, Y[:, 0]).set_params(n_jobs=1)
    return model, asked(model, X, Y, X.min(axis=0), X.max(axis=0), entry)


def asked(
    model: Any, X: np.ndarray, Y: np.ndarray, low: np.ndarray, high: np.ndarray, entry: dict[str, Any]
) -> Question:
    forest = from_sklearn(model)
    space = Space(tuple(Input(f"x{j}", float(a), float(b)) for j, (a, b) in enumerate(zip(low, high, strict=True))))
    wanted = objective.build("o", entry, ["y"], Y.std(axis=0), np.ptp(Y, axis=0))
    return Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)


def prove(question: Question, **options: Any) -> tuple[float, Any]:
    """Return the seconds that a certificate took, the median where it is short, and the certificate."""
    found: list[Any] = []

    def run() -> None:
        rng = np.random.default_rng(0)
        found.append(certified.invert(question, Certified(**{**OPTIONS, **options}), SearchContext(rng)).certificate)

    return typical(run, FILL_SECONDS), found[0]


def _veritas(model: Any, question: Question) -> tuple[float, str]:
    try:
        return forest_peers.veritas(model, question, PEER_SECONDS)
    except ImportError:
        return float("nan"), "not installed"


def proofs() -> Iterator[dict[str, Any]]:
    """The optimum proven, or a gap at a limit of time, beside dtai-veritas."""
    for d, limit, reach in ((2, 60, 0.02), (3, 60, 0.05), (5, 60, 0.3), (8, 60, 2.0)):
        model, question = bowl(d)
        yield _proof(f"minimum of the bowl, d = {d}", model, question, limit, reach)
    for d, reach in ((10, 0.001), (20, 0.05)):
        model, question = bowl(d)
        took, proof = prove(question, seconds=60)
        gap = (proof["loss"] - proof["bound"]) / abs(proof["loss"])
        _, said = _veritas(model, question)
        what = f"bowl, d = {d}: gap in {took:.0f} s (loss {proof['loss']:.6g}, {proof['boxes']} boxes)"
        yield row(what, gap, float("nan"), f"dtai-veritas: {said}", "share", f"at most {reach:g}", gap <= reach)
    for kind in ("minimize", "maximize"):
        model, question = concrete({kind: "y"})
        yield _proof(f"concrete, {kind}", model, question, 60, 0.2)
    for rows, reach in ((7_000, 0.2), (63_000, 5.0)):
        model, question = bowl(5, rows)
        yield _proof(f"minimum of the bowl, d = 5, {rows:,} rows", model, question, 60, reach)


def _proof(what: str, model: Any, question: Question, limit: float, reach: float) -> dict[str, Any]:
    took, proof = prove(question, seconds=limit)
    peer, said = _veritas(model, question)
    what = f"{what}: {'proven' if proof['closed'] else 'open'} {proof['loss']:.6g}, {proof['boxes']} boxes"
    return row(what, took, peer, f"dtai-veritas: {said}", "s", f"{reach:g} s", proof["closed"] and took <= reach)


def boosted(kind: str) -> Question:
    """Return 500 default XGBoost trees of depth 6 on Friedman's first function in 20 inputs, asked for an extreme."""
    from sklearn.datasets import make_friedman1
    from xgboost import XGBRegressor

    X, y = make_friedman1(2000, 20, random_state=0)
    model = XGBRegressor(n_estimators=500, max_depth=6, random_state=0, n_jobs=1).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(Path(folder) / "model.ubj")
        forest = xgboost_file.read(Path(folder) / "model.ubj").trees
    space = Space(
        tuple(Input(f"x{j}", float(a), float(b)) for j, (a, b) in enumerate(zip(X.min(0), X.max(0), strict=True)))
    )
    wanted = objective.build("o", {kind: "y"}, ["y"], y[:, None].std(axis=0), np.ptp(y[:, None], axis=0))
    return Question(space, wanted, forest.predict, X, y[:, None], np.arange(len(X)), trees=forest)


def _options(**more: Any) -> Certified:
    options: dict[str, Any] = {**OPTIONS, **more}
    return Certified(**options)


def gaps_of_boosted() -> Iterator[dict[str, Any]]:
    """What 500 boosted trees in 20 inputs leave open after so many seconds of CPU, on one core."""
    threads.use_at_most(1)
    try:
        for kind in ("maximize", "minimize"):
            question = boosted(kind)
            certified.invert(question, _options(boxes=2500), SearchContext(np.random.default_rng(0)))
            for limit, reach in ((1, 5.0), (10, 1.2), (60, 0.8)):
                context, start = SearchContext(np.random.default_rng(0)), time.process_time()
                proof = certified.invert(question, _options(seconds=limit), context).certificate
                assert proof is not None
                gap, took = proof["loss"] - proof["bound"], time.process_time() - start
                what = f"500 XGBoost trees, d = 20, {kind}, {took:.1f} s of CPU: loss {proof['loss']:.4g}"
                yield row(what, gap, float("nan"), "no peer", "gap", f"at most {reach:g}", gap <= reach)
    finally:
        threads.use_at_most(os.cpu_count() or 1)


def line_search() -> Iterator[dict[str, Any]]:
    """The best of 4 starts against TPE with 500 evaluations, CMA-ES and scipy's differential evolution, which evaluate
    scikit-learn's own `predict`, as their users do, a population at once where they can."""
    for d in (2, 3, 5, 8, 10, 20):
        model, question = bowl(d)
        best: list[float] = []

        def ours(question: Question = question, best: list[float] = best) -> None:
            answer = coordinate.invert(question, Coordinate(starts=4), SearchContext(np.random.default_rng(0)))
            best.append(float(question.loss(answer.X).min()))

        took = typical(ours, FILL_SECONDS)
        for name, peer in LINE_PEERS.items():
            value: list[float] = []
            try:
                other = typical(partial(_keep, value, peer, model, question), FILL_SECONDS)
            except ImportError:
                continue
            good = best[0] <= value[0] and took <= other / 10
            yield row(
                f"line search, d = {d}: {best[0]:.6g} against {value[0]:.6g}", took, other, name, "s",
                "no worse in a tenth of the time", good,
            )  # fmt: skip


def _keep(kept: list[float], peer: Callable[..., float], model: Any, question: Question) -> None:
    kept.append(peer(model, question))


def bands() -> dict[str, Any]:
    """Twenty bands inside the range and twenty outside, d = 4: each decided, each right, the slowest one's time."""
    model, question = bowl(4)
    low = prove(question)[1]["loss"]
    high = -prove(asked(model, question.X, question.Y, question.space.low, question.space.high, {"maximize": "y"}))[1][
        "loss"
    ]
    rng = np.random.default_rng(1)
    slowest, wrong = 0.0, 0
    for k in range(40):
        inside = k < 20
        a = rng.uniform(low, high - 1) if inside else rng.choice([low - 3, high + 1])
        entry = {"within": {"y": [float(a), float(a + 1)]}}
        band = asked(model, question.X, question.Y, question.space.low, question.space.high, entry)
        took, proof = prove(band)
        slowest = max(slowest, took)
        wrong += proof["feasible"] != ("yes" if inside else "no")
    what = f"20 bands inside and 20 outside, d = 4: {wrong} wrong or undecided; the slowest"
    return row(what, slowest, float("nan"), "none", "s", "1 s, all right", slowest <= 1 and not wrong)


def exact_modes() -> Iterator[dict[str, Any]]:
    """An input of less than half the way from the best training row to the optimum, beside treecf's exact mode; a band
    of ten small trees decided, beside PySCIPOpt-ML."""
    for d, rows in ((2, ROWS), (5, ROWS), (5, 10_000)):
        model, question = bowl(d, rows)
        least = prove(question)[1]["loss"]
        high = (least + float(question.predict(question.X).min())) / 2
        yield from _decided(f"nearly the least, d = {d}, {rows:,} rows", model, question, least, high, "treecf")
    model, question = bowl(4, ROWS, 10, max_leaf_nodes=500)
    low, high = np.quantile(question.predict(question.X), [0.01, 0.99])
    for place, a in (("inside", low), ("inside", high), ("outside", -1e4)):
        a = float(a)
        yield from _decided(f"band {place}, 10 trees of 500 leaves, d = 4", model, question, a, a + 10, "scip")


def _decided(what: str, model: Any, question: Question, low: float, high: float, peer: str) -> Iterator[dict[str, Any]]:
    ends = question.space.low, question.space.high
    took, proof = prove(asked(model, question.X, question.Y, *ends, {"within": {"y": [low, high]}}))
    try:
        other, said = getattr(forest_peers, peer)(model, question, low, high, 3 * PEER_SECONDS)
    except ImportError:
        return
    name = f"{PEER_NAMES[peer]}: {said}"
    decided = proof["feasible"] != "undecided"
    yield row(f"{what}: {proof['feasible']}", took, other, name, "s", "decided, under 1 s", decided and took <= 1)


def growth() -> Iterator[dict[str, Any]]:
    """Seconds to the proven minimum by trees, rows and inputs, with the slope on logarithmic axes; a figure is drawn of
    `series`, `size` and `ours` (`figures.growth`)."""
    cases = {
        "trees": [(n, (4, ROWS, n)) for n in (10, 30, 100, 300, 1000)],
        "rows": [(n, (4, n, TREES)) for n in (1_000, 3_000, 10_000, 30_000, 100_000)],
        "inputs": [(d, (d, ROWS, TREES)) for d in (2, 3, 4, 5, 6, 7, 8)],
    }
    for name, points in cases.items():
        size, took = [], []
        for n, arguments in points:
            spent, proof = prove(bowl(*arguments)[1], seconds=60)
            size.append(n)
            took.append(spent)
            what = f"growth: {n:,} {name}, {'proven' if proof['closed'] else 'open'}"
            yield {**_unjudged(what, spent, "s"), "series": name, "size": n}
        slope = float(np.polyfit(np.log(size), np.log(took), 1)[0])
        yield _unjudged(f"growth with {name}: slope on logarithmic axes", slope, "")


def _unjudged(what: str, value: float, unit: str) -> dict[str, Any]:
    """Return a row with nothing to reach."""
    return {**row(what, value, float("nan"), "no peer", unit, "", False), "reached": None}


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    prove(bowl(2, 100, 5)[1])  # compiles
    coordinate.invert(bowl(2, 100, 5)[1], Coordinate(starts=2), SearchContext(np.random.default_rng(0)))
    yield from proofs()
    yield from gaps_of_boosted()
    yield from line_search()
    yield bands()
    yield from exact_modes()
    yield from growth()
