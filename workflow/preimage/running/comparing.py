"""Tables of a reproduced run compared with those that the run left: equal, equal within a tolerance, or different."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.running.reproduction import FETCHED, ORIGIN, TABLES, TOLERANCE
from preimage.support.files import read_json, sha256

# The study's name differs in a run that is reproduced.
NOT_COMPARED_COLUMNS = ("problem",)


def compare_tables(run: str, tolerance: float = TOLERANCE) -> list[dict[str, str]]:
    """Return for each table of a run that was made again {table, result, where}; result is "equal", "equal within
    tolerance", "different" or "missing"."""
    value = read_json(FETCHED / run / ORIGIN)
    ours = Path("results") / value["study"]["study"]
    found = []
    for name, digest in value["tables"].items():
        here = ours / name
        if not here.exists():
            result, where = "missing", "the run has this table, here it was not made"
        elif sha256(here) == digest:
            result, where = "equal", ""
        else:
            result, where = compare(_read(FETCHED / run / TABLES / name), _read(here), tolerance)
        found.append({"table": name, "result": result, "where": where})
    return found


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, float_precision="round_trip")
    return table.drop(columns=[c for c in NOT_COMPARED_COLUMNS if c in table])


def compare(there: pd.DataFrame, here: pd.DataFrame, tolerance: float) -> tuple[str, str]:
    """Return how two tables compare, and the first cell that differs, row by row.

    Args:
        tolerance: by how much numbers may differ, as a share of the largest of their column.
    """
    if list(there) != list(here):
        only = [f"'{c}' only there" for c in there if c not in here]
        only += [f"'{c}' only here" for c in here if c not in there]
        return "different", f"columns: {', '.join(only[:3]) or 'in another order'}"
    if len(there) != len(here):
        return "different", f"{len(there)} rows there, {len(here)} here"
    unequal, beyond, largest = [], [], 0.0
    for column in there:
        same, share = _columns(there[column], here[column])
        unequal.append(~same)
        beyond.append(~same & ~(share <= tolerance))
        largest = max([largest, *share[~same & (share <= tolerance)]])
    for result, cells in (("different", beyond), ("equal within tolerance", unequal)):
        if (first := _first(cells)) is not None:
            row, k = first
            a, b = (_shown(table.iloc[row, k]) for table in (there, here))
            more = f"; at most {largest:.1g} of the column's largest" if result != "different" else ""
            return result, f"row {row + 1}, column '{there.columns[k]}': {a} there, {b} here{more}"
    return "equal", ""


def _columns(there: pd.Series, here: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return where two columns (n,) are the same, and the share of the largest by which numbers differ (inf for what is
    no number)."""
    missing = there.isna().to_numpy(), here.isna().to_numpy()
    nothing = missing[0] & missing[1]
    if not all(pd.api.types.is_numeric_dtype(c) and not pd.api.types.is_bool_dtype(c) for c in (there, here)):
        texts = [c.astype("object").where(c.notna(), None).to_numpy() for c in (there, here)]
        return nothing | (texts[0] == texts[1]), np.full(len(there), np.inf)
    a, b = (c.to_numpy(float, na_value=np.nan) for c in (there, here))
    finite = np.abs(np.concatenate([a, b]))
    scale = finite[np.isfinite(finite)].max(initial=0.0) or 1.0
    with np.errstate(invalid="ignore"):
        share = np.where(missing[0] | missing[1] | ~np.isfinite(a) | ~np.isfinite(b), np.inf, np.abs(a - b) / scale)
    return nothing | (a == b), share


def _first(cells: Iterable[np.ndarray]) -> tuple[int, int] | None:
    """Return the first row and in it the first column that are marked."""
    marked = np.column_stack(list(cells))
    rows = np.flatnonzero(marked.any(axis=1))
    return (int(rows[0]), int(np.argmax(marked[rows[0]]))) if len(rows) else None


def _shown(value: Any) -> str:
    return "nothing" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)
