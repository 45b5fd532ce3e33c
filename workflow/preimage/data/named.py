"""What a study names of files and inputs: looked up without reading a table, wherever Snakemake runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError

SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".xlsx")


def new_files(table: Mapping[str, Any]) -> list[str]:
    """Return the files of `problem.table.new`, one a round: as listed, or those of a folder by name.

    Raises StudyError for a folder that is not there or holds no table.
    """
    new = table.get("new") or []
    if not isinstance(new, str):
        return list(new)
    folder = Path(new)
    if not folder.is_dir():
        raise StudyError(f"key 'problem.table.new': {new}: no such folder; expected a folder, or a list of files")
    found = sorted(str(p) for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not found:
        raise StudyError(f"key 'problem.table.new': {new}: no table in this folder ({', '.join(SUFFIXES)})")
    return found


def target_files(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the files that a study's objectives take their targets from."""
    return list(dict.fromkeys(str(entry["targets"]) for entry in entries.values() if "targets" in entry))


def referred_rows(entries: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """Return the numbers of the rows that a study's objectives are to be near, in order."""
    return sorted({entry["closest_to"]["row"] for entry in entries.values() if "row" in entry.get("closest_to", ())})


def series_files(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the files that a study's objectives are fitted to, those of their conditions too."""
    fits = [entry["fit"] for entry in entries.values() if "fit" in entry]
    found = [p for fit in fits for p in (fit["data"].values() if isinstance(fit["data"], Mapping) else [fit["data"]])]
    return list(dict.fromkeys([*found, *(fit["conditions"] for fit in fits if fit.get("conditions"))]))


def categories(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a `problem` entry that are categories, with nothing but their lists."""
    inputs = spec.get("inputs") or {}
    return {name: {"categories": s["categories"]} for name, s in inputs.items() if s.get("categories")}


def stated_units(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the units that a `problem` entry names for inputs and outputs."""
    both = {**(spec.get("inputs") or {}), **(spec.get("outputs") or {})}
    return {name: settings["unit"] for name, settings in both.items() if (settings or {}).get("unit")}
