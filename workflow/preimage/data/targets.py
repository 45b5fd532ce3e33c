"""Tables of wanted outputs: a user's file, or the outputs of held-out rows.

Each row is an objective by itself; all of them are one step of the workflow. Outputs of test rows make a benchmark:
they can be reached, and nothing was trained, tuned or chosen by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.core.objective import Objective, Targets, build_all, many
from preimage.core.space import Space
from preimage.data import references, tables
from preimage.data.setting import RowSummary
from preimage.data.sources import read_file
from preimage.support.errors import StudyError, did_you_mean

MOST_TARGETS = 100_000


def read(name: str, path: str, outputs: Sequence[str], units: Mapping[str, str] | None = None) -> Targets:
    """Read a file of targets: parquet or CSV, one column an output (some may be left out), one row a target.

    Raises StudyError for a column that is no output, or of another unit than its output in `units`, and for whatever
    `data.tables` refuses in a column of numbers.
    """
    try:
        source = read_file(path, (), ())
        source.check_index(outputs)
        columns = source.table.column_names
        for column in columns:
            if column not in outputs:
                raise StudyError(
                    f"{path}, column '{column}': no such output{did_you_mean(column, outputs)}; "
                    f"expected outputs of the problem: {', '.join(outputs)}"
                )
        for column, unit in tables.units_of(source.table).items():
            if (expected := (units or {}).get(column, unit)) != unit:
                raise StudyError(f"{path}, column '{column}': found unit {unit}, expected {expected} as in the data")
        if len(source.table) > MOST_TARGETS:
            raise StudyError(f"{path}: found {len(source.table)} rows, expected at most {MOST_TARGETS}")
        values = np.column_stack([tables.numbers(source, column).to_numpy() for column in columns])
    except StudyError as error:
        raise StudyError(f"objectives.{name}.targets: {error}") from None
    return Targets(columns, values)


def held_out(count: int, outputs: Sequence[str], Y: np.ndarray) -> Targets:
    """Return the outputs (n, m) of `count` test rows, evenly spread over them; of all, where there are fewer."""
    rows = np.linspace(0, len(Y) - 1, min(count, len(Y))).round().astype(int)
    return Targets(list(outputs), Y[rows])


def objectives(
    entries: Mapping[str, Mapping[str, Any]],
    known: RowSummary,
    test: np.ndarray | None = None,
    train: np.ndarray | None = None,
    space: Space | None = None,
) -> dict[str, Objective]:
    """Build the objectives of a study's entries, by name; one a row for the entries with a table.

    Args:
        known: what is known of the training rows.
        test: outputs of the test rows (n, m), needed where an entry has `test_rows`.
        train: outputs of the training rows (n, m), needed for the range of a sum of several.
        space: before anything is fixed for an objective, needed where an entry has `closest_to`.
    """
    found = {}
    for name, entry in entries.items():
        kind = many(entry)
        if kind == "targets":
            found[name] = read(name, entry["targets"], known.outputs, known.units)
        elif kind == "test_rows":
            assert test is not None
            found[name] = held_out(int(entry["test_rows"]), known.outputs, test)
    reach = known.reach or None
    built = build_all(entries, known.outputs, known.spread or None, reach, found, train)
    return built if space is None else references.resolved(built, entries, space, known.references, reach)
