"""A family of studies at a glance: the truth of its answers, and whether search or model is what fails.

Everything is on one scale: 0 is the smallest loss that is possible, 1 what an input drawn at random gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from preimage.figures.style import DASHES, INK, Look, label, legend, log_axis, looks, panels, styled

# Smaller shares than this are rounding, and drawn here.
LEAST = 1e-6
# What a label takes of its axis.
ROOM = 0.08


@styled
def truth(table: pd.DataFrame, x: str, by: str) -> Figure:
    """Draw the true loss of each method's answer against `x`, a panel a value of `by`; the band holds all seeds."""
    figure, axes = _panels(table, by)
    look = _looks(table)
    for axis, (value, part) in zip(axes, table.groupby(by), strict=False):
        for name, mine in part.groupby("inverter", sort=False):
            _line(axis, mine, x, "true_share", look[str(name)].colour, look[str(name)].marker, look[str(name)].dashes)
        axis.axhline(1, color=INK, lw=0.8, ls=":")
        _axis(axis, part, x, f"{_name(value)} {noun(by)}")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("true loss of the answer")
    handles = [Line2D([], [], color=v.colour, marker=v.marker, ls=v.dashes, ms=5) for v in look.values()]
    legend(figure, handles, [label(name) for name in look])
    figure.set_label(_sentence(table, x, by))
    return figure


@styled
def blame(table: pd.DataFrame, x: str, by: str) -> Figure:
    """Draw what each search lost (loss above the proven bound) and what the model leaves to a perfect one."""
    figure, axes = _panels(table, by)
    look = {name: v for name, v in _looks(table).items() if name in set(table["inverter"][~table["baseline"]])}
    for axis, (value, part) in zip(axes, table.groupby(by), strict=False):
        for name in look:
            mine = part[part["inverter"] == name].assign(lost=lambda t: t["search_share"].clip(lower=LEAST))
            _line(axis, mine, x, "lost", look[name].colour, look[name].marker, "--")
        _line(axis, part, x, "model_share", INK, "", "-", width=2.4)
        _axis(axis, part, x, f"{_name(value)} {noun(by)}")
        log_axis(axis.yaxis)
        axis.set_ylim(LEAST / 2, 3)
    axes[0].set_ylabel("share of a random input's loss")
    handles = [Line2D([], [], color=INK, lw=2.4)]
    handles += [Line2D([], [], color=v.colour, marker=v.marker, ls="--", ms=5) for v in look.values()]
    legend(figure, handles, ["left by the model", *(f"lost by {label(n)}" for n in look)])
    figure.set_label("What model and search lose, as shares of the loss of a random input. " + _sentence(table, x, by))
    return figure


@styled
def models(table: pd.DataFrame, x: str, by: str) -> Figure:
    """Draw the models' R2 on rows held out, and the seconds of each search, against `x`; dashes tell `by`."""
    figure, axes = panels(2, 3.2)
    look = _looks(table)
    dashes = {value: DASHES[k % len(DASHES)] for k, value in enumerate(sorted(table[by].unique()))}
    for value, part in table.groupby(by):
        _line(axes[0], part, x, "test_r2", INK, "o", dashes[value])
        for name, mine in part.groupby("inverter", sort=False):
            _line(axes[1], mine, x, "seconds", look[str(name)].colour, look[str(name)].marker, dashes[value])
    _axis(axes[0], table, x, "R² on held-out rows")
    _axis(axes[1], table, x, "seconds a search")
    log_axis(axes[1].yaxis)
    handles = [Line2D([], [], color=INK, ls=d) for d in dashes.values()]
    handles += [Line2D([], [], color=v.colour, marker=v.marker, ls="none", ms=5) for v in look.values()]
    legend(figure, handles, [*(f"{_name(v)} {noun(by)}" for v in dashes), *(label(n) for n in look)])
    figure.set_label(f"R2 of the models on held-out rows and seconds of each search, by {noun(x)} and {noun(by)}.")
    return figure


def _looks(table: pd.DataFrame) -> dict[str, Look]:
    return looks(table["inverter"], set(table["inverter"][table["baseline"]]))


def noun(column: str) -> str:
    return {"dimension": "inputs"}.get(column, label(column))


def _name(value: Any) -> str:
    return label(value) if isinstance(value, str) else f"{value:,}"


def _panels(table: pd.DataFrame, by: str) -> tuple[Figure, list[Any]]:
    count = table[by].nunique()
    return panels(count, 3.0, columns=min(count, 3), sharey=True)


def _line(
    axis: Any, part: pd.DataFrame, x: str, y: str, colour: str, marker: str, dashes: str, width: float = 1.6
) -> None:
    grouped = part.groupby(x)[y]
    middle, low, high = grouped.median(), grouped.min(), grouped.max()
    at = middle.index.to_numpy(float)
    axis.plot(at, middle, color=colour, marker=marker, ls=dashes, ms=4, lw=width)
    if (high > low).any():
        axis.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)


def _axis(axis: Any, part: pd.DataFrame, x: str, title: str) -> None:
    values = np.unique(part[x])
    place = values.astype(float)
    if len(values) > 1 and values[-1] > 5 * values[0]:
        axis.set_xscale("log")
        place = np.log(place)
    axis.set_xticks(values, _labels(values, place))
    axis.minorticks_off()
    axis.set(xlabel=noun(x), title=title)


def _labels(values: np.ndarray, place: np.ndarray) -> list[str]:
    """Return what stands at each tick: nothing where that would touch the label before it."""
    shown: list[int] = []
    for k in range(len(values)):
        if not shown or place[k] - place[shown[-1]] >= ROOM * np.ptp(place):
            shown.append(k)
    return [f"{v:,}" if k in shown else "" for k, v in enumerate(values)]


def _sentence(table: pd.DataFrame, x: str, by: str) -> str:
    last = table[table[x] == table[x].max()]
    parts = [f"{_name(value)} {noun(by)} {p['true_share'].median():.2g}" for value, p in last.groupby(by)]
    return (
        f"True loss of the answers with {table[x].max():,} {noun(x)}, where 1 is a random input's: {'; '.join(parts)}."
    )
