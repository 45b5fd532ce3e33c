"""A whole preimage in words: how much of the space does what is wanted, and where none of it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.space import Input, Space
from preimage.reporting import words
from preimage.support import digits

# Inputs that all solutions confine to less than this share of their range are named, the most confined first.
CONFINED = 0.95
NAMED = 3


def preimage(table: pd.DataFrame, found: Mapping[str, Any], surrogate: str, space: Space) -> list[str]:
    """Return what a preimage says.

    Args:
        table, found: its boxes, and what the search says of itself.
        space: with the objective's fixed inputs pinned.
    """
    model = words.label(surrogate)
    if not len(table):
        return [f"The preimage is empty: it is proven that no inputs meet this objective on the model {model}."]
    inner, outer = found["inner"], found["outer"]
    whole = "the space within the bounds" if space.constraints else "the space"
    if found["stopped"] == "closed":
        said = f"All inputs that meet this objective on the model {model} are known: "
        said += f"{words.number(100 * inner)} % of {whole}"
        said += f", in {words.number(len(table))} boxes. It is proven that nothing outside them does."
    else:
        why = "clock" if found["stopped"] == "seconds" else "limit of boxes"
        also = " and the constraints" if space.constraints else ""
        bracket = f"at least {digits.down(100 * inner)} % and at most {digits.up(100 * outer)} %"
        said = f"On the model {model}, {bracket} of {whole} meet this objective{also}: "
        said += f"proven, stopped by its {why}; more boxes narrow the bracket."
    return [said, *_confined(table, space)]


def _confined(table: pd.DataFrame, space: Space) -> list[str]:
    """Say to which part of their range all boxes, undecided ones too, confine inputs."""
    ends = {i.name: _ends(table, i) for i in space.inputs if i.lower < i.upper}
    reach = {n: (high - low + more) / whole for n, (low, high, more, whole) in ends.items()}
    named = sorted((n for n in reach if reach[n] < CONFINED), key=lambda n: (reach[n], n))[:NAMED]
    if not named:
        return []
    inputs = {i.name: i for i in space.inputs}
    kept = [_kept(inputs[n], *ends[n][:2]) for n in named]
    return [f"All inputs that meet it have {words.listing(kept)}."]


def _ends(table: pd.DataFrame, i: Input) -> tuple[float, float, float, float]:
    low, high = (
        pd.Categorical(table[f"{end}.{i.name}"], list(i.categories)).codes if i.categories else table[f"{end}.{i.name}"]
        for end in ("low", "high")
    )
    more = float(i.integer or bool(i.categories))
    return float(np.min(low)), float(np.max(high)), more, i.upper - i.lower + more


def _kept(i: Input, low: float, high: float) -> str:
    name = words.label(i.name)
    if i.categories:
        return f"{name} {' or '.join(i.categories[int(low) : int(high) + 1])}"
    step = digits.step(i.high - i.low, high - low, float(i.integer))
    if low == high:
        return f"{name} at {words.quantity(low, i.unit, step)}"
    return f"{name} from {digits.down(low, step)} to {digits.up(high, step)} {i.unit}".strip()
