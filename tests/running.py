"""Running the workflow as a user would, in a folder of its own; and what is documented of its tables."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TINY = """
study: tiny
problem: {simulator: paraboloid, dimension: 2, samples: 200, noise: {sd: 10}, sampling: latin_hypercube}
surrogates:
  forest: {kind: random_forest, trees: 10, tune: {evaluations: 3}}
objectives:
  ring: {target: {y: 5000}, tolerance: 200, preimage: true}
  lowest: {minimize: y, fixed: {x1: 10}}
inverters:
  tpe: {kind: hyperopt, evaluations: 30}
  starts: {kind: multistart, starts: 5}
  direct: {kind: multistart, starts: 5, gradient: 2-point, on: [simulator]}
"""


def environment(**more):
    """The environment of a user: nothing of the test runner's, or of a run around it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "PREIMAGE_", "MLFLOW", "PYTEST"))}
    return {**kept, **more}


def snakemake(folder, *arguments, root=ROOT, python=None, **more):
    """Run Snakemake in a folder of its own; its steps too, by another `python` if there is one."""
    own = f"import sys; sys.executable = {str(python)!r}; from snakemake.cli import main; main()"
    start = ["-c", own] if python else ["-m", "snakemake"]
    command = [sys.executable, *start, "-s", str(root / "Snakefile"), "--directory", str(folder)]
    return subprocess.run(
        [*command, "--cores", "2", "--scheduler", "greedy", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(**more),
    )


def study_argument(*paths):
    return ["--config", "studies=[{}]".format(",".join(f'"{p}"' for p in paths))]


def write_study(folder, text, name="tiny.yaml"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def run_tiny(folder, *arguments, **more):
    write_study(folder, TINY)
    done = snakemake(folder, *study_argument("tiny.yaml"), *arguments, **more)
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def documented(title):
    """Return what docs/tables.md says under a title, by column; `x.cement` is `x.<input>` there, and `x` here."""
    part = (ROOT / "docs/tables.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in part.splitlines() if line.startswith("| `")]
    return {n.partition(".")[0]: said.strip() for names, said in rows for n in re.findall(r"`([^`]+)`", names)}


def documented_values(said):
    """Return the only values that a column may have by what is said of it; None where it may have any."""
    if said.startswith("Whether"):
        return {"True", "False"}
    return set(re.findall(r"`([^`]+)`", said)) if said.startswith("`") else None


def seldom():
    """Return the columns that only some studies have, by what is said of them or of the column that they are like."""
    known = documented("fit.parquet") | documented("candidates.parquet")
    found = {name for name, said in known.items() if said.startswith("Only in studies")}
    return found | {name for name, said in known.items() if set(re.findall(r"^As (?:`(\w+)`)", said)) & found}


def assert_documented(table, title):
    """Assert that docs/tables.md has exactly these columns under a title, and every value that they have."""
    known, found = documented(title), {column.partition(".")[0] for column in table}
    assert found <= set(known) and set(known) - found <= seldom()
    for column in table:
        values = documented_values(known[column.partition(".")[0]])
        assert values is None or set(table[column].dropna().astype(str)) <= values, column
