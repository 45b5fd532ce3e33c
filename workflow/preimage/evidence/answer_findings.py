"""What may be wrong with an answer: the search, the data around it, no solution, several, or a truth that jumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from preimage.core import polytope
from preimage.core.candidates import DOMAIN_LIMIT
from preimage.core.objective import Objective
from preimage.core.sizes import ASKED, FEWEST_ASKED, HALVINGS
from preimage.core.space import Space
from preimage.evidence.findings import ABSENT, FOUND, Finding, judged, unknown

# Intervals so many times as wide as the median one of the rows held out are those of sparse data.
WIDE = 3.0
# Answers that are equally good and so far apart, as a share of an input's range, are several.
APART = 0.25
# Where no window is proven, the share of each input's range by which settings are taken to be off.
SETTING = 0.01
# Share of the window that misses the objective from which the answer is not stable.
MISSED = 0.05


def poor_search(row: Mapping[str, Any], wanted: Objective, least: float) -> Finding:
    """Return whether a method stopped short: how far its loss is from the proven bound, or from the best that is known.

    Where there are values to meet, a method that meets them has done what was asked. Without a certificate the best
    method of all is judged by nothing: that is unknown.

    Args:
        row: of the summary.
        least: smallest predicted loss that any method found, limits being kept; NaN where none kept them.
    """
    kind, quantity = "poor_search", "loss above the best possible"
    loss, bound = float(row["predicted_loss"]), float(row["certified_bound"])
    certified = bool(np.isfinite(bound))
    enough = enough_loss(wanted)
    if not np.isfinite(loss):
        return unknown(kind, quantity, reason="the method found no candidate")
    if (violation := float(row.get("violation", 0.0))) > 0:
        quantity = "miss of a limit, in ranges of its output"
        if row["feasible"] == "yes" or np.isfinite(least):
            return judged(kind, quantity, violation, 0.0, limits=True)
        if row["feasible"] == "no":
            return judged(kind, quantity, 0.0, 0.0)
        return unknown(kind, quantity, 0.0, reason="whether anything keeps the limits is not decided", loss=loss)
    if not wanted.by_loss:
        if row["feasible"] == "no" or loss <= enough:
            return judged(kind, quantity, 0.0, enough)
        if row["feasible"] == "yes":
            return judged(kind, quantity, loss, enough, certified=certified)
        return unknown(kind, quantity, enough, reason="whether anything meets the objective is not decided", loss=loss)
    short = loss - (bound if certified else least)
    limit = wanted.as_good_as(0.0)
    if not certified and short <= limit:
        return unknown(kind, quantity, limit, reason="nothing is proven of the model", loss=loss)
    return judged(kind, quantity, short, limit, certified=certified, loss=loss)


def poor_front(row: Mapping[str, Any], wanted: Objective, largest: float) -> Finding:
    """Return whether a method's front stopped short: the share that it lacks of the proven bound of the hypervolume, or
    of the largest one that is known.

    Args:
        row: of the summary.
        largest: hypervolume that any method found.
    """
    kind, quantity, (limit,) = "poor_search", "share of the hypervolume that is lacking", wanted.tolerance
    bound = float(row["hypervolume_bound"])
    certified = bool(np.isfinite(bound))
    best = bound if certified else largest
    short = max(0.0, 1 - float(row["hypervolume"]) / best) if best > 0 else 0.0
    if not certified and short <= limit:
        return unknown(kind, quantity, limit, reason="nothing is proven of the model")
    return judged(kind, quantity, short, limit, certified=certified)


def enough_loss(wanted: Objective) -> float:
    """Return the largest loss of an answer that meets values; rounding can't lift one above it."""
    return wanted.enough * (1 + 1e-12)


def sparse_data(score: float, width: np.ndarray, usual: np.ndarray) -> Finding:
    """Return whether there is hardly any data where the answer lies: its domain score, and its interval's width.

    Args:
        score: domain score of the answer.
        width: of its prediction interval, by output wanted (k,).
        usual: widths of the rows held out (n, k).
    """
    ratio = float(np.max(width / np.maximum(np.median(usual, axis=0), np.finfo(float).tiny), initial=0.0))
    found = judged("sparse_data", "domain score", score, DOMAIN_LIMIT, interval=ratio, interval_threshold=WIDE)
    return found._replace(verdict=FOUND) if found.verdict == ABSENT and ratio > WIDE else found


def no_solution(feasible: str, bound: float, wanted: Objective) -> Finding:
    """Return whether it is proven that nothing meets the objective on the model; the loss's bound is what says so."""
    kind, quantity = "no_solution", "proven bound of the loss"
    enough = enough_loss(wanted)
    if feasible == "yes" or not (wanted.bounded or wanted.limits):
        return judged(kind, quantity, 0.0, enough if wanted.bounded else 0.0)
    if feasible == "no":
        return Finding(kind, quantity, float(bound), enough, FOUND, {})
    known = {"bound": float(bound)} if np.isfinite(bound) else {}
    enough = enough if wanted.bounded else np.nan
    return unknown(kind, quantity, enough, reason="no method met it, and nothing is proven", **known)


def several_solutions(
    good: np.ndarray, free: np.ndarray, distinct: int, truly: int | None, category: np.ndarray | None = None
) -> Finding:
    """Return whether answers that are equally good lie far apart: the largest difference in any input.

    Args:
        good: candidates that are as good as asked by the model, scaled to [0, 1], (n, d).
        free: which inputs may vary, and have an influence (d,).
        distinct: clusters of them.
        truly: how many of the distinct ones are as good in truth; None where that is not known.
        category: which inputs are categories (d,), of which two values are 1 apart; none if left out.
    """
    reach = np.ptp(good, axis=0) if len(good) else np.zeros(len(free))
    reach = np.where(category, reach > 0, reach) if category is not None else reach
    spread = float(reach[free].max(initial=0.0))
    more: dict[str, Any] = {} if truly is None else {"truly": truly}
    return judged("several_solutions", "distance of answers", spread, APART, distinct=distinct, **more)


def window_around(row: Mapping[str, Any], x: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return both ends (d,) of the window around an answer: the proven one, or 1 % of each input's range; and which."""
    if pd.notna(row.get("tolerance_width")) and not any(i.categories for i in space.inputs):
        low, high = (np.array([row[f"tolerance_{end}.{n}"] for n in space.names], float) for end in ("low", "high"))
        return np.minimum(low, x), np.maximum(high, x), True
    reach, piece = np.where(space.stepwise, 0.0, SETTING * space.width), space.piece(x)
    return np.maximum(x - reach, piece.low), np.minimum(x + reach, piece.high), False


def unstable_answer(
    low: np.ndarray,
    high: np.ndarray,
    proven: bool,
    x: np.ndarray,
    space: Space,
    simulate: Callable[[np.ndarray], np.ndarray],
    wanted: Objective,
    rng: np.random.Generator,
    calls: int | None = None,
) -> Finding:
    """Return whether the truth jumps within the window around an answer, so that part of it is no answer.

    The truth is asked at random points of the window. Between the two where it differs most it is halved, always
    keeping the half with the larger difference: a continuous truth has none left then, a jump stays.

    Args:
        low, high: ends of the window (d,); `proven` says whether the model meets the objective everywhere in it.
        x: the answer (d,).
        simulate: outputs (n, m) of points (n, d).
        calls: different points to ask for at most; as many as are of use where it is None.
    """
    kind, quantity = "unstable_answer", "jump of the truth in the window"
    if calls is not None and calls < FEWEST_ASKED:
        return unknown(kind, quantity, reason="the study's budget leaves too few simulations around the answer")
    asked, halvings = (ASKED, HALVINGS) if calls is None else _affordable(calls)
    X = rng.uniform(low, high, (asked, len(x)))
    X = np.vstack([x, np.where(space.discrete, np.round(X), X)])
    X = polytope.near(space.piece(x), X) if space.restricted else X
    Y = simulate(X)
    if not np.isfinite(Y).all():
        failed = int((~np.isfinite(Y).all(axis=1)).sum())
        said = f"the simulator failed at {failed} of {len(X)} points of the window"
        return unknown(kind, quantity, wanted.tolerance[0], reason=said)
    value = value_of(wanted, Y)
    first, last = X[value.argmin()], X[value.argmax()]
    jump = abs(_jump(first, last, space, lambda P: value_of(wanted, simulate(P)), halvings))
    # An answer on a limit of outputs has half of its window beyond, however smooth the truth is.
    wanted = replace(wanted, limits=())
    if wanted.bounded:
        missed = ~wanted.met(Y)
    else:
        # Of minimize and maximize: where the truth is worse than at the answer by more than what counts as good.
        loss = wanted.loss(Y)
        missed = loss > wanted.as_good_as(loss[0])
    share = float(missed[1:].mean())
    spread = np.quantile(value[1:], [0.05, 0.95])
    width = wanted.high[0] - wanted.low[0]
    limit = max(wanted.tolerance[0], width / 2 if np.isfinite(width) else 0.0)
    details = {"spread": spread.tolist(), "missed": share, "missed_threshold": MISSED, "proven": proven}
    return judged(kind, quantity, jump, limit, share > MISSED, **details)


def value_of(wanted: Objective, Y: np.ndarray) -> np.ndarray:
    """Return what is looked at of outputs (n, m): the first that is named, or the weighted sum (n,)."""
    if wanted.bounded:
        return Y[:, wanted.columns[0]]
    return wanted.sign * wanted.loss(Y)


def _affordable(calls: int) -> tuple[int, int]:
    """Return how many random points, and how many halvings, so many calls are spent on, beside the answer's own."""
    halvings = min(HALVINGS, calls // 4)
    return min(ASKED, calls - 1 - halvings), halvings


def _jump(
    first: np.ndarray, last: np.ndarray, space: Space, value: Callable[[np.ndarray], np.ndarray], halvings: int
) -> float:
    """Return the difference that is left between two points when they are brought together by halving."""
    for _ in range(halvings):
        middle = first / 2 + last / 2
        middle = np.where(space.stepwise, first, middle)
        a, b, c = value(np.stack([first, middle, last]))
        if abs(b - a) >= abs(c - b):
            last = middle
        else:
            first = middle
    a, c = value(np.stack([first, last]))
    return float(c - a)
