"""Studies on a real Slurm of one node, with accounting and without: the bytes of a local run, through what goes wrong.

Needs Debian's packages (see `slurm_node.py`); without them nothing here is tested, and each test says so.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from ..running import ROOT, environment, snakemake, study_argument, write_study
from . import slurm_node

PROFILE = ["--workflow-profile", str(ROOT / "workflow/profiles/slurm")]
TABLES = ["candidates.parquet", "summary.csv", "best_of.csv"]
# Of the studies of `make run`, with what running them on Slurm may add to each submission, queueing apart.
MOST_SUBMISSIONS, MOST_SECONDS = 13, 8

SMALL = """
study: tiny
problem: {simulator: paraboloid, dimension: 2, samples: 200, noise: {sd: 10}}
surrogates:
  forest: {kind: random_forest, trees: 10}
objectives:
  lowest: {minimize: y}
  ring: {target: {y: 5000}, tolerance: 200}
inverters:
  starts: {kind: multistart, starts: 4, scatter: 2}
  certified: {kind: certified, boxes: 2000, scatter: 2}
"""
# Of which the profile makes one submission, as wide as it may.
TWELVE = """
study: tiny
problem: {simulator: paraboloid, dimension: 2, samples: 100, noise: {sd: 10}}
surrogates:
  forest: {kind: random_forest, trees: 5}
objectives:
  lowest: {minimize: y}
  ring: {target: {y: 5000}, tolerance: 200}
  wider: {target: {y: 4000}, tolerance: 500}
inverters:
  starts: {kind: multistart, starts: 2}
  first: {kind: random, evaluations: 10}
  second: {kind: random, evaluations: 20}
  third: {kind: random, evaluations: 30}
"""
# A simulator that is out of its memory, or of its time, the first time a step asks it.
GREEDY = """
import os
import time
from pathlib import Path

import numpy as np


def simulate(X):
    again = Path(__file__).with_name("again")
    if os.environ.get("SLURM_JOB_ID") and not again.exists():
        again.touch()
        {greed}
    return (X**2).sum(axis=1)
"""
GREED = {
    "memory": "held = np.ones(600 * 2**17); time.sleep(20)",  # 600 MB, more than the step asks for at first
    "time": "time.sleep(600)",
}
OWN = """
study: tiny
problem: {simulator: "greedy:simulate", inputs: {x: {low: -1, high: 1}, z: {low: -1, high: 1}}, outputs: {y: {}}, samples: 50}
surrogates:
  forest: {kind: random_forest, trees: 5}
objectives:
  lowest: {minimize: y}
inverters:
  random: {kind: random, evaluations: 20}
"""  # noqa: E501


@pytest.fixture(scope="module", params=[True, False], ids=["accounting", "no accounting"])
def node(request):
    """The variables that find a running node."""
    if lacking := slurm_node.missing(request.param):
        pytest.skip(f"not installed: {', '.join(lacking)}: nothing was tested on Slurm")
    # Not below pytest's folders, which only their owner may enter: munge refuses them.
    folder = Path(tempfile.mkdtemp(prefix="preimage-slurm-"))
    try:
        with slurm_node.slurm_node(folder, request.param) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("local"), SMALL)
    done = snakemake(folder, *study_argument("tiny.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def start(folder, node, *more, studies=("tiny.yaml",), cores=("--cores", "2")):
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *cores, *PROFILE, *more]
    return subprocess.Popen(
        [*command, *study_argument(*studies)], cwd=folder, env=environment(**node, PYTHONPATH=str(folder)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended(process):
    said, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, said[-4000:]
    return said


def same(folder, other, study="tiny"):
    for table in TABLES:
        ours, theirs = (f / "results" / study / table for f in (folder, other))
        assert ours.read_bytes() == theirs.read_bytes(), table


def slurm(node, *command):
    return subprocess.run(command, env={**os.environ, **node}, capture_output=True, text=True, check=True).stdout


def jobs(node):
    return slurm(node, "squeue", "--noheader", "--format=%A").split()


def wait_for(what, seconds=300):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.5)
    return found


# -- refused before anything runs --------------------------------------------------------------------------------------


@pytest.mark.long
def test_no_slurm_on_the_path_is_one_message(tmp_path):
    write_study(tmp_path, SMALL)
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "bash", "which", "git", "uname", "env"):
        if found := shutil.which(name):
            (bare / name).symlink_to(found)
    done = snakemake(tmp_path, *PROFILE, *study_argument("tiny.yaml"), PATH=str(bare))
    assert done.returncode != 0 and "Traceback" not in done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("preimage:")]
    assert "found no sbatch on the PATH" in told and not (tmp_path / "results/tiny").exists()


@pytest.mark.long
@pytest.mark.parametrize(("asked", "told"), [
    ("slurm_partition=mian", "resource slurm_partition: Slurm has no partition 'mian'; did you mean 'main'?"),
    ("slurm_account=preimmage", "has no account 'preimmage'; did you mean 'preimage'?"),
])  # fmt: skip
def test_what_slurm_has_not_is_one_message(node, tmp_path, asked, told):
    if "account" in asked and shutil.which("sacctmgr", path=node["PATH"].partition(os.pathsep)[0]) is None:
        pytest.skip("without accounting, any account will do")
    write_study(tmp_path, SMALL)
    process = start(tmp_path, node, "--default-resources", asked)
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0 and told in said and "Traceback" not in said
    assert jobs(node) == [] and not (tmp_path / "results/tiny").exists()


@pytest.mark.long
def test_what_no_node_can_hold_is_one_message(node, tmp_path):
    write_study(tmp_path, SMALL)
    memory = int(slurm(node, "sinfo", "--noheader", "--format=%m"))
    process = start(tmp_path, node, "--set-resources", f"train:mem_mb={memory + 1}")
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0 and "Traceback" not in said and "submitted" not in said
    (told,) = [line for line in said.splitlines() if line.startswith("preimage:")]
    assert f"rule train asks for {memory + 1} MB of memory where the largest node has {memory}" in told
    assert jobs(node) == [] and not (tmp_path / "results/tiny").exists()


@pytest.mark.long
def test_a_partition_that_is_down_is_told_within_a_minute(node, local, tmp_path):
    write_study(tmp_path, SMALL)
    slurm(node, "scontrol", "update", "partitionname=main", "state=down")
    process = start(tmp_path, node)
    try:
        wait_for(lambda: jobs(node))
        wait_for(lambda: "PartitionDown" in log(tmp_path), 60)
    finally:
        slurm(node, "scontrol", "update", "partitionname=main", "state=up")
    ended(process)
    same(tmp_path, local)


def log(folder):
    return "".join(path.read_text(encoding="utf-8") for path in folder.glob(".snakemake/log/*.log"))


# -- the same bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_scattered_study_gives_the_bytes_of_a_local_run(node, local, tmp_path):
    write_study(tmp_path, SMALL)
    said = ended(start(tmp_path, node))
    same(tmp_path, local)
    assert "Nothing to be done" in ended(start(tmp_path, node, "-n"))
    parts = len(list((tmp_path / "results").rglob("*-of-2.parquet")))
    # Beside parts: kernels, rows, training, inversions, evidence, report.
    assert parts == 8 and said.count("has been submitted") <= parts + 6


@pytest.mark.long
def test_without_cores_the_node_bounds_what_is_submitted_and_the_bytes_are_those_of_a_local_run(node, tmp_path):
    for name in ("slurm", "local"):
        write_study(tmp_path / name, TWELVE)
    began = time.time()
    ended(start(tmp_path / "slurm", node, cores=()))
    cpus, memory = (int(slurm(node, "sinfo", "--noheader", f"--format={what}")) for what in ("%c", "%m"))
    asked = submitted(node, began)
    assert max(int(job["NumCPUs"]) for job in asked) == min(cpus, 12)
    assert all(int(job["MinMemoryNode"].removesuffix("M")) <= memory for job in asked)
    done = snakemake(tmp_path / "local", *study_argument("tiny.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    same(tmp_path / "slurm", tmp_path / "local")


DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))["studies"]


@pytest.mark.long
def test_the_default_run_gives_the_bytes_of_a_local_run_at_little_cost(node, tmp_path):
    for name in ("slurm", "local"):
        shutil.copytree(ROOT / "config", tmp_path / name / "config")
    began = time.time()
    said = ended(start(tmp_path / "slurm", node, studies=DEFAULT))
    spent, submissions = lost(node, tmp_path / "slurm", began, time.time()), said.count("has been submitted")
    assert submissions <= MOST_SUBMISSIONS
    done = snakemake(tmp_path / "local", *study_argument(*DEFAULT))
    assert done.returncode == 0, done.stderr[-4000:]
    for study in DEFAULT:
        same(tmp_path / "slurm", tmp_path / "local", Path(study).stem)
    told = f"{spent / submissions:.1f} s for each of {submissions} submissions, beyond queueing and steps"
    print(told)
    assert spent <= MOST_SECONDS * submissions, f"{told}; load {os.getloadavg()}, which should be this run alone"


def submitted(node, began):
    """Return what Slurm knows of the jobs submitted since then."""
    found = slurm({**node, "SLURM_TIME_FORMAT": "%s"}, "scontrol", "show", "jobs", "--oneliner")
    jobs = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in found.splitlines()]
    return [job for job in jobs if float(job["SubmitTime"]) >= began - 1]


def lost(node, folder, began, ended):
    """Return the seconds of a run in which no step was at work and no job waited in the queue."""
    spans = [(float(job["SubmitTime"]), float(job["StartTime"])) for job in submitted(node, began)]
    for path in folder.glob("results/*/tracking/**/*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if seconds := record.get("timing", {}).get("wall_seconds"):
            spans.append((record["ended"] / 1000 - seconds, record["ended"] / 1000))
    until = began
    for start, end in sorted(spans):
        began += max(0, end - max(start, until))
        until = max(until, end)
    return ended - began


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("what", GREED)
def test_a_step_killed_for_memory_or_time_succeeds_with_more_of_it(node, tmp_path, what):
    write_study(tmp_path, OWN)
    write_study(tmp_path, GREEDY.format(greed=GREED[what]), "greedy.py")
    # These stand in the place of all that the profile says.
    limits = [
        "--set-resources",
        "generate:mem_mb=500*attempt",
        "generate:runtime=1*attempt",
        "compile_kernels:mem_mb=2000",
    ]
    said = ended(start(tmp_path, node, *limits))
    assert (tmp_path / "again").exists() and "Trying to restart job" in said


@pytest.mark.long
def test_a_node_set_down_and_resumed(node, local, tmp_path):
    write_study(tmp_path, SMALL)
    process = start(tmp_path, node)
    wait_for(lambda: jobs(node))
    name = slurm(node, "sinfo", "--noheader", "--format=%n").strip()
    slurm(node, "scontrol", "update", f"nodename={name}", "state=down", "reason=test")
    time.sleep(5)
    slurm(node, "scontrol", "update", f"nodename={name}", "state=resume")
    ended(process)
    same(tmp_path, local)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_jobs_cancelled_at_random(node, local, tmp_path, seed):
    write_study(tmp_path, SMALL)
    process, moments = start(tmp_path, node), random.Random(seed)
    for _ in range(2):
        time.sleep(moments.uniform(1, 15))
        if found := jobs(node):
            slurm(node, "scancel", moments.choice(found))
    ended(process)
    same(tmp_path, local)
