"""One study solved in several units, offsets and orders: the answers must be the same.

A `Change` says how a table is written down: the unit and zero of each column, the order of rows, columns and
categories. `solve` runs a study's steps on it by the library's own calls; `same` compares two runs in the first one's
units (metamorphic testing: Chen, Cheung, Yiu 1998).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import yaml

from preimage import study
from preimage.core import canonical
from preimage.data import named, rows, setting, split, tables, targets
from preimage.evidence import assess
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.inversion import asking, questions
from preimage.inversion.table import frame
from preimage.support.files import write_json
from preimage.support.rng import generator
from preimage.surrogates import intervals
from preimage.surrogates.base import SurrogateKind, module

# What must be equal in any unit; `distinct` and `hits` count, the others are words.
VERDICTS = ["feasible", "in_domain", "failed", "distinct"]
CASE = ["surrogate", "objective", "inverter"]
STEPS = 5e-3


@dataclass(frozen=True)
class Change:
    """How a table is written: a number v of a column becomes (v + shift) * scale.

    Attributes:
        scale, shift: by column; 1 and 0 where it is not named.
        rows, columns, categories: seeds of permutations; None leaves the order.
        exact: whether numbers keep every bit, so that answers must be equal to the byte.
    """

    scale: dict[str, float] = field(default_factory=dict)
    shift: dict[str, float] = field(default_factory=dict)
    rows: int | None = None
    columns: int | None = None
    categories: int | None = None
    exact: bool = False

    def there(self, name, value):
        return (value + self.shift.get(name, 0.0)) * self.scale.get(name, 1.0)

    def back(self, name, value):
        return value / self.scale.get(name, 1.0) - self.shift.get(name, 0.0)

    def table(self, base, outputs):
        """Return the table (a data frame) as it is written, inputs and outputs apart."""
        made = base.copy()
        for name in base:
            if pd.api.types.is_float_dtype(base[name]):
                made[name] = self.there(name, base[name].to_numpy())
        if self.rows is not None:
            made = made.sample(frac=1, random_state=self.rows).reset_index(drop=True)
        if self.columns is not None:
            made = made[list(np.random.default_rng(self.columns).permutation(made.columns))]
        return made

    def objectives(self, base):
        """Return the study's objectives with their numbers in the table's units."""
        out = {}
        for name, entry in base.items():
            entry = dict(entry)
            for key in ("target", "within"):
                if key in entry:
                    entry[key] = {
                        o: [float(self.there(o, v)) for v in value]
                        if isinstance(value, list)
                        else float(self.there(o, value))
                        for o, value in entry[key].items()
                    }
            for key in ("minimize", "maximize"):
                if isinstance(entry.get(key), dict):
                    entry[key] = {o: w / self.scale.get(o, 1.0) for o, w in entry[key].items()}
            out[name] = entry
        return out

    def inputs(self, base):
        out = {}
        for name, entry in base.items():
            entry = dict(entry)
            if "categories" in entry and self.categories is not None:
                order = np.random.default_rng(self.categories).permutation(len(entry["categories"]))
                entry["categories"] = [entry["categories"][k] for k in order]
            for key in ("low", "high", "fixed"):
                if key in entry and not isinstance(entry[key], str) and not entry.get("integer"):
                    entry[key] = float(self.there(name, entry[key]))
            out[name] = entry
        return out


PLAIN = Change(exact=True)


def solve(folder, spec, base, change=PLAIN):
    """Run the steps of a study of a table, from import to summary, in this process.

    Args:
        spec: the study, with problem.outputs as a list of columns and no table.
        base: the table (a data frame), numbers as floats.

    Returns (summary, candidates) in the base table's units.
    """
    folder.mkdir(parents=True, exist_ok=True)
    change.table(base, spec["outputs"]).to_parquet(folder / "table.parquet", index=False)
    written = {
        "study": "moved",
        "problem": {
            "table": {"file": str(folder / "table.parquet"), "outputs": spec["outputs"]},
            "inputs": change.inputs(spec.get("inputs", {})),
        },
        "surrogates": spec["surrogates"],
        "objectives": change.objectives(spec["objectives"]),
        "inverters": spec["inverters"],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    found = study.load(folder / "study.yaml")
    problem, seed = found["problem"], found["seeds"][0]
    known, train, test = _rows(found, folder, generator(seed, "split"))
    found_space = setting.of_rows(problem, known).space
    models = {name: _trained(entry, train, folder / name, seed, name) for name, entry in found["surrogates"].items()}
    objectives = targets.objectives(found["objectives"], known, test.Y, train.Y)
    candidates, certificates = _answers(found, folder, seed, models)
    table = assess.assess(candidates, found_space, models, train.X, None, objectives, known.outputs)
    summary = summarise(table, found_space, objectives, known.outputs, certificates)
    solutions = distinct_solutions(table, found_space, objectives, known.outputs)
    return tuple(_back(part, change) for part in (summary, table, solutions))


def _rows(found, folder, rng):
    problem = found["problem"]
    category = named.categories(problem)
    table, inputs, outputs, _ = tables.import_table(problem["table"], category)
    table = tables.numbered(table)
    table = table.take(canonical.row_order(table, inputs, outputs, rng.spawn(1)[0]))
    parts = split.split(table, inputs, found["split"]["test_fraction"], rng)
    known = setting.describe(table.take(parts[0]), inputs, outputs, category)
    write_json(folder / "split.json", known._asdict())
    for name, part in zip(("train", "test"), parts, strict=True):
        tables.write(folder / f"{name}.parquet", table.take(part))
    train, test = (rows.load(folder / f"{n}.parquet", folder / "split.json", category) for n in ("train", "test"))
    return known, train, test


def _trained(spec, train, folder, seed, name):
    trained = SurrogateKind.of_study(spec).train(train, generator(seed, f"train/{name}"))
    folder.mkdir(exist_ok=True)
    trained.save(folder)
    return module(spec["kind"]).load(folder), intervals.fit(train.Y, *trained.out_of_fold)


def _answers(found, folder, seed, models):
    parts, certificates = [], {}
    for case in study.cases(found):
        params = {
            "problem": found["problem"],
            "surrogate": found["surrogates"][case.surrogate],
            "objective": found["objectives"][case.objective],
        }
        names = ("train", "test")
        files = SimpleNamespace(info=folder / "split.json", model=folder / case.surrogate)
        vars(files).update({n: folder / f"{n}.parquet" for n in names}, get=lambda key: None)
        asked = questions.build(params, files, case.objective)
        rng = generator(seed, "/".join(["invert", *case]))
        (answer, Y) = asking.ask(found["inverters"][case.inverter], asked.questions, rng)[0]
        if answer.certificate is not None and not answer.certificate["limited"]:
            certificates.setdefault((case.surrogate, case.objective), []).append(answer.certificate)
        parts.append(frame(answer, Y, asked.questions[0], asked.outputs).assign(**case._asdict()))
    return pd.concat(parts, ignore_index=True).assign(problem="moved", round=0, seed=seed), certificates


def _back(table, change):
    """Return a table in the base's units."""
    out = table.copy()
    for name in table:
        part, _, column = name.partition(".")
        if part in ("x", "predicted", "interval_low", "interval_high") and pd.api.types.is_float_dtype(table[name]):
            out[name] = change.back(column, table[name])
    return out


def named_by(entry):
    """Return the outputs whose values an objective decides; of a sum or a trade-off it decides none alone."""
    if "pareto" in entry:
        return []
    wanted = next(entry[kind] for kind in ("minimize", "maximize", "target", "within") if kind in entry)
    return [wanted] if isinstance(wanted, str) else [] if {"minimize", "maximize"} & set(entry) else list(wanted)


def differences(
    first, second, base, objectives, within=1e-6, ties=frozenset(), steps=frozenset(), flat=0.0, status=True
):
    """Return what differs between two summaries or tables of candidates, a line each: verdicts, and answers by more
    than a share of their column's range.

    Args:
        within: that share; 0 where answers must be equal to the byte.
        ties: inverters whose answers need only be as good: draws that rounding may turn to another input with the same
            outputs, on a plateau of a forest's.
        steps: inverters that end after so many steps, wherever they are then: `STEPS` is their share.
        flat: the share for inputs, and for outputs that the objective (of `objectives`, by name) does not decide, where
            those that it decides are the same `within`: a loss that is flat, or met along a line, has inputs that are
            known to fewer digits than itself.
        status: whether ends must also be judged alike.
    """
    found = []
    if "start" in first and within:
        # How often a population begins again is a matter of rounding; its best answer is in the summary.
        first, second = (t[~t["inverter"].isin(ties)] for t in (first, second))
    both = first.merge(second, on=[*CASE, *({"start"} & set(first))], suffixes=("", "_moved"))
    assert len(both) == len(first) == len(second)
    loose, coarse = (both["inverter"].isin(names).to_numpy() for names in (ties, steps))
    for name in [c for c in first if f"{c}_moved" in both]:
        part, _, column = name.partition(".")
        a, b = both[name], both[f"{name}_moved"]
        if part in ("x", "predicted") and pd.api.types.is_float_dtype(a):
            named = both["objective"].map(lambda name, column=column: column in named_by(objectives[name])).to_numpy()
            share = np.where(named & (part == "predicted"), within, max(within, flat))
            share = np.where(coarse & bool(within), STEPS, share)
            far = (a - b).abs() > share * np.ptp(base[column]) if within else a != b
            wrong = (far & ~(a.isna() & b.isna()) & ~(loose & ((part == "x") | ~named))) | (a.isna() != b.isna())
        elif part == "x" or name in VERDICTS or (status and name == "status"):
            wrong = (a != b) & ~(a.isna() & b.isna()) & ~(loose & (name not in ("feasible", "failed", "status")))
        else:
            continue
        for k in np.flatnonzero(wrong.to_numpy(bool)):
            found.append(f"{'/'.join(both.loc[k, CASE])} {name}: {a[k]!r} moved to {b[k]!r}")
    return found
