"""A study as plain values: read, checked as far as possible without its data, and cut into cases."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from preimage import own_models, schema
from preimage.errors import StudyError, did_you_mean
from preimage.inference import setting as inference_setting
from preimage.inversion_kinds import HOLDS_CONSTRAINTS, NEEDS_TREES, NO_VOLUME, differentiable, made_of_trees

SIMULATOR = "simulator"
LOOKUP = "lookup"
# Rows to simulate where a study doesn't say: to train on, and to be beaten by a fit.
SAMPLES, RANDOM_PARAMETERS = 3000, 100
Study = dict[str, Any]
# Options of a whole preimage where a study only says that it wants one.
PREIMAGE = {"boxes": 200_000}


class Case(NamedTuple):
    """One cell of a study: an inverter asks a surrogate for an objective."""

    surrogate: str
    objective: str
    inverter: str


def load(path: str | Path) -> Study:
    """Read a study with its defaults filled in. Raises StudyError; nothing is written."""
    first, *others = load_each(path)
    if others:
        raise StudyError(f"{path}: key 'vary': this file is {len(others) + 1} studies, expected one")
    return first


def load_each(path: str | Path) -> list[Study]:
    """Read the studies of a file: one, or with `vary` one for each combination of its values, which are a family."""
    study = schema.check(schema.read(path), "study", path)
    try:
        return [_completed(one) for one in _varied(study)]
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None


def _varied(study: Study) -> Iterator[Study]:
    """Yield a study for each combination of the values that it varies; `family` and `varied` say which they are."""
    vary = study.pop("vary", None)
    if not vary:
        yield study
        return
    name = study["study"]
    for key in vary:
        if key in study["problem"]:
            raise StudyError(f"key 'vary.{key}': found beside 'problem.{key}', expected one of them")
    for values in itertools.product(*vary.values()):
        chosen = dict(zip(vary, values, strict=True))
        one = copy.deepcopy(study)
        one["problem"] |= chosen
        one |= {"study": "_".join([name, *(f"{k}{v}" for k, v in chosen.items())]), "family": name, "varied": chosen}
        yield one


def load_all(paths: Iterable[str | Path]) -> dict[str, Study]:
    """Read several studies, by name. Raises StudyError where two have one name."""
    return load_located(paths)[0]


def load_located(paths: Iterable[str | Path]) -> tuple[dict[str, Study], dict[str, str | Path]]:
    """Read several studies; return them and their files, by name, families' files too. Raises StudyError where two have
    one name."""
    studies: dict[str, Study] = {}
    files: dict[str, str | Path] = {}
    for path in _files(paths):
        found = {study["study"]: study for study in load_each(path)}
        own = {study.get("family", name) for name, study in found.items()}
        for name in dict.fromkeys([*found, *own]):
            # Names that differ in case only would share a folder on some file systems.
            other = next((n for n in files if n.lower() == name.lower()), None)
            if other is not None:
                raise StudyError(f"{path}: study '{name}': {files[other]} has that name too")
            files[name] = path
        studies |= found
    return studies, files


def written(path: str | Path, name: str) -> Study:
    """Return a study as its author wrote it; one of a family with the values that it has there."""
    for one in _varied(schema.read(path)):
        if one["study"] == name:
            return {k: v for k, v in one.items() if k not in ("family", "varied")}
    raise StudyError(f"{path}: has no study '{name}'")


def families(studies: Mapping[str, Study]) -> dict[str, list[str]]:
    """Return the studies of each family, by its name, in order."""
    found: dict[str, list[str]] = {}
    for name, study in studies.items():
        if "family" in study:
            found.setdefault(study["family"], []).append(name)
    return found


def _files(paths: Iterable[str | Path]) -> list[str | Path]:
    """Return study files; a folder stands for those in it. Raises StudyError where it has none."""
    found: list[str | Path] = []
    for path in paths:
        inside = sorted(Path(path).glob("*.yaml")) if Path(path).is_dir() else [path]
        if not inside:
            raise StudyError(f"{path}: found a folder without studies (*.yaml)")
        found += inside
    return found


def configured(config: Mapping[str, Any], path: str | Path) -> list[str]:
    """Check the config and return the files of the studies that it names."""
    return list(schema.check(dict(config), "config", path)["studies"])


def load_configured(config: Mapping[str, Any], path: str | Path) -> dict[str, Study]:
    """Check the config and read the studies that it names, by name."""
    return load_all(configured(config, path))


def _completed(study: Study) -> Study:
    if "seed" in study and "seeds" in study:
        raise StudyError("key 'seed': found beside 'seeds', expected one of them")
    study["seeds"] = study.get("seeds", [study.pop("seed", 0)])
    _check_names(study)
    if infers(study):
        return inference_setting.completed(study)
    inference_setting.refuse_parts(study)
    _complete_samples(study)
    for name, spec in study["surrogates"].items():
        if spec["kind"] == "neural_network" and spec.get("tune"):
            _check_tuning(f"key 'surrogates.{name}.tune", spec["tune"])
        if spec["kind"] == own_models.KIND:
            try:
                study["surrogates"][name] = own_models.completed(spec)
            except StudyError as error:
                raise StudyError(f"key 'surrogates.{name}': {error}") from None
    inverters = study["inverters"]
    if not any(v["kind"] == LOOKUP for v in inverters.values()):
        if LOOKUP in inverters:
            raise StudyError(f"key 'inverters.{LOOKUP}': this name is kept for the kind 'lookup'")
        inverters[LOOKUP] = {"kind": LOOKUP}
    for name, inverter in inverters.items():
        inverter["on"] = _works_on(study, name, inverter)
        if inverter["kind"] == "multistart" and parts(study, name) > inverter["starts"]:
            found = f"found {parts(study, name)}, expected at most its {inverter['starts']} starts"
            raise StudyError(f"key 'inverters.{name}.scatter': {found}")
    _check_problem(study["problem"])
    _add_nature(study["problem"])
    _complete_rounds(study)
    study["preimages"] = _preimages(study)
    return study


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
            raise StudyError(f"{where}: a preimage needs values to meet: expected an objective with target or within")
        if not any(made_of_trees(s) for s in study["surrogates"].values()):
            raise StudyError(f"{where}: it needs a surrogate made of trees, a random forest")
        if tied := _tied(study["problem"], entry.get("fixed") or {}):
            raise StudyError(f"{where}: {NO_VOLUME.format(', '.join(tied))}")
        found[name] = {**PREIMAGE, **(asked if isinstance(asked, Mapping) else {})}
    return found


def _tied(problem: Mapping[str, Any], fixed: Mapping[str, Any]) -> list[str]:
    """Return the inputs in equalities that are neither fixed nor whole numbers, by the study's own word."""
    inputs = {name: entry or {} for name, entry in (problem.get("inputs") or {}).items()}
    held = {
        n for n, entry in inputs.items() if any(entry.get(k) for k in ("integer", "categories")) or "fixed" in entry
    }
    equal = [row["linear"] for row in problem["constraints"] if "equals" in row]
    return [name for row in equal for name in row if name not in held | set(fixed)]


def infers(study: Mapping[str, Any]) -> bool:
    """Whether a study infers the parameters of a stochastic simulator; it has no surrogates then, and no inverters."""
    return "inference" in study


def fits(study: Mapping[str, Any]) -> bool:
    """Whether a study fits a simulator's series to data: all of its objectives do, or none."""
    return any("fit" in entry for entry in study["objectives"].values())


def _complete_samples(study: Study) -> None:
    """Set how many rows are simulated; of a fit, whose rows are the random parameters that it must beat, also their
    bounds. Raises StudyError for what a fit can't stand beside."""
    problem = study["problem"]
    if "simulator" in problem:
        problem.setdefault("samples", RANDOM_PARAMETERS if fits(study) else SAMPLES)
    found = _loaded(problem)
    of_series = found is not None and found.dynamics is not None
    others = [name for name, entry in study["objectives"].items() if "fit" not in entry]
    if of_series and others:
        raise StudyError(f"key 'objectives.{others[0]}': '{problem['simulator']}' gives series; expected 'fit'")
    if not fits(study):
        return
    first = next(name for name, entry in study["objectives"].items() if "fit" in entry)
    if not of_series:
        raise StudyError(
            f"key 'objectives.{first}.fit': the problem has no simulator of series; expected seird, lotka_volterra, "
            "sir, or a function of yours with 'problem.ode' or 'problem.curve'"
        )
    if study["surrogates"]:
        raise StudyError(f"key 'objectives.{first}.fit': a fit works on the simulator itself; leave out 'surrogates'")
    assert found is not None
    problem.setdefault("sampling", "latin_hypercube")
    inputs = problem.get("inputs") or {}
    problem["inputs"] = {
        **{k: {"low": low, "high": high, **inputs.get(k, {})} for k, (low, high) in found.inputs.items()},
        **{k: v for k, v in inputs.items() if k not in found.inputs},
    }


def _loaded(problem: Mapping[str, Any]) -> Any:
    from preimage.problem import load as load_problem

    return load_problem(problem)


def _complete_rounds(study: Study) -> None:
    """Set the number of rounds; raise StudyError where there is nothing to make them of."""
    from preimage.data import new_rows

    problem = study["problem"]
    files = new_rows.files(problem.get("table", {}))
    rounds = study.setdefault("rounds", len(files))
    if not rounds:
        return
    if not study["surrogates"]:
        raise StudyError("key 'rounds': there is no surrogate to train again; name one under 'surrogates'")
    if "simulator" not in problem and rounds > len(files):
        raise StudyError(
            f"key 'rounds': found {rounds}, but there is no simulator, and problem.table.new has {len(files)} files"
        )
    if "simulator" in problem and files:
        raise StudyError(
            "key 'problem.table.new': found beside a simulator, whose rounds simulate; expected one of them"
        )


def _add_nature(problem: dict[str, Any]) -> None:
    """Mark the inputs of a built-in problem that are whole numbers by nature."""
    name = problem.get("simulator", ":")
    if ":" not in name:
        from preimage.problem import load as load_problem

        found = load_problem(problem)
        for key in sorted(found.integers) if found else ():
            inputs = problem.setdefault("inputs", {})
            inputs[key] = {**inputs.get(key, {}), "integer": True}


def _check_names(study: Study) -> None:
    for part in ("surrogates", "objectives", "inverters", "inference"):
        for name in study.get(part, {}):
            good = name[:1].isalpha() and name.isascii() and all(c.isalnum() or c in "_-" for c in name)
            if not good or len(name) > 100:
                raise StudyError(f"key '{part}.{name}': a name has letters, digits, '_' and '-', a letter first")
    if SIMULATOR in study["surrogates"]:
        raise StudyError("key 'surrogates.simulator': this name is kept for the simulator itself")


def _check_tuning(where: str, tune: Mapping[str, Any]) -> None:
    """Check what a network's tuning says beyond the schema: the order of its rates, and enough to choose and to try."""
    low, high = tune["learning_rate"]
    if low > high:
        raise StudyError(f"{where}.learning_rate': low {low:g} is above high {high:g}")
    combinations = math.prod(len(tune.get(key, [0])) for key in ("layers", "activation", "batch"))
    if tune["method"] == "grid" and tune["evaluations"] < combinations:
        found = f"found {tune['evaluations']}, expected at least {combinations}"
        raise StudyError(f"{where}.evaluations': {found}, one a combination of layers, activation and batch")
    if tune["method"] == "hyperopt" and low == high and combinations == 1:
        raise StudyError(f"{where}': found one learning rate and one of all else, expected something to choose")


def _works_on(study: Study, name: str, inverter: Mapping[str, Any]) -> list[str]:
    """Return the surrogates an inverter works on; raise StudyError for a named pair that can't work together."""
    models = dict(study["surrogates"])
    if "simulator" in study["problem"]:
        models[SIMULATOR] = {"kind": SIMULATOR}
    if not models:
        raise StudyError(f"key 'inverters.{name}': nothing to work on: name a surrogate (a table has no simulator)")
    method = inverter.get("method")
    if study["problem"]["constraints"] and method and method not in HOLDS_CONSTRAINTS:
        others = " or ".join(sorted(HOLDS_CONSTRAINTS))
        raise StudyError(f"key 'inverters.{name}.method': {method} can't hold constraints; use {others}")
    reasons = {target: _refusal(study["problem"], inverter, model) for target, model in models.items()}
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


def _refusal(problem: Mapping[str, Any], inverter: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Return why an inverter can't work on a model; "" where it can."""
    if inverter["kind"] in NEEDS_TREES and not made_of_trees(model):
        return "the method needs a model made of trees, a random forest"
    exact = differentiable(model) or (model["kind"] == SIMULATOR and _traceable(problem))
    if inverter.get("gradient") == "exact" and not exact:
        return "it has no gradient of its own; use 2-point or 3-point"
    batched = inverter.get("engine") == "batched" and not exact
    if batched or (inverter["kind"] == "neural_adjoint" and not differentiable(model)):
        return "the method needs a model with a gradient of its own, a network or a Gaussian process"
    if inverter.get("gradient") == "cs" and not (model["kind"] == SIMULATOR and _complex_safe(problem)):
        return "it is not known to compute with complex numbers as it does with real ones; use 2-point or 3-point"
    return ""


def _complex_safe(problem: Mapping[str, Any]) -> bool:
    found = _loaded(problem)
    return found is not None and found.complex_safe


def _traceable(problem: Mapping[str, Any]) -> bool:
    """Whether the simulator is a model of series that JAX can differentiate."""
    found = _loaded(problem)
    return found is not None and found.dynamics is not None and found.dynamics.traceable


def _check_problem(problem: Mapping[str, Any]) -> None:
    for key in ("noise", "sampling"):
        if key in problem and "table" in problem:
            raise StudyError(f"key 'problem.{key}': only for simulated data; these rows come from a table")
    for key in ("dimension", "shift"):
        if key in problem and ":" in problem.get("simulator", ":"):
            raise StudyError(f"key 'problem.{key}': only for a built-in simulator")
    for name, settings in (problem.get("inputs") or {}).items():
        low, high = settings.get("low"), settings.get("high")
        if low is not None and high is not None and low > high:
            raise StudyError(f"key 'problem.inputs.{name}': low {low:g} is above high {high:g}")
        if "categories" in settings and (low is not None or high is not None or settings.get("integer")):
            raise StudyError(f"key 'problem.inputs.{name}': categories have no low, high or integer")
        labels = [str(c) for c in settings.get("categories", ())]
        if twice := [c for c in labels if labels.count(c) > 1]:
            raise StudyError(f"key 'problem.inputs.{name}.categories': '{twice[0]}' is there twice")


def cases(study: Study) -> list[Case]:
    """Return every (surrogate, objective, inverter) of a study, in its own order."""
    return [
        Case(surrogate, objective, name)
        for surrogate in [*study["surrogates"], SIMULATOR]
        for objective in study["objectives"]
        for name, inverter in study["inverters"].items()
        if surrogate in inverter["on"]
    ]


def parts(study: Study, inverter: str) -> int:
    """Return by how many jobs an inverter's work is shared."""
    return int(study["inverters"][inverter].get("scatter", 1))


def preimages(study: Study) -> list[tuple[str, str]]:
    """Return every (surrogate, objective) whose whole preimage a study asks for."""
    trees = [name for name, spec in study["surrogates"].items() if made_of_trees(spec)]
    return [(surrogate, objective) for objective in study["preimages"] for surrogate in trees]


def baselines(study: Study) -> list[str]:
    """Return the inverters of a study that don't search, but look up."""
    return [name for name, inverter in study["inverters"].items() if inverter["kind"] == LOOKUP]


def searched_exactly(study: Study) -> set[str]:
    """Return the surrogates that some method needs as arrays of trees."""
    methods = (v for v in study["inverters"].values() if v["kind"] in NEEDS_TREES)
    return {name for method in methods for name in method["on"]} | {surrogate for surrogate, _ in preimages(study)}


def space_part(problem: Mapping[str, Any], surrogate: str) -> dict[str, Any]:
    """Return what a search depends on of a `problem` entry: the space, and the simulator where that is asked."""
    kept = {"inputs", "outputs", "constraints"}
    if surrogate == SIMULATOR:
        kept |= {"simulator", "dimension", "shift", "ode", "curve", "solver"}
    return {key: value for key, value in problem.items() if key in kept}
