"""What of a record stands in MLflow's columns: the scalars by which people compare runs. Beside them, the run has the
whole record as an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preimage.tracking.record import flat

RECORD_FILE = "record.json"
# Metrics that tell what a step did, by their family: they compare nothing, and tables have the same by case.
ONLY_IN_RECORD = {
    *("bank", "candidates", "data", "diagnosis", "evidence", "figures", "fresh", "fronts", "next", "observations"),
    *("posterior", "split", "variations"),
}
COUNTS = {"inversion/failed", "inversion/gradient_norm", "preimage/boxes"}
# Where a step's settings stand among its parameters, and in a study, by the wildcard that names them there.
SETTINGS = {
    "surrogate": ("surrogates", "surrogate"),
    "inverter": ("inverters", "inverter"),
    "method": ("inference", "method"),
}
# What training chose, which stands in the place of what was asked.
CHOSEN = "fitted."
NOT_COMPARED = {"fitted.random_state"}


def metrics(value: Mapping[str, Any]) -> list[tuple[str, float, int]]:
    """Return name, value and step of the metrics of a record that are compared."""
    found = [(n, v, s) for n, v, s in value["metrics"] if n not in COUNTS and n.partition("/")[0] not in ONLY_IN_RECORD]
    return found + [(f"timing/{name}", v, 0) for name, v in value.get("timing", {}).items()]


def params(value: Mapping[str, Any], written: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters of a step that are compared: kinds, what the study states, and what training chose.

    Args:
        written: the study as its author wrote it; None where that is not known: every setting is taken then.
    """
    found: dict[str, Any] = {}
    for family, (part, wildcard) in SETTINGS.items():
        stated = None
        if written is not None:
            stated = flat((written.get(part) or {}).get(value["wildcards"].get(wildcard)) or {})
        for name, setting in value["params"].items():
            key = name.removeprefix(f"{family}.")
            if key != name and (stated is None or key == "kind" or key in stated):
                found[name] = setting
    chosen = {n: v for n, v in value["params"].items() if n.startswith(CHOSEN) and n not in NOT_COMPARED}
    return found | {f"surrogate.{name.removeprefix(CHOSEN)}": v for name, v in chosen.items()}


def params_of_study(value: Mapping[str, Any], written: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters of an invocation that are compared: the problem's scalars, as far as its study states them;
    the rest is its artifact `study.yaml`."""
    problem = {f"problem.{name}" for name in (written or {}).get("problem") or {}}
    return {name: v for name, v in value["params"].items() if name in problem or (written is None and "." not in name)}
