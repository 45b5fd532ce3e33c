"""The next rounds' rows of a table: further files with the same columns and units, one a round."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from preimage.core.space import Space
from preimage.data import experiments, gaps, tables
from preimage.data.notation import Notation
from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.data.split import groups
from preimage.support.errors import StudyError, did_you_mean


class Read(NamedTuple):
    """The rows of a new file, the numbers of those that were left out because cells are empty, and what a user should
    know of how it was read."""

    table: pa.Table
    incomplete: Sequence[int] = ()
    notes: tuple[str, ...] = ()


class Kept(NamedTuple):
    """New rows that may train or gate, and how many were left out or are to be mentioned.

    Attributes:
        incomplete: numbers of rows with empty cells: left out, as the study says.
        known: rows equal to one that is known already, in inputs and outputs: left out.
        held_out: rows with the inputs of a held-out row: left out, or the test would leak into training.
        outside: rows outside the study's bounds: kept.
        notes: what a user should know of how the file was read.
    """

    table: pa.Table
    known: int
    held_out: int
    outside: int
    incomplete: Sequence[int] = ()
    notes: tuple[str, ...] = ()

    def sentences(self, path: str) -> list[str]:
        """Return what a user should know, one sentence each."""
        parts = [
            (self.known, "already known, left out"),
            (self.held_out, "with the inputs of held-out test or gate rows, left out"),
            (self.outside, "outside the study's bounds, kept"),
        ]
        said = [f"{path}: {gaps.counted(n)} {what}" for n, what in parts if n]
        if self.incomplete:
            said.append(f"{path}: {gaps.described(self.incomplete)}, left out")
        return [*self.notes, *said]


def read(
    path: str,
    first: pa.Table,
    inputs: Sequence[str],
    spec: Mapping[str, Any],
    category: Mapping[str, Any],
    integers: Collection[str] = (),
) -> Read:
    """Return the new rows of a file as a table with the columns, types and units of the first one.

    Args:
        first: the table of round 0, of which only the columns count.
        inputs: names of its inputs; its other columns are outputs.
        spec: the study's `problem.table` (ignore, incomplete, and how numbers are written).
        category: by input that is a category, {categories: its values}.
        integers: inputs that are whole numbers.

    Raises StudyError for a column that is missing, strange or of another unit, for cells that are no numbers, and for
    rows with empty cells, by number, unless the study says `incomplete: leave_out`.
    """
    source = read_file(path, list(category), spec.get("ignore") or [], Notation.of(spec))
    wanted = [n for n in first.column_names if n != tables.ROW]
    asked = experiments.filled(source, inputs, [n for n in wanted if n not in inputs])
    source = asked.source if asked else source
    _check_columns(source, wanted, spec.get("ignore") or [])
    _check_units(source, first)
    parts = [source.select(wanted)]
    incomplete = gaps.found(parts)
    if incomplete and spec.get("incomplete") != "leave_out":
        raise StudyError(f"{path}: {gaps.described(incomplete)}; complete or remove them ({gaps.HINT})")
    (whole,) = gaps.without(parts, incomplete)
    columns = []
    for name in wanted:
        declared = category.get(name) if name in inputs else None
        columns.append(tables.numbers(whole, name) if declared is None else tables.labels(whole, name, declared))
        if name in inputs and name in integers:
            tables.check_whole(whole, name, columns[-1])
    table = pa.table(columns, pa.schema([first.schema.field(n) for n in wanted]))
    said = tables.notes(whole)
    if asked:
        assert whole.kept is not None
        said = [*said, *asked.sentences(table, inputs, whole.kept)]
    return Read(table, incomplete, tuple(said))


def _check_columns(source: Source, wanted: Sequence[str], ignore: Sequence[str]) -> None:
    source.check_index(wanted)
    found = [n for n in source.table.column_names if n not in ignore]
    for name in wanted:
        if name not in found:
            raise StudyError(f"{source.path}: no column '{name}', which the first table has{did_you_mean(name, found)}")
    for name in found:
        if name not in wanted:
            raise StudyError(
                f"{source.path}: column '{name}' is not in the first table; list it under `ignore` to leave it out"
            )


def _check_units(source: Source, first: pa.Table) -> None:
    """Refuse a unit that is neither the study's nor the one that the first file says."""
    theirs = tables.units_of(source.table)
    for field in first.schema:
        ours = {tables.unit_of(field), tables.unit_of(field, tables.FILE_UNIT)} - {""}
        if ours and (unit := theirs.get(field.name)) and unit not in ours:
            expected = " or ".join(sorted(ours))
            raise StudyError(
                f"{source.path}, column '{field.name}': found unit {unit}, expected {expected} as in the first table"
            )


def keep(read: Read, known: pa.Table, held_out: pa.Table, inputs: Sequence[str], space: Space) -> Kept:
    """Return the new rows that are new.

    Args:
        known: every row so far, held-out ones too; held_out: test and gate rows. Both have the columns of the new.
    """
    new = read.table
    names = new.column_names
    repeated = _found_in(new, known, names)
    leaked = _found_in(new, held_out, list(inputs)) & ~repeated
    table = new.filter(pa.array(~(repeated | leaked)))
    low, high = space.low, space.high
    outside = np.zeros(len(table), bool)
    for j, i in enumerate(space.inputs):
        if not i.categories and i.fixed is None:
            column = table[i.name].to_numpy()
            outside |= (column < low[j]) | (column > high[j])
    return Kept(table, int(repeated.sum()), int(leaked.sum()), int(outside.sum()), read.incomplete, read.notes)


def seen_inputs(new: pa.Table, other: pa.Table, inputs: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return a number (n,) that is equal for new rows of equal inputs, and which of them have inputs of `other`."""
    both = groups(np.concatenate([other[n].to_numpy(), new[n].to_numpy()]) for n in inputs)
    old, mine = both[: len(other)], both[len(other) :]
    return np.unique(mine, return_inverse=True)[1], np.isin(mine, old)


def _found_in(new: pa.Table, other: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Return which rows of `new` are in `other`, or stand further up in `new` itself where all columns count."""
    both = groups(np.concatenate([other[n].to_numpy(), new[n].to_numpy()]) for n in names)
    old, mine = both[: len(other)], both[len(other) :]
    found = np.isin(mine, old)
    if len(names) == len(new.column_names):
        first = np.zeros(len(mine), bool)
        first[np.unique(mine, return_index=True)[1]] = True
        found |= ~first
    return found
