"""Heat maps over the parameters of a fit: which are not told apart, and which data tells which."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence, Sized
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from preimage.figures.style import BLUE, INK, VERMILLION, WIDTH, styled, told_apart

T = TypeVar("T")

# Of more parameters or columns of data than these, those are drawn of which there is most to say.
MOST_PARAMETERS, MOST_COLUMNS = 30, 24
MOST_LISTED = 6
# Inches: the widest cell, the height of one, about a letter and a line, and what is left free around.
WIDEST, HIGH, LETTER, LINE, AROUND = 0.9, 0.34, 0.078, 0.17, 0.12
# Labels below the cells stand upright where more lines than these would not do.
LINES = 2
# Cells at least so wide have their number in them.
NUMBERED = 0.42
# The strongest colour still has text on it that can be read on light and dark pages.
STRONGEST = 0.75
NAME_LETTERS = 18


@styled
def correlations(table: pd.DataFrame) -> Figure | None:
    """Draw the correlation of each two parameters below the diagonal.

    Args:
        table: columns parameter, other, correlation (NaN where it is unknown).
    """
    if table.empty:
        return None
    every = list(dict.fromkeys([*table["parameter"], *table["other"]]))
    names = _most(every, [_largest(table, n) for n in every], MOST_PARAMETERS)
    place = {n: k for k, n in enumerate(names)}
    r = np.full((len(names), len(names)), np.nan)
    for parameter, other, value in table[["parameter", "other", "correlation"]].itertuples(index=False):
        if parameter in place and other in place:
            r[place[other], place[parameter]] = value
    note = _note(names, every, "parameters with the strongest correlations")
    figure, axes, numbered = _frame(names[1:], names[:-1], note)
    for i in range(1, len(names)):
        for j in range(i):
            _cell(axes, i - 1, j, r[i, j], _coefficient(r[i, j]) if numbered else "")
    known = table.dropna()
    worst = known.loc[known["correlation"].abs().idxmax()] if len(known) else None
    strongest = "" if worst is None else (
        f" The strongest, {worst['correlation']:.3f}, is that of {worst['parameter']} and {worst['other']}."
    )  # fmt: skip
    figure.set_label(f"Correlations of the estimates of {len(names)} parameters.{strongest}")
    return figure


@styled
def data_shares(table: pd.DataFrame) -> Figure | None:
    """Draw the share of the information on each parameter that is lost without each series and condition.

    Args:
        table: columns parameter, left_out, series, condition, share_lost (NaN where nothing is known).
    """
    table, key = table[table["left_out"] != "both"], ["left_out", "series", "condition"]
    columns = {part: rows.set_index("parameter")["share_lost"] for part, rows in table.groupby(key, sort=False)}
    if len(columns) < 2:
        return None
    wide = pd.DataFrame(columns)
    shown = _most(list(columns), wide.max().fillna(0.0).tolist(), MOST_COLUMNS)
    names = _most(list(wide.index), wide.max(axis=1).fillna(0.0).tolist(), MOST_PARAMETERS)
    shares = wide.loc[names, shown].to_numpy(float)
    labels = [series or condition or left_out for left_out, series, condition in shown]
    notes = _note(names, wide.index, "parameters"), _note(shown, columns, "parts of the data")
    figure, axes, numbered = _frame(names, labels, " ".join(filter(None, notes)))
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            _cell(axes, i, j, share, _share(share) if numbered else "")
    for j in range(1, len(shown)):
        if shown[j][0] != shown[j - 1][0]:  # series, conditions and priors apart
            axes.axvline(j - 0.5, color=INK, lw=1.2)
    parts = ", ".join(labels) if len(labels) <= MOST_LISTED else f"each of {len(labels)} parts of the data"
    figure.set_label(f"Share of the information on {len(names)} parameters that is lost without {parts}.")
    return figure


def _largest(table: pd.DataFrame, name: str) -> float:
    """Return the largest correlation of a parameter with another."""
    mine = table[(table["parameter"] == name) | (table["other"] == name)]["correlation"].abs().max()
    return 0.0 if pd.isna(mine) else float(mine)


def _most(names: Sequence[T], size: Sequence[float], most: int) -> list[T]:
    """Return the names of the largest size, in their order."""
    kept = np.sort(np.argsort(-np.asarray(size), kind="stable")[:most])
    return [names[k] for k in kept]


def _frame(rows: Sequence[str], columns: Sequence[str], note: str) -> tuple[Figure, Any, bool]:
    """Return a figure with bare axes for so many cells, their labels beside and below them, and whether a number has
    room in a cell."""
    labels, below = (told_apart([n.replace("_", " ") for n in names], NAME_LETTERS) for names in (rows, columns))
    left = LETTER * max(map(len, labels)) + AROUND
    cell = min(WIDEST, (WIDTH - left - AROUND) / len(columns))
    lines = [textwrap.wrap(n, max(1, int(cell / LETTER)), break_long_words=False) for n in below]
    upright = any(len(part) > LINES or LETTER * max(map(len, part)) > cell for part in lines)
    below = below if upright else ["\n".join(part) for part in lines]
    bottom = (LETTER * max(map(len, below)) if upright else LINE * max(map(len, lines))) + AROUND
    high = min(HIGH, cell)
    height = bottom + high * len(rows) + AROUND + (0.25 if note else 0.0)
    figure = Figure(figsize=(WIDTH, height))
    box = (left / WIDTH, bottom / height, cell * len(columns) / WIDTH, high * len(rows) / height)
    axes = figure.add_axes(box)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xticks(range(len(columns)), below, rotation=90 if upright else 0)
    axes.set_title(note, fontsize=9)
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes, cell >= NUMBERED


def _cell(axes: Any, row: int, column: int, value: float, text: str) -> None:
    """Draw one cell, the stronger its value the stronger its colour; a dash where it is unknown."""
    if np.isnan(value):
        axes.text(column, row, "–", ha="center", va="center", fontsize=9, alpha=0.8)
        return
    colour = to_rgba(BLUE if value >= 0 else VERMILLION, STRONGEST * abs(value))
    axes.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, facecolor=colour, edgecolor="none"))
    if text:
        axes.text(column, row, text, ha="center", va="center", fontsize=9)


def _share(share: float) -> str:
    """Return a share in percent: never all of what is less."""
    return f"{100 * share if share >= 0.9995 else min(100 * share, 99):.0f} %"


def _coefficient(r: float) -> str:
    """Return a correlation in two digits: never 1 for what is less."""
    text = f"{min(abs(r), 0.99):.2f}" if abs(r) < 0.9995 else "1.00"
    return ("\N{MINUS SIGN}" if r < 0 and text != "0.00" else "") + text


def _note(shown: Sized, every: Sized, what: str) -> str:
    """Return what is said above the cells where some are left out."""
    return f"{len(shown)} of {len(every)} {what}." if len(shown) < len(every) else ""
