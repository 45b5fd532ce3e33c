"""What can be said of a study's data before any job starts: refused with one error, or warned about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage import objective, polytope, problem
from preimage.data import new_rows, tables, targets
from preimage.data.setting import Rows, Setting, categories, describe, of_rows, of_simulator
from preimage.errors import StudyError
from preimage.space import Space

Study = Mapping[str, Any]


def check(study: Study, look: Callable[[Setting], None] | None = None) -> list[str]:
    """Check a study against its data; return warnings, raise StudyError for what can't work.

    Reads the tables whole; writes nothing.

    Args:
        look: called with the setting for what else there is to check of it.
    """
    spec = study["problem"]
    imported = tables.import_table(spec["table"], categories(spec)) if "table" in spec else None
    if imported is not None:
        table, inputs, outputs, _ = imported
        found = of_rows(spec, describe(table, inputs, outputs, categories(spec)))
        if all(_is_constant(table, name) for name in inputs):
            raise StudyError("problem.table: every row has the same inputs; there is nothing to learn or to hold out")
    else:
        found = of_simulator(spec)
    if imported is not None and "simulator" in spec:
        _check_simulator(spec, found)
    polytope.check_feasible(found.space)
    for name, wanted in _first_of_each(_objectives(study, found)).items():
        try:
            polytope.check_feasible(found.space.fix(wanted.fixed))
        except StudyError as error:
            raise StudyError(f"objectives.{name}: {error}") from None
    if look is not None:
        look(found)
    if any("fit" in entry for entry in study["objectives"].values()):
        from preimage.calibration import fit

        return fit.check(spec, study["objectives"], run=False)
    if imported is None:
        return []
    for path in new_rows.files(spec["table"]):
        new_rows.read(path, tables.with_units(table, found.units), found.inputs, spec["table"], categories(spec))
    return [*imported.sentences(), *warnings(study, table, found)]


def warnings(study: Study, table: pa.Table, found: Setting) -> list[str]:
    """Return what a user should know of rows and wishes that don't fit, one sentence each."""
    said = [*_constant(table, found), *_excluded(table, found), *_outside(table, found)]
    objectives = _objectives(study, found)
    said += [w for wanted in objectives.values() if "." not in wanted.name for w in _never_seen(table, wanted)]
    said += _many_never_seen(table, objectives)
    for name, wanted in _first_of_each(objectives).items():
        pinned = found.space.fix(wanted.fixed)
        said += [f"objective '{name}': {w}" for w in _fixed_outside(table, pinned, wanted.fixed)]
    return said


def _objectives(study: Study, found: Setting) -> dict[str, objective.Objective]:
    """Return what is known of a study's objectives before there are test rows to take any from."""
    entries = {name: e for name, e in study["objectives"].items() if objective.many(e) != "test_rows"}
    return targets.objectives(entries, Rows(found.inputs, found.outputs, {}, {}, [], []))


def _first_of_each(objectives: Mapping[str, objective.Objective]) -> dict[str, objective.Objective]:
    """Return one objective an entry: those of a table differ in nothing but the values wanted."""
    return {w.entry: w for w in reversed(list(objectives.values()))}


def _check_simulator(spec: Mapping[str, Any], found: Setting) -> None:
    simulator = problem.load(spec, run=False)
    assert simulator is not None
    for kind, ours, its in (("inputs", found.inputs, simulator.inputs), ("outputs", found.outputs, simulator.outputs)):
        if list(ours) != list(its):
            raise StudyError(f"problem: the table's {kind} {ours} are not those of the simulator, {list(its)}")


def _constant(table: pa.Table, found: Setting) -> list[str]:
    return [
        f"column '{name}' is constant: nothing can be learned of it"
        for name in [*found.inputs, *found.outputs]
        if _is_constant(table, name)
    ]


def _is_constant(table: pa.Table, name: str) -> bool:
    extremes = pc.min_max(table[name])
    return bool(extremes["min"] == extremes["max"])


def _excluded(table: pa.Table, found: Setting) -> list[str]:
    """Warn of bounds that leave rows out: they still train, but no candidate will lie there."""
    inside = np.ones(len(table), bool)
    for i in found.space.inputs:
        if not i.categories:
            column = table[i.name].to_numpy()
            inside &= (column >= i.low) & (column <= i.high)
    share = 1 - inside.mean()
    if not inside.any():
        return ["bounds exclude 100% of the rows: every candidate will lie where no data was"]
    return [f"bounds exclude {_share(share)} of the rows; they still train"] if share > 0 else []


def _share(part: float) -> str:
    """Return a share above 0 in words that don't round it to none or all."""
    return "less than 0.1%" if part < 0.001 else "more than 99.9%" if part > 0.999 else f"{part:.1%}"


def _outside(table: pa.Table, found: Setting) -> list[str]:
    """Warn once of rows that violate the constraints, and of fixed values outside the data."""
    said = []
    matrix, low, high = found.space.rows
    used = np.asarray(matrix.any(axis=0))
    if used.any():
        names = [n for n, u in zip(found.inputs, used, strict=True) if u]
        value = np.column_stack([table[n].to_numpy() for n in names]) @ matrix[:, used].T
        slack = 1e-6 * found.space.row_scale
        broken = int(((value < low - slack) | (value > high + slack)).any(axis=1).sum())
        if broken:
            said.append(f"{broken} of {len(table)} rows violate the constraints; they still train")
    return said + _fixed_outside(table, found.space, found.inputs)


def _fixed_outside(table: pa.Table, space: Space, names: Collection[str]) -> list[str]:
    said = []
    for i in space.inputs:
        if i.name in names and i.fixed is not None and not i.categories:
            seen = pc.min_max(table[i.name]).as_py()
            if not seen["min"] <= i.fixed <= seen["max"]:
                said.append(
                    f"input '{i.name}' is fixed at {i.fixed:g}, outside the data's range "
                    f"[{seen['min']:g}, {seen['max']:g}]"
                )
    return said


def _never_seen(table: pa.Table, wanted: objective.Objective) -> list[str]:
    """Warn of wanted values outside the range ever measured."""
    if not wanted.bounded:
        return []
    said = []
    for output, low, high in zip(wanted.outputs, wanted.low, wanted.high, strict=True):
        seen = pc.min_max(table[output]).as_py()
        if high < seen["min"] or low > seen["max"]:
            asked = f"{low:g}" if low == high else f"[{low:g}, {high:g}]"
            said.append(
                f"objective '{wanted.name}' wants {output} = {asked}, outside the range ever seen "
                f"[{seen['min']:g}, {seen['max']:g}]: no model is to be trusted there"
            )
    return said


def _many_never_seen(table: pa.Table, objectives: Mapping[str, objective.Objective]) -> list[str]:
    """Warn once an entry of targets outside the range ever measured."""
    outside = Counter(w.entry for w in objectives.values() if "." in w.name and _never_seen(table, w))
    return [
        f"{n} of the targets of '{entry}' lie outside the range ever seen of an output: no model is to be trusted there"
        for entry, n in outside.items()
    ]
