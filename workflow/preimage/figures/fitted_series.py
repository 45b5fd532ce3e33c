"""Observed series, the fits to them, and what they forecast of rows that they were not fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import BLUE, GREEN, INK, ORANGE, VERMILLION, label, legend, log_axis, panels, styled, thin

COLOURS = {"this fit": VERMILLION, "fit to the whole series": GREEN, "last value": ORANGE, "last week's growth": BLUE}


@styled
def fitted_series(
    fit: pd.DataFrame, logarithmic: bool, unit: str = "", bands: pd.DataFrame | None = None
) -> Figure | None:
    """Draw observed and fitted series, a panel per series and condition; rows that the loss takes are filled, held-out
    ones crosses.

    Args:
        fit: columns candidate, series, time, observed, fitted, in_loss, held_out, and condition where it has some.
        logarithmic: whether the loss takes logarithms.
        unit: of time.
        bands: columns series, time, low, high, and condition where it has some: what the data leaves open.
    """
    names = list(dict.fromkeys(fit["series"]))
    places = ["series", "condition"] if "condition" in fit else ["series"]
    parts = list(fit.groupby(places, sort=False))
    figure, axes = panels(len(parts), 3.2)
    handles: dict[str, Any] = {}
    for panel, (place, mine) in zip(axes, parts, strict=False):
        first = mine[mine["candidate"] == mine["candidate"].min()]
        _points(panel, first, handles)
        if bands is not None:
            band = bands[(bands[places] == list(place)).all(axis=1)].sort_values("time")
            handles["95 % band of the fit"] = panel.fill_between(
                band["time"], band["low"], band["high"], color=VERMILLION, alpha=0.18, lw=0
            )
        for candidate, part in mine.groupby("candidate", sort=False):
            best = candidate == mine["candidate"].min()
            (line,) = panel.plot(
                part["time"], part["fitted"], color=VERMILLION, lw=1.8 if best else 0.7, alpha=1 if best else 0.5
            )
            handles.setdefault("best fit" if best else "fits as good", line)
        if logarithmic and (first["observed"] > 0).any():
            log_axis(panel.yaxis)
            low = first["observed"][first["observed"] > 0].min()
            panel.set_ylim(low / 2, first["observed"].max() * 3)
        panel.set(title=", ".join(map(label, place)), xlabel=f"time [{unit}]" if unit else "time")
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"Observed and fitted {' and '.join(names)} over time, {fit['candidate'].nunique()} fits.")
    return figure


def _points(panel: Any, first: pd.DataFrame, handles: dict[str, Any]) -> None:
    kinds: dict[str, tuple[pd.Series, dict[str, Any]]] = {
        "observed, in the loss": (first["in_loss"], {"marker": "o", "color": INK, "mew": 0}),
        "observed before": (~first["in_loss"] & ~first["held_out"], {"marker": "o", "color": INK, "mfc": "none"}),
        "held out": (first["held_out"], {"marker": "x", "color": BLUE}),
    }
    for name, (rows, look) in kinds.items():
        if rows.any():
            part = first[rows].iloc[thin(int(rows.sum()), 200)]
            (handles[name],) = panel.plot(part["time"], part["observed"], ls="none", ms=3.2, alpha=0.8, **look)


@styled
def forecasts(rows: pd.DataFrame, fit: pd.DataFrame) -> Figure | None:
    """Draw forecasts of held-out rows with intervals beside what came, a panel a series.

    Args:
        rows: columns method, time, series, observed, forecast, low, high.
        fit: of the best fit, for the rows before.
    """
    names = list(dict.fromkeys(rows["series"]))
    figure, axes = panels(len(names), 3.2)
    handles: dict[str, Any] = {}
    for panel, series in zip(axes, names, strict=False):
        mine = rows[rows["series"] == series]
        before = fit[(fit["series"] == series) & ~fit["held_out"] & (fit["candidate"] == fit["candidate"].min())]
        before = before.tail(2 * mine["time"].nunique())
        panel.plot(before["time"], before["observed"], "o", color=INK, ms=3, mew=0)
        for method, part in mine.groupby("method", sort=False):
            colour = COLOURS.get(str(method), INK)
            if part["low"].notna().all():
                panel.fill_between(part["time"], part["low"], part["high"], color=colour, alpha=0.18, lw=0)
            (handles[str(method)],) = panel.plot(part["time"], part["forecast"], color=colour, lw=1.6)
        came = mine[mine["method"] == mine["method"].iloc[0]]
        (handles["what came"],) = panel.plot(came["time"], came["observed"], "x", color=INK, ms=4)
        seen = np.concatenate([before["observed"], came["observed"], mine["forecast"]])
        room = 0.25 * (np.nanmax(seen) - np.nanmin(seen) or 1)
        panel.set_ylim(np.nanmin(seen) - room, np.nanmax(seen) + room)
        panel.set(title=label(series), xlabel="time")
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"Forecasts of held-out {' and '.join(names)}: {', '.join(handles)}.")
    return figure
