"""The sets of samples that parameters are inferred from: simulated, a user's table, or a public benchmark's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.data import tables
from preimage.data.notation import Notation
from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.inference import reference
from preimage.inference.observed import Observed
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.support.errors import StudyError, did_you_mean

# The column that tells several sets of a table apart.
SET = "observation"
# Simulations that fail are drawn again: so many for each set at most, and so many where the sets are few, which would
# else be refused by chance.
MOST_TRIES, FEWEST_TRIES = 20, 200


def simulated(simulator: Simulator, sets: int, size: int, rng: np.random.Generator) -> Observed:
    """Return sets simulated at parameters drawn from the prior. Raises StudyError where the simulator mostly fails."""
    theta, x, tried = [], [], 0
    found = 0
    while found < sets:
        if tried >= max(MOST_TRIES * sets, FEWEST_TRIES):
            why = simulator.complaint()
            raise StudyError(
                f"simulator '{simulator.name}': {tried - found} of {tried} simulations at parameters drawn from the "
                f"prior failed ({f'it raised {why}' if why else 'no finite number'}): no set to infer from"
            )
        drawn = simulator.prior.sample(rng, sets)
        samples = simulator.draw(rng, drawn, size)
        fine = np.isfinite(samples).all(axis=(1, 2))
        theta.append(drawn[fine])
        x.append(samples[fine])
        tried, found = tried + sets, found + int(fine.sum())
    redrawn = tried - found
    return Observed(list(range(sets)), np.concatenate(x)[:sets], np.concatenate(theta)[:sets], redrawn=redrawn)


def read(spec: Mapping[str, Any], simulator: Simulator) -> Observed:
    """Return the sets that a study's `observations` entry names.

    Raises StudyError naming file, column and row for what the simulator can't have made.
    """
    if "reference" in spec:
        return reference.read(spec["reference"], simulator)
    names, x = _sets(spec["table"], simulator.coordinates)
    theta = _parameters(spec["parameters"], simulator.prior, len(names)) if "parameters" in spec else None
    return Observed(names, x, theta)


def _sets(path: str, coordinates: Sequence[str]) -> tuple[list[Any], np.ndarray]:
    """Return the names of a table's sets and their samples (sets, n, D)."""
    source = read_file(path, [SET], [], Notation(unit_row=False))
    _check_columns(source, coordinates, "coordinates of a sample")
    rows = np.column_stack([tables.numbers(source, name).to_numpy() for name in coordinates])
    if SET not in source.table.column_names:
        return [0], rows[None]
    cells = [str(cell) for cell in source.table[SET].to_pylist()]
    if "None" in cells or "" in cells:
        row = min(k for k, cell in enumerate(cells) if cell in ("None", ""))
        raise StudyError(f"{source.place(SET, row)}: found no value, expected the name of a set")
    names = list(dict.fromkeys(cells))
    place = np.array([names.index(cell) for cell in cells])
    counts = np.bincount(place)
    if len(other := np.flatnonzero(counts != counts[0])):
        k = int(other[0])
        raise StudyError(
            f"{path}: observation '{names[k]}' has {counts[k]} rows and '{names[0]}' has {counts[0]}: expected sets "
            "of one size"
        )
    # 01 and 1 are two names, which numbers would make one; tables hold no whole number of more than 18 digits.
    whole = all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names)
    return [int(n) for n in names] if whole else names, np.stack([rows[place == k] for k in range(len(names))])


def _check_columns(source: Source, wanted: Sequence[str], what: str) -> None:
    source.check_index([SET, *wanted])
    names = [name for name in source.table.column_names if name != SET]
    if len(names) != len(wanted):
        raise StudyError(
            f"{source.path}: found {len(names)} columns ({', '.join(names[:8])}), expected {len(wanted)}, the {what} "
            f"({', '.join(wanted)})"
        )
    for name in wanted:
        if name not in names:
            raise StudyError(f"{source.path}: no column '{name}'{did_you_mean(name, names)}")


def _parameters(path: str, prior: Prior, sets: int) -> np.ndarray:
    """Return the true parameters (sets, d) that a file gives, each within the prior."""
    source = read_file(path, [SET], [], Notation(unit_row=False))
    _check_columns(source, prior.names, "parameters")
    columns = {name: tables.numbers(source, name).to_numpy() for name in prior.names}
    for name, column in columns.items():
        outside = np.flatnonzero(~Prior({name: prior.margins[name]}).contains(column[:, None]))
        if len(outside):
            row = int(outside[0])
            support = words(prior.margins[name])
            raise StudyError(f"{source.place(name, row)}: found {column[row]:g}, outside the prior ({support})")
    if len(source.table) != sets:
        raise StudyError(f"{path}: found {len(source.table)} rows, expected {sets}, one per set")
    return np.column_stack(list(columns.values()))


def described(prior: Prior) -> dict[str, str]:
    """Return the prior of each parameter in words."""
    said = {name: [words(margin)] for name, margin in prior.margins.items()}
    for one, other, value in prior.correlations:
        said[one].append(f"correlation {value:g} with {other}")
        said[other].append(f"correlation {value:g} with {one}")
    return {name: ", ".join(parts) for name, parts in said.items()}


def words(margin: Margin) -> str:
    """Return a parameter's prior in words."""
    if margin.kind == "uniform":
        return f"{margin.first:g} to {margin.second:g}"
    kind = "log-normal" if margin.kind == "log_normal" else "normal"
    return f"{kind}, mean {margin.first:g}, sd {margin.second:g}{' of the log' if kind == 'log-normal' else ''}"
