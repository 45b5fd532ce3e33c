"""What a study says of inference: completed as it is read, and checked against its files before any job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from preimage.inference.base import InferenceMethod
from preimage.study.sections import Bank, Checks
from preimage.support.errors import StudyError
from preimage.support.free_names import free_name

if TYPE_CHECKING:
    pass


Study = dict[str, Any]
# What only a study with `inference` has, and what it has no use for.
OWN_PARTS = ("observations", "checks", "bank")
OTHER_PARTS = ("surrogates", "objectives", "inverters", "rounds", "next", "budget")
OTHER_PROBLEM = (
    "table",
    "samples",
    "scatter",
    "ode",
    "curve",
    "noise",
    "sampling",
    "dimension",
    "shift",
    "constraints",
    "formulas",
    "success_fraction",
)

# What a stochastic simulator depends on of a problem, beside its inputs and outputs.
SIMULATED = ("simulator", "stepping", "seconds", "batch", "correlations")
# Sets that show what prior and simulator can produce, for the observed ones to be compared with.
FEWEST_FRESH = 300


def refuse_parts(study: Study) -> None:
    """Raise StudyError where a study without `inference` has keys that belong to it, or nothing that it wants."""
    for key in OWN_PARTS:
        if key in study:
            raise StudyError(f"key '{key}': valid only in a study with 'inference' (stochastic simulators)")
    for key in ("stepping", "correlations"):
        if key in study["problem"]:
            raise StudyError(f"key 'problem.{key}': valid only in a study with 'inference' (stochastic simulators)")
    if "objectives" not in study:
        raise StudyError("missing key 'objectives' (or, for a stochastic simulator, 'inference')")


def completed(study: Study) -> Study:
    """Return a study with `inference` with its defaults. Raises StudyError for what can't stand beside that."""
    for key in OTHER_PARTS:
        if study.get(key):
            raise StudyError(
                f"key '{key}': found beside 'inference'; a stochastic simulator needs inference methods instead of "
                "surrogates, objectives and inverters"
            )
    problem = study["problem"]
    for key in OTHER_PROBLEM:
        if problem.get(key):
            raise StudyError(f"key 'problem.{key}': found beside 'inference', expected a stochastic simulator alone")
    if "simulator" not in problem:
        raise StudyError("key 'problem': missing key 'simulator': inference needs a stochastic simulator")
    _check_inputs(problem.get("inputs") or {})
    if "observations" not in study:
        raise StudyError("missing key 'observations': the samples to infer the parameters from")
    _check_observations(study["observations"])
    kept = {key: study[key] for key in ("study", "seeds", "problem", "observations", "inference")}
    parts = {"checks": study.get("checks") or Checks().plain(), "bank": study.get("bank") or Bank().plain()}
    blind = _ablations(study["inference"], parts["checks"])
    unseen = {name: {**study["inference"][of], "simulated": False} for name, of in blind.items()}
    kept |= {"inference": {**study["inference"], **unseen}, "ablations": blind}
    # What other studies have is empty here.
    return {**kept, **parts, "surrogates": {}, "objectives": {}, "inverters": {}, "rounds": 0, "preimages": {}}


def _ablations(methods: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each method that simulates as it infers, the name of one without sight of what it simulates: by that
    name, which no other method has, the method that it is there to be compared with."""
    found: dict[str, str] = {}
    for name, spec in methods.items():
        if checks["use_of_simulations"] and spec.get("simulated"):
            found[free_name(f"{name}_blind", {*methods, *found})] = name
    return found


def _check_inputs(inputs: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in inputs.items():
        where = f"key 'problem.inputs.{name}'"
        for key in ("categories", "integer", "fixed", "start"):
            if entry.get(key):
                raise StudyError(f"{where}: found {key}, expected a prior: low and high, normal, or log_normal")
        given = [key for key in ("low", "normal", "log_normal") if key in entry]
        if len(given) > 1 or ("low" in entry) != ("high" in entry):
            raise StudyError(f"{where}: expected one prior: low and high, normal, or log_normal")
        if "low" in entry and not entry["low"] < entry["high"]:
            raise StudyError(f"{where}: low {entry['low']:g} is not below high {entry['high']:g}")


def _check_observations(observations: Mapping[str, Any]) -> None:
    for key, needed in (("size", "simulate"), ("parameters", "table")):
        if key in observations and needed not in observations:
            raise StudyError(f"key 'observations.{key}': valid only beside '{needed}'")
    if "simulate" in observations and "size" not in observations:
        raise StudyError("key 'observations': missing key 'size': the number of samples per simulated set")


# -- what the rules ask ------------------------------------------------------------------------------------------------


def has_bank(study: Mapping[str, Any]) -> bool:
    """Whether any method of a study works on simulations that are made once for all."""
    return any(InferenceMethod.registry[spec["kind"]].banked for spec in study["inference"].values())


def bank_simulations(study: Mapping[str, Any]) -> list[int | None]:
    """Return how many single samples each method wants the bank to hold; None where that is not said.

    Of several rounds only the first takes simulations from the prior.
    """
    specs = [spec for spec in study["inference"].values() if InferenceMethod.registry[spec["kind"]].banked]
    return [s["simulations"] // s.get("rounds", 1) if "simulations" in s else None for s in specs]


def checked_sets(study: Mapping[str, Any], method: str) -> int:
    """Return on how many fresh sets a method is checked: fewer where each is a search of its own."""
    checks = study["checks"]
    spec = study["inference"][method]
    searches = InferenceMethod.registry[spec["kind"]].searching or spec.get("rounds", 1) > 1
    return int(checks["searches" if searches else "sets"])


def fresh_sets(study: Mapping[str, Any]) -> int:
    """Return how many fresh sets a study's checks need."""
    return max(FEWEST_FRESH, *(checked_sets(study, name) for name in study["inference"]))


def simulated_part(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a simulator depends on of a `problem` entry: units are of no consequence to it."""
    inputs = {
        name: {k: v for k, v in entry.items() if k in ("low", "high", "normal", "log_normal")}
        for name, entry in (problem.get("inputs") or {}).items()
    }
    given = {key: problem[key] for key in SIMULATED if key in problem}
    return {**given, "inputs": inputs, "outputs": dict.fromkeys(problem.get("outputs") or {})}


def observation_files(study: Mapping[str, Any]) -> list[str]:
    """Return the user's files, as inputs: a change in them is a reason to run again."""
    given = study["observations"]
    if "reference" in given:
        from preimage.inference import reference

        return [str(p) for p in reference.files(given["reference"])]
    return [given[key] for key in ("table", "parameters") if key in given]


# -- before any job ----------------------------------------------------------------------------------------------------


def check(study: Mapping[str, Any]) -> list[str]:
    """Check a study against its simulator and its files; return warnings. Raises StudyError; writes nothing."""
    from preimage.inference import observations
    from preimage.inference.answer import Task
    from preimage.inference.simulators import loading

    found = loading.load(simulated_part(study["problem"]), run=False)
    size = study["observations"].get("size")
    if size is None:
        size = observations.read(study["observations"], found).x.shape[1]
    for name, spec in study["inference"].items():
        try:
            InferenceMethod.of(spec).check(Task(found, size))
        except StudyError as error:
            raise StudyError(f"key 'inference.{name}': {error}") from None
    return []
