"""A study as plain values: read, checked as far as possible without its data, and cut into cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from preimage import schema
from preimage.errors import StudyError, did_you_mean

SIMULATOR = "simulator"
LOOKUP = "lookup"
# Kinds of surrogate whose own derivative a method can have with `gradient: exact`.
HAS_GRADIENT: frozenset[str] = frozenset()
Study = dict[str, Any]


class Case(NamedTuple):
    """One cell of a study: an inverter asks a surrogate for an objective."""

    surrogate: str
    objective: str
    inverter: str


def load(path: str | Path) -> Study:
    """Read a study with its defaults filled in. Raises StudyError; nothing is written."""
    study = schema.check(schema.read(path), "study", path)
    try:
        return _completed(study)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None


def load_all(paths: Iterable[str | Path]) -> dict[str, Study]:
    """Read several studies, by name. Raises StudyError where two have one name."""
    studies: dict[str, Study] = {}
    files: dict[str, str | Path] = {}
    for path in paths:
        study = load(path)
        name = study["study"]
        # Names that differ in case only would share a folder on some file systems.
        other = next((n for n in studies if n.lower() == name.lower()), None)
        if other is not None:
            raise StudyError(f"{path}: study '{name}': {files[other]} has that name too")
        studies[name], files[name] = study, path
    return studies


def load_configured(config: Mapping[str, Any], path: str | Path) -> dict[str, Study]:
    """Check the config and read the studies that it names, by name."""
    return load_all(schema.check(dict(config), "config", path)["studies"])


def _completed(study: Study) -> Study:
    if "seed" in study and "seeds" in study:
        raise StudyError("key 'seed': found beside 'seeds', expected one of them")
    study["seeds"] = study.get("seeds", [study.pop("seed", 0)])
    _check_names(study)
    inverters = study["inverters"]
    if not any(v["kind"] == LOOKUP for v in inverters.values()):
        if LOOKUP in inverters:
            raise StudyError(f"key 'inverters.{LOOKUP}': this name is kept for the kind 'lookup'")
        inverters[LOOKUP] = {"kind": LOOKUP}
    for name, inverter in inverters.items():
        inverter["on"] = _works_on(study, name, inverter)
    _check_problem(study["problem"])
    return study


def _check_names(study: Study) -> None:
    for part in ("surrogates", "objectives", "inverters"):
        for name in study[part]:
            good = name[:1].isalpha() and name.isascii() and all(c.isalnum() or c in "_-" for c in name)
            if not good or len(name) > 100:
                raise StudyError(f"key '{part}.{name}': a name has letters, digits, '_' and '-', a letter first")
    if SIMULATOR in study["surrogates"]:
        raise StudyError("key 'surrogates.simulator': this name is kept for the simulator itself")


def _works_on(study: Study, name: str, inverter: Mapping[str, Any]) -> list[str]:
    """Return the surrogates an inverter works on; raise StudyError for a named pair that can't work together."""
    surrogates, has_simulator = study["surrogates"], "simulator" in study["problem"]
    able = [s for s in surrogates if _able(inverter, surrogates[s]["kind"])]
    if "on" not in inverter:
        if able or (surrogates and not has_simulator):
            chosen = able
        else:
            chosen = [SIMULATOR] if has_simulator and _able(inverter, SIMULATOR) else []
        if not chosen:
            raise StudyError(f"key 'inverters.{name}': {_unable(study, inverter)}")
        return chosen
    for target in inverter["on"]:
        where = f"key 'inverters.{name}.on'"
        if target == SIMULATOR:
            if not has_simulator:
                raise StudyError(f"{where}: found 'simulator', but the problem has none")
        elif target not in surrogates:
            raise StudyError(f"{where}: unknown surrogate '{target}'{did_you_mean(target, [*surrogates, SIMULATOR])}")
        kind = SIMULATOR if target == SIMULATOR else surrogates[target]["kind"]
        if not _able(inverter, kind):
            raise StudyError(f"{where}: {inverter['kind']} with gradient exact can't work on '{target}' ({kind}): "
                             "it has no gradient; use 2-point or 3-point")  # fmt: skip
    return list(inverter["on"])


def _able(inverter: Mapping[str, Any], kind: str) -> bool:
    return inverter.get("gradient") != "exact" or kind in HAS_GRADIENT


def _unable(study: Study, inverter: Mapping[str, Any]) -> str:
    if not study["surrogates"] and "simulator" not in study["problem"]:
        return "there is nothing to work on: name a surrogate (a table has no simulator)"
    return f"{inverter['kind']} with gradient exact finds no model with a gradient; use 2-point or 3-point"


def _check_problem(problem: Mapping[str, Any]) -> None:
    if "dimension" in problem and (":" in problem.get("simulator", ":")):
        raise StudyError("key 'problem.dimension': only for a built-in simulator")
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


def space_part(problem: Mapping[str, Any], surrogate: str) -> dict[str, Any]:
    """Return what a search depends on of a `problem` entry: the space, and the simulator where that is asked."""
    kept = {"inputs", "outputs", "constraints"}
    if surrogate == SIMULATOR:
        kept |= {"simulator", "dimension"}
    return {key: value for key, value in problem.items() if key in kept}
