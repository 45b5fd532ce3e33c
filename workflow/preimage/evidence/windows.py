"""Tolerance boxes of a table's candidates, as columns: between which values each input may be kept.

`tolerance_low.<input>`, `tolerance_high.<input>`: the window's ends, both inside; `tolerance_width`: its smallest width
as a share of an input's range. Null where the surrogate is neither made of trees nor bounded on boxes, where the
candidate does not do what is wanted by its word, and for tables of targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.exact.window import window
from preimage.trees.objective import has_known_loss
from preimage.trees.tolerance_box import Window, tolerance_box

# Windows examined in search of the largest, before one is grown: enough in one dimension or two.
EXAMINED = 30


def with_windows(
    frame: pd.DataFrame,
    space: Space,
    models: Mapping[str, Any],
    objectives: Mapping[str, Objective],
    best: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """Return the table with its candidates' windows.

    Args:
        frame: rows with `surrogate`, `objective` and `x.<input>`.
        models: surrogates by name.
        best: smallest predicted loss by (surrogate, objective), from which the tolerance of minimize and maximize
            counts.
    """
    known: dict[tuple[str, str, bytes], Window | None] = {}
    low, high = (np.full((len(frame), len(space.inputs)), np.nan) for _ in range(2))
    width = np.full(len(frame), np.nan)
    has = frame[[f"x.{n}" for n in space.names]].notna().all(axis=1).to_numpy()
    X = np.full(low.shape, np.nan)
    X[has] = space.encode(inputs_of(frame.loc[has], space))
    for k in np.flatnonzero(has):
        surrogate, objective = str(frame["surrogate"].iloc[k]), str(frame["objective"].iloc[k])
        model, wanted = models.get(surrogate), objectives[objective]
        if model is None or wanted.name != wanted.entry:
            continue
        key = (surrogate, objective, X[k].tobytes())
        if key not in known:
            least = best[surrogate, objective]
            known[key] = _window(model, wanted.allowed(space), wanted, X[k], least)
        if (window := known[key]) is not None:
            low[k], high[k], width[k] = window.low, window.high, window.width
    columns = {**space.decode(low, "tolerance_low."), **space.decode(high, "tolerance_high.")}
    return frame.assign(**columns, tolerance_width=width)


def _window(model: Any, space: Space, wanted: Objective, x: np.ndarray, least: float) -> Window | None:
    """Return the window of a point x (d,) on a model; None where there is none to be had."""
    if (trees := getattr(model, "trees", None)) is not None:
        alone = _alone(wanted, len(trees.start))
        return tolerance_box(trees, space, wanted, x, EXAMINED, least) if alone else None
    if (form := getattr(model, "exact_form", lambda: None)()) is None:
        return None
    alone = _alone(wanted, model.predict(x[None]).shape[1])
    return window(form, model.predict, space, wanted, x, least) if alone else None


def _alone(wanted: Objective, outputs: int) -> bool:
    """Whether a window can be had: values to meet, or one output to make small or large, of the model's own."""
    return (
        max([*wanted.columns, *(limit.column for limit in wanted.limits)]) < outputs
        and has_known_loss(wanted)
        and (wanted.bounded or (len(wanted.outputs) == 1 and wanted.low[0] > 0))
    )
