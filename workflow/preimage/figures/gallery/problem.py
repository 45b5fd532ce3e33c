"""What is known before any model: the true surface and the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from preimage.core.sizes import FEWEST_LINES, GRID
from preimage.figures.gallery.material import Material
from preimage.figures.shown import Shown
from preimage.figures.surface import surface
from preimage.figures.training_scatter import training_scatter

# The surface takes at most this many lines a side, and at most half as many runs of the simulator as there are rows.


def plan(m: Material) -> Iterator[Shown]:
    """Yield the true surface and the training rows, where there are two inputs."""
    if not m.plane:
        return
    if m.simulator is not None and m.space.free.all() and not m.space.discrete.any():
        yield Shown(
            "surface.svg",
            "The true surface",
            "What the simulator gives without noise. A good surrogate has the same shape.",
            None,
            partial(_surface, m),
        )
    yield Shown(
        "training_scatter.svg",
        "The training rows",
        "All rows that the surrogates were trained on. Where there are no rows, predictions are extrapolations.",
        None,
        partial(training_scatter, *m.train, m.input_labels, m.output_labels),
    )


def _surface(m: Material) -> Figure | None:
    rows = len(m.train[0]) + len(m.test[0])
    k = min(GRID, math.isqrt(rows // 2))
    k = k if m.calls is None else min(k, math.isqrt(m.calls))
    if m.simulator is None or k < FEWEST_LINES:
        return None
    x1, x2 = (np.linspace(a, b, k) for a, b in zip(m.space.low, m.space.high, strict=True))
    X = np.column_stack([g.ravel() for g in np.meshgrid(x1, x2)])
    valid = m.space.contains(X)
    Y = np.full((len(X), len(m.outputs)), np.nan)
    if valid.any():
        Y[valid] = m.simulator.simulate(X[valid])
    Y[~np.isfinite(Y)] = np.nan
    return surface(x1, x2, Y.reshape(k, k, -1), m.input_labels, m.output_labels)
