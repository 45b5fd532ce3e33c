"""The distinct solutions of an objective over all inputs.

Parallel coordinates, lying down: one horizontal axis an input, so that names and numbers stay readable however many
inputs there are and however narrow the page is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from preimage.figures.style import INK, WIDTH, Look, legend, legend_columns, number, picks, shorten, styled, told_apart
from preimage.support import digits

MOST_INPUTS = 30
# Inches: of an input's row, of a line of the legend, of the line of headings.
ROW, LINE, HEADINGS = 0.46, 0.22, 0.3
# Where the axes begin and end, and where the recommended value ends, as shares of the figure's width.
LEFT, RIGHT, VALUE = 0.37, 0.73, 0.99
GAP = 0.027
# How far outside its axis a value beyond the rows' range is drawn (as an arrow).
BEYOND = 0.025
NAME_LETTERS = 18
# Categories between the first and the last have room for their names up to this many.
MOST_LABELS = 5
# Letters of a number beside its axis; of a category before the axis, after it, and as the answer.
LETTERS, NAMES = 10, (10, 6, 7)
# Letters that find room beside each other after an axis: those of its end and of the answer.
BOTH = 14
# What an exponent need not have.
SPARE = re.compile(r"(?<=e)\+?(−?)0*(?=\d)")
BOX = (0.05, 0.95)
OUTSIDE = (0, (3, 1.5))


@styled
def parallel_coordinates(
    solutions: np.ndarray,
    rows: np.ndarray,
    inputs: Sequence[str],
    units: Mapping[str, str],
    categories: Mapping[str, Sequence[str]],
    inverters: Sequence[str],
    in_domain: Sequence[bool],
    looks: Mapping[str, Look],
    of_rows: str = "training rows",
    places: Sequence[int] = (),
) -> Figure | None:
    """Draw solutions as lines over all inputs, the first (recommended) one thick; the rows' 5-95 % as boxes.

    Args:
        solutions: points (k, d), the recommended one first; a category is its index.
        rows: the training rows (n, d).
        inputs, units: names, and the unit of those that have one.
        categories: by input that is a category, its list.
        inverters, in_domain: of each solution (k,): who found it, and whether it is where the data is.
        looks: by inverter.
        of_rows: what the rows are.
        places: of the solutions in the table of candidates (k,), where they can be picked on a page.
    """
    if not len(solutions) or not len(rows) or not inputs:
        return None
    low, high = _ends(rows, inputs, categories)
    place = _place(solutions, low, high)
    kept = _kept(place)
    keys = _keys(inverters, in_domain, looks, of_rows)
    figure, axes = _frame(len(kept), -(-len(keys) // legend_columns(list(keys))))
    for row, j in enumerate(kept):
        options = categories.get(inputs[j])
        _axis(axes, row, _place(rows[:, j], low[j], high[j]), options)
        step = digits.step(high[j] - low[j])
        ends = low[j], high[j], solutions[0, j]
        if options:
            texts = [told_apart(options, most)[int(v)] for v, most in zip(ends, NAMES, strict=True)]
        else:
            texts = [_written(v, step) for v in ends]
            texts[1] = _fitting(ends[1], texts[1], BOTH - len(texts[2]))
        _texts(figure, axes, row, inputs[j], texts, units.get(inputs[j], ""))
    for k in reversed(range(len(solutions))):
        name = picks(places[k : k + 1])
        _line(axes, place[k, kept], looks[inverters[k]], bool(in_domain[k]), thick=k == 0, name=name)
    legend(figure, list(keys.values()), list(keys), loc="upper left")
    if len(kept) < len(inputs):
        text = f"The {len(kept)} of {len(inputs)} inputs in which the solutions differ most."
        figure.text(0.01, 0.05 / figure.get_figheight(), text, va="bottom")
    values = ", ".join(f"{inputs[j]} {number(solutions[0, j])}" for j in kept if inputs[j] not in categories)
    figure.set_label(f"{len(solutions)} distinct solutions over the inputs. Recommended: {values}.")
    return figure


def _ends(
    rows: np.ndarray, inputs: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the axis of each input begins and ends: at the rows' extremes, or the first and last category."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    for j, name in enumerate(inputs):
        if name in categories:
            low[j], high[j] = 0.0, len(categories[name]) - 1.0
    return low, high


def _place(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return values as shares of their axis; where the rows know one value only, that is in the middle."""
    flat = high <= low
    share = (values - low) / np.where(flat, 1.0, high - low)
    return np.where(flat, 0.5 + np.sign(values - low), share)


def _kept(place: np.ndarray) -> np.ndarray:
    """Return the inputs to show, in order: those that differ most among the solutions where there are too many."""
    if place.shape[1] <= MOST_INPUTS:
        return np.arange(place.shape[1])
    differ = np.ptp(place, axis=0) if len(place) > 1 else np.abs(place[0] - 0.5)
    return np.sort(np.argsort(-differ, kind="stable")[:MOST_INPUTS])


def _frame(rows: int, legend_lines: int) -> tuple[Figure, Any]:
    """Return a figure with bare axes for so many inputs, and room for names, numbers and the legend."""
    above, below = LINE * legend_lines + 0.1 + HEADINGS, 0.25
    height = above + ROW * rows + below
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((LEFT, below / height, RIGHT - LEFT, ROW * rows / height))
    axes.set(xlim=(0, 1), ylim=(rows - 0.5, -0.5))
    axes.set_axis_off()
    y = 1 - (above - HEADINGS * 0.4) / height
    for x, side, text in (
        (LEFT - GAP, "right", "min"),
        (RIGHT + GAP, "left", "max"),
        (VALUE, "right", "answer"),
    ):
        figure.text(x, y, text, ha=side, va="center", fontsize=9, alpha=0.8)
    return figure, axes


def _axis(axes: Any, row: int, place: np.ndarray, options: Sequence[str] | None) -> None:
    """Draw an input's axis with the rows behind: their 5-95 % as a box, or the share of each category as a dot."""
    axes.plot([0, 1], [row, row], color=INK, lw=0.8, alpha=0.6)
    if options is None:
        axes.plot(np.quantile(place, BOX), [row, row], color=INK, lw=9, alpha=0.15, solid_capstyle="butt")
        return
    last = max(1, len(options) - 1)
    share = np.bincount(np.round(place * last).astype(int), minlength=len(options))[: len(options)] / len(place)
    at = np.arange(len(options)) / last if len(options) > 1 else [0.5]
    axes.scatter(at, np.full(len(options), row), s=15 + 150 * share, color=INK, alpha=0.2, lw=0, clip_on=False)
    names = told_apart(options, 40 // last)
    for k in range(1, last if last <= MOST_LABELS else 1):
        axes.text(at[k], row + 0.3, names[k], ha="center", va="center", fontsize=9, alpha=0.8)


def _texts(figure: Figure, axes: Any, row: int, name: str, numbers: Sequence[str], unit: str) -> None:
    """Write an input's name, the ends of its axis and the recommended value, each with the unit below it."""
    across = blended_transform_factory(figure.transFigure, axes.transData)
    lines = textwrap.wrap(name.replace("_", " "), NAME_LETTERS) or [name]
    lines = [*lines[:1], *(shorten(" ".join(lines[1:]), NAME_LETTERS) for _ in lines[1:2])]
    axes.text(0.01, row, "\n".join(lines), transform=across, va="center", linespacing=1.05)
    for x, side, text in zip((LEFT - GAP, RIGHT + GAP, VALUE), ("right", "left", "right"), numbers, strict=True):
        weight = "bold" if x == VALUE else "normal"
        y = row - 0.13 if unit else row
        axes.text(x, y, text, transform=across, ha=side, va="center", fontsize=9.5, weight=weight)
        axes.text(x, row + 0.2, unit, transform=across, ha=side, va="center", fontsize=9, alpha=0.8)


def _written(value: float, step: float = 0.0) -> str:
    return shorten(SPARE.sub(r"\1", number(value, step)), LETTERS)


def _fitting(value: float, text: str, letters: int) -> str:
    """Return the end of an axis in fewer digits where it has no room: the answer beside it is what is read to the
    last."""
    shorter = (SPARE.sub(r"\1", f"{value:.{figures}g}".replace("-", "−")) for figures in (3, 2, 1))
    candidates = [text, *shorter]
    return next((c for c in candidates if len(c) <= letters), candidates[-1])


def _line(axes: Any, place: np.ndarray, look: Look, inside: bool, thick: bool, name: str | None) -> None:
    at = np.arange(len(place))
    x = np.clip(place, -BEYOND, 1 + BEYOND)
    axes.plot(
        x, at, color=look.colour, lw=3.4 if thick else 1.1, ls="-" if inside else OUTSIDE, alpha=1 if thick else 0.7,
        marker="o", ms=7 if thick else 3, mew=0, clip_on=False, zorder=3 if thick else 2.5, gid=name,
    )  # fmt: skip
    for marker, beyond in (("<", place < 0), (">", place > 1)):
        axes.plot(x[beyond], at[beyond], marker, color=look.colour, ms=7, mew=0, clip_on=False, zorder=4)


def _keys(
    inverters: Sequence[str], in_domain: Sequence[bool], looks: Mapping[str, Look], of_rows: str
) -> dict[str, Any]:
    """Return the legend: its labels and what stands for them."""
    keys: dict[str, Any] = {
        shorten(f"recommended, by {inverters[0]}", 40): Line2D([], [], color=looks[inverters[0]].colour, lw=3.4)
    }
    for name in dict.fromkeys(inverters[1:]):
        keys[shorten(f"by {name}", 40)] = Line2D([], [], color=looks[name].colour, lw=1.1)
    if not all(in_domain):
        keys["outside the data"] = Line2D([], [], color=INK, lw=1.1, ls=OUTSIDE)
    keys[f"5-95 % of the {of_rows}"] = Line2D([], [], color=INK, lw=9, alpha=0.15, solid_capstyle="butt")
    return keys
