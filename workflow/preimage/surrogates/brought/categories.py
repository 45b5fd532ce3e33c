"""A study's categories as the values that a model's file knows them by.

A study gives a category as its position in `categories`. A file that knows labels is asked by label, whatever its own
order is; one that knows none was trained on numbers, and takes the positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.support.errors import StudyError, did_you_mean

# Code of a category that a file does not know.
UNKNOWN = -1
MOST_LISTED = 12


class Column(NamedTuple):
    """An input of a model: its name in the study, and its categories there, () where it is a number."""

    name: str
    categories: tuple[str, ...] = ()


def columns_of(inputs: Sequence[Column | str]) -> list[Column]:
    """Return a table's inputs, of which those given by name alone are numbers."""
    return [c if isinstance(c, Column) else Column(c) for c in inputs]


def codes(column: Column, known: Sequence[Any]) -> np.ndarray:
    """Return the place among the known values of each of a column's categories (levels,), `UNKNOWN` where it is none.

    A number is known by its value, whatever its digits: 10 is the label of 10.0.

    Raises StudyError where none is known.
    """
    place = {_key(value): k for k, value in enumerate(known)}
    found = np.array([place.get(label, place.get(_number(label), UNKNOWN)) for label in column.categories])
    if (found == UNKNOWN).all():
        raise StudyError(
            f"input '{column.name}': found the categories {listed(column.categories)}, "
            f"the model knows {listed(known)}{did_you_mean(column.categories[0], list(map(str, known)))}"
        )
    return found


def numbers(column: Column) -> np.ndarray | None:
    """Return the categories of a column that are numbers to a model (levels,); None where some are none."""
    found = [_number(label) for label in column.categories]
    return None if None in found else np.array(found, float)


def unknown(column: Column, found: np.ndarray) -> list[str]:
    """Return the categories whose codes (levels,) say that a file does not know them."""
    return [label for label, code in zip(column.categories, found, strict=True) if code == UNKNOWN]


def refuse_unknown(column: Column, found: np.ndarray, known: Sequence[Any]) -> None:
    """Raise StudyError for a category that a model does not know, and can't be asked for."""
    if strange := unknown(column, found):
        raise StudyError(
            f"input '{column.name}': the model does not know the category '{strange[0]}'"
            f"{did_you_mean(strange[0], list(map(str, known)))}; it knows {listed(known)}"
        )


def listed(values: Sequence[Any]) -> str:
    """Return values in a few words."""
    shown = ", ".join(str(value) for value in values[:MOST_LISTED])
    return f"{shown}, ..." if len(values) > MOST_LISTED else shown


def _key(value: Any) -> Any:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if number else str(value)


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None
