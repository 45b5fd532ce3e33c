"""The experiments to run next, as a table with both files to download: a page that works offline carries them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from preimage.data.experiments import PARTS
from preimage.reporting import words
from preimage.reporting.material import Material

TYPES = {
    ".csv": "text/csv;charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def section(material: Material) -> dict[str, Any] | None:
    """Return what the page shows; None where a study asks for none."""
    files = [Path(path) for path in material.next_experiments]
    if not files:
        return None
    table = pd.read_csv(next(path for path in files if path.suffix == ".csv"))
    space, units = material.space, material.units
    outputs = [c.removeprefix(f"{PARTS[0]}.") for c in table if c.startswith(f"{PARTS[0]}.")]
    # These two stand before the predictions, under names that no input or output has.
    at = table.columns.get_loc(f"{PARTS[0]}.{outputs[0]}")
    reason, chance = table.columns[at - 2 : at]
    return {
        "inputs": [{"name": words.label(i.name), "unit": i.unit or ""} for i in space.inputs],
        "outputs": [{"name": words.label(o), "unit": units.get(o, "")} for o in outputs],
        "rows": [
            {
                "x": [words.number(row[name]) for name in space.names],
                "predicted": [_with_interval(row, o) for o in outputs],
                "chance": words.share(row[chance]) if pd.notna(row[chance]) else words.NONE,
                "reason": row[reason],
            }
            for row in table.to_dict("records")
        ],
        "files": [{"name": path.name, "url": _url(path)} for path in files],
    }


def _with_interval(row: dict[str, Any], output: str) -> tuple[str, str]:
    value, low, high = (row[f"{part}.{output}"] for part in PARTS)
    step = (high - low) / 100
    ends = f"{words.number(low, step)} to {words.number(high, step)}" if high > low else ""
    return words.number(value, step), ends


def _url(path: Path) -> str:
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
