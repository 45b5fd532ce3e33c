"""Errors of methods over many problems, as box-plots."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import INK, Look, log_axis, number, panels, shorten, styled

# Fewer values are drawn one by one.
FEWEST = 10


@styled
def error_boxes(
    errors: Mapping[str, np.ndarray], what: str, looks: Mapping[str, Look], notes: Mapping[str, str] | None = None
) -> Figure | None:
    """Draw a box a method: quartiles, whiskers from the 5 % to the 95 % quantile, and the root mean square. Of a few
    problems, which have no such quantiles, each error is drawn.

    Args:
        errors: by method, absolute errors (problems,); those that are not finite are left out.
        what: they are errors of, with its unit.
        looks: by method.
        notes: by method, said below its name.
    """
    kept = {m: e[np.isfinite(e)] for m, e in errors.items()}
    kept = {m: e for m, e in kept.items() if len(e)}
    if not kept:
        return None
    figure, (axes,) = panels(1, 0.8 + 0.5 * len(kept))
    every = np.concatenate(list(kept.values()))
    logarithmic = (every > 0).any()
    least = float(np.quantile(every[every > 0], 0.01)) if logarithmic else 0.0
    means = {m: float(np.sqrt(np.mean(e**2))) for m, e in kept.items()}
    for at, (method, values) in enumerate(kept.items()):
        shown, colour = np.maximum(values, least), looks[method].colour
        if len(shown) < FEWEST:
            axes.plot(shown, np.full(len(shown), at), "o", color=colour, ms=5, mfc="none")
        else:
            axes.boxplot(
                shown, positions=[at], orientation="horizontal", widths=0.55, whis=(5, 95), showfliers=False,
                patch_artist=True, boxprops={"fc": colour + "40", "ec": colour},
                medianprops={"color": colour, "lw": 2}, whiskerprops={"color": colour}, capprops={"color": colour},
            )  # fmt: skip
        axes.plot(means[method], at, "D", color=INK, ms=4.5, mew=0)
        end = max(means[method], float(np.quantile(shown, 1 if len(shown) < FEWEST else 0.95)))
        axes.annotate(number(means[method]), (end, at), (6, 0), textcoords="offset points", va="center", fontsize=9)
    words = [shorten(m, 24) + (f"\n({notes[m]})" if notes and m in notes else "") for m in kept]
    axes.set_yticks(range(len(kept)), labels=words)
    axes.set_ylim(len(kept) - 0.4, -0.75)
    axes.grid(axis="y", visible=False)
    if logarithmic:
        log_axis(axes.xaxis)
    axes.set_xlabel(f"absolute error of {what}; diamond: root mean square")
    said = ", ".join(f"{m} {number(v)} ({len(kept[m])} problems)" for m, v in means.items())
    figure.set_label(f"Absolute errors of {what}; RMSE {said}.")
    return figure
