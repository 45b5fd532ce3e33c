"""`make run` killed at random moments where that costs most: a costly simulator of one's own, scattered, in rounds with
a registry, in inference, and as a run is reproduced. The same bytes each time, and no finished call is made again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mlflow
import pytest

from ..running import study_argument, write_study
from . import costly
from .killing import After, assert_nothing_left, assert_same_files, finish, kill_many

pytestmark = pytest.mark.long

KILLS = 20
STUDY = study_argument("tiny.yaml")
PROBLEM = 'simulator: "oven:bake", inputs: {a: {low: 0, high: 1}, b: {low: 0, high: 2}}, outputs: {y: }'
# Asked for data, in searches, as candidates are judged, diagnosed and drawn.
OWN = f"""
study: tiny
problem: {{{PROBLEM}, samples: 60, batch: 4}}
surrogates: {{forest: {{kind: random_forest, trees: 5, folds: 2}}}}
objectives: {{lowest: {{minimize: y}}}}
inverters:
  random: {{kind: random, evaluations: 10, on: [forest]}}
  tpe: {{kind: hyperopt, evaluations: 25, on: [simulator]}}
  starts: {{kind: multistart, starts: 2, gradient: 2-point, on: [simulator]}}
"""
SCATTERED = f"""
study: tiny
problem: {{{PROBLEM}, samples: 30, batch: 2, scatter: 3}}
objectives: {{ring: {{target: {{y: 0.5}}, tolerance: 0.01}}}}
inverters: {{starts: {{kind: multistart, starts: 4, scatter: 2}}}}
"""
ROUNDS = f"""
study: tiny
problem: {{{PROBLEM}, samples: 30, batch: 3}}
surrogates: {{forest: {{kind: random_forest, trees: 5, folds: 2}}}}
objectives: {{lowest: {{minimize: y}}}}
inverters: {{random: {{kind: random, evaluations: 20}}}}
rounds: 1
relearning: {{simulations: 40, explore: 0.2, gate: 0.5}}
"""
# Some calls fail, each runs in a process of its own, and what comes after them keeps away from where they fail.
FAILING = f"""
study: tiny
problem: {{{PROBLEM.replace("bake", "burn")}, samples: 30, seconds: 60}}
surrogates: {{forest: {{kind: random_forest, trees: 5, folds: 2}}}}
objectives: {{lowest: {{minimize: y}}}}
inverters:
  random: {{kind: random, evaluations: 10, on: [forest]}}
  tpe: {{kind: hyperopt, evaluations: 12, on: [simulator]}}
next: {{experiments: 3}}
budget: {{simulations: 110}}
"""
INFERENCE = """
study: tiny
problem: {simulator: "oven:fish", inputs: {depth: {low: 0, high: 4}}, outputs: {weight: }, batch: 100}
observations: {simulate: 2, size: 10, draws: 100}
inference:
  rejection: {kind: abc_rejection, simulations: 4000}
  smc: {kind: abc_smc, simulations: 2000}
  npe: {kind: npe, simulations: 4000, updates: 60}
checks: {sets: 20, searches: 2, predictive: 220}
bank: {jobs: 2}
"""
ONCE = OWN.replace("samples: 60", "samples: 20").replace(", gradient: 2-point, on: [simulator]", "")
TABLES = ("tiny/candidates.parquet", "tiny/summary.csv")
NEXT_TABLES = (*TABLES, "tiny/diagnosis.csv", "tiny/next_experiments.csv")
ROUND_TABLES = (*TABLES, "tiny/rounds.csv")
POSTERIORS = ("tiny/posterior.parquet", "tiny/summary.csv")
AGAIN = tuple(f"tiny-reproduced-*/{name}" for name in ("candidates.parquet", "summary.csv", "reproduced.csv"))


class Setting(NamedTuple):
    """What is run.

    Attributes:
        text: of the study.
        files: those of the results that are compared.
        asked: what Snakemake is asked for; everything where it is empty.
        before: runs what must be done once before, in a folder, and returns all arguments instead.
    """

    text: str
    files: tuple[str, ...]
    asked: tuple[str, ...] = ()
    before: Callable[[Path], list[str]] | None = None


def results(*names):
    return tuple(f"results/{name}" for name in names)


def run_once(folder):
    """Run the study; return how its run is asked for again. The calls that it made don't count."""
    finish(folder)
    (folder / costly.NOTES).unlink()
    api = mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
    runs = api.search_runs([api.get_experiment_by_name("tiny").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return ["reproduce", "--config", f"run={parent.info.run_id}", "trust=yes"]


SETTINGS = {
    "own simulator": Setting(OWN, (*TABLES, "tiny/diagnosis.csv")),
    "scatter": Setting(SCATTERED, TABLES, results(*TABLES)),
    "relearning": Setting(ROUNDS, ROUND_TABLES, results(*ROUND_TABLES, "tiny/relearning.html")),
    "budget and next": Setting(FAILING, NEXT_TABLES, results(*NEXT_TABLES)),
    "inference": Setting(INFERENCE, POSTERIORS, results(*POSTERIORS)),
    "reproduce": Setting(ONCE, AGAIN, before=run_once),
}


@pytest.fixture(scope="module", params=SETTINGS)
def whole(request, tmp_path_factory):
    """A setting, the folder that each command starts from, its arguments, and the folder of one that nothing broke."""
    setting = SETTINGS[request.param]
    first = write_study(tmp_path_factory.mktemp("first"), setting.text)
    write_study(first, costly.SOURCE, "oven.py")
    arguments = setting.before(first) if setting.before else [*setting.asked, *STUDY]
    undisturbed = shutil.copytree(first, tmp_path_factory.mktemp("whole") / "folder")
    finish(undisturbed, *arguments)
    return setting, first, arguments, undisturbed


def test_a_hundred_kills_end_with_the_same_bytes_and_no_finished_call_is_repeated(whole, tmp_path):
    """Twenty in each setting."""
    setting, first, arguments, undisturbed = whole

    def fresh(kills):
        return shutil.copytree(first, tmp_path / f"after {kills}")

    def ends_well(folder):
        said = finish(folder, *arguments)
        assert_same_files(undisturbed, folder, setting.files)
        assert registered(folder) == registered(undisturbed)
        costly.assert_only_interrupted_calls_repeated(undisturbed, folder)
        assert_nothing_left(folder, said)

    calls = After(lambda folder: len(costly.notes(folder)), 40, 0.05)
    kill_many(fresh, ends_well, 0, KILLS, *arguments, after=[calls])


def registered(folder):
    """Return every version in the registry with what it says of itself, and every alias."""
    api = mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
    aliases = {model.name: model.aliases for model in api.search_registered_models()}
    # The checkout may be worked in meanwhile, and no two files of one forest are equal: they hold times and addresses.
    other = {"git_commit", "preimage.key"}
    versions = [
        (v.name, int(v.version), sorted((k, t) for k, t in v.tags.items() if k not in other))
        for v in api.search_model_versions()
    ]
    return aliases, sorted(versions)
