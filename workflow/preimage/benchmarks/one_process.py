"""The default studies by the same library calls, in one process: what the workflow's overhead is measured against.

Usage: python -m preimage.benchmarks.one_process FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from preimage import study as study_module
from preimage.core import candidates, canonical, objective
from preimage.data import named, setting, split, tables
from preimage.data.generate import generate
from preimage.data.rows import Rows
from preimage.evidence import assess, judge
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.figures import gallery, style
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.inversion.table import frame
from preimage.problems import loading
from preimage.support.progress import TrainingContext
from preimage.support.rng import generator
from preimage.surrogates import intervals
from preimage.surrogates.base import SurrogateKind


def run(study: study_module.Study, folder: Path) -> None:
    """Do for one study (and its first seed) what the workflow does, tracking and the page's text apart."""
    spec, seed = study["problem"], study["seeds"][0]
    simulator = loading.load(spec)
    if "table" in spec:
        table, inputs, outputs, _ = tables.import_table(spec["table"], named.categories(spec))
        table = tables.with_units(table, named.stated_units(spec))
    else:
        assert simulator is not None
        table = generate(
            simulator, setting.of_simulator(spec).space, spec["samples"], generator(seed, "generate")
        ).table
        inputs, outputs = list(simulator.inputs), list(simulator.outputs)
    table = tables.numbered(table)
    rng = generator(seed, "split")
    table = table.take(canonical.row_order(table, inputs, outputs, rng.spawn(1)[0]))
    train, test = split.split(table, inputs, study["split"]["test_fraction"], rng)
    known = setting.describe(table.take(train), inputs, outputs, named.categories(spec))
    found = setting.of_rows(spec, known)
    parts = [_rows(table.take(part), found, outputs) for part in (train, test)]
    models, info, tests = _train(study, parts, seed, folder)
    objectives = objective.build_all(study["objectives"], outputs, known.spread, known.reach, rows=parts[0].Y)
    table = _invert(study, found, parts[0], models, objectives, simulator, seed)
    table = assess.assess(table, found.space, models, parts[0].X, simulator, objectives, outputs)
    candidates.schema(dict.fromkeys(inputs, False), outputs).validate(table)
    summarise(table, found.space, objectives, outputs).to_csv(folder / "summary.csv")
    solutions = distinct_solutions(table, found.space, objectives, outputs)
    predictions = {name: test[[f"predicted.{o}" for o in outputs]].to_numpy() for name, test in tests.items()}
    judge.judge(table, solutions, found.space, objectives, simulator, parts[1], predictions, info, [], outputs)
    material = gallery.Material(
        space=found.space, outputs=outputs, units=found.units, objectives=objectives,
        train=(parts[0].X, parts[0].Y), test=(parts[1].X, parts[1].Y), measured="table" in spec, tests=tests,
        candidates=table, solutions=solutions, simulator=simulator, baselines=study_module.baselines(study),
    )  # fmt: skip
    for shown in gallery.plan(material):
        if (figure := shown.draw()) is not None:
            (folder / shown.file).write_text(style.to_svg(figure, shown.file), encoding="utf-8")


def _rows(table: Any, found: setting.Setting, outputs: list[str]) -> Rows:
    data = table.to_pandas()
    Y = data[outputs].to_numpy(float)
    levels = np.zeros(len(found.inputs), int)
    return Rows(found.space.encode(data), Y, data[tables.ROW].to_numpy(), found.inputs, outputs, levels)


def _train(study: study_module.Study, parts: list[Rows], seed: int, folder: Path) -> Any:
    train, test = parts
    models, info, tests = {}, {}, {}
    for name, spec in study["surrogates"].items():
        trained = SurrogateKind.of_study(spec).train(train, generator(seed, name), TrainingContext(2))
        trained.save(folder)
        fitted = intervals.fit(train.Y, *trained.out_of_fold)
        models[name] = (trained.surrogate, fitted)
        predicted = trained.surrogate.predict(test.X)
        ends = fitted.at(predicted, trained.surrogate.spread(test.X))
        tests[name] = pd.DataFrame(intervals.columns(predicted, *ends, test.outputs))
        info[name] = {"test": {}, "test_coverage": [], "level": intervals.LEVEL}
    return models, info, tests


def _invert(
    study: study_module.Study, found: setting.Setting, train: Rows, models: Any, objectives: Any, simulator: Any,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    tables_found = []
    for case in study_module.cases(study):
        predict = simulator.simulate if case.surrogate == "simulator" else models[case.surrogate][0].predict
        wanted = objectives[case.objective]
        question = Question(
            wanted.allowed(found.space), wanted, predict, train.X, train.Y, train.numbers,
            on_simulator=case.surrogate == "simulator",
        )  # fmt: skip
        inverter = study["inverters"][case.inverter]
        answer, Y = asking.ask(inverter, [question], generator(seed, "/".join(case)))[0]
        tables_found.append(frame(answer, Y, question, found.outputs).assign(**case._asdict()))
    return pd.concat(tables_found, ignore_index=True).assign(problem=study["study"], round=0, seed=seed)


if __name__ == "__main__":
    configured = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    for one in study_module.load_configured(configured, "config/config.yaml").values():
        run(one, Path(sys.argv[1]))
