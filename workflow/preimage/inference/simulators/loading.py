"""The stochastic simulator that a study names: a built-in, or a function of the user's own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from preimage.inference.prior import Prior, margin
from preimage.inference.simulator import Simulator
from preimage.inference.simulators import user
from preimage.inference.simulators.built_in import BUILT_IN
from preimage.running import fingerprint
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.files import digest


def load(spec: Mapping[str, Any], run: bool = True) -> Simulator:
    """Return the simulator of a study's `problem` entry; one of the user's own is imported only where it is to `run`.

    Raises StudyError for an unknown built-in, a function that can't be imported, or a prior out of order.
    """
    found, entry = _loaded(spec, run), spec.get("correlations") or {}
    pairs = tuple((one, other, float(r)) for one, others in entry.items() for other, r in others.items())
    return replace(found, prior=replace(found.prior, correlations=pairs)) if pairs else found


def _loaded(spec: Mapping[str, Any], run: bool) -> Simulator:
    name = spec.get("simulator", "")
    if ":" in name:
        return replace(user.wrapped(name, spec, run), version=fingerprint.digest(name))
    if name not in BUILT_IN:
        raise StudyError(
            f"problem.simulator: unknown built-in stochastic simulator '{name}'{did_you_mean(name, BUILT_IN)}"
        )
    build = importlib.import_module(f"preimage.inference.simulators.built_in.{name}").build
    options = {key: spec[key] for key in inspect.signature(build).parameters if key in spec}
    if "stepping" in spec and "stepping" not in options:
        raise StudyError(f"problem.stepping: '{name}' has no time steps")
    found: Simulator = build(**options)
    code = fingerprint.digest(f"preimage.inference.simulators.built_in.{name}")
    found = replace(found, version=digest([code, spec.get("stepping")]))
    return _with_priors(found, spec.get("inputs") or {})


def _with_priors(simulator: Simulator, inputs: Mapping[str, Any]) -> Simulator:
    """Return a built-in simulator with the priors that a study states. Raises StudyError for an unknown parameter."""
    margins = dict(simulator.prior.margins)
    for name, entry in inputs.items():
        if name not in margins:
            raise StudyError(
                f"problem.inputs.{name}: '{simulator.name}' has no such parameter{did_you_mean(name, margins)}"
            )
        margins[name] = margin(entry) or margins[name]
    return replace(simulator, prior=Prior(margins))
