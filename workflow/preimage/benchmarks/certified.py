"""Rows of certified inversion: proofs against dtai-veritas, the line search against black-box optimisers, and growth.

Every peer works on the same forest with the same bounds in this run; one that is not installed leaves its cell empty.
Forests have 100 default trees on the sum of squares and 2,100 training rows unless a row says otherwise.

Peers are in the extra `peers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preimage import inversion, objective
from preimage.benchmarks.timing import row
from preimage.clock import seconds
from preimage.inversion import certified, coordinate
from preimage.space import Input, Space
from preimage.surrogates.forest import from_sklearn

ROWS, TREES = 2_100, 100
OPTIONS = {"boxes": 10**9, "gap": 0.0, "memory": 2000, "starts": 8}
CONCRETE = Path("config/data")
PEER_SECONDS = 20


def bowl(d: int, rows: int = ROWS, trees: int = TREES) -> tuple[Any, inversion.Question]:
    """Return scikit-learn's forest of the sum of squares, and the question for its minimum on [-100, 100]^d."""
    from sklearn.ensemble import RandomForestRegressor

    X = np.random.default_rng(0).uniform(-100, 100, (rows, d))
    Y = (X**2).sum(axis=1, keepdims=True)
    model = RandomForestRegressor(trees, random_state=0, n_jobs=-1).fit(X, Y[:, 0]).set_params(n_jobs=1)
    return model, asked(model, X, Y, np.full(d, -100.0), np.full(d, 100.0), {"minimize": "y"})


def concrete(entry: dict[str, Any]) -> tuple[Any, inversion.Question]:
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor

    X = pd.read_parquet(CONCRETE / "concrete_features.parquet").to_numpy(float)
    Y = pd.read_parquet(CONCRETE / "concrete_targets.parquet").to_numpy(float)
    model = RandomForestRegressor(TREES, random_state=0, n_jobs=-1).fit(X, Y[:, 0]).set_params(n_jobs=1)
    return model, asked(model, X, Y, X.min(axis=0), X.max(axis=0), entry)


def asked(
    model: Any, X: np.ndarray, Y: np.ndarray, low: np.ndarray, high: np.ndarray, entry: dict[str, Any]
) -> inversion.Question:
    forest = from_sklearn(model)
    space = Space(tuple(Input(f"x{j}", float(a), float(b)) for j, (a, b) in enumerate(zip(low, high, strict=True))))
    wanted = objective.build("o", entry, ["y"], Y.std(axis=0), np.ptp(Y, axis=0))
    return inversion.Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)


def prove(question: inversion.Question, **options: Any) -> tuple[float, Any]:
    """Return the seconds that a certificate took, and the certificate."""
    found: list[Any] = []

    def run() -> None:
        rng = np.random.default_rng(0)
        found.append(certified.invert(question, {**OPTIONS, **options}, rng, None, None).certificate)

    return seconds(run), found[0]


def veritas(model: Any, question: inversion.Question, limit: float = PEER_SECONDS) -> tuple[float, str]:
    """Return the seconds dtai-veritas took and its interval of the optimum, in the loss's unit."""
    try:
        import veritas as peer
    except ImportError:
        return float("nan"), "not installed"
    import contextlib
    import io

    least = question.objective.kind == "minimize"
    with contextlib.redirect_stdout(io.StringIO()):
        trees = peer.get_addtree(model)
    space = question.space
    # Its intervals are half-open on the right, and its thresholds strict: a rounding wider than ours.
    box = [
        peer.Interval(float(np.float32(a)), float(np.nextafter(np.float32(b), np.float32(np.inf))))
        for a, b in zip(space.low, space.high, strict=True)
    ]
    config = peer.Config(peer.HeuristicType.MIN_OUTPUT if least else peer.HeuristicType.MAX_OUTPUT)
    config.stop_when_optimal = True
    search = config.get_search(trees, box)
    took = seconds(lambda: search.step_for(limit, 100))
    bounds, sign = search.current_bounds(), 1 if least else -1
    # Its sums are over trees: the forest's output is their mean.
    ends = sorted(sign * getattr(bounds, name) / TREES for name in ("bottom", "best", "top") if hasattr(bounds, name))
    best = sign * search.get_solution(0).output / TREES if search.num_solutions() else float("nan")
    state = "optimal" if search.is_optimal() else f"best {best:.6g}, bounds {[float(f'{e:.6g}') for e in ends]}"
    return took, state


def proofs() -> Iterator[dict[str, Any]]:
    """The optimum proven, or a gap at a limit of time, beside dtai-veritas."""
    for d, limit, reach in ((2, 60, 0.02), (3, 60, 0.05), (5, 60, 0.3), (8, 60, 2.0)):
        model, question = bowl(d)
        yield _proof(f"minimum of the bowl, d = {d}", model, question, limit, reach)
    for d, reach in ((10, 0.001), (20, 0.05)):
        model, question = bowl(d)
        took, proof = prove(question, seconds=60)
        gap = (proof["loss"] - proof["bound"]) / abs(proof["loss"])
        _, said = veritas(model, question)
        what = f"bowl, d = {d}: gap in {took:.0f} s (loss {proof['loss']:.6g}, {proof['boxes']} boxes)"
        yield row(what, gap, float("nan"), f"dtai-veritas: {said}", "share", f"at most {reach:g}", gap <= reach)
    for kind in ("minimize", "maximize"):
        model, question = concrete({kind: "y"})
        yield _proof(f"concrete, {kind}", model, question, 60, 0.2)
    for rows, reach in ((7_000, 0.2), (63_000, 5.0)):
        model, question = bowl(5, rows)
        yield _proof(f"minimum of the bowl, d = 5, {rows:,} rows", model, question, 60, reach)


def _proof(what: str, model: Any, question: inversion.Question, limit: float, reach: float) -> dict[str, Any]:
    took, proof = prove(question, seconds=limit)
    peer, said = veritas(model, question)
    what = f"{what}: {'proven' if proof['closed'] else 'open'} {proof['loss']:.6g}, {proof['boxes']} boxes"
    return row(what, took, peer, f"dtai-veritas: {said}", "s", f"{reach:g} s", proof["closed"] and took <= reach)


def line_search() -> Iterator[dict[str, Any]]:
    """The best of 20 starts against TPE with 500 evaluations, CMA-ES and scipy's differential evolution.

    All of them evaluate the forest by our arrays, many times as fast as scikit-learn predicts one row.
    """
    for d in (2, 3, 5, 8, 10, 20):
        _, question = bowl(d)
        best: list[float] = []

        def ours(question: inversion.Question = question, best: list[float] = best) -> None:
            answer = coordinate.invert(question, {"starts": 20}, np.random.default_rng(0), None, None)
            best.append(float(question.loss(answer.X).min()))

        took = seconds(ours)
        for name, peer in (("hyperopt TPE", _hyperopt), ("Optuna TPE", _optuna), ("CMA-ES", _cma), ("DE", _evolution)):
            value: list[float] = []
            try:
                other = seconds(partial(_keep, value, peer, question))
            except ImportError:
                continue
            good = best[0] <= value[0] and took <= other / 10
            yield row(
                f"line search, d = {d}: {best[0]:.6g} against {value[0]:.6g}", took, other, name, "s",
                "better in a tenth of the time", good,
            )  # fmt: skip


def _keep(kept: list[float], peer: Callable[[inversion.Question], float], question: inversion.Question) -> None:
    kept.append(peer(question))


def _at(question: inversion.Question) -> Callable[[Any], float]:
    return lambda x: float(question.loss(np.asarray(x, float)[None])[0])


def _hyperopt(question: inversion.Question) -> float:
    from hyperopt import hp

    from preimage import tpe

    names, f = question.space.names, _at(question)
    space = {n: hp.uniform(n, a, b) for n, a, b in zip(names, question.space.low, question.space.high, strict=True)}
    trials = tpe.search(space, lambda v: f([v[n] for n in names]), 500, np.random.default_rng(0))
    return min(t.loss for t in trials)


def _optuna(question: inversion.Question) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    f, space = _at(question), question.space
    ends = list(zip(space.names, space.low, space.high, strict=True))
    study.optimize(lambda t: f([t.suggest_float(n, a, b) for n, a, b in ends]), 500)
    return float(study.best_value)


def _cma(question: inversion.Question) -> float:
    import cma

    low, high = question.space.low, question.space.high
    settings = {"bounds": [low.tolist(), high.tolist()], "seed": 1, "verbose": -9, "maxfevals": 10_000}
    return float(cma.fmin2(_at(question), (low + high) / 2, float((high - low).mean()) / 4, settings)[1].result.fbest)


def _evolution(question: inversion.Question) -> float:
    from scipy.optimize import differential_evolution

    bounds = list(zip(question.space.low, question.space.high, strict=True))
    return float(differential_evolution(_at(question), bounds, maxiter=50, rng=0, polish=False).fun)


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


def growth() -> Iterator[dict[str, Any]]:
    """Seconds to the proven minimum by trees, rows and inputs, with the slope on logarithmic axes."""
    cases = {
        "trees, d = 4": [(n, (4, ROWS, n)) for n in (10, 30, 100, 300, 1000)],
        "rows, d = 4": [(n, (4, n, TREES)) for n in (1_000, 3_000, 10_000, 30_000)],
        "inputs": [(d, (d, ROWS, TREES)) for d in (2, 3, 4, 5, 6, 7, 8)],
    }
    for name, points in cases.items():
        size, took = [], []
        for n, arguments in points:
            _, question = bowl(*arguments)
            size.append(n)
            took.append(prove(question, seconds=60)[0])
        slope = float(np.polyfit(np.log(size), np.log(took), 1)[0])
        spent = ", ".join(f"{n}: {t:.3g} s" for n, t in zip(size, took, strict=True))
        grown = row(f"growth with {name} ({spent}): slope", slope, float("nan"), "no peer", "", "", False)
        yield {**grown, "reached": None}  # there is nothing to reach


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    prove(bowl(2, 100, 5)[1])  # compiles
    coordinate.invert(bowl(2, 100, 5)[1], {"starts": 2}, np.random.default_rng(0), None, None)
    yield from proofs()
    yield from line_search()
    yield bands()
    yield from growth()
