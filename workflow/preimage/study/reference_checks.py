"""Checks of what objectives are to be near (`closest_to`) against a study's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage.core.objective import Objective
from preimage.core.objective.reference import Reference
from preimage.core.space import Space
from preimage.data import references, tables
from preimage.data.setting import Setting
from preimage.support import digits
from preimage.support.errors import StudyError


def referred(
    study: Mapping[str, Any], found: Setting, imported: tables.Imported | None
) -> dict[str, references.Inputs]:
    """Return the inputs of the rows that objectives are to be near, by number; of rows that will be simulated any that
    are valid.

    Raises StudyError for a row that there is not.
    """
    asked = {name: entry.get("closest_to") or {} for name, entry in study["objectives"].items()}
    numbers = {name: int(entry["row"]) for name, entry in asked.items() if "row" in entry}
    if not numbers:
        return {}
    samples = int(study["problem"].get("samples", 0))
    table = None if imported is None else tables.numbered(imported.table, imported.left_out)
    inputs: dict[str, references.Inputs] = {}
    for name, number in numbers.items():
        try:
            if table is not None:
                inputs |= references.read(table, [number], found.inputs)
            elif number > samples:
                raise StudyError(f"closest_to.row: found {number}, expected one of the {samples} rows to be simulated")
        except StudyError as error:
            raise StudyError(f"objectives.{name}.{error}") from None
    if table is not None:
        return inputs
    any_row = found.space.decode(found.space.rounded(np.array([found.space.low])))
    return {str(number): {name: column[0] for name, column in any_row.items()} for number in numbers.values()}


def warnings(objectives: Mapping[str, Objective], space: Space, table: pa.Table) -> list[str]:
    """Warn of what an answer is to be near where the study does not allow it, or the data has nothing like it."""
    said = []
    for name, wanted in objectives.items():
        if wanted.near is None:
            continue
        if broken := wanted.near.broken(space):
            why = "as the study does not allow it"
            said.append(f"objective '{name}': {wanted.near.words} must change in any case, {why} ({'; '.join(broken)})")
        if far := _outside(wanted.near, space, table):
            why = "models extrapolate there"
            said.append(f"objective '{name}': found {', '.join(far)} in {wanted.near.words}, outside the data; {why}")
    return said


def _outside(near: Reference, space: Space, table: pa.Table) -> list[str]:
    """Return the numbers of a reference that are outside the data's range, with it."""
    said = []
    for i, value in zip(space.inputs, near.values, strict=True):
        if i.categories or near.row is not None:
            continue
        seen = pc.min_max(table[i.name]).as_py()
        if not seen["min"] <= value <= seen["max"]:
            span = f"{digits.plain(seen['min'])} to {digits.plain(seen['max'])}"
            said.append(f"{i.name} {digits.plain(value)} (data {span})")
    return said
