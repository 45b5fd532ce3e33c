"""Which inverter can work on which surrogate, and why not on others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preimage.core.kinds import HOLDS_CONSTRAINTS, NEEDS_TREES, differentiable, made_of_trees
from preimage.problems.loading import load as load_problem
from preimage.study.cases import SIMULATOR, Study
from preimage.support.errors import StudyError, did_you_mean


def works_on(study: Study, name: str, inverter: Mapping[str, Any], run: bool = False) -> list[str]:
    """Return the surrogates an inverter works on; raise StudyError for a named pair that can't work together.

    Args:
        run: whether to ask a simulator of the user's own, which imports it; otherwise it is taken to have gradients.
    """
    models = dict(study["surrogates"])
    if "simulator" in study["problem"]:
        models[SIMULATOR] = {"kind": SIMULATOR}
    if not models:
        raise StudyError(f"key 'inverters.{name}': nothing to work on: name a surrogate (a table has no simulator)")
    method = inverter.get("method")
    if study["problem"]["constraints"] and method and method not in HOLDS_CONSTRAINTS:
        others = " or ".join(sorted(HOLDS_CONSTRAINTS))
        raise StudyError(f"key 'inverters.{name}.method': {method} can't hold constraints; use {others}")
    reasons = {target: _refusal(study["problem"], inverter, model, run) for target, model in models.items()}
    for target in inverter.get("on", ()):
        where = f"key 'inverters.{name}.on'"
        if target == SIMULATOR and target not in models:
            raise StudyError(f"{where}: found 'simulator', but the problem has none")
        if target not in models:
            raise StudyError(
                f"{where}: unknown surrogate '{target}'{did_you_mean(target, [*study['surrogates'], SIMULATOR])}"
            )
        if reasons[target]:
            kind = ", ".join(models[target][key] for key in ("kind", "format") if key in models[target])
            raise StudyError(f"{where}: {inverter['kind']} can't work on '{target}' ({kind}): {reasons[target]}")
    if "on" in inverter:
        return list(inverter["on"])
    able = [target for target in models if not reasons[target]]
    if not able:
        raise StudyError(
            f"key 'inverters.{name}': {inverter['kind']} can't work on anything here: {next(iter(reasons.values()))}"
        )
    return [target for target in able if target != SIMULATOR] or able


def _refusal(problem: Mapping[str, Any], inverter: Mapping[str, Any], model: Mapping[str, Any], run: bool) -> str:
    """Return why an inverter can't work on a model; "" where it can."""
    if inverter["kind"] in NEEDS_TREES and not made_of_trees(model):
        return "the method needs a model made of trees, a random forest"
    exact = differentiable(model) or (model["kind"] == SIMULATOR and _traceable(problem, run))
    if inverter.get("gradient") == "exact" and not exact:
        return "it has no gradient of its own; use 2-point or 3-point"
    batched = inverter.get("engine") == "batched" and not exact
    if batched or (inverter["kind"] == "neural_adjoint" and not differentiable(model)):
        return "the method needs a model with a gradient of its own, a network or a Gaussian process"
    if inverter.get("gradient") == "cs" and not (model["kind"] == SIMULATOR and _complex_safe(problem)):
        return "it is not known to compute with complex numbers as it does with real ones; use 2-point or 3-point"
    return ""


def _complex_safe(problem: Mapping[str, Any]) -> bool:
    found = load_problem(problem, run=False)
    return found is not None and found.complex_safe


def _traceable(problem: Mapping[str, Any], run: bool) -> bool:
    """Whether the simulator is a model of series that JAX can differentiate."""
    found = load_problem(problem, run)
    return found is not None and found.dynamics is not None and found.dynamics.traceable
