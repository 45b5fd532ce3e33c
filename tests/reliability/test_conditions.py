"""The tables of a study, of each of the three kinds, are the same bytes under other conditions of the machine.

Cores and threads, language, time zone, hash seed, a copy without git; few open files, no shared memory; and with the
table's rows in another order.
"""

import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest

from ..running import ROOT, environment, study_argument, write_study

# A method of each way to compute: trees, linear algebra, networks; searches with and without gradients, and exact ones.
ORDINARY = """
study: small
problem: {table: {file: rows.csv, outputs: [strength, "price €"]}}
surrogates:
  forest: {kind: random_forest, trees: 15, tune: {evaluations: 2}}
  line: {kind: linear}
  process: {kind: gaussian_process, restarts: 1}
  network: {kind: neural_network, epochs: 30, members: 2, layers: [16, 8], folds: 2}
objectives:
  ring: {target: {strength: 1.5, "price €": 0.2}, tolerance: 0.1, committee: true, preimage: {boxes: 300}}
inverters:
  starts: {kind: multistart, starts: 4}
  parts: {kind: multistart, starts: 4, scatter: 2, on: [forest]}
  batched: {kind: multistart, starts: 4, engine: batched, on: [process]}
  tpe: {kind: hyperopt, evaluations: 30, on: [forest, process]}
  certified: {kind: certified, boxes: 500}
  cmaes: {kind: cmaes, evaluations: 100, on: [process]}
  coordinate: {kind: coordinate, starts: 5}
  adjoint: {kind: neural_adjoint, starts: 5, on: [network]}
  lookup: {kind: lookup, on: [forest]}
"""


# Compiled simulations and networks, a flow, particles, and sums over a grid.
INFERENCE = """
study: small
problem: {simulator: poisson, inputs: {log_rate: {low: 1, high: 4}}}
observations: {simulate: 2, size: 40}
inference:
  alfi: {kind: alfi, simulations: 200000}
  npe: {kind: npe, simulations: 8000}
  particles: {kind: abc_smc, simulations: 20000}
  exact: {kind: grid}
checks: {sets: 20, searches: 3}
bank: {jobs: 2}
"""
# Starts at once and one by one, with exact gradients and with differences.
CALIBRATION = """
study: small
problem: {simulator: lotka_volterra}
objectives: {pelts: {fit: {data: pelts.csv, loss: log, hold_out: 3}}}
inverters:
  batched: {kind: multistart, starts: 6, engine: batched, steps: 16}
  exact: {kind: multistart, starts: 2, gradient: exact}
  differences: {kind: multistart, starts: 2, gradient: 3-point}
"""
STUDIES = {"ordinary": ORDINARY, "inference": INFERENCE, "calibration": CALIBRATION}
TABLES = {
    "ordinary": ["candidates.parquet", "summary.csv", "best_of.csv", "diagnosis.csv"],
    "inference": ["posterior.parquet", "summary.csv"],
    "calibration": ["candidates.parquet", "summary.csv", "best_of.csv", "fit.parquet"],
}


def rows(folder, size=260, order=None):
    """Write a table of four inputs and two outputs; enough rows that linear algebra would use several threads.

    Of some rows the inputs, or all of a row, are there twice.

    Args:
        order: seed of another order of the rows; None leaves them as they were made.
    """
    draws = np.random.default_rng(7)
    X = draws.uniform(-1, 1, (size, 4))
    X[-20:] = X[:20]
    noise = draws.normal(0, 0.05, (size, 2))
    noise[-10:] = noise[10:20]
    found = pd.DataFrame(X.round(4), columns=["ä", "b", "c", "d"])
    found["strength"] = (2 * np.cos(X[:, 0]) + X[:, 1] * X[:, 2] + noise[:, 0]).round(4)
    found["price €"] = ((X**2).sum(axis=1) / 4 + noise[:, 1]).round(4)
    if order is not None:
        found = found.take(np.random.default_rng(order).permutation(size))
    found.to_csv(folder / "rows.csv", index=False)


def run(folder, *arguments, kind="ordinary", order=None, root=ROOT, cores=2, before=(), **variables):
    """Run the study of a kind as a user would, with variables set ("{folder}" is its own) and a command before
    Snakemake's."""
    write_study(folder, STUDIES[kind], "small.yaml")
    rows(folder, order=order)
    shutil.copy(ROOT / "config/data/lynx_hare_1900_1920.csv", folder / "pelts.csv")
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "Snakefile"), "--cores", str(cores)]
    return subprocess.run(
        [*before, *command, *study_argument("small.yaml"), *arguments], cwd=folder, capture_output=True, text=True,
        env=environment(**{name: value.format(folder=folder) for name, value in variables.items()}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Return a function that gives the folder of a finished study of a kind, run once."""

    @cache
    def finished(kind="ordinary"):
        folder = tmp_path_factory.mktemp(kind)
        done = run(folder, kind=kind)
        assert done.returncode == 0, done.stderr[-4000:]
        return folder

    return finished


def differing(folder, other, kind="ordinary"):
    """Return the tables and solutions of a study that are not the same bytes."""
    ours, theirs = (
        {
            str(path.relative_to(f / "results/small")): path.read_bytes()
            for path in [
                *(f / "results/small" / table for table in TABLES[kind]),
                *(f / "results/small").rglob("solutions.parquet"),
                *(f / "results/small").glob("round0/seed*/preimage/**/*.parquet"),
            ]
        }
        for f in (folder, other)
    )
    assert len(ours) >= len(TABLES[kind])
    return [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# What changes nothing alone changes nothing together, which saves runs.
CONDITIONS = {
    "one core and thread, language C, far east": {
        "cores": 1, **dict.fromkeys(THREADS, "1"), "LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Chatham",
    },
    "four threads, another hash seed, few open files, no home": {
        **dict.fromkeys(THREADS, "4"), "PYTHONHASHSEED": "4242", "before": ["sh", "-c", 'ulimit -n 64; exec "$@"', "-"],
        "HOME": "/proc/no-such-home", "XDG_CACHE_HOME": "{folder}/cache",  # which Snakemake itself can't do without
    },
}  # fmt: skip
NO_SHARED_MEMORY = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro,mode=000 none /dev/shm && exec "$@"', "-"]


@pytest.mark.long
@pytest.mark.parametrize("kind", STUDIES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_tables_are_the_same_bytes(usual, tmp_path, condition, kind):
    done = run(tmp_path, kind=kind, **CONDITIONS[condition])
    assert done.returncode == 0, done.stderr[-4000:]
    assert differing(tmp_path, usual(kind), kind) == []


@pytest.mark.long
def test_rows_in_another_order_give_the_same_answers(usual, tmp_path):
    """Only the number of the row that a lookup took is another, as the row stands elsewhere in the file."""
    done = run(tmp_path, order=1)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / "rows.csv").read_bytes() != (usual() / "rows.csv").read_bytes()
    assert differing(tmp_path, usual()) == ["candidates.parquet"]
    here, there = (pd.read_parquet(folder / "results/small/candidates.parquet") for folder in (tmp_path, usual()))
    for table in (here, there):
        table["message"] = table["message"].str.replace(r"^row \d+ of", "row of", regex=True)
    pd.testing.assert_frame_equal(here, there, check_exact=True)


@pytest.mark.long
@pytest.mark.parametrize("kind", STUDIES)
def test_tables_of_a_copy_without_git_on_one_processor_and_without_shared_memory_are_the_same_bytes(
    usual, tmp_path, kind
):
    copy = tmp_path / "a copy"
    for name in ("workflow", "config", "envs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", copy)
    alone = [*NO_SHARED_MEMORY, "true"]
    without = NO_SHARED_MEMORY if subprocess.run(alone, capture_output=True).returncode == 0 else []  # root may
    folder = tmp_path / "own"
    before = [*without, "taskset", "-c", "0"]
    done = run(folder, kind=kind, root=copy, before=before, GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert done.returncode == 0, done.stderr[-4000:]
    assert differing(folder, usual(kind), kind) == []
