"""How the seconds of a computation grow with its size: straight lines on logarithmic axes, with their slopes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from preimage.figures.style import INK, log_axis, panels, styled


@styled
def growth(table: pd.DataFrame) -> Figure:
    """Draw `ours` (seconds) against `size`, a panel a `series`, each with a power law fitted to it."""
    parts = list(table.groupby("series", sort=False))
    figure, axes = panels(len(parts), 3.0, columns=len(parts))
    said = []
    for axis, (name, part) in zip(axes, parts, strict=True):
        size, took = part["size"].to_numpy(float), part["ours"].to_numpy(float)
        slope, level = np.polyfit(np.log(size), np.log(took), 1)
        axis.plot(size, took, "o", color=INK, ms=5)
        ends = np.array([size.min(), size.max()])
        axis.plot(ends, np.exp(level) * ends**slope, "-", color=INK, lw=1)
        for one in (axis.xaxis, axis.yaxis):
            log_axis(one)
        axis.set_xticks(size, [_short(v) for v in size])
        # A range of less than two powers of ten may hold a single one: label threes too.
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.minorticks_off()
        axis.set(xlabel=str(name), title=f"slope {slope:.2f}")
        said.append(f"{name} to the power of {slope:.2f}")
    axes[0].set_ylabel("seconds to the proof")
    figure.set_label(f"Seconds to the proven minimum grow with {', '.join(said)}.")
    return figure


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
