"""Defaults filled in, and all checked that can be without a study's data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.core.dynamics import Dynamics
from preimage.core.sentences import NO_VOLUME
from preimage.data import named
from preimage.inversion.base import Inverter
from preimage.problems import user_code
from preimage.problems.loading import load as load_problem
from preimage.study import calls, user_models
from preimage.study import inference as inference_setting
from preimage.study.cases import LOOKUP, SIMULATOR, Study, fits, infers, is_front
from preimage.study.pairs import works_on
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.free_names import free_name
from preimage.surrogates.base import form_of, made_of_trees

# Rows to simulate where a study doesn't say: to train on, and to be beaten by a fit.
SAMPLES, RANDOM_PARAMETERS = 3000, 100
# Options of a whole preimage where a study only says that it wants one.
PREIMAGE = {"boxes": 200_000}


def completed(study: Study, folder: str | Path = ".") -> Study:
    """Fill in the defaults of a study that keeps to its schema, in place. Raises StudyError without the file's name.

    Args:
        folder: where its file is, beside which there may be code of the user's.
    """
    if "seed" in study and "seeds" in study:
        raise StudyError("key 'seed': found beside 'seeds', expected one of them")
    study["seeds"] = study.get("seeds", [study.pop("seed", 0)])
    _check_names(study)
    if name := user_code.named(study["problem"]):
        study["problem"]["simulator"] = user_code.located(name, folder)
    if "batch" in study["problem"] and (name is None or {"ode", "curve"} & set(study["problem"])):
        raise StudyError("key 'problem.batch': valid only for your own simulator of points, not of series")
    if infers(study):
        return inference_setting.completed(study)
    inference_setting.refuse_parts(study)
    _complete_calls(study, own=name is not None and not {"ode", "curve"} & set(study["problem"]))
    _check_limits(study["objectives"])
    _check_changes(study)
    _check_variation(study["objectives"])
    _complete_samples(study)
    for name, spec in study["surrogates"].items():
        if spec["kind"] == "neural_network" and spec.get("tune"):
            _check_tuning(f"key 'surrogates.{name}.tune", spec["tune"])
        if spec["kind"] == user_models.KIND:
            try:
                study["surrogates"][name] = user_models.completed(spec)
            except StudyError as error:
                raise StudyError(f"key 'surrogates.{name}': {error}") from None
    inverters = study["inverters"]
    if not any(inverter.baseline for inverter in inverters.values()):
        inverters[free_name(LOOKUP, inverters)] = Inverter.of({"kind": LOOKUP})
    for name, inverter in inverters.items():
        inverters[name] = inverter.changed(on=works_on(study, name, inverter))
    _check_answers(study)
    _check_problem(study["problem"])
    _check_scales(study)
    _add_nature(study["problem"])
    _complete_rounds(study)
    _check_next(study)
    calls.check(study)
    study["preimages"] = _preimages(study)
    return study


def _complete_calls(study: Study, own: bool) -> None:
    """Have a simulator that costs called for one point after the other. Raises StudyError for a limit of its time, or
    of its failures, that is of no consequence."""
    problem = study["problem"]
    if "seconds" in problem and not own:
        raise StudyError("key 'problem.seconds': valid only for your own simulator, of points or for inference")
    if "success_fraction" in problem and ("simulator" not in problem or fits(study)):
        raise StudyError("key 'problem.success_fraction': no rows are simulated: no simulator, or one of series")
    if own and ("seconds" in problem or "budget" in study):
        problem.setdefault("batch", 1)


def _preimages(study: Study) -> dict[str, dict[str, Any]]:
    """Take the wish for a whole preimage out of the objectives, so that nothing else depends on it; by objective.

    Raises StudyError where there is none to be had.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, entry in study["objectives"].items():
        asked = entry.pop("preimage", None)
        if not asked:
            continue
        where = f"key 'objectives.{name}.preimage'"
        if not {"target", "within"} & set(entry):
            raise StudyError(f"{where}: a preimage needs target values; expected an objective with target or within")
        if not any(made_of_trees(s) or form_of(s) for s in study["surrogates"].values()):
            raise StudyError(
                f"{where}: a preimage needs a tree model, such as a random forest, among the surrogates, or a linear "
                "model, Gaussian process or neural network"
            )
        if tied := _tied(study["problem"], entry.get("fixed") or {}):
            raise StudyError(f"{where}: {NO_VOLUME.format(', '.join(tied))}")
        found[name] = {**PREIMAGE, **(asked if isinstance(asked, Mapping) else {})}
    return found


def _check_answers(study: Study) -> None:
    """Raise StudyError for an objective that no inverter of the study answers, and an inverter without one."""
    objectives = {name: is_front(entry) for name, entry in study["objectives"].items()}
    methods = {name: v for name, v in study["inverters"].items() if not v.baseline}
    for name, front in objectives.items():
        if methods and not any(v.answers(front) for v in methods.values()):
            able = ", ".join(v.kind for v in Inverter.registry.values() if v.answers(front) and not v.baseline)
            asked = "a front" if front else "a single point"
            raise StudyError(
                f"key 'objectives.{name}': no inverter of this study finds {asked}; expected one of {able}"
            )
    for name, method in methods.items():
        if not any(map(method.answers, objectives.values())):
            asked = "a front (pareto)" if method.finds_fronts else "a single point"
            raise StudyError(f"key 'inverters.{name}': {method.kind} finds {asked}, which no objective asks for")


def _check_limits(entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise StudyError for limits beside an objective that leaves no output to limit."""
    reasons = {
        "fit": "a fit has no outputs to limit; expected bounds or constraints of its parameters",
        "test_rows": "test_rows takes the values of every output as they are; expected limits beside another objective",
    }
    for name, entry in entries.items():
        for kind, reason in reasons.items():
            if kind in entry and "subject_to" in entry:
                raise StudyError(f"key 'objectives.{name}.subject_to': {reason}")


def _check_changes(study: Study) -> None:
    """Raise StudyError for a change of a reference that cannot be asked for, whatever the data is."""
    for name, entry in study["objectives"].items():
        where = f"key 'objectives.{name}"
        if "closest_to" not in entry:
            if alone := [key for key in ("change_at_most", "keep") if key in entry]:
                raise StudyError(f"{where}.{alone[0]}': found without closest_to; expected the recipe that it is of")
            continue
        if not {"target", "targets", "within"} & set(entry):
            hint = "for the largest or smallest, ask for what is enough, as within: {output: {at_least: 85}}"
            raise StudyError(f"{where}.closest_to': expected values to meet, a target or within; {hint}")
        if "within" not in entry and 0 in _numbers(entry.get("tolerance")):
            raise StudyError(f"{where}.tolerance': found 0, expected more: no search meets a value exactly")
        if both := [key for key in ("committee", "preimage", "variation") if entry.get(key)]:
            raise StudyError(f"{where}.{both[0]}': found beside closest_to, which it does not support; leave one out")


def _numbers(tolerance: Any) -> list[float]:
    return list(tolerance.values()) if isinstance(tolerance, Mapping) else [tolerance]


def _check_variation(entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise StudyError for variation that is no text of a share, and beside what is asked of single points."""
    reasons = {
        "fit": "a fit estimates its parameters, which do not vary",
        "pareto": "a front is of single points; expected target, within, minimize or maximize",
        "committee": "found beside 'committee', which judges single points; expected one of them",
        "preimage": "found beside 'preimage', a set of single points; expected one of them",
    }
    for name, entry in entries.items():
        if "variation" not in entry:
            continue
        for kind, reason in reasons.items():
            if entry.get(kind):
                raise StudyError(f"key 'objectives.{name}.variation': {reason}")
        from preimage.core.objective import variation_of  # heavy, and seldom needed to read a study

        variation_of(f"objectives.{name}", entry)


def _tied(problem: Mapping[str, Any], fixed: Mapping[str, Any]) -> list[str]:
    """Return the inputs in equalities that are neither fixed nor whole numbers, by the study's own word."""
    inputs = {name: entry or {} for name, entry in (problem.get("inputs") or {}).items()}
    held = {
        n
        for n, entry in inputs.items()
        if entry.get("integer") or {"categories", "step", "values", "fixed"} & set(entry)
    }
    equal = [row["linear"] for row in problem["constraints"] if "equals" in row and "linear" in row]
    return [name for row in equal for name in row if name not in held | set(fixed)]


def _complete_samples(study: Study) -> None:
    """Set how many rows are simulated; of a fit, whose rows are the random parameters that it must beat, also their
    bounds. Raises StudyError for what a fit can't stand beside."""
    problem = study["problem"]
    if "simulator" in problem:
        problem.setdefault("samples", RANDOM_PARAMETERS if fits(study) else SAMPLES)
    study["simulation_parts"] = _simulation_parts(study)
    found = load_problem(problem, run=False)
    of_series = found is not None and found.dynamics is not None
    if "events" in problem and not (found is not None and isinstance(found.dynamics, Dynamics)):
        raise StudyError("key 'problem.events': valid only for a simulator of differential equations")
    if (problem.get("events") or {}).get("doses") and "ode" not in problem:
        raise StudyError("key 'problem.events.doses': valid only for equations of your own (`problem.ode`)")
    others = [name for name, entry in study["objectives"].items() if "fit" not in entry]
    if of_series and others:
        raise StudyError(f"key 'objectives.{others[0]}': '{problem['simulator']}' returns series; expected 'fit'")
    if not fits(study):
        return
    first = next(name for name, entry in study["objectives"].items() if "fit" in entry)
    if not of_series:
        raise StudyError(
            f"key 'objectives.{first}.fit': the problem has no simulator of series; expected seird, lotka_volterra, "
            "sir, or a function of your own with 'problem.ode' or 'problem.curve'"
        )
    if problem.get("formulas"):
        raise StudyError("key 'problem.formulas': a fit has no outputs to use them with; leave it out")
    if study["surrogates"]:
        raise StudyError(f"key 'objectives.{first}.fit': a fit works on the simulator itself; leave out 'surrogates'")
    assert found is not None
    problem.setdefault("sampling", "latin_hypercube")
    inputs = problem.get("inputs") or {}
    problem["inputs"] = {
        **{k: {"low": low, "high": high, **inputs.get(k, {})} for k, (low, high) in found.inputs.items()},
        **{k: v for k, v in inputs.items() if k not in found.inputs},
    }


def _simulation_parts(study: Study) -> int:
    """Take the number of jobs that simulate out of the problem, so that nothing else depends on it."""
    problem = study["problem"]
    parts = int(problem.pop("scatter", 1))
    if parts > 1 and ("table" in problem or fits(study)):
        raise StudyError("key 'problem.scatter': no rows to simulate: the study has a table, or fits series")
    if parts > problem.get("samples", parts):
        raise StudyError(f"key 'problem.scatter': found {parts}, expected at most its {problem['samples']} samples")
    return parts


def _complete_rounds(study: Study) -> None:
    """Set the number of rounds; raise StudyError where there is nothing to make them of."""
    problem = study["problem"]
    files = named.new_files(problem.get("table", {}))
    rounds = study.setdefault("rounds", len(files))
    if not rounds:
        return
    if not study["surrogates"]:
        raise StudyError("key 'rounds': no surrogate to retrain; add one under 'surrogates'")
    if "simulator" not in problem and rounds > len(files):
        raise StudyError(
            f"key 'rounds': found {rounds}, expected at most {len(files)}, the number of files of problem.table.new "
            "(there is no simulator)"
        )
    if "simulator" in problem and files:
        raise StudyError(
            "key 'problem.table.new': found beside a simulator, whose rounds simulate; expected one of them"
        )


def _check_next(study: Study) -> None:
    """Raise StudyError for experiments that no objective of the study can ask for."""
    if "next" not in study:
        return
    if fits(study):
        raise StudyError("key 'next': a fit has no experiments to choose; expected an objective of outputs")
    for name in study["next"].get("objectives") or ():
        if name not in study["objectives"]:
            hint = did_you_mean(name, list(study["objectives"]))
            raise StudyError(f"key 'next.objectives': unknown objective '{name}'{hint}")


def _add_nature(problem: dict[str, Any]) -> None:
    """Mark the inputs of a built-in problem that are whole numbers by nature."""
    name = problem.get("simulator", ":")
    if ":" not in name:
        found = load_problem(problem, run=False)
        for key in sorted(found.integers) if found else ():
            inputs = problem.setdefault("inputs", {})
            inputs[key] = {**inputs.get(key, {}), "integer": True}


def _check_names(study: Study) -> None:
    for part in ("surrogates", "objectives", "inverters", "inference"):
        for name in study.get(part, {}):
            good = name[:1].isalpha() and name.isascii() and all(c.isalnum() or c in "_-" for c in name)
            if not good or len(name) > 100:
                raise StudyError(
                    f"key '{part}.{name}': expected a name of letters, digits, '_' and '-', starting with a letter"
                )
    if SIMULATOR in study["surrogates"]:
        raise StudyError("key 'surrogates.simulator': this name is reserved for the simulator")


def _check_tuning(where: str, tune: Mapping[str, Any]) -> None:
    """Check what a network's tuning says beyond the schema: the order of its rates, and enough to choose and to try."""
    low, high = tune["learning_rate"]
    if low > high:
        raise StudyError(f"{where}.learning_rate': low {digits.plain(low)} is above high {digits.plain(high)}")
    combinations = math.prod(len(tune.get(key, [0])) for key in ("layers", "activation", "batch"))
    if tune["method"] == "grid" and tune["evaluations"] < combinations:
        found = f"found {tune['evaluations']}, expected at least {combinations}"
        raise StudyError(f"{where}.evaluations': {found}, one per combination of layers, activation and batch")
    if tune["method"] == "hyperopt" and low == high and combinations == 1:
        raise StudyError(f"{where}': found one learning rate and one value of every other option, expected a choice")


def _check_problem(problem: Mapping[str, Any]) -> None:
    for key in ("noise", "sampling"):
        if key in problem and "table" in problem:
            raise StudyError(f"key 'problem.{key}': valid only for simulated data; these rows come from a table")
    for key in ("dimension", "shift"):
        if key in problem and ":" in problem.get("simulator", ":"):
            raise StudyError(f"key 'problem.{key}': valid only for a built-in simulator")
    for name, settings in (problem.get("inputs") or {}).items():
        low, high = settings.get("low"), settings.get("high")
        if low is not None and high is not None and low > high:
            raise StudyError(f"key 'problem.inputs.{name}': low {digits.plain(low)} is above high {digits.plain(high)}")
        if "categories" in settings and (low is not None or high is not None or settings.get("integer")):
            raise StudyError(
                f"key 'problem.inputs.{name}': found low, high or integer beside categories, expected categories alone"
            )
        labels = [str(c) for c in settings.get("categories", ())]
        if twice := [c for c in labels if labels.count(c) > 1]:
            raise StudyError(f"key 'problem.inputs.{name}.categories': duplicate category '{twice[0]}'")
        _check_values(f"key 'problem.inputs.{name}", settings)


def _check_scales(study: Study) -> None:
    """Raise StudyError for a parameter that can't be searched by its logarithm."""
    problem = study["problem"]
    for name, settings in (problem.get("inputs") or {}).items():
        if settings.get("scale") != "log":
            continue
        where = f"key 'problem.inputs.{name}.scale'"
        if not fits(study):
            raise StudyError(f"{where}: found log, valid only for the parameters of a fit")
        if other := [key for key in ("integer", "categories", "values", "step", "zero_or") if settings.get(key)]:
            raise StudyError(f"{where}: found log beside {other[0]}, expected a number that takes any value")
        if problem["constraints"]:
            raise StudyError(f"{where}: found log beside constraints, expected one of them")
        if "fixed" not in settings and not settings["low"] > 0:
            low = digits.plain(settings["low"])
            raise StudyError(f"{where}: found log, and the lower bound {low}; expected one above 0")


def _check_values(where: str, settings: Mapping[str, Any]) -> None:
    """Raise StudyError for keys of an input's values that can't stand beside one another."""
    excluding = {
        "values": ("low", "high", "step", "integer", "categories"),
        "step": ("categories",),
        "zero_or": ("categories",),
    }
    for key, others in excluding.items():
        if key in settings and (beside := [other for other in others if settings.get(other) not in (None, False)]):
            raise StudyError(f"{where}': found {beside[0]} beside {key}, expected one of them")
    if "step" in settings and not {"low", "zero_or"} & set(settings):
        raise StudyError(f"{where}.step': missing key 'low', from which steps count")
