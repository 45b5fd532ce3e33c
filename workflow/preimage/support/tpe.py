"""The tree-structured Parzen estimator of hyperopt, as a loop that can be stopped and taken up again.

The trials are those of `hyperopt.fmin` with the same `rstate` (Bergstra et al. 2011, "Algorithms for hyper-parameter
optimization", NIPS 24); the loop is ours because `fmin` keeps its state as a pickle and rebuilds more than it needs.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hyperopt import tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK, Domain, Trials

from preimage.support import stopping
from preimage.support.files import digest, plain, read_json, write_json
from preimage.support.progress import Report
from preimage.support.resume_state import resumed

SAVE_EVERY_SECONDS = 1.0
# Trials that hyperopt's estimator draws at random before it learns.
STARTUP = 20


class Trial(NamedTuple):
    """One evaluation: the value of each label that the space used (others are absent), the loss, and what else the
    evaluation told."""

    values: dict[str, float]
    loss: float
    told: dict[str, float]


def search(
    space: Mapping[str, Any],
    evaluate: Callable[[dict[str, float]], float | tuple[float, dict[str, float]]],
    evaluations: int,
    rng: np.random.Generator,
    state: Path | None = None,
    report: Report | None = None,
) -> list[Trial]:
    """Minimise `evaluate` over a hyperopt space by `evaluations` TPE trials.

    Args:
        space: hyperopt expressions by name.
        evaluate: loss of the values by label, or the loss and more numbers to keep of the trial; a loss that is NaN or
            infinite counts as a failed trial, kept with loss NaN.
        state: file to keep trials and the generator's state in; a search that finds it goes on from there and ends
            with the same trials as one that was never stopped.
        report: called with the number of trials done and the best loss.

    Returns every trial in order.
    """
    domain = Domain(lambda _: 0.0, dict(space))
    trials = Trials()
    done = _resume(trials, domain, rng, state)
    best = min((t.loss for t in done if math.isfinite(t.loss)), default=math.inf)
    saved = time.monotonic()
    while len(done) < evaluations:
        (doc,) = _suggest(trials, domain, int(rng.integers(2**31 - 1)))
        values = _values(doc)
        found = evaluate(dict(values))
        loss, told = found if isinstance(found, tuple) else (float(found), {})
        loss = loss if math.isfinite(loss) else math.nan
        done.append(Trial(values, loss, told))
        _insert(trials, doc, loss)
        best = min(best, loss) if math.isfinite(loss) else best
        if report:
            report(len(done), best)
        if state and (stopping.asked() or time.monotonic() - saved > SAVE_EVERY_SECONDS):
            _save(state, done, rng)
            stopping.end_if_asked()
            saved = time.monotonic()
    return done


def first(space: Mapping[str, Any], count: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Return the values of the first trials, `count` at most, of a `search` with a generator in this state.

    They don't depend on any loss: the estimator draws at random until it has enough to learn from. The generator is
    left as it is.
    """
    rng, domain, trials = copy.deepcopy(rng), Domain(lambda _: 0.0, dict(space)), Trials()
    found = []
    for _ in range(min(count, STARTUP)):
        (doc,) = _suggest(trials, domain, int(rng.integers(2**31 - 1)))
        found.append(_values(doc))
        _insert(trials, doc, 0.0)
    return found


def _values(doc: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v[0]) for k, v in doc["misc"]["vals"].items() if len(v)}


def _suggest(trials: Trials, domain: Domain, seed: int) -> list[dict[str, Any]]:
    ids = trials.new_trial_ids(1)
    trials.refresh()
    return tpe.suggest(ids, domain, trials, seed, n_startup_jobs=STARTUP, verbose=False)


def _insert(trials: Trials, doc: dict[str, Any], loss: float) -> None:
    doc["state"] = JOB_STATE_DONE
    doc["result"] = {"status": STATUS_OK, "loss": loss} if math.isfinite(loss) else {"status": STATUS_FAIL}
    trials.insert_trial_docs([doc])
    trials.refresh()


def _save(state: Path, done: list[Trial], rng: np.random.Generator) -> None:
    rows = [[t.values, t.loss if math.isfinite(t.loss) else None, t.told] for t in done]
    kept = plain({"trials": rows, "generator": rng.bit_generator.state})
    write_json(state, {**kept, "seal": digest(kept)})


def _resume(trials: Trials, domain: Domain, rng: np.random.Generator, state: Path | None) -> list[Trial]:
    """Put saved trials back, and the generator where it stood; return them."""
    saved = resumed(state, _read)
    if saved is None:
        return []
    done, generator = saved
    for trial in done:
        (tid,) = trials.new_trial_ids(1)
        idxs = {label: [tid] if label in trial.values else [] for label in domain.params}
        vals = {label: [trial.values[label]] if label in trial.values else [] for label in domain.params}
        misc = {"tid": tid, "cmd": domain.cmd, "workdir": domain.workdir, "idxs": idxs, "vals": vals}
        (doc,) = trials.new_trial_docs([tid], [None], [domain.new_result()], [misc])
        _insert(trials, doc, trial.loss)
    rng.bit_generator.state = generator
    return done


def _read(state: Path) -> tuple[list[Trial], Any]:
    """Return what `_save` wrote. Raises ValueError where it is not that."""
    saved = read_json(state)
    if saved.pop("seal") != digest(saved):
        raise ValueError("not as it was written")
    done = [Trial(values, math.nan if loss is None else loss, told) for values, loss, told in saved["trials"]]
    return done, saved["generator"]
