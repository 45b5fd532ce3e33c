"""A table of targets: the error that is left after so many candidates."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.best_of_curves import best_of_curves
from preimage.figures.gallery.material import Material
from preimage.figures.shown import Shown


def plan(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows a table of targets."""
    yield Shown(
        f"best_of.{name}.svg",
        f"{name}: the error left after T candidates",
        "The first T candidates of each target, ranked by predicted loss, are run through the simulator, and the best "
        "one counts. T = 1 is what you get without a simulator; a steep fall means that good answers are among the "
        "candidates, but the model does not rank them first.",
        name,
        partial(_best_of, m, name),
    )


def _best_of(m: Material, name: str) -> Figure | None:
    mine = m.best_of[m.best_of["objective"] == name]
    curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for (surrogate, inverter), part in mine.groupby(["surrogate", "inverter"], sort=False):
        mean = part.groupby("T")["r"].mean()
        curves.setdefault(str(surrogate), {})[str(inverter)] = (mean.index.to_numpy(), mean.to_numpy())
    return best_of_curves(curves, m.looks)
