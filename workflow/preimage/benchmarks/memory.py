"""What a study takes: peak memory and minutes of its largest step by rows, inputs and trees, each study run as a user
would, on a table that a forest can't learn whole, so that its trees grow as deep as rows let them.

Usage: python -m preimage.benchmarks.memory ROWS INPUTS TREES [csv] prints one row; `snakemake --cores 2
results/benchmark/memory.csv` makes them all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SNAKEFILE = Path(__file__).resolve().parents[3] / "Snakefile"
# Rows, inputs, trees, file.
SIZES = [
    (10_000, 10, 100, "parquet"),
    (30_000, 30, 30, "parquet"),
    (100_000, 10, 10, "parquet"),
    (100_000, 30, 10, "parquet"),
    (100_000, 30, 30, "parquet"),
    (300_000, 30, 4, "parquet"),
    (300_000, 30, 4, "csv"),
]
STUDY = """
study: size
problem: {{table: {{file: rows.{kind}, outputs: [y]}}}}
surrogates: {{forest: {{kind: random_forest, trees: {trees}}}}}
objectives: {{best: {{maximize: y}}}}
inverters: {{random: {{kind: random}}}}
"""


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    for size in SIZES:
        yield of_size(*size)


def of_size(rows: int, inputs: int, trees: int, kind: str = "parquet") -> dict[str, Any]:
    """Run a study of this size; return what its most costly step took, and all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, file = made(rows, inputs), folder / f"rows.{kind}"
        table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file, index=False)
        (folder / "size.yaml").write_text(STUDY.format(kind=kind, trees=trees), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "-s", str(SNAKEFILE), "--directory", name, "--cores", "2", "-q"]
        subprocess.run([*command, "all", "--config", "studies=size.yaml"], cwd=name, check=True)
        took = pd.read_csv(folder / "results/size/timings.csv")
    largest = took.loc[took["peak_memory_mb"].idxmax()]
    return {
        **{"rows": rows, "inputs": inputs, "trees": trees, "file": kind, "step": largest["step"]},
        "peak_gb": float(largest["peak_memory_mb"]) * 2**20 / 1e9,
        "minutes": float(took["wall_seconds"].sum()) / 60,
        "processor_minutes": float(took["cpu_seconds"].sum()) / 60,
    }


def made(rows: int, inputs: int) -> pd.DataFrame:
    """Return a table of uniform inputs and an output with noise, of distinct numbers throughout."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (rows, inputs))
    y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 3] ** 2 + rng.normal(0, 0.1, rows)
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(inputs)]).assign(y=y)


if __name__ == "__main__":
    rows, inputs, trees, *kind = sys.argv[1:]
    print(of_size(int(rows), int(inputs), int(trees), *kind))
