"""A simulator of a user's own through the workflow: what is run of it, and when; and what is said where it fails."""

import hashlib
import json

import pandas as pd
import pytest

from preimage.running import reproduction
from preimage.study import origin

from ..finished import finished_study
from ..running import assert_documented, snakemake, study_argument, write_study

STUDY = """
study: s
problem: {simulator: "oven:bake", inputs: {a: {low: 0, high: 1}}, outputs: {y: }, samples: 20}
objectives: {o: {minimize: y}}
inverters: {r: {kind: random, evaluations: 5}}
"""
OVEN = """
import os
from pathlib import Path
with Path("imported").open("a") as file:
    file.write("x")
"""


@pytest.fixture
def kitchen(tmp_path):
    """A folder with a study and its simulator in a folder below it."""
    write_study(tmp_path / "lab", STUDY, "s.yaml")
    write_study(tmp_path / "lab", OVEN + "\n\ndef bake(X):\n    return X[:, 0]\n", "oven.py")
    return tmp_path


def test_a_dry_run_imports_nothing_and_a_run_that_would_fail_starts_no_job(kitchen):
    done = snakemake(kitchen, *study_argument("lab/s.yaml"), "-n")
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "lab/oven:bake is not imported in a dry run" in said
    assert not (kitchen / "imported").exists()
    (kitchen / "lab/oven.py").write_text(OVEN + "1 / 0\n")
    done = snakemake(kitchen, *study_argument("lab/s.yaml"))
    assert done.returncode == 1 and (kitchen / "imported").exists() and not (kitchen / "results/s").exists()
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("preimage:")]
    assert "lab/oven.py, line 6: ZeroDivisionError: division by zero" in line and "Traceback" not in done.stderr
    (kitchen / "lab/s.yaml").write_text(STUDY.replace("oven:bake", "os:system"))
    done = snakemake(kitchen, *study_argument("lab/s.yaml"), "-n")
    assert done.returncode == 1 and "'os' is part of Python" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.long
def test_a_run_that_was_fetched_runs_code_only_where_it_is_trusted(kitchen):
    """As it is after it was fetched, by which nothing is imported either."""
    run = "a" * 32
    study = {
        "study": f"s-reproduced-{run[:8]}", "problem": {
            "simulator": "oven:bake", "inputs": {"a": {"low": 0, "high": 1}}, "outputs": {"y": {}}, "samples": 20,
        },
        "objectives": {"o": {"minimize": "y"}}, "inverters": {"r": {"kind": "random", "evaluations": 5}},
    }  # fmt: skip
    value = {
        "format": origin.FORMAT, "study": study, "text": "", "beside": "lab", "files": {}, "packages": {},
        "commit": "a", "lock": "b", "python": "3", "tables": {"summary.csv": hashlib.sha256(b"").hexdigest()},
    }  # fmt: skip
    folder = kitchen / reproduction.FETCHED / run
    (folder / "tables").mkdir(parents=True)
    (folder / "tables/summary.csv").touch()
    (folder / "study.yaml").write_text(reproduction._study_text(value))
    (folder / "origin.json").write_text(json.dumps(value))
    for more in ([], ["-n"]):
        done = snakemake(kitchen, "reproduce", *more, "--config", f"run={run}")
        assert done.returncode == 1 and "trust=yes" in done.stderr and "lab/oven.py" in done.stderr
        assert not (kitchen / "imported").exists()
    done = snakemake(kitchen, "reproduce", "-n", "--config", f"run={run}", "trust=yes")
    assert done.returncode == 0 and not (kitchen / "imported").exists(), done.stderr


FRAGILE = """
import os
import signal
from pathlib import Path

def bake(X):
    with Path("asked").open("a") as file:
        file.writelines(f"{x}\\n" for x in X.tolist())
    asked = Path("asked").read_text().splitlines()
    if len(asked) == 7 or len(asked) == 25:
        os.kill(os.getpid(), signal.SIGKILL)
    return X[:, 0]
"""


@pytest.mark.long
def test_a_killed_step_makes_the_calls_that_it_lacks_and_none_again(kitchen):
    """Killed as it makes data, and as it searches; by the time that it takes, each call costs enough to be kept."""
    text = STUDY.replace("samples: 20", "samples: 20, batch: 1").replace("kind: random", "kind: hyperopt")
    (kitchen / "lab/s.yaml").write_text(text)
    (kitchen / "lab/oven.py").write_text(FRAGILE.replace("    return", "    import time; time.sleep(0.01)\n    return"))
    table = "results/s/round0/seed0/inversion/simulator/o/r.parquet"
    command = (table, "--rerun-incomplete", *study_argument("lab/s.yaml"))
    assert [snakemake(kitchen, *command).returncode for _ in range(3)] == [1, 1, 0]
    asked = (kitchen / "asked").read_text().splitlines()
    # 20 rows, 5 trials, which are all predicted once more at the end (in 5 calls), and the two that were interrupted.
    assert len(asked) == 20 + 5 + 5 + 2 and asked[6] == asked[7] and asked[24] == asked[25]
    assert len(set(asked)) == 25
    assert not any((kitchen / "results/s/.resume").iterdir())


# A third of the space fails; each call runs in a process of its own.
COSTLY = """
study: costly
problem:
  simulator: "kiln:burn"
  inputs: {a: {low: 0, high: 1}, b: {low: 0, high: 2}}
  outputs: {y: }
  samples: 30
  seconds: 60
  scatter: 2
split: {method: hold_out}
surrogates: {linear: {kind: linear}}
objectives: {most: {maximize: y}}
inverters: {random: {kind: random, evaluations: 30}}
rounds: 1
relearning: {simulations: 6}
next: {experiments: 3}
budget: {simulations: 100}
"""
KILN = """
from pathlib import Path

def burn(X):
    with Path("burned").open("a") as file:
        file.writelines(f"{x}\\n" for x in X.tolist())
    if X[0, 0] > 0.7:
        raise ValueError("too hot")
    return X[:, 0] + X[:, 1]
"""
costly = finished_study("costly", COSTLY, prepare=lambda folder: write_study(folder, KILN, "kiln.py"))


@pytest.mark.long
def test_a_study_keeps_to_its_budget_and_no_failed_point_stops_it(costly):
    results = costly / "results/costly"
    burned = (costly / "burned").read_text().splitlines()
    assert len(burned) <= 100
    failed = [json.loads(line) for line in (results / "failed_calls.jsonl").read_text().splitlines()]
    assert {f["message"] for f in failed} == {"ValueError: too hot"}
    assert sorted(f"[{f['x']['a']}, {f['x']['b']}]" for f in failed) == sorted(
        line for line in burned if float(line[1:].split(",")[0]) > 0.7
    )
    rows = pd.read_parquet(results / "round0/seed0/data.parquet")
    kept = pd.read_parquet(results / "round0/seed0/failed.parquet")
    assert len(rows) + len(kept) == 30 and (rows["a"] <= 0.7).all() and (kept["x.a"] > 0.7).all()


@pytest.mark.long
def test_what_failed_is_told_of_candidates_and_kept_away_from(costly):
    results = costly / "results/costly"
    table = pd.read_parquet(results / "candidates.parquet")
    assert_documented(table, "candidates.parquet")
    assert_documented(pd.read_parquet(results / "round1/seed0/failed.parquet"), "failed_calls.jsonl and failed.parquet")
    hot = table["simulated_message"].eq("ValueError: too hot")
    assert hot.any() and (table.loc[hot, "x.a"] > 0.7).all() and table.loc[hot, "simulated_loss"].isna().all()
    assert table.loc[table["simulated_message"].isna(), "simulated_loss"].notna().all()
    # The most that the model promises lies where everything fails.
    assert (pd.read_csv(results / "next_experiments.csv")["a"] <= 0.8).all()
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Calls of the simulator" in page and "ValueError: too hot" in page and "of 100" in page
