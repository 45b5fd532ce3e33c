"""The space and the objective that a caller states, checked as those of a study are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.core import building, objective
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.study.messages import checked
from preimage.study.objectives import ObjectiveEntry
from preimage.study.problem import Constraint, Input
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.frozen import Frozen, Text, option

# Keys of an objective that need no rows of data, of which there are none here.
KINDS = ("minimize", "maximize", "target", "within")
KEYS = (*KINDS, "tolerance", "subject_to", "fixed")


class Stated(Frozen):
    """A space as a caller states it: a study's `inputs`, in the order of the model where its file names none, and
    `constraints`."""

    inputs: dict[Text, Input] = option(..., "Settings of every input.", min_length=1)
    constraints: list[Constraint] = option([], "Conditions on several inputs.")


def space_of(
    inputs: Mapping[str, Any], constraints: Sequence[Mapping[str, Any]], known: Mapping[str, tuple[float, float]]
) -> Space:
    """Return the space of inputs, each `(low, high)` or what a study says of one, and constraints.

    Args:
        known: inputs that a model names, with the bounds that it knows; all must be among `inputs` where it knows none.

    Raises StudyError for an input without bounds, and whatever a study would be refused for.
    """
    settings = {name: _long(value) for name, value in inputs.items()}
    stated = checked({"inputs": settings, "constraints": list(constraints)}, Stated, "space").plain()
    settings = stated["inputs"]
    if known and (strange := next((name for name in settings if name not in known), None)):
        raise StudyError(f"space: the model has no input '{strange}'{did_you_mean(strange, known)}")
    bounds = {name: known.get(name, (np.nan, np.nan)) for name in known or settings}
    for name, ends in bounds.items():
        own = settings.get(name, {})
        ends = (own.get("low", ends[0]), own.get("high", ends[1]))
        if not {"categories", "values", "fixed"} & set(own) and np.isnan(ends).any():
            found = next((f"{key} {own[key]:g}" for key in ("low", "high") if key in own), "none")
            raise StudyError(
                f"space: input '{name}': found {found}, expected both bounds (low and high), `values`, `categories` or "
                "`fixed`: a proof holds within bounds alone"
            )
        if {"fixed"} & set(own) and np.isnan(ends).any():
            bounds[name] = (own["fixed"], own["fixed"]) if not isinstance(own["fixed"], str) else (0.0, 0.0)
    return building.build(settings, stated["constraints"], bounds)


def objective_of(entry: Mapping[str, Any], outputs: Sequence[str], rows: np.ndarray) -> Objective:
    """Return the objective of an entry as in a study.

    Args:
        rows: outputs (n, m) at points of the space, which say what they span there.

    Raises StudyError for keys that need data, and a target without a tolerance.
    """
    if strange := next((key for key in entry if key not in KEYS), None):
        raise StudyError(f"objective: key '{strange}' is not supported here; expected {', '.join(KEYS)}")
    if not set(KINDS) & set(entry):
        raise StudyError(f"objective: found keys {', '.join(entry) or 'none'}, expected one of {', '.join(KINDS)}")
    plain = checked(dict(entry), ObjectiveEntry.named(entry), "objective").plain()
    if "target" in plain and "tolerance" not in plain:
        raise StudyError("objective: a target needs a tolerance: how far from the value still meets it")
    return objective.build("asked", plain, outputs, None, np.ptp(rows, axis=0).tolist(), rows)


def outputs_in(entry: Mapping[str, Any]) -> list[str]:
    """Return the outputs that an objective's entry names, in its order."""
    wanted = next((entry[kind] for kind in KINDS if kind in entry), ())
    named = [wanted] if isinstance(wanted, str) else list(wanted)
    return list(dict.fromkeys([*named, *(entry.get("subject_to") or {})]))


def _long(value: Any) -> Any:
    """Return what a study says of an input that is given by its two ends alone."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        return {"low": value[0], "high": value[1]}
    return value
