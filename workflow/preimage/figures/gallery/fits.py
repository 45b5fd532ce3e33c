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
            "Where lines run apart, the data does not say what the parameter is.",
            name,
            partial(parallel, m, surrogate, name, "random parameters"),
        )


def _judged(m: Material, name: str) -> Iterator[Shown]:
    found = m.fits.get(name, {})
    if "fit" in found:
        yield Shown(
            f"fitted.{name}.svg",
            f"{name}: the data and the fits",
            "All sets of parameters that fit as well as the best. Only filled points count in the loss.",
            name,
            partial(fitted_series, found["fit"], bool(found["findings"]["logarithmic"])),
        )
    if "forecast" in found:
        yield Shown(
            f"forecast.{name}.svg",
            f"{name}: forecast of the rows held out",
            "Nothing was fitted to the crosses. Shaded are intervals from all parameters within the limit of their "
            "likelihood; a fit that the last value beats has no forecast to offer.",
            name,
            partial(forecasts, found["forecast"], found["fit"]),
        )
    if "profiles" in found:
        best = m.solved("simulator", name).iloc[0]
        units = {i.name: i.unit for i in m.space.inputs}
        yield Shown(
            f"profiles.{name}.svg",
            f"{name}: what the data tells of each parameter",
            "Each parameter is held in turn and all others are fitted anew. A curve that stays under the dashed line "
            "up to a bound means: the data does not say what this parameter is.",
            name,
            partial(
                profiles,
                found["profiles"],
                found["findings"]["limit"],
                {n: best[f"x.{n}"] for n in m.space.names},
                units,
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
