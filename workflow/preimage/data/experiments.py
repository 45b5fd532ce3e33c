"""Lists of experiments to run, and what comes back of them filled in: as CSV or as a workbook.

A list has a study's own columns, those of the outputs empty, and beside them what was known of each recipe when it was
chosen. Its column `recipe` is a digest of the inputs: a recipe that was changed by hand no longer has its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.data import gaps
from preimage.data.source import Source
from preimage.support.errors import StudyError
from preimage.support.free_names import free_name

PARTS = ("predicted", "interval_low", "interval_high")
# Digits by which recipes are told apart: spreadsheet programs keep fifteen.
DIGITS = 10


class Names(NamedTuple):
    """The columns of a list beside a study's own; one that a study has already gets another name."""

    recipe: str
    reason: str
    chance: str

    @classmethod
    def beside(cls, own: Collection[str]) -> Names:
        return cls(*(free_name(name, own) for name in cls._fields))


class Filled(NamedTuple):
    """A list that was filled in.

    Attributes:
        source: without the columns of the list, and the rows that are not filled in.
        recipes: the digest that stands beside each row of the file, None where there is none.
        waiting: how many rows are not filled in.
    """

    source: Source
    recipes: Sequence[str | None]
    waiting: int

    def sentences(self, table: pa.Table, inputs: Sequence[str], places: Sequence[int]) -> list[str]:
        """Return what a user should know, one sentence each.

        Args:
            table: the rows that were taken, as numbers and categories; `places` says where they are in the file.
        """
        stated = [self.recipes[place] for place in places]
        now = digests(table.select(list(inputs)).to_pandas())
        changed = [p + 1 for p, old, new in zip(places, stated, now, strict=True) if old is not None and old != new]
        added = [p + 1 for p, old in zip(places, stated, strict=True) if old is None]
        parts = [
            (list(range(self.waiting)), "not filled in, left out"),
            (changed, f"with a recipe that was changed by hand, taken as measured (row {_listed(changed)})"),
            (added, f"added by hand, taken as measured (row {_listed(added)})"),
        ]
        return [f"{self.source.path}: {gaps.counted(len(rows))} {what}" for rows, what in parts if rows]


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[: gaps.SHOWN_ROWS])) + (", ..." if len(rows) > gaps.SHOWN_ROWS else "")


def filled(source: Source, inputs: Sequence[str], outputs: Sequence[str]) -> Filled | None:
    """Return a list of experiments as it came back; None for a file that is none.

    Raises StudyError where no row is filled in.
    """
    own = [*inputs, *outputs]
    names, found = Names.beside(own), source.table.column_names
    if names.recipe not in found or any(name not in found for name in own):
        return None
    ours = [n for n in found if n not in own and (n in names or n.partition(".")[0] in PARTS)]
    empty = np.all([gaps.empty_cells(source.table[name]) for name in outputs], axis=0)
    if empty.all():
        raise StudyError(
            f"{source.path}: none of {gaps.counted(len(empty))} is filled in, expected the values measured under "
            f"{', '.join(outputs)}; list the file under `new` once there are some"
        )
    column = source.table[names.recipe].cast(pa.string()).to_pylist()
    kept = np.flatnonzero(~empty)
    rest = source.table.drop_columns(ours).take(kept)
    recipes = [value.strip() or None if isinstance(value, str) else None for value in column]
    return Filled(source._replace(table=rest, kept=kept.tolist()), recipes, int(empty.sum()))


def digests(inputs: pd.DataFrame) -> list[str]:
    """Return a short text for each row of inputs that is the same for the same recipe, in any order of columns."""
    names = sorted(inputs.columns)
    columns = [[_said(value) for value in inputs[name]] for name in names]
    rows = ("\n".join(row) for row in zip(*columns, strict=True)) if names else ()
    return ["r" + hashlib.sha256(row.encode()).hexdigest()[:7] for row in rows]


def _said(value: object) -> str:
    return value if isinstance(value, str) else f"{float(value) + 0.0:.{DIGITS}g}"  # type: ignore[arg-type]
