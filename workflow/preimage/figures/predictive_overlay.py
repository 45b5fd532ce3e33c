"""Observed samples beside those simulated from each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from preimage.figures.style import INK, Look, legend, panels, shorten, styled

# Far samples don't make all others one bar.
TRIM = 0.002
LEAST_BINS, MOST_BINS = 12, 50


@styled
def predictive_overlay(
    observed: np.ndarray, simulated: Mapping[str, np.ndarray], coordinates: Sequence[str], looks: Mapping[str, Look]
) -> Figure | None:
    """Draw histograms of observed samples (n, D), filled, and of simulated ones, a panel a coordinate.

    Args:
        simulated: by method, pooled samples (m, D) at draws of its answer; those that failed are left out.
        coordinates: D names, with units; of more than a figure holds, the first are shown.
        looks: by method.
    """
    simulated = {m: s[np.isfinite(s).all(axis=1)] for m, s in simulated.items()}
    simulated = {m: s for m, s in simulated.items() if len(s)}
    if not simulated or not len(observed):
        return None
    figure, axes = panels(len(coordinates), 3.2 if len(coordinates) == 1 else 2.4)
    handles: dict[str, Any] = {"observed": Patch(color=INK, alpha=0.2, lw=0)}
    for k, (panel, name) in enumerate(zip(axes, coordinates, strict=False)):
        edges = _edges(observed[:, k], [s[:, k] for s in simulated.values()])
        panel.stairs(_density(observed[:, k], edges), edges, color=INK, alpha=0.2, fill=True, lw=0)
        for method, samples in simulated.items():
            look = looks[method]
            handles[shorten(method, 24)] = panel.stairs(
                _density(samples[:, k], edges), edges, color=look.colour, ls=look.dashes, lw=1.5
            )
        panel.set(xlabel=shorten(name, 40), ylabel="density" if k % 2 == 0 else "", ylim=(0, None))
        panel.set_xlim(edges[0], edges[-1])
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(
        f"Histograms of {len(observed)} observed samples and of samples simulated from the answers of "
        f"{', '.join(simulated)}, over {', '.join(coordinates[: len(axes)])}."
    )
    return figure


def _edges(observed: np.ndarray, simulated: Sequence[np.ndarray]) -> np.ndarray:
    """Return bins: whole numbers in the middle where samples are counts."""
    every = np.concatenate([observed, *(np.quantile(s, (TRIM, 1 - TRIM)) for s in simulated)])
    low, high = float(every.min()), float(every.max())
    bins = int(np.clip(2 * np.sqrt(len(observed)), LEAST_BINS, MOST_BINS))
    if all((v == np.round(v)).all() for v in (observed, *simulated)):
        step = max(1.0, np.ceil((high - low + 1) / bins))
        return np.arange(np.floor(low) - 0.5, high + step, step)
    room = 1e-9 * max(abs(low), abs(high), 1e-300) if high > low else (abs(low) or 1.0) / 2
    return np.linspace(low - room, high + room, bins + 1)


def _density(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the density, also where some values lie outside of all bins."""
    return np.histogram(values, edges)[0] / (len(values) * np.diff(edges))
