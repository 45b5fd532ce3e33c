"""A PEtab problem written as a study: its YAML file, the equations as Python, the data and the conditions as tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from preimage.core.expressions import Expression
from preimage.study.petab import formulas, sbml, tables
from preimage.study.petab.formulas import python_name
from preimage.support.errors import StudyError
from preimage.support.files import write_text

KINDS = ("observable", "noise")


def write(path: str) -> Path:
    """Write the study of a PEtab problem beside it, and return its path.

    Raises StudyError for what can't be read or stated, and for a file that is there already.
    """
    problem, stem = tables.read(path), re.sub(r"\W+", "_", Path(path).stem)
    stem = stem if stem[0].isalpha() else f"petab_{stem}"
    folder = Path(path).parent
    study = folder / f"{stem}_study.yaml"
    files = {part: folder / f"{stem}_{part}" for part in ("model.py", "data.csv", "conditions.csv")}
    for file in (study, *files.values()):
        if file.exists():
            raise StudyError(f"{file}: the file is there already; it is not overwritten")
    found = _Study(problem, sbml.read(problem.sbml))
    write_text(files["model.py"], found.code(Path(path).name))
    found.data.to_csv(files["data.csv"], index=False)
    if found.has_conditions:
        found.conditions.to_csv(files["conditions.csv"])
    entry = found.entry(str(files["data.csv"]), str(files["conditions.csv"]))
    head = f"# Written by `preimage new` from the PEtab problem {Path(path).name}.\n"
    write_text(study, head + yaml.safe_dump(_study(stem, found, entry), sort_keys=False, width=110))
    return study


def _study(stem: str, found: _Study, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "study": stem,
        "problem": {
            "simulator": f"{stem}_model:rates",
            "ode": {"states": found.states(), **found.at_rest(), "observe": "observe"},
            "inputs": found.inputs,
            "outputs": {name: {} for name in found.observed},
        },
        "objectives": {"fit": {"fit": entry}},
        "inverters": {"starts": {"kind": "multistart", "starts": 100, "engine": "batched"}},
    }


@dataclass
class _Study:
    """A problem on its way to a study.

    Attributes:
        inputs: settings by name.
        formulas: of the observables and of their noise, by kind and name.
        conditions: a row a condition of the study, a column an input.
        before: values of inputs under which states come to rest before the start; None where they don't.
        data: the measurements, a column an observable, and a column of noise where it differs by measurement.
        stated: the observables whose noise is such a column, and its name.
    """

    problem: tables.Problem
    network: sbml.Network
    inputs: dict[str, dict[str, Any]] = field(init=False)
    formulas: dict[tuple[str, str], str] = field(init=False)
    conditions: pd.DataFrame = field(init=False)
    data: pd.DataFrame = field(init=False)
    before: dict[str, str] | None = field(init=False, default=None)
    stated: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.inputs = tables.inputs(self.problem)
        rows = self.problem.measurements
        self.observed = [o for o in self.problem.observables["observableId"] if (rows["observableId"] == o).any()]
        by_name = self.problem.observables.set_index("observableId")
        self.formulas = {(kind, o): by_name.loc[o, f"{kind}Formula"] for kind in KINDS for o in self.observed}
        self.begins = dict(self.network.initial)
        self._split(self._by_measurement(rows))
        self._override()
        self.formulas |= {("noise", o): self.formulas["noise", o].strip("() ") for o in self.observed}
        self._natural(tables.decimal(self.problem))

    @property
    def has_conditions(self) -> bool:
        return len(self.conditions) > 1 or bool(len(self.conditions.columns))

    # -- conditions ----------------------------------------------------------------------------------------------------

    def _by_measurement(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with their noise as numbers, in a column of its own, of those observables whose noise has
        parameters that are numbers and differ."""
        rows = rows.assign(noise=np.nan, noiseParameters=rows.get("noiseParameters", ""))
        for name in self.observed:
            mine = rows["observableId"] == name
            cells = [text.split(";") for text in rows.loc[mine, "noiseParameters"]]
            if len({tuple(row) for row in cells}) < 2 or not all(_is_number(v) for row in cells for v in row):
                continue
            placeholders = [{f"noiseParameter{j}_{name}": v for j, v in enumerate(row, 1)} for row in cells]
            if formulas.names(self.formulas["noise", name]) - set(placeholders[0]):
                continue
            texts = [formulas.substituted(self.formulas["noise", name], values) for values in placeholders]
            unit = tables.LOG_10 if name in tables.decimal(self.problem) else 1.0
            rows.loc[mine, "noise"] = [unit * self._number(text, f"the noise of '{name}'") for text in texts]
            rows.loc[mine, "noiseParameters"] = ""
            self.stated[name] = f"{name}_noise"
        return rows

    def _split(self, rows: pd.DataFrame) -> None:
        """Set data and conditions: where a measurement has parameters of its own, as a condition of its own."""
        keys = [f"{kind}Parameters" for kind in KINDS]
        rows = rows.assign(**{k: rows.get(k, "") for k in [*keys, tables.BEFORE]})
        places, own, before = [], dict[str, dict[str, str]](), dict[str, str]()
        for (experiment, rest), part in rows.groupby(["simulationConditionId", tables.BEFORE], sort=False):
            several = len(set(rows[tables.BEFORE][rows["simulationConditionId"] == experiment])) > 1
            condition = f"{experiment}__from_{rest}" if several else str(experiment)
            for observable, mine in part.groupby("observableId", sort=False):
                for k, (values, these) in enumerate(mine.groupby(keys, sort=False)):
                    name = str(condition) if k == 0 else f"{condition}__{k + 1}"
                    own.setdefault(name, {"conditionId": str(experiment)})
                    before[name] = str(rest)
                    for kind, text in zip(KINDS, values, strict=True):
                        cells = enumerate(filter(None, str(text).split(";")), 1)
                        own[name] |= {f"{kind}Parameter{j}_{observable}": cell.strip() for j, cell in cells}
                    places.append(pd.Series(name, index=these.index))
        named = rows.assign(condition=pd.concat(places))
        again = named.groupby(["condition", "observableId", "time"]).cumcount()
        values = named.assign(
            again=again, time=named["time"].astype(float), measurement=named["measurement"].astype(float)
        )
        places_of_rows = ["condition", "time", "again"]
        wide = values.set_index([*places_of_rows, "observableId"])[["measurement", "noise"]].unstack("observableId")  # noqa: PD010
        noise = wide["noise"][list(self.stated)].rename(columns=self.stated)
        self.data = wide["measurement"][self.observed].join(noise).reset_index().drop(columns="again")
        frame = pd.DataFrame.from_dict(own, orient="index").fillna("")
        of_problem = self.problem.conditions.set_index("conditionId").drop(columns="conditionName", errors="ignore")
        frame = frame.join(of_problem, on="conditionId").drop(columns="conditionId")
        self.conditions = frame.rename_axis("condition")
        if any(before.values()):
            self._rest(of_problem.loc[[before[name] for name in self.conditions.index]])

    def _rest(self, cells: pd.DataFrame) -> None:
        """Set the inputs' values before the start, given those of each condition; one that differs between conditions
        is an input of its own. Raises StudyError for states that conditions set."""
        self.before = {}
        for column in cells.columns:
            values = [str(value) for value in cells[column]]
            if column in self.begins:
                raise StudyError(
                    f"conditions, column '{column}': a state that a condition sets after pre-equilibration is not "
                    "supported"
                )
            if len(set(values)) == 1 and values[0]:
                self.before[column] = values[0]
            elif any(values):
                self.before[column] = name = f"{column}_before"
                self.inputs[name] = {"fixed": 1.0}
                self.conditions[name] = values

    def at_rest(self) -> dict[str, Any]:
        """Return the study's `preequilibration`, where it has one. Raises StudyError for a cell that is neither a
        number nor a parameter."""
        if self.before is None:
            return {}
        for column, value in self.before.items():
            if not _is_number(value) and value not in self.inputs:
                raise StudyError(f"conditions, column '{column}': found '{value}', expected a number or a parameter")
        return {"preequilibration": {k: float(v) if _is_number(v) else v for k, v in self.before.items()}}

    def _override(self) -> None:
        """Have every column of the conditions an input; one that has one value everywhere is no column."""
        for column in list(self.conditions.columns):
            cells = self.conditions[column]
            placeholder = re.fullmatch(r"(observable|noise)Parameter\d+_(\w+)", column)
            if placeholder:
                used = cells[cells != ""]
                if len(set(used)) == 1:
                    key = (placeholder[1], placeholder[2])
                    self.formulas[key] = formulas.substituted(self.formulas[key], {column: used.iloc[0]})
                    self.conditions = self.conditions.drop(columns=column)
                    continue
                self.inputs[column] = {"fixed": 1.0}
            elif column in self.begins:
                value, name = self._number(self.begins[column], f"the initial value of '{column}'"), f"{column}_0"
                self.inputs[name], self.begins[column] = {"fixed": value}, name
                self.conditions = self.conditions.rename(columns={column: name})
            elif column in self.network.constants:
                self.inputs.setdefault(column, {"fixed": float(self.network.constants[column])})
            elif column not in self.inputs:
                raise StudyError(f"conditions: found the column '{column}', which is no constant or state of the model")
        for column in self.conditions.columns:
            for cell in self.conditions[column]:
                if cell and not _is_number(cell) and cell not in self.inputs:
                    raise StudyError(f"conditions, column '{column}': found '{cell}', expected a number or a parameter")

    def _natural(self, decimal: Collection[str]) -> None:
        """Have the noise of logarithms to base 10 that of natural ones. Raises StudyError where it is something else
        too."""
        mine = {self.formulas["noise", o] for o in self.observed if o in decimal}
        columns = [c for c in self.conditions.columns if mine & {c}]
        cells = {cell for c in columns for cell in self.conditions[c] if cell and not _is_number(cell)}
        others = [f for (kind, o), f in self.formulas.items() if kind == "observable" or o not in decimal]
        others += [*self.network.derivatives.values(), *self.network.assignments.values(), *self.begins.values()]
        scaled = (mine | cells) & set(self.inputs)
        if both := sorted(scaled & set().union(*map(formulas.names, others))):
            raise StudyError(
                f"observables: found '{both[0]}' as the noise of logarithms to base 10 and elsewhere; not supported"
            )
        for name in scaled:
            self.inputs[name] = _times(self.inputs[name], tables.LOG_10)
        for column in columns:
            numbers = [repr(float(c) * tables.LOG_10) if _is_number(c) else c for c in self.conditions[column]]
            self.conditions[column] = numbers
        for name in self.observed:
            if name in decimal and _is_number(formula := self.formulas["noise", name]):
                self.formulas["noise", name] = repr(float(formula) * tables.LOG_10)

    # -- what the study says -------------------------------------------------------------------------------------------

    @property
    def constants(self) -> dict[str, float]:
        return {name: value for name, value in self.network.constants.items() if name not in self.inputs}

    def entry(self, data: str, conditions: str) -> dict[str, Any]:
        """Return the study's `fit`."""
        found: dict[str, Any] = {"data": data, "loss": tables.loss(self.problem), "noise": self.noise()}
        if self.has_conditions:
            found["conditions"] = conditions
        return {**found, "time": {"column": "time", "origin": 0}}

    def noise(self) -> dict[str, float | str | dict[str, str]]:
        """Return the noise of each series. Raises StudyError for one that is neither a number nor a parameter, nor a
        column of the data."""
        found: dict[str, float | str | dict[str, str]] = {}
        for name in self.observed:
            if name in self.stated:
                found[name] = {"column": self.stated[name]}
                continue
            formula = self.formulas["noise", name]
            if not _is_number(formula) and formula not in self.inputs:
                raise StudyError(
                    f"observables: found the noise '{formula}' of '{name}', expected a number or a parameter: noise "
                    "that is a formula is not supported"
                )
            found[name] = float(formula) if _is_number(formula) else formula
        return found

    def states(self) -> dict[str, float | str]:
        """Return the initial values of the states: numbers, or formulas of inputs."""
        return {name: self._initial(text, f"the initial value of '{name}'") for name, text in self.begins.items()}

    def _initial(self, text: str, where: str) -> float | str:
        rules = {n: f for n, f in self.network.assignments.items() if n not in self.inputs}
        known = {**{n: repr(v) for n, v in self.constants.items()}, **rules}
        while formulas.names(text) & set(known):
            text = formulas.substituted(text, known)
        text = text.replace("^", "**")
        return text if formulas.names(text) & set(self.inputs) else self._number(text, where)

    def _number(self, text: str, where: str) -> float:
        return float(Expression.parse(f"0 * x + ({text})", ["x"], where).evaluate({"x": np.zeros(())}))

    # -- code ----------------------------------------------------------------------------------------------------------

    def code(self, name: str) -> str:
        """Return the file of the right-hand side and of what is observed."""
        right = self.network.derivatives
        seen = {o: self.formulas["observable", o] for o in self.observed}
        return (
            f'"""The equations of the PEtab problem {name}, written by `preimage new`."""\n\n'
            + "import jax.numpy as jnp\n\n\n"
            + self._function("rates(t, y, p)", right, "time")
            + "\n\n"
            + self._function("observe(y, p)", seen, "")
        )

    def _function(self, head: str, wanted: Mapping[str, str], time: str) -> str:
        """Return a function that returns formulas of the states."""
        rules = {n: f for n, f in self.network.assignments.items() if n not in self.inputs}
        needed = self._needed(wanted.values(), rules)
        known = {*self.begins, *self.inputs, *self.constants, *rules, time, *formulas.FUNCTIONS, "pow", "min", "max",
                 "piecewise", "and", "or", "not"}  # fmt: skip
        for what, formula in [*wanted.items(), *((n, rules[n]) for n in rules if n in needed)]:
            if other := sorted(formulas.names(formula) - known):
                raise StudyError(f"the formula of '{what}': found '{other[0]}', which is nothing that it may depend on")
        lines = [f"    {', '.join(map(python_name, self.begins))}, = y"]
        lines += [f'    {python_name(n)} = p["{n}"]' for n in self.inputs if n in needed]
        lines += [f"    {python_name(n)} = {v!r}" for n, v in self.constants.items() if n in needed]
        lines += [f"    {python_name(n)} = {formulas.python(f, n)}" for n, f in rules.items() if n in needed]
        ends = [f"        {formulas.python(f, n)},  # {n}" for n, f in wanted.items()]
        if len(wanted) == 1 and not time:  # what is observed of one series is no list
            return "\n".join([f"def {head}:", *lines, "    return (", ends[0].replace(",  # ", "  # "), "    )", ""])
        return "\n".join([f"def {head}:", *lines, "    return [", *ends, "    ]", ""])

    def _needed(self, texts: Iterable[str], rules: Mapping[str, str]) -> Collection[str]:
        found: set[str] = set()
        left = list(texts)
        while left:
            new = formulas.names(left.pop()) - found
            found |= new
            left += [rules[n] for n in new if n in rules]
        return found


def _times(settings: Mapping[str, Any], unit: float) -> dict[str, Any]:
    """Return the settings of an input that is so many times as large."""
    found = {key: value * unit if key in ("low", "high", "fixed") else value for key, value in settings.items()}
    if prior := found.get("normal"):
        found["normal"] = {key: value * unit for key, value in prior.items()}
    if prior := found.get("log_normal"):
        found["log_normal"] = {**prior, "mean": prior["mean"] + float(np.log(unit))}
    return found


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
