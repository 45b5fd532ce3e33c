"""Which columns of a scikit-learn model are categories by label: those that an encoder within it was fitted to.

A model without any was fitted to numbers, and takes a category as its position in the study's list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought import categories
from preimage.surrogates.brought.categories import UNKNOWN, Column

# Where a fitted estimator keeps the one, or those, that it hands its own columns on to.
WITHIN = ("_preprocessor", "regressor_", "best_estimator_", "estimator_", "estimators_")


class Labels(NamedTuple):
    """What a model is to be given for the categories of a study.

    Attributes:
        values: for each category of each column (levels,), None for a number; () where all are given by position.
        unknown: the categories that no encoder of the model knows, by column: it takes them for none, or for missing.
    """

    values: tuple[np.ndarray | None, ...] = ()
    unknown: dict[str, list[str]] = {}  # noqa: RUF012


class Known(NamedTuple):
    """The values that an encoder knows a column's categories by, and whether it refuses others."""

    values: np.ndarray
    strict: bool


def labels(model: Any, columns: Sequence[Column]) -> Labels:
    """Return what a model is to be given. Raises StudyError for categories that it does not know, and would refuse.

    Where any encoder knows labels, the model was fitted to a table as it is, and is given all of its columns so.
    """
    known = dict(reversed(list(_walk(model, list(range(len(columns)))))))
    places = {j: _places(c, known[j]) for j, c in enumerate(columns) if c.categories and j in known}
    traced = {id(k.values) for k in known.values()}
    # An encoder whose columns cannot be traced back to the table's has labels all the same.
    others = {v for part in parts(model) for of in _values(part) if id(of) not in traced for v in _texts(of)}
    if not others and all(found is None for found in places.values()):
        return Labels()
    values: list[np.ndarray | None] = []
    unknown = {}
    for j, column in enumerate(columns):
        if (found := places.get(j)) is None:
            values.append(_as_they_are(column, others) if column.categories else None)
        else:
            values.append(_values_at(found, column, known[j].values))
            unknown[column.name] = categories.unknown(column, found)
    return Labels(tuple(values), {name: strange for name, strange in unknown.items() if strange})


def _places(column: Column, known: Known) -> np.ndarray | None:
    """Return the place among the values of an encoder of each category (levels,); None where it knows positions."""
    values = known.values.tolist()
    try:
        found = categories.codes(column, values)
    except StudyError:
        if values != list(range(len(values))):
            raise
        return None
    if known.strict:
        categories.refuse_unknown(column, found, values)
    return found


def _values_at(places: np.ndarray, column: Column, known: np.ndarray) -> np.ndarray:
    """Return an encoder's values at places (levels,), and what it does not know for those that have none."""
    if _texts(known):
        return np.where(places == UNKNOWN, np.array(column.categories, object), known.astype(object)[places])
    return np.where(places == UNKNOWN, np.nanmax(known.astype(float)) + 1, known.astype(float)[places])


def _as_they_are(column: Column, texts: Collection[str]) -> np.ndarray:
    """Return labels as a table has them (levels,): numbers where all are, and no encoder knows one as a text."""
    number = None if set(column.categories) & set(texts) else categories.numbers(column)
    return np.array(column.categories, object) if number is None else number


def _walk(part: Any, columns: list[int]) -> Iterator[tuple[int, Known]]:
    """Yield what each encoder knows that sees these columns of the table as they are."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if isinstance(part, Pipeline):
        for _, step in part.steps:
            yield from _walk(step, columns)
            same = isinstance(step, SimpleImputer) and len(step.get_feature_names_out()) == len(columns)
            if not (same or step in (None, "passthrough")):
                return
    elif isinstance(part, ColumnTransformer):
        for name, step, _ in part.transformers_:
            yield from _walk(step, [columns[k] for k in part._transformer_to_input_indices[name]])
    elif isinstance(part, FeatureUnion):
        for _, step in part.transformer_list:
            yield from _walk(step, columns)
    elif values := _values(part):
        strict = getattr(part, "handle_unknown", "ignore") == "error"
        yield from zip(columns, (Known(v, strict) for v in values), strict=True)
    else:
        within = [step for name in WITHIN for step in _listed(getattr(part, name, None))]
        chosen = getattr(part, "estimators_features_", None) or [range(len(columns))] * len(within)
        for step, kept in zip(within, chosen, strict=False):
            yield from _walk(step, [columns[k] for k in kept])


def _listed(found: Any) -> list[Any]:
    if isinstance(found, np.ndarray):
        return list(found.flat)
    return found if isinstance(found, list) else [] if found is None else [found]


def _values(part: Any) -> list[np.ndarray]:
    """Return the values by column that a part knows as an encoder; [] for one that is none."""
    found = getattr(part, "categories_", None)
    return [np.asarray(v) for v in found] if isinstance(found, list) else []


def _texts(values: np.ndarray) -> list[str]:
    return [value for value in values.tolist() if isinstance(value, str)]


def parts(model: Any) -> Iterator[Any]:
    """Yield a model and all that it holds, each once."""
    pending, seen = [model], set[int]()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, np.ndarray):
            pending += list(value.flat) if value.dtype == object else []
        elif isinstance(value, list | tuple | set):
            pending += value
        elif isinstance(value, partial):
            pending += [value.func, *value.args, *value.keywords.values()]
        elif not isinstance(value, type):
            pending += getattr(value, "__dict__", {}).values()
