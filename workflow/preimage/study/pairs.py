"""Which inverter can work on which surrogate, and why not on others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preimage.inversion.base import Inverter, Target
from preimage.problems.loading import load as load_problem
from preimage.study.cases import SIMULATOR, Study, is_front
from preimage.support.errors import StudyError, did_you_mean
from preimage.surrogates.base import differentiable, form_of, made_of_trees


def works_on(study: Study, name: str, inverter: Inverter, run: bool = False) -> list[str]:
    """Return the surrogates an inverter works on; raise StudyError for a named pair that can't work together.

    Args:
        run: whether to ask a simulator of the user's own, which imports it; otherwise it is taken to have gradients.
    """
    models = dict(study["surrogates"])
    if "simulator" in study["problem"]:
        models[SIMULATOR] = {"kind": SIMULATOR}
    if not models:
        raise StudyError(f"key 'inverters.{name}': nothing to work on; add a surrogate (a table has no simulator)")
    # Searches stay within counts and exclusions by themselves.
    held = any({"linear", "expression"} & set(row) for row in study["problem"]["constraints"])
    entries = study["objectives"].values()
    limited = any({"subject_to", "closest_to"} & set(entry) or is_front(entry) for entry in entries)
    if clash := inverter.clash(constrained=held or limited):
        raise StudyError(f"key 'inverters.{name}.{clash[0]}': {clash[1]}")
    varied = [key for key, entry in study["objectives"].items() if "variation" in entry]
    if varied and not inverter.takes_variation:
        raise StudyError(
            f"key 'inverters.{name}': {inverter.kind} searches outputs of single points exactly, and does not support "
            f"'variation' of objective '{varied[0]}'; use another inverter, or a study of its own for one of them"
        )
    nearest = [key for key, entry in study["objectives"].items() if "closest_to" in entry]
    if nearest and not inverter.finds_nearest:
        raise StudyError(
            f"key 'inverters.{name}': {inverter.kind} does not support 'closest_to' of objective '{nearest[0]}'; "
            "certified proves the nearest change"
        )
    targets = {name: _target(study["problem"], model, run) for name, model in models.items()}
    reasons = {name: inverter.refusal(target) for name, target in targets.items()}
    for target in inverter.on or ():
        where = f"key 'inverters.{name}.on'"
        if target == SIMULATOR and target not in models:
            raise StudyError(f"{where}: found 'simulator', but the problem has none")
        if target not in models:
            raise StudyError(
                f"{where}: unknown surrogate '{target}'{did_you_mean(target, [*study['surrogates'], SIMULATOR])}"
            )
        if reasons[target]:
            kind = ", ".join(models[target][key] for key in ("kind", "format") if key in models[target])
            raise StudyError(f"{where}: {inverter.kind} does not support '{target}' ({kind}): {reasons[target]}")
    if inverter.on:
        return list(inverter.on)
    able = inverter.preferred({name: target for name, target in targets.items() if not reasons[name]})
    if not able:
        raise StudyError(
            f"key 'inverters.{name}': {inverter.kind} supports no model of this study: {next(iter(reasons.values()))}"
        )
    return [target for target in able if target != SIMULATOR] or able


def _target(problem: Mapping[str, Any], model: Mapping[str, Any], run: bool) -> Target:
    """Return what a model, or the simulator, is for an inverter to work on."""
    if model["kind"] != SIMULATOR:
        return Target(
            trees=made_of_trees(model),
            bounded=bool(form_of(model)),
            unbounded=model.get("unbounded", ""),
            gradient=differentiable(model),
        )
    # A model of series is asked whether JAX can differentiate it, which may import a user's code.
    found, declared = load_problem(problem, run), load_problem(problem, run=False)
    traceable = found is not None and found.dynamics is not None and found.dynamics.traceable
    return Target(traceable=traceable, complex_safe=declared is not None and declared.complex_safe)
