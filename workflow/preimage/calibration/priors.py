"""Priors of a fit's parameters: what is known of them beside the data, as further residuals of its deviance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from preimage.support.errors import StudyError


class Prior(NamedTuple):
    """The prior of one parameter: normal, or of its logarithm."""

    name: str
    of_logarithm: bool
    mean: float
    sd: float


def of(inputs: Mapping[str, Mapping[str, Any]], names: Sequence[str], likelihood: bool) -> tuple[Prior, ...]:
    """Return the priors that a study states for those of its inputs that are free.

    Raises StudyError for two of one input, and for one without a likelihood.
    """
    found = []
    for name in names:
        entry = inputs.get(name) or {}
        kinds = [kind for kind in ("normal", "log_normal") if entry.get(kind)]
        if not kinds or "fixed" in entry:
            continue
        where = f"problem.inputs.{name}.{kinds[0]}"
        if len(kinds) > 1:
            raise StudyError(f"{where}: found log_normal beside it, expected one prior")
        if not likelihood:
            raise StudyError(
                f"{where}: a prior needs a likelihood to be weighed against; expected `loss: normal`, or others"
            )
        if kinds[0] == "log_normal" and not entry.get("low", 0.0) >= 0:
            raise StudyError(f"{where}: found a lower bound of {entry['low']:g}, expected none below 0")
        found.append(
            Prior(name, kinds[0] == "log_normal", float(entry[kinds[0]]["mean"]), float(entry[kinds[0]]["sd"]))
        )
    return tuple(found)


def residuals(priors: Sequence[Prior], p: Mapping[str, Any], xp: ModuleType) -> Any:
    """Return a residual a prior (k,), whose square is twice its negative logarithm but for a constant."""
    values = [(xp.log(p[prior.name]) if prior.of_logarithm else p[prior.name]) for prior in priors]
    return xp.stack([(v - prior.mean) / prior.sd for v, prior in zip(values, priors, strict=True)])
