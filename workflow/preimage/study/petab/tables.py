"""The tables of a PEtab problem: parameters, observables, conditions and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from preimage.study import yaml_file
from preimage.support.errors import StudyError, did_you_mean

ONE = {"sbml_files": "model", "condition_files": "condition", "measurement_files": "measurement",
       "observable_files": "observable"}  # fmt: skip
LOG_10 = 2.302585092994046
ID, BEFORE = "conditionId", "preequilibrationConditionId"
# Columns that a problem may have, and may not be without.
NEEDED = {
    "parameter": ("parameterId", "parameterScale", "lowerBound", "upperBound", "nominalValue", "estimate"),
    "condition": ("conditionId",),
    "measurement": ("observableId", "simulationConditionId", "measurement", "time"),
    "observable": ("observableId", "observableFormula", "noiseFormula"),
}


@dataclass(frozen=True)
class Problem:
    """A PEtab problem: the file of its model, and its tables of texts, "" where a cell is empty."""

    sbml: str
    parameters: pd.DataFrame
    conditions: pd.DataFrame
    measurements: pd.DataFrame
    observables: pd.DataFrame


def read(path: str) -> Problem:
    """Return a PEtab problem. Raises StudyError, by name, for what is missing and what a study has no key for."""
    said = yaml_file.read(path)
    version = str(said.get("format_version", ""))
    if version.split(".")[0] != "1":
        raise StudyError(f"{path}: key 'format_version': found {version or 'none'}, expected PEtab 1")
    problems = said.get("problems") or [{}]
    if len(problems) != 1:
        raise StudyError(f"{path}: key 'problems': found {len(problems)} of them, expected one")
    folder, files = Path(path).parent, {}
    for key, kind in ONE.items():
        named = problems[0].get(key) or []
        if len(named) != 1:
            raise StudyError(f"{path}: key 'problems.0.{key}': found {len(named)} files, expected one")
        files[kind] = folder / named[0]
    parameters = said.get("parameter_file")
    if not isinstance(parameters, str):
        raise StudyError(f"{path}: key 'parameter_file': expected the name of one file")
    tables = {kind: _table(files[kind], kind) for kind in ("condition", "measurement", "observable")}
    found = Problem(
        str(files["model"]),
        _table(folder / parameters, "parameter"),
        tables["condition"],
        tables["measurement"],
        tables["observable"],
    )
    _check(found)
    return found


def _table(file: Path, kind: str) -> pd.DataFrame:
    try:
        found = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False, comment=None)
    except (OSError, ValueError) as error:
        raise StudyError(f"{file}: the table of the {kind}s can't be read ({error})") from None
    for column in NEEDED[kind]:
        if column not in found:
            raise StudyError(f"{file}: no column '{column}'{did_you_mean(column, list(found))}")
    return found.apply(lambda column: column.str.strip())


def _check(problem: Problem) -> None:
    """Raise StudyError for what a study has no key for."""
    rows = problem.measurements
    if BEFORE in rows and (rows[BEFORE] == "").any() and (rows[BEFORE] != "").any():
        raise StudyError(
            "measurements: found rows with pre-equilibration and rows without, which is not supported in one problem"
        )
    times = pd.to_numeric(rows["time"], errors="coerce")
    if not times.between(-1e300, 1e300).all():
        found = rows["time"][~times.between(-1e300, 1e300)].iloc[0]
        raise StudyError(f"measurements: found the time '{found}', expected numbers; steady states are not supported")
    places = {"observableId": problem.observables["observableId"], "simulationConditionId": problem.conditions[ID]}
    if BEFORE in rows and (rows[BEFORE] != "").any():
        places[BEFORE] = problem.conditions[ID]
    for column, known in places.items():
        names = set(known)
        for name in rows[column]:
            if name not in names:
                raise StudyError(f"measurements, column '{column}': found '{name}'{did_you_mean(name, sorted(names))}")


def inputs(problem: Problem) -> dict[str, dict[str, Any]]:
    """Return the inputs of a study by name. Raises StudyError for a prior that a study has no key for."""
    found: dict[str, dict[str, Any]] = {}
    for row in problem.parameters.to_dict("records"):
        name, scale = row["parameterId"], row["parameterScale"] or "lin"
        if row["estimate"] not in ("1", "1.0"):
            found[name] = {"fixed": float(row["nominalValue"])}
            continue
        found[name] = {"low": float(row["lowerBound"]), "high": float(row["upperBound"])}
        if scale != "lin":
            found[name]["scale"] = "log"
        found[name] |= _prior(row, scale)
    return found


def _prior(row: Mapping[str, str], scale: str) -> dict[str, Any]:
    kind, parameters = row.get("objectivePriorType", ""), row.get("objectivePriorParameters", "")
    if kind in ("", "parameterScaleUniform"):
        return {}
    if kind not in ("normal", "parameterScaleNormal"):
        raise StudyError(
            f"parameters: found the prior '{kind}' of '{row['parameterId']}', expected normal or parameterScaleNormal"
        )
    mean, sd = (float(v) for v in parameters.split(";"))
    if kind == "normal" or scale == "lin":
        return {"normal": {"mean": mean, "sd": sd}}
    unit = LOG_10 if scale == "log10" else 1.0
    return {"log_normal": {"mean": unit * mean, "sd": unit * sd}}


def decimal(problem: Problem) -> list[str]:
    """Return the observables whose noise is of logarithms to base 10."""
    return [
        r["observableId"]
        for r in problem.observables.to_dict("records")
        if r.get("observableTransformation") == "log10"
    ]


def loss(problem: Problem) -> str:
    """Return the likelihood that all observables have. Raises StudyError where they differ or a study has none."""
    of = {("lin", "normal"): "normal", ("log", "normal"): "log_normal", ("log10", "normal"): "log_normal",
          ("lin", "laplace"): "laplace"}  # fmt: skip
    found: dict[str, str] = {}
    for row in problem.observables.to_dict("records"):
        kind = (row.get("observableTransformation") or "lin", row.get("noiseDistribution") or "normal")
        if kind not in of:
            raise StudyError(
                f"observables: found {kind[1]} noise of {kind[0]} values for '{row['observableId']}', which is not "
                "supported"
            )
        found.setdefault(of[kind], row["observableId"])
    if len(found) > 1:
        said = " and ".join(f"{kind} ('{name}')" for kind, name in found.items())
        raise StudyError(f"observables: found {said}, expected one likelihood for all")
    return next(iter(found))
