"""A fit to a series: the curves, what the data tells of the parameters, the forecast and the derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from preimage.figures.derivative_errors import derivative_errors
from preimage.figures.fitted_series import fitted_series, forecasts
from preimage.figures.gallery.answers import parallel
from preimage.figures.gallery.material import Material
from preimage.figures.profiles import profiles
from preimage.figures.shown import Shown


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
                [r["parameter"] for r in found["findings"]["parameters"] if r.get("logarithmic")],
            ),
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
