"""Challenger against champion, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import GREEN, INK, VERMILLION, WIDTH, Look, legend, mark, shorten, styled


class Gate(NamedTuple):
    """One comparison: its name, the challenger's error over the champion's with its interval, and the outcome."""

    name: str
    ratio: float
    low: float
    high: float
    promoted: bool


@styled
def gate_ratios(gates: Sequence[Gate]) -> Figure | None:
    """Draw the ratio of errors on the gate rows with its interval, one line a comparison, the first on top."""
    if not gates:
        return None
    figure = Figure(figsize=(WIDTH, 0.9 + 0.32 * len(gates)), layout="constrained")
    axes = figure.subplots()
    y = np.arange(len(gates))[::-1]
    for at, gate in zip(y, gates, strict=True):
        colour = GREEN if gate.promoted else VERMILLION
        axes.plot([gate.low, gate.high], [at, at], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot([gate.ratio], [at], "o" if gate.promoted else "s", color=colour, ms=6)
    axes.axvline(1, color=INK, lw=0.9, ls=":")
    axes.set(yticks=y, yticklabels=[shorten(g.name, 34) for g in gates], ylim=(-0.6, len(gates) - 0.4))
    axes.set_xlabel("challenger's error over champion's, on the gate rows")
    axes.grid(visible=False, axis="y")
    looks = {"promoted": Look(GREEN, "o", "-"), "refused": Look(VERMILLION, "s", "-")}
    shown = [name for name in looks if any(g.promoted == (name == "promoted") for g in gates)]
    legend(figure, [mark(looks[name]) for name in shown], shown)
    said = "; ".join(f"{g.name} {g.ratio:.3g} [{g.low:.3g}, {g.high:.3g}]" for g in gates)
    figure.set_label(f"Challenger's error over champion's with its interval: {said}.")
    return figure
