"""Rows and recipes that objectives should be near (`closest_to`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from preimage.core.objective import Objective, Values, reference
from preimage.core.space import Space
from preimage.data import tables
from preimage.support.errors import StudyError

# Inputs by name.
Inputs = dict[str, Any]


def read(table: pa.Table, numbers: Iterable[int], inputs: list[str]) -> dict[str, Inputs]:
    """Return the inputs of rows of a numbered table, by their numbers. Raises StudyError for one that it does
    not have."""
    found = {}
    for number in numbers:
        at = pc.index(table[tables.ROW], number).as_py()
        if at < 0:
            if number <= (last := pc.max(table[tables.ROW]).as_py()):
                raise StudyError(f"closest_to.row: row {number} has an empty cell and is left out; use another")
            raise StudyError(f"closest_to.row: found {number}, expected a row of the data, numbered up to {last}")
        found[str(number)] = {name: table[name][at].as_py() for name in inputs}
    return found


def resolved(
    objectives: Mapping[str, Objective],
    entries: Mapping[str, Mapping[str, Any]],
    space: Space,
    known: Mapping[str, Inputs],
    reach: list[float] | None,
) -> dict[str, Objective]:
    """Return objectives, those with a `closest_to` as changes of what it refers to.

    Args:
        entries: of the study, by name.
        space: before anything is fixed for an objective.
        known: inputs of the rows that objectives refer to, by number.
        reach: range of each output in the training rows; None where it is not known.
    """
    found = dict(objectives)
    for name, wanted in objectives.items():
        entry = entries[wanted.entry]
        if "closest_to" in entry:
            assert isinstance(wanted, Values)
            near = reference.build(f"objectives.{wanted.entry}", entry, space, known)
            found[name] = wanted.nearest_to(near, reach)
    return found
