"""What a page needs to follow an answer while its inputs are moved: models as arrays, their errors, and the data.

A model that has no form as arrays, or whose arrays are too large for a page, is replaced by one-dimensional profiles
around each of its answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.core import fronts
from preimage.core.domain import Domain
from preimage.core.inputs import Input
from preimage.core.objective import Direction, Objective, Pareto
from preimage.core.portable import Portable, pack, size
from preimage.core.space import Space
from preimage.data.rows import Rows
from preimage.evidence.chance import Outlook
from preimage.surrogates.protocol import Surrogate

# Characters of all models of a page, of all rows, and the most inputs that anybody moves one by one.
MOST, MOST_ROWS, MOST_INPUTS = 5_000_000, 20_000, 60
# Points of a profile, and bars of the data's density.
POINTS, BARS = 41, 24


def of_answers(
    recipes: Sequence[Mapping[str, Any]],
    models: Mapping[str, Surrogate],
    outlooks: Mapping[str, Outlook],
    space: Space,
    objectives: Mapping[str, Objective],
    train: Rows,
) -> dict[str, Any]:
    """Return what a page needs beside what it shows anyway, as JSON can hold it; nothing where it has no answers that
    inputs can be moved from.

    Args:
        recipes: the answers (see `preimage.evidence.recipes`).
        outlooks: by surrogate, those whose errors are known.
    """
    asked = [name for name in models if any(r["surrogate"] == name for r in recipes)]
    if not asked or len(space.inputs) > MOST_INPUTS:
        return {}
    portable = _within_size({name: _portable(models[name]) for name in asked})
    return {
        "models": {
            name: portable.get(name) or {"profiles": _profiles(models[name], space, _starts(recipes, name, space))}
            for name in asked
        },
        "errors": {name: outlooks[name].predictive.portable().packed() for name in asked if name in outlooks},
        "best": _best(outlooks, objectives, space),
        "data": _data(train, space),
    }


def _portable(model: Surrogate) -> dict[str, Any] | None:
    found: Portable | None = model.portable() if hasattr(model, "portable") else None
    # A number takes more than one character: what can't have a place is not packed.
    if found is None or sum(array.size for array in found.arrays.values()) > MOST:
        return None
    return found.packed()


def _within_size(packed: Mapping[str, dict[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """Return the models that have a place in a page, the smallest first."""
    kept, taken = {}, 0
    for name, model in sorted(packed.items(), key=lambda item: 0 if item[1] is None else size(item[1])):
        if model is not None and (taken := taken + size(model)) <= MOST:
            kept[name] = model
    return kept


def _starts(recipes: Sequence[Mapping[str, Any]], surrogate: str, space: Space) -> dict[str, np.ndarray]:
    """Return the answers of one surrogate by objective, as points (d,)."""
    codes = {i.name: {label: k for k, label in enumerate(i.categories)} for i in space.inputs}
    return {
        str(r["objective"]): np.array([codes[n].get(v, v) for n, v in r["x"].items()], float)
        for r in recipes
        if r["surrogate"] == surrogate
    }


# -- profiles ---------------------------------------------------------------------------------------------------------


def _profiles(model: Surrogate, space: Space, starts: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return predictions and spreads along each input, by objective, through its answer."""
    return {name: profile(model, space, x) for name, x in starts.items()}


def profile(model: Surrogate, space: Space, x: np.ndarray) -> dict[str, Any]:
    """Return predictions and spreads along each input through a point (d,), and where the values of each end."""
    grids = [np.unique([*grid(i), v]) for i, v in zip(space.inputs, x, strict=True)]
    points = np.repeat(x[None], sum(map(len, grids)), axis=0)
    ends = np.cumsum([len(g) for g in grids])
    for j, (values, end) in enumerate(zip(grids, ends, strict=True)):
        points[end - len(values) : end, j] = values
    parts = {"x": x, "values": np.concatenate(grids), "ends": ends}
    parts |= {"predicted": model.predict(points), "spread": model.spread(points)}
    return {name: pack(part) for name, part in parts.items()}


def grid(i: Input) -> np.ndarray:
    """Return values at which to look at an input: all that are separate, else evenly spread over its range."""
    if i.categories or (i.whole and i.high - i.low < POINTS):
        return np.arange(i.low, i.high + 1)
    return np.unique(i.nearest(np.linspace(i.low, i.high, POINTS))) if i.fixed is None else np.array([i.fixed])


# -- data -------------------------------------------------------------------------------------------------------------


def _best(outlooks: Mapping[str, Outlook], objectives: Mapping[str, Objective], space: Space) -> dict[str, Any]:
    """Return what the training rows that count have reached, by objective: of a direction their least loss, null
    without any such row; of a trade-off their undominated outputs, each with the sign that makes less better."""
    found: dict[str, Any] = {}
    outlook = next(iter(outlooks.values()), None)
    for name, wanted in objectives.items():
        nominal = wanted.nominal
        if outlook is None or not isinstance(nominal, Direction | Pareto):
            continue
        known = outlook.known(nominal, space)
        if isinstance(nominal, Pareto):
            signed = known[:, list(nominal.columns)] * nominal.goal.low
            found[name] = signed[fronts.undominated(signed)].tolist()
        else:
            found[name] = float(nominal.loss(known).min()) if len(known) else None
    return found


def _data(train: Rows, space: Space) -> dict[str, Any]:
    """Return the density of the rows by input, the ends of each output, and what tells the domain."""
    finite = [column[np.isfinite(column)] for column in train.Y.T]
    found = {
        "density": {i.name: _density(i, column) for i, column in zip(space.inputs, train.X.T, strict=True)},
        "reach": {o: [float(c.min()), float(c.max())] for o, c in zip(train.outputs, finite, strict=True) if len(c)},
    }
    rows = np.unique(train.X, axis=0)
    if len(rows) <= MOST_ROWS:
        domain = Domain(space.coordinates(train.X), space.one_hot)
        found["domain"] = {"rows": pack(rows), "reference": pack(domain.reference), "k": domain.k}
    return found


def _density(i: Input, column: np.ndarray) -> list[int]:
    """Return how many rows there are in each part of an input's range, or of each category."""
    if i.categories:
        return np.bincount(column.astype(int), minlength=len(i.categories)).tolist()
    return np.histogram(column, BARS, (i.low, i.high) if i.low < i.high else None)[0].tolist()
