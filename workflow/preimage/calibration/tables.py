"""Reading what is found of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from preimage.support.files import read_json


def findings(folder: str | Path) -> dict[str, Any]:
    """Return the tables of one fit by name, and its findings."""
    tables = {path.stem: pd.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))}
    return {**tables, "findings": read_json(Path(folder) / "findings.json")}
