"""What a model's file says of its inputs and outputs, matched with a table's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.support.errors import StudyError, did_you_mean

# How far a count may be from a whole number.
ROUNDING = 1e-6


class Signature(NamedTuple):
    """Numbers of inputs and outputs, None where the file doesn't say; their names in order, () where it names none."""

    inputs: int | None = None
    outputs: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()


def names_in_order(
    what: str, table: Sequence[str], count: int | None, named: Sequence[str], stated: Sequence[str] | None
) -> list[str]:
    """Return the table's columns in the model's order.

    Args:
        what: "inputs" or "outputs".
        count, named: what the file says.
        stated: what the study says: all of the table's outputs, or those of its inputs that the model takes. It may
            rename columns, but not contradict a file that knows them.

    Raises StudyError, naming both lists, where they don't match.
    """
    table, named = list(table), list(named)
    if stated is not None:
        stated = list(stated)
        if not set(stated) <= set(table) or (what == "outputs" and len(stated) < len(table)):
            some = "some of the table's" if what == "inputs" else "the table's"
            raise StudyError(f"key '{what}': found {stated}, expected {some} {what} {table}{_nearest(stated, table)}")
        if named and set(named) <= set(table) and named != stated:
            raise StudyError(f"key '{what}': found {stated}, but the file itself says {named}")
    count = len(named) if count is None and named else count
    if stated is not None and count is not None and count != len(stated):
        raise StudyError(f"the model has {count} {what}{_listed(named)}, key '{what}' names {len(stated)}: {stated}")
    if stated is None and count is not None and count != len(table):
        fewer = what == "inputs" and count < len(table)
        remedy = "; say which of them it takes, in its order, with `inputs:`" if fewer else ""
        raise StudyError(f"the model has {count} {what}{_listed(named)}, the table has {len(table)}: {table}{remedy}")
    if stated is not None:
        return stated
    if named and sorted(named) != sorted(table):
        raise StudyError(
            f"the model's {what} are {named}, the table's are {table}{_nearest(named, table)}; where only the names "
            f"differ, say the table's in the model's order with `{what}:`"
        )
    return named or table


def fractions(X: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return which numbers of points (n, d) are no whole ones where a model takes nothing else, (n, d).

    A count that a computation has missed by its rounding is one.
    """
    found: np.ndarray = whole & (np.abs(X - np.rint(X)) > ROUNDING)
    return found


def rounded(X: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return points (n, d) with whole numbers where a model takes nothing else. Raises StudyError for fractions, which
    a cast would cut: 2.9999 to 2."""
    X = np.asarray(X, float)
    if not whole.any():
        return X
    if (wrong := fractions(X, whole)).any():
        row, column = np.argwhere(wrong)[0]
        raise StudyError(f"the model takes whole numbers as its input {column + 1}, found {float(X[row, column])!r}")
    return np.where(whole, np.rint(X), X)


def _listed(names: Sequence[str]) -> str:
    return f" {list(names)}" if names else ""


def _nearest(found: Sequence[str], table: Sequence[str]) -> str:
    strange = [name for name in found if name not in table]
    return f": no column '{strange[0]}'{did_you_mean(strange[0], table)}" if strange else ""
