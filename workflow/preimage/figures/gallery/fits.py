"""A fit to a series: the curves, what the data tells of the parameters, the forecast and the derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from preimage.evidence.plateaus import has_starts
from preimage.figures.derivative_errors import derivative_errors
from preimage.figures.fitted_series import fitted_series, forecasts
from preimage.figures.gallery.answers import parallel
from preimage.figures.gallery.material import Material
from preimage.figures.parameter_matrices import correlations, data_shares
from preimage.figures.parameter_traces import parameter_traces
from preimage.figures.profiles import profiles
from preimage.figures.shown import Shown

TRACES = (
    "Each line is a start: where its parameters ended, from the lower bound of each to its upper one. The colour is "
    "the loss above the best, in units of what the 95 % intervals (grey boxes) allow: up to 1, a start is within them. "
    "Where lines of the best colour run apart, other values of that parameter fit as well."
)
CORRELATIONS = (
    "Correlation of the estimates at the best fit. Near 1 or −1 the data tells a combination of two parameters, not "
    "each. By the Fisher information, from exact sensitivities, rather than from near-best starts: it depends on the "
    "data alone, not on where the starts were. It is of logarithms where parameters are searched so. The bounds of "
    "each parameter count as one measurement as uncertain as they are wide; a dash: no value depends on the parameter."
)
SHARES = (
    "How much of the information on each parameter (1 / squared standard error, the others being estimated too) would "
    "be lost without one part of the data, by the sensitivities of its values in units of their noise at the best fit. "
    "100 %: nothing else tells the parameter. A row need not sum to 100 %: parts may repeat each other, or tell a "
    "parameter only together."
)


def plan(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows a fit: its series, what the data tells of the parameters, its forecast and its derivatives."""
    yield from _judged(m, name)
    for surrogate in dict.fromkeys(s for s, _ in m.cases(name)):
        yield Shown(
            f"parallel_coordinates.{surrogate}.{name}.svg",
            f"{name}: parameters that fit as well as the best",
            "Each line is a set of parameters; the thick one has the smallest loss, the boxes are random parameters. "
            "Where lines run apart, the data does not determine the parameter.",
            name,
            partial(parallel, m, surrogate, name, "random parameters"),
        )


def _judged(m: Material, name: str) -> Iterator[Shown]:
    found = m.fits.get(name, {})
    if "fit" in found:
        yield Shown(
            f"fitted.{name}.svg",
            f"{name}: the data and the fits",
            "All parameter sets that fit as well as the best. Only filled points enter the loss. Shaded: all fits "
            "with parameters within their 95 % intervals, or 95 % of draws from the posterior; noise is not in it.",
            name,
            partial(
                fitted_series,
                found["fit"],
                bool(found["findings"]["logarithmic"]),
                found["findings"].get("solving", {}).get("unit", ""),
                found.get("bands"),
            ),
        )
    if "forecast" in found:
        yield Shown(
            f"forecast.{name}.svg",
            f"{name}: forecast of the held-out rows",
            "The crosses were not used in the fit. Shaded: intervals from all parameters within their likelihood "
            "limit. "
            "A fit that does worse than repeating the last value is of no use as a forecast.",
            name,
            partial(forecasts, found["forecast"], found["fit"]),
        )
    if "profiles" in found:
        best = m.solved("simulator", name).iloc[0]
        units = {i.name: i.unit for i in m.space.inputs}
        yield Shown(
            f"profiles.{name}.svg",
            f"{name}: profile likelihoods",
            "Each parameter is held fixed in turn and all others are refitted. If a curve stays below the dashed "
            "line up "
            "to a bound, the data does not determine that parameter.",
            name,
            partial(
                profiles,
                found["profiles"],
                found["findings"]["limit"],
                {n: best[f"x.{n}"] for n in m.space.names},
                units,
                _logarithmic(found["findings"]),
            ),
        )
        yield Shown(
            f"parameter_traces.{name}.svg",
            f"{name}: parameter traces of the starts",
            TRACES,
            name,
            partial(_traces, m, name),
        )
    if "correlations" in found:
        yield Shown(
            f"correlations.{name}.svg",
            f"{name}: correlations of the parameters",
            CORRELATIONS,
            name,
            partial(correlations, found["correlations"]),
        )
        yield Shown(
            f"data_shares.{name}.svg",
            f"{name}: which data tells which parameter",
            SHARES,
            name,
            partial(data_shares, found["information"]),
        )
    if "steps" in found:
        yield Shown(
            f"derivative_errors.{name}.svg",
            f"{name}: the error of finite differences against their step",
            "Left, rounding and the solver's own roughness; right, truncation. Dashed lines are derivatives that need "
            "no step.",
            name,
            partial(derivative_errors, found["steps"], found["derivatives"]),
        )


def _traces(m: Material, name: str) -> Figure | None:
    """Draw where the starts of all searches of a fit ended."""
    found = m.fits[name]["findings"]
    cases = [part for part in m.cases(name).values() if has_starts(part["evaluations"].to_numpy(float))]
    if not cases:
        return None
    starts = pd.concat(cases)
    starts = starts[starts["predicted_loss"].notna()]
    return parameter_traces(
        m.points(starts),
        starts["predicted_loss"].to_numpy(float),
        found["limit"],
        {i.name: (i.low, i.high) for i in m.space.inputs},
        _logarithmic(found),
        {r["parameter"]: (r["low"], r["high"]) for r in found["parameters"]},
        m.places(starts),
    )


def _logarithmic(findings: Mapping[str, Any]) -> list[str]:
    """Return the parameters that are searched by their logarithms."""
    return [r["parameter"] for r in findings["parameters"] if r.get("logarithmic")]
