"""Peers of certified inversion, asked the same of the same forest; each raises ImportError where it is not installed.

They are in the extra `peers`.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from preimage.core.objective import Minimize
from preimage.inversion.question import Question
from preimage.support.clock import seconds


def limited(call: Callable[[], Any], limit: float) -> tuple[float, Any]:
    """Return the seconds that a call took in a process of its own and what it returned; None where it was stopped at
    the limit. Raises RuntimeError where it failed."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def run() -> None:
        try:
            there.send((call(), None))
        except Exception as error:  # told to whoever waits
            there.send((None, f"{type(error).__name__}: {error}"))

    process = context.Process(target=run)
    started = time.perf_counter()
    process.start()
    answered = here.poll(limit)
    took = time.perf_counter() - started
    answer, failed = here.recv() if answered else (None, None)
    process.kill()
    process.join()
    if failed:
        raise RuntimeError(failed)
    return took, answer


def veritas(model: Any, question: Question, limit: float) -> tuple[float, str]:
    """Return the seconds dtai-veritas took and its interval of the optimum, in the loss's unit."""
    import veritas as peer

    least = isinstance(question.objective, Minimize)
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
    ends = sorted(
        sign * getattr(bounds, name) / len(model.estimators_)
        for name in ("bottom", "best", "top")
        if hasattr(bounds, name)
    )
    best = sign * search.get_solution(0).output / len(model.estimators_) if search.num_solutions() else float("nan")
    state = "optimal" if search.is_optimal() else f"best {best:.6g}, bounds {[float(f'{e:.6g}') for e in ends]}"
    return took, state


def treecf(model: Any, question: Question, low: float, high: float, limit: float) -> tuple[float, str]:
    """Return the seconds in which treecf's exact mode found an input with an output in [low, high], the nearest to the
    first training row, and what it says of it."""
    from treecf import Explainer, Target

    def ask() -> str:
        explainer = Explainer(model, question.X)
        found = explainer.explain(question.X[0], Target.raw(range=(low, high)), backend="exact", time_budget_s=limit)
        return f"{type(found).__name__.lower()}, {getattr(found, 'proof', 'open')}"

    took, said = limited(ask, limit)
    return took, said or f"no return in {limit:.0f} s"


def scip(model: Any, question: Question, low: float, high: float, limit: float) -> tuple[float, str]:
    """Return the seconds in which PySCIPOpt-ML decided whether an input has an output in [low, high], and whether its
    answer is right by scikit-learn's own `predict`."""
    import pyscipopt
    from pyscipopt_ml.add_predictor import add_predictor_constr

    def ask() -> tuple[str, list[float] | None]:
        program = pyscipopt.Model()
        program.hideOutput()
        program.setParam("limits/time", limit)
        space = question.space
        ends = zip(space.names, space.low, space.high, strict=True)
        x = np.array([program.addVar(n, lb=float(a), ub=float(b)) for n, a, b in ends])
        y = np.array([program.addVar("y", lb=low, ub=high)])
        with contextlib.redirect_stdout(io.StringIO()):
            add_predictor_constr(program, model, x[None], y[None])
            program.optimize()
        found = [float(program.getVal(v)) for v in x] if program.getNSols() else None
        return str(program.getStatus()), found

    took, answer = limited(ask, 2 * limit)
    if answer is None:
        return took, f"no return in {2 * limit:.0f} s"
    status, x = answer
    if x is None:
        return took, status
    y = float(model.predict(np.array([x]))[0])
    return took, f"{status}, its x gives {'what was wanted' if low <= y <= high else 'something else'}"


def _losses(model: Any, question: Question) -> Callable[[Any], np.ndarray]:
    """Return the loss (n,) at points (n, d) as a peer's user has it: by scikit-learn's own `predict`."""
    return lambda X: question.objective.loss(model.predict(np.asarray(X, float))[:, None])


def hyperopt_tpe(model: Any, question: Question) -> float:
    """Return the least loss of 500 evaluations."""
    from hyperopt import hp

    from preimage.support import tpe

    names, f, ends = question.space.names, _losses(model, question), _ends(question)
    space = {n: hp.uniform(n, a, b) for n, (a, b) in zip(names, ends, strict=True)}
    trials = tpe.search(space, lambda v: float(f([[v[n] for n in names]])[0]), 500, np.random.default_rng(0))
    return min(t.loss for t in trials)


def optuna_tpe(model: Any, question: Question) -> float:
    """Return the least loss of 500 evaluations."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    f, named = _losses(model, question), list(zip(question.space.names, _ends(question), strict=True))
    study.optimize(lambda t: float(f([[t.suggest_float(n, a, b) for n, (a, b) in named]])[0]), 500)
    return float(study.best_value)


def cma_es(model: Any, question: Question) -> float:
    """Return the least loss of at most 10,000 evaluations, a population at once."""
    import cma

    low, high, f = question.space.low, question.space.high, _losses(model, question)
    settings = {"bounds": [low.tolist(), high.tolist()], "seed": 1, "verbose": -9, "maxfevals": 10_000}
    search = cma.CMAEvolutionStrategy((low + high) / 2, float((high - low).mean()) / 4, settings)
    while not search.stop():
        asked = search.ask()
        search.tell(asked, f(asked).tolist())
    return float(search.result.fbest)


def evolution(model: Any, question: Question) -> float:
    """Return the least loss that scipy's differential evolution ends at by its own defaults, a population at once."""
    from scipy.optimize import differential_evolution

    f = _losses(model, question)
    found = differential_evolution(
        lambda x: f(x.T), _ends(question), rng=0, polish=False, vectorized=True, updating="deferred"
    )
    return float(found.fun)


def _ends(question: Question) -> list[tuple[float, float]]:
    return list(zip(question.space.low.tolist(), question.space.high.tolist(), strict=True))
