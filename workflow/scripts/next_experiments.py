"""The experiments to run next: chosen for the objectives on all rows of the last round, held-out ones too."""

from pathlib import Path

import pandas as pd

from preimage.acquisition import batch, experiments
from preimage.core.candidates import inputs_of, without_formulas
from preimage.core.objective import Varied
from preimage.data import rows, setting, sheets, split_rows
from preimage.evidence import chance
from preimage.evidence.held_out import error
from preimage.relearning.batch import failed_before
from preimage.running.step import step
from preimage.support.files import replacing
from preimage.support.rng import generator
from preimage.surrogates.base import module


def main(snakemake):
    with step(snakemake) as run:
        spec, options = run.params["problem"], run.params["next"]
        rng = generator(run.params["seed"], "next_experiments")
        parts = [run_rows(spec, snakemake.input, part) for part in rest(snakemake.input)]
        found = parts[0]
        every = rows.together([found.train, *(p.test for p in parts)])
        X, Y = every.X, every.Y
        space = setting.of_simulator(spec).space if "simulator" in spec else found.setting.space
        wanted = found.objectives(run.params["objectives"])
        wishes = [batch.Wish(o.allowed(space), o) for o in wanted.values()]
        failed = points_failed(snakemake.input, space)
        chosen, beliefs = batch.choose(
            space, wishes, X, Y, options["experiments"], options["explore"], rng, failed=failed
        )
        draws = {
            name: o.variation.on(space, generator(run.params["seed"], "variation"))
            for name, o in wanted.items()
            if isinstance(o, Varied)
        }
        outputs = found.setting.outputs
        tell = by_models(snakemake.input, run.params["surrogates"], found, space, draws, run.params["seed"])
        table = experiments.table(space, outputs, found.outputs, wishes, chosen, beliefs, Y, X, draws, tell)
        with replacing(snakemake.output.csv) as path:
            without_formulas(table).to_csv(path, index=False)
        with replacing(snakemake.output.xlsx) as path:
            sheets.write(path, table, "experiments", found.outputs)
        if len(table) < options["experiments"]:
            print(
                f"preimage: next: {len(table)} experiments of {options['experiments']}: the space has no more recipes",
                flush=True,
            )
        run.metric("next/experiments", len(table))
        run.artifact(snakemake.output.csv, snakemake.output.xlsx)


def points_failed(source, space):
    """Where the simulator has failed so far, as rows were simulated or candidates of the last round judged."""
    if not source.get("candidates"):
        return None
    files = [pd.read_parquet(path) for path in source.get("failed", [])]
    found = failed_before(files, pd.read_parquet(source.candidates[0]), space)
    return space.encode(inputs_of(found, space))


def by_models(source, names, found, space, draws, seed):
    """What a study's own models say of experiments, each objective by the one that is best at its outputs on held-out
    rows; None in a study without."""
    about = {name: found.about(path) for name, path in zip(names, source.get("models_info", []), strict=True)}
    models = {
        name: module(about[name]["kind"]).load(Path(path))
        for name, path in zip(names, source.get("models", []), strict=True)
    }
    outlooks = chance.outlooks(models, source.get("out_of_fold", []), found, generator(seed, "chance"))

    def tell(objective, X):
        name = min(outlooks, key=lambda name: error(about[name]["test"], objective))
        chances = chance.of_points(X, outlooks[name], objective, space, draws.get(objective.name))[:, 0]
        return experiments.Told(chances, *outlooks[name].interval(X))

    return tell if outlooks else None


def rest(source):
    """Rows that do not train: held out, and of the gate where there is one."""
    return [source.test, *([source.gate] if source.get("gate") else [])]


def run_rows(spec, source, part):
    return split_rows.read(spec, source.info, source.train, part)


main(snakemake)
