"""What can be said of a study's data before any job starts: refused with one error, or warned about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage.core import objective, polytope
from preimage.core.flatness import flat_inputs
from preimage.core.sentences import NO_VOLUME
from preimage.core.space import Space
from preimage.data import named, new_rows, references, remote, tables, targets
from preimage.data import setting as setting_module
from preimage.data.named import categories, stated_units
from preimage.data.setting import RowSummary, Setting, describe, integers, of_rows, of_simulator
from preimage.problems import loading
from preimage.study import reference_checks
from preimage.study.cases import cases
from preimage.support import digits
from preimage.support.errors import StudyError, without_secrets

Study = Mapping[str, Any]

# So many objectives of one target each might as well be rows of a table.
MANY = 50
# Values of one input that a warning names.
LISTED = 5
# Of a table that is not here yet.
LATER = "{}: downloaded as the run starts; its rows are checked by the step that reads them, not before"
GUESSED = "models extrapolate there, and candidates there count as outside the data"


def check(study: Study, look: Callable[[Setting], None] | None = None) -> list[str]:
    """Check a study against its data; return warnings, raise StudyError for what can't work.

    Reads the tables whole, but for those at an address; writes nothing.

    Args:
        look: called with the setting for what else there is to check of it.
    """
    spec = study["problem"]
    if addresses := remote.of_table(spec.get("table") or {}):
        remote.check(spec["table"])
        return [LATER.format(", ".join(map(without_secrets, addresses)))]
    whole = integers(spec)
    imported = tables.import_table(spec["table"], categories(spec), whole) if "table" in spec else None
    if imported is not None:
        table, inputs, outputs, _ = imported
        found = of_rows(spec, describe(table, inputs, outputs, categories(spec)))
        if all(_is_constant(table, name) for name in inputs):
            raise StudyError("problem.table: every row has the same inputs; nothing can be learned or held out")
    else:
        found = of_simulator(spec)
    if imported is not None and "simulator" in spec:
        _check_simulator(spec, found)
    _check_searches(study, found.space)
    polytope.check_feasible(found.space)
    _check_held_out(study["objectives"], found.outputs)
    formulas = setting_module.formulas(spec, found)
    formulas.check(_ranges(found, None if imported is None else table))
    referred = reference_checks.referred(study, found, imported)
    objectives = _objectives(study, found.with_formulas(formulas), referred)
    for name, wanted in _first_of_each(objectives).items():
        if wanted.near and not (imported or wanted.near.row is None):
            continue  # what will be simulated is not known yet
        try:
            polytope.check_feasible(wanted.allowed(found.space))
            if isinstance(wanted, objective.Varied):
                wanted.variation.check(found.space)
        except StudyError as error:
            raise StudyError(f"objectives.{name}: {error}") from None
    if look is not None:
        look(found)
    if any("fit" in entry for entry in study["objectives"].values()):
        from preimage.calibration import trial

        return trial.check(spec, study["objectives"], run=False)
    if imported is None:
        return [*_accepted(found.space), *_one_by_one(study)]
    said = [*imported.sentences(), *_other_units(table, stated_units(spec))]
    first = tables.with_units(table, found.units)
    for path in named.new_files(spec["table"]):
        said += new_rows.read(path, first, found.inputs, spec["table"], categories(spec), whole).notes
    rows = setting_module.with_formulas(table, found, formulas)
    if imported is not None:
        said += reference_checks.warnings(_first_of_each(objectives), found.space, table)
    return [*said, *warnings(study, *rows), *_accepted(found.space), *_one_by_one(study)]


def _check_searches(study: Study, space: Space) -> None:
    """Raise StudyError for a method that does not know what a space has."""
    more = unknown_to_exact(space)
    if more and (exact := [name for name, inverter in study["inverters"].items() if inverter.plain_only]):
        kind = study["inverters"][exact[0]].kind
        raise StudyError(f"key 'inverters.{exact[0]}': {kind} does not support {more} yet; use another inverter")
    for name in study["preimages"]:
        fixed = study["objectives"][name].get("fixed") or {}
        if flat := flat_inputs(space.fix(fixed)):
            raise StudyError(f"key 'objectives.{name}.preimage': {NO_VOLUME.format(', '.join(flat))}")
    if not space.plain and any("fit" in entry for entry in study["objectives"].values()):
        raise StudyError(
            f"problem: found {more}, but a fit estimates plain numbers; expected bounds and linear constraints alone"
        )


def _ranges(found: Setting, table: pa.Table | None) -> dict[str, tuple[float, float]]:
    """Return the ranges of inputs and, of a table, its outputs."""
    ranges = {i.name: (i.lower, i.upper) for i in found.space.inputs if not i.categories}
    extremes = {name: pc.min_max(table[name]).as_py() for name in found.outputs} if table is not None else {}
    return ranges | {name: (float(seen["min"]), float(seen["max"])) for name, seen in extremes.items()}


def unknown_to_exact(space: Space) -> str:
    """Return what of a space the exact searches on trees don't know, in words; "" where there is nothing."""
    found = {
        "step or values": bool(space.listed.any()),
        "zero_or": bool(space.gapped.any()),
        "at_most_nonzero or at_least_nonzero": space.counts,
        "exclude": space.exclusions,
        "a constraint on an expression that is not linear": space.curved,
    }
    return next((words for words, there in found.items() if there), "")


def _accepted(space: Space) -> list[str]:
    """Say how many random points meet constraints that can only be tried, and warn where none was found that does."""
    if not space.curved:
        return []
    named = "; ".join(map(str, space.curved))
    share = polytope.acceptance(space, np.random.default_rng(0))
    if share > 0:
        return [f"of random points that satisfy the other constraints, {_share(share)} satisfy {named}"]
    try:
        polytope.sample(space, 1, np.random.default_rng(0))
    except StudyError as error:
        return [str(error)]
    return [f"hardly any random point satisfies {named}; points are moved there"]


def _one_by_one(study: Study) -> list[str]:
    """Warn of targets that are many jobs, and could be a few."""
    single = [name for name, entry in study["objectives"].items() if "target" in entry]
    if len(single) < MANY:
        return []
    jobs = sum(case.objective in single for case in cases(study)) * len(study["seeds"]) * (study["rounds"] + 1)
    return [
        f"{len(single)} objectives of a single target each make {jobs} jobs, each of which takes seconds to start; "
        "with a table of `targets`, one row per target, each method is one job"
    ]


def _other_units(table: pa.Table, stated: Mapping[str, str]) -> list[str]:
    """Warn of units that the study states otherwise than the file: nothing is converted."""
    return [
        f"column '{name}': its file states the unit {unit}, the study {stated[name]}; values are not converted"
        for name, unit in tables.units_of(table).items()
        if stated.get(name, unit) != unit
    ]


def warnings(study: Study, table: pa.Table, found: Setting) -> list[str]:
    """Return what a user should know of rows and wishes that don't fit, one sentence each."""
    said = [*_constant(table, found), *_without_rows(table, found), *_excluded(table, found), *_outside(table, found)]
    objectives = _objectives(study, found)
    said += [w for wanted in objectives.values() if "." not in wanted.name for w in _never_seen(table, wanted)]
    said += _many_never_seen(table, objectives)
    for name, wanted in _first_of_each(objectives).items():
        pinned = found.space.fix(wanted.fixed)
        said += [f"objective '{name}': {w}" for w in _fixed_outside(table, pinned, wanted.fixed)]
    return said


def _objectives(
    study: Study, found: Setting, referred: dict[str, references.Inputs] | None = None
) -> dict[str, objective.Objective]:
    """Return what is known of a study's objectives before there are test rows to take any from.

    Args:
        referred: inputs of the rows that objectives are to be near; what these are to be near is left open without.
    """
    entries = {name: e for name, e in study["objectives"].items() if objective.many(e) != "test_rows"}
    known = RowSummary(found.inputs, found.outputs, found.units, {}, [], [], referred or {})
    return targets.objectives(entries, known, space=None if referred is None else found.space)


def _check_held_out(entries: Mapping[str, Mapping[str, Any]], outputs: Sequence[str]) -> None:
    """Raise StudyError for targets from test rows, of all outputs, that can't be asked for whatever the rows are."""
    for name, entry in entries.items():
        if objective.many(entry) == "test_rows":
            objective.build(name, {**entry, "target": dict.fromkeys(outputs, 0.0)}, outputs)


def _first_of_each(objectives: Mapping[str, objective.Objective]) -> dict[str, objective.Objective]:
    """Return one objective an entry: those of a table differ in nothing but the values wanted."""
    return {w.entry: w for w in reversed(list(objectives.values()))}


def _check_simulator(spec: Mapping[str, Any], found: Setting) -> None:
    simulator = loading.load(spec, run=False)
    assert simulator is not None
    for kind, ours, its in (("inputs", found.inputs, simulator.inputs), ("outputs", found.outputs, simulator.outputs)):
        if list(ours) != list(its):
            raise StudyError(f"problem: found {kind} {ours} in the table, expected the simulator's, {list(its)}")


def _constant(table: pa.Table, found: Setting) -> list[str]:
    return [
        f"column '{name}' is constant and carries no information"
        for name in [*found.inputs, *found.outputs]
        if _is_constant(table, name)
    ]


def _is_constant(table: pa.Table, name: str) -> bool:
    extremes = pc.min_max(table[name])
    return bool(extremes["min"] == extremes["max"])


def _without_rows(table: pa.Table, found: Setting) -> list[str]:
    """Warn once an input of categories that a search may take though no row has them."""
    said = []
    for i in found.space.inputs:
        seen = set(pc.unique(table[i.name]).to_pylist()) if i.categories and i.fixed is None else set(i.categories)
        if never := [value for value in i.categories if value not in seen]:
            more = f" and {len(never) - LISTED} more" if len(never) > LISTED else ""
            value = "value" if len(never) == 1 else "values"
            said.append(
                f"input '{i.name}': no row has the {value} {', '.join(map(repr, never[:LISTED]))}{more}; {GUESSED}"
            )
    return said


def _excluded(table: pa.Table, found: Setting) -> list[str]:
    """Warn of bounds that leave rows out: they still train, but no candidate will lie there."""
    inside = np.ones(len(table), bool)
    for i in found.space.inputs:
        if not i.categories:
            column = table[i.name].to_numpy()
            inside &= (column >= i.low) & (column <= i.high)
    share = 1 - inside.mean()
    if not inside.any():
        return ["bounds exclude 100% of the rows: every candidate will lie outside the data"]
    return [f"bounds exclude {_share(share)} of the rows; they still train"] if share > 0 else []


def _share(part: float) -> str:
    """Return a share above 0 in words that don't round it to none or all."""
    return "less than 0.1%" if part < 0.001 else "more than 99.9%" if part > 0.999 else f"{part:.1%}"


def _outside(table: pa.Table, found: Setting) -> list[str]:
    """Warn once of rows that violate the constraints, and of fixed values outside the data."""
    said = []
    if found.space.restricted and (broken := _violating(table, found.space)):
        said.append(f"{broken} of {len(table)} rows violate the constraints; they still train")
    for i in found.space.inputs:
        X = table[i.name].to_numpy()
        if (i.values or i.gapped) and (other := int((i.nearest(X) != X).sum())):
            said.append(f"input '{i.name}': {other} of {len(X)} rows have values it may not take; they still train")
    return said + _fixed_outside(table, found.space, found.inputs)


def _violating(table: pa.Table, space: Space) -> int:
    """Return how many rows violate conditions on several inputs; rows and curves by more than numbers are rounded."""
    named = {n for c in space.conditions for n in c.inputs}
    part = replace(space, inputs=tuple(i for i in space.inputs if i.name in named))
    X = part.encode(table.select(part.names).to_pandas())
    sums, others = replace(part, counts=(), exclusions=()), replace(part, constraints=(), curved=())
    return int(((sums.missed(X) > 1e-6) | (others.missed(X) > 0)).sum())


def _fixed_outside(table: pa.Table, space: Space, names: Collection[str]) -> list[str]:
    said = []
    for i in space.inputs:
        if i.name not in names or i.fixed is None:
            continue
        if i.categories:
            value = i.categories[int(i.fixed)]
            if value not in pc.unique(table[i.name]).to_pylist():
                said.append(f"input '{i.name}' is fixed at {value!r}, which no row has; {GUESSED}")
        else:
            seen = pc.min_max(table[i.name]).as_py()
            if not seen["min"] <= i.fixed <= seen["max"]:
                said.append(
                    f"input '{i.name}' is fixed at {digits.plain(i.fixed)}, outside the data's range {_range(**seen)}"
                )
    return said


def _range(min: float, max: float) -> str:
    """Return a range in as many digits as tell its values apart, rounded inwards: what is outside of it stays so."""
    low, high = digits.inside(min, max, digits.step(max - min)) if min < max else (digits.exact(min),) * 2
    return f"[{low.replace(',', '')}, {high.replace(',', '')}]"


def _never_seen(table: pa.Table, wanted: objective.Objective) -> list[str]:
    """Warn of wanted values outside the range ever measured."""
    said = []
    values = zip(wanted.outputs, wanted.low, wanted.high, strict=True) if wanted.nominal.bounded else ()
    for output, low, high in [*values, *((limit.output, limit.low, limit.high) for limit in wanted.limits)]:
        seen = pc.min_max(table[output]).as_py()
        if high < seen["min"] or low > seen["max"]:
            asked = digits.plain(low) if low == high else f"[{digits.plain(low)}, {digits.plain(high)}]"
            asked = f"= {asked}" if np.isfinite([low, high]).all() else objective.interval_words(low, high)
            said.append(
                f"objective '{wanted.name}' asks for {output} {asked}, outside the measured range "
                f"{_range(**seen)}; do not trust any model there"
            )
    return said


def _many_never_seen(table: pa.Table, objectives: Mapping[str, objective.Objective]) -> list[str]:
    """Warn once an entry of targets outside the range ever measured."""
    outside = Counter(w.entry for w in objectives.values() if "." in w.name and _never_seen(table, w))
    return [
        f"{n} of the targets of '{entry}' lie outside the measured range of an output; do not trust any model there"
        for entry, n in outside.items()
    ]
