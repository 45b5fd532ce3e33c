"""Rows of the spine: the forest evaluator, TPE on it, the whole default run, and a large table."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from preimage.benchmarks.timing import against, row
from preimage.support.files import read_json, write_text

ROOT = Path(__file__).resolve().parents[3]
ROWS, TREES, EVALUATIONS = 2_100, 100, 500


def bowl_forest(dimension: int = 2) -> Any:
    """Return scikit-learn's forest of 100 default trees on 2,100 rows of the bowl."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    X = rng.uniform(-100, 100, (ROWS, dimension))
    return RandomForestRegressor(TREES, random_state=0, n_jobs=1).fit(X, (X**2).sum(axis=1))


def one_row_prediction() -> dict[str, Any]:
    from preimage.trees.forest import from_sklearn

    model = bowl_forest()
    forest = from_sklearn(model)
    points = np.random.default_rng(1).uniform(-100, 100, (200, 2))

    def run(predict: Any, n: int) -> Any:
        return lambda: [predict(points[k : k + 1]) for k in range(n)]

    fast, slow = against(run(forest.predict, 200), run(model.predict, 20))
    equal = all(forest.predict(p[None])[0, 0] == model.predict(p[None])[0] for p in points[:50])
    ours, peer = fast / 200 * 1e6, slow / 20 * 1e6
    what = "one-row prediction, forest of 100 trees on 2,100 rows, equal to the last bit"
    return row(what, ours, peer, "scikit-learn predict", "us", "100 times", equal and peer / ours >= 100)


def tpe_on_forest() -> dict[str, Any]:
    from hyperopt import Trials, fmin, hp
    from hyperopt import tpe as hyperopt_tpe

    from preimage.support import tpe
    from preimage.trees.forest import from_sklearn

    model = bowl_forest()
    forest = from_sklearn(model)
    space = {name: hp.uniform(name, -100, 100) for name in ("a", "b")}
    found: dict[str, Any] = {}

    def ours() -> None:
        def loss(v: dict[str, float]) -> float:
            return float(forest.predict(np.array([[v["a"], v["b"]]]))[0, 0])

        found["ours"] = [t.values for t in tpe.search(space, loss, EVALUATIONS, np.random.default_rng(0))]

    def plain() -> None:
        trials = Trials()
        fmin(
            lambda v: float(model.predict([[v["a"], v["b"]]])[0]), space, hyperopt_tpe.suggest, EVALUATIONS,
            trials=trials, rstate=np.random.default_rng(0), show_progressbar=False, verbose=False,
        )  # fmt: skip
        found["plain"] = [{k: v[0] for k, v in d["misc"]["vals"].items()} for d in trials.trials]

    fast, slow = against(ours, plain, repeats=3)
    equal = found["ours"] == found["plain"]
    what = "500 TPE evaluations on that forest, same trials"
    return row(what, fast, slow, "hyperopt.fmin with predict", "s", "1.7 times", equal and slow / fast >= 1.7)


def default_run(cores: int = 2) -> dict[str, Any]:
    """The whole default DAG in a fresh folder, against the same library calls in one process."""
    from preimage.benchmarks import one_process

    with tempfile.TemporaryDirectory() as folder:
        whole = _snakemake(Path(folder), ["--cores", str(cores)])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", one_process.__name__, folder], check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        )  # fmt: skip
        single = time.perf_counter() - started
    what = f"the default run, {cores} cores, from nothing to reports"
    return row(what, whole, single, "same library calls in one process", "s", "at most 2 times", whole <= 2 * single)


def large_table(rows: int = 3_000_000, columns: int = 20) -> dict[str, Any]:
    """Import, checks and split of a large table: the largest process's memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        rng = np.random.default_rng(0)
        names = [f"x{j}" for j in range(columns - 1)] + ["y"]
        table = pa.table({name: rng.random(rows) for name in names})
        pq.write_table(table, here / "large.parquet")
        del table
        write_text(
            here / "large.yaml",
            "study: large\nproblem: {table: {file: large.parquet, outputs: [y]}}\n"
            "surrogates: {forest: {kind: random_forest}}\nobjectives: {low: {minimize: y}}\n",
        )
        targets = ["results/large/round0/seed0/train.parquet", "--config", 'studies=["large.yaml"]']
        seconds = _snakemake(here, ["--cores", "1", *targets])
        records = [read_json(p) for p in here.glob("results/large/tracking/round0/**/*.json")]
        steps = max(r["timing"]["peak_memory_mb"] for r in records)
    main = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    peak = max(steps, main) / 1024
    what = f"import, checks and split of {rows:,} rows x {columns} columns ({seconds:.0f} s): peak memory"
    return row(what, peak, rows * columns * 8 / 2**30, "its bytes", "GiB", "at most 3 GiB", peak <= 3)


def _snakemake(folder: Path, arguments: list[str]) -> float:
    """Run the workflow in a folder of its own; return the seconds it took."""
    if "--config" not in arguments:
        shutil.copytree(ROOT / "config", folder / "config")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "PREIMAGE", "MLFLOW"))}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(folder), *arguments],
        capture_output=True, text=True, env=environment, cwd=folder,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return time.perf_counter() - started


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    yield one_row_prediction()
    yield tpe_on_forest()
    yield large_table()
    yield default_run()
