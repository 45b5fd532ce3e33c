"""Faults of disks and folders: told in one message, and a rerun ends with the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np
import pandas as pd
import psutil
import pytest

from ..running import ROOT, TINY, environment, snakemake, study_argument, write_study

PROFILE = ["--workflow-profile", str(ROOT / "workflow/profiles/default")]
TABLES = ["candidates.parquet", "summary.csv", "best_of.csv"]


def run(folder, *more):
    return snakemake(folder, *PROFILE, *more, *study_argument("tiny.yaml"))


def planned(folder):
    """Return what a dry run says, which Snakemake prints as output."""
    done = run(folder, "-n")
    return done.stdout + done.stderr


def copied(tiny, folder, copy=shutil.copy2):
    """Copy the study, without the others that ended in its folder."""
    shutil.copy(tiny / "tiny.yaml", folder)
    shutil.copytree(tiny / ".snakemake", folder / ".snakemake", copy_function=copy)
    for part in ("tiny", ".tracking", ".kernels"):
        shutil.copytree(tiny / "results" / part, folder / "results" / part, copy_function=copy)
    copy(tiny / "results/mlflow.db", folder / "results/mlflow.db")
    return folder


def science(folder):
    """Every file that a study computes: what is in it must not depend on faults or on when it was made."""
    files = [p for p in (folder / "results/tiny").rglob("*") if p.suffix in (".parquet", ".csv", ".npz", ".svg")]
    return {p.relative_to(folder): p.read_bytes() for p in files if p.name != "timings.csv"}


def whole_again(folder, tiny):
    done = run(folder)
    assert done.returncode == 0, done.stderr[-4000:]
    assert science(folder) == science(tiny)
    assert [p for p in (folder / "results").rglob("*") if p.name.endswith(".tmp")] == []
    assert not any((folder / "results/tiny/.resume").glob("*"))
    assert "Nothing to be done" in planned(folder)
    return done


def damage(path, how):
    bytes_ = bytearray(path.read_bytes())
    kept = path.stat()
    if how == "flipped":
        bytes_[len(bytes_) // 2] ^= 4
    path.write_bytes(bytes_ if how == "flipped" else bytes_[: len(bytes_) // 2])
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # a disk's own error leaves the times as they are


@pytest.mark.long
def test_a_copy_elsewhere_has_nothing_to_do_and_a_flipped_bit_in_it_is_mended(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    broken = folder / "results/tiny/round0/seed0/candidates.parquet"
    damage(broken, "flipped")
    said = planned(folder)
    assert f"{broken.relative_to(folder)}: not what its step wrote" in said and broken.exists()
    # A dry run leaves it where it is, and all else in the copy is as it was.
    assert "Nothing to be done" in said
    done = whole_again(folder, tiny)
    assert "it is made again" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("how", ["flipped", "truncated"])
@pytest.mark.parametrize("seed", range(5))
def test_damaged_files_are_made_again_and_never_used(tiny, tmp_path, how, seed):
    folder = copied(tiny, tmp_path)
    there = [p for p in (folder / "results/tiny").rglob("*") if p.is_file() and p.stat().st_size > 8]
    kept = [p for p in there if not {"logs", "benchmarks", "sent"} & set(p.parts) and "invocation-" not in p.name]
    for path in random.Random(seed).sample(sorted(kept), 3):
        damage(path, how)
    whole_again(folder, tiny)


@pytest.mark.long
def test_a_copy_that_lost_its_times_ends_with_the_same_bytes(tiny, tmp_path):
    whole_again(copied(tiny, tmp_path, shutil.copyfile), tiny)


@contextmanager
def small_disk(folder, size):
    """Give a function that changes the options of a small disk of memory, mounted at results/."""

    def mount(*arguments):
        return subprocess.run(["mount", *arguments, str(folder)], capture_output=True).returncode == 0

    folder.mkdir(parents=True)
    if not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        pytest.skip("mounting a small disk needs a system administrator's rights: full disks were not tested")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_read_only_folder_is_told_in_one_message(tmp_path):
    write_study(tmp_path, TINY)
    with small_disk(tmp_path / "results", "1m") as change:
        assert change("ro")
        done = run(tmp_path)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("preimage:")]
    assert "results: can't be written: Read-only file system" in told


@pytest.mark.long
def test_a_full_disk_is_told_and_with_room_again_the_run_ends_with_the_same_bytes(tiny, tmp_path):
    write_study(tmp_path, TINY)
    for size in ("300k", "600k", "1200k"):  # MLflow's own database is most of it
        folder = tmp_path / size
        write_study(folder, TINY)
        with small_disk(folder / "results", size) as change:
            done = run(folder)
            assert done.returncode != 0
            logs = "".join(p.read_text() for p in (folder / "results").rglob("*.log")) + done.stderr
            assert "No space left on device" in logs or "disk is full" in logs or "disk I/O error" in logs
            assert change("size=200m")
            whole_again(folder, tiny)


LONG = """
study: tiny
problem: {simulator: paraboloid, dimension: 8, samples: 2000, noise: {sd: 10}}
surrogates:
  forest: {kind: random_forest, trees: 60}
objectives:
  ring: {target: {y: 9000}, tolerance: 0.001}
inverters:
  certified: {kind: certified, boxes: 100000000}
"""


NETWORK = """
study: tiny
problem: {simulator: paraboloid, dimension: 2, samples: 20000}
surrogates:
  forest: {kind: neural_network, layers: [512, 512], epochs: 100000, patience: 100000, tune: {evaluations: 20}}
objectives: {lowest: {minimize: y}}
"""
FLOW = """
study: tiny
problem: {simulator: gaussian}
observations: {simulate: 1, size: 5}
inference: {npe: {kind: npe, simulations: 50000, updates: 10000000}}
"""
# All inputs between two values, in far more boxes than there is time for.
WHOLE = """
study: tiny
problem: {simulator: paraboloid, dimension: 8, samples: 2000, noise: {sd: 10}}
surrogates:
  forest: {kind: random_forest, trees: 60}
objectives:
  band: {within: {y: [4000, 20000]}, preimage: {boxes: 100000000}}
inverters:
  random: {kind: random, evaluations: 20}
"""
# A model of the user's own that JAX can't trace, and that takes its time.
COOLING = """
study: tiny
problem:
  simulator: models:cooling
  ode: {states: {temperature: start}}
  inputs: {rate: {low: 0.01, high: 1, start: 0.5}, start: {low: 60, high: 100}}
  samples: 20
objectives: {cup: {fit: {data: cup.csv, loss: mse}}}
inverters: {differences: {kind: multistart, starts: 1, gradient: 2-point}}
"""
MODEL = """
import time


def cooling(t, y, p):
    time.sleep(0.002)
    return [-float(p["rate"]) * (y[0] - 20.0)]
"""


@pytest.mark.long
def test_a_search_that_is_asked_to_end_saves_and_ends_within_5_seconds(tmp_path):
    log = tmp_path / "results/tiny/logs/round0/seed0/invert.forest.ring.certified.log"
    ends_within_5_seconds(tmp_path, LONG, log, lambda step: "best loss" in log.read_text())
    assert_saved(tmp_path, "invert.*ring.certified*", log)


@pytest.mark.long
def test_a_whole_preimage_that_is_asked_to_end_saves_and_ends_within_5_seconds(tmp_path):
    log = tmp_path / "results/tiny/logs/round0/seed0/preimage.forest.band.log"
    ends_within_5_seconds(tmp_path, WHOLE, log, lambda step: "best loss" in log.read_text())
    assert_saved(tmp_path, "preimage.*forest*", log)


@pytest.mark.long
def test_a_calibration_that_is_asked_to_end_saves_and_ends_within_5_seconds(tmp_path):
    t = np.arange(0, 15.0)
    pd.DataFrame({"time": t, "temperature": 20 + 65 * np.exp(-0.2 * t)}).to_csv(tmp_path / "cup.csv", index=False)
    write_study(tmp_path, MODEL, "models.py")
    log = tmp_path / "results/tiny/logs/calibrate.cup.log"
    ends_within_5_seconds(tmp_path, COOLING, log, lambda step: any(tmp_path.glob("results/tiny/.resume/calibrate.*")))
    assert_saved(tmp_path, "calibrate.*", log)


@pytest.mark.long
@pytest.mark.parametrize(("study", "log"), [
    (NETWORK, "round0/seed0/train.forest.log"), (FLOW, "seed0/train_inference.npe.log"),
], ids=["network", "flow"])  # fmt: skip
def test_training_that_is_asked_to_end_ends_within_5_seconds(tmp_path, study, log):
    """Most of it is one compiled program, begun after some seconds of imports and compilation."""
    log = tmp_path / "results/tiny/logs" / log
    ends_within_5_seconds(tmp_path, study, log, lambda step: sum(step.cpu_times()[:2]) > 20)
    made = [p for name in ("surrogates", "methods") for p in (tmp_path / "results/tiny").glob(f"**/{name}/**/*")]
    assert [p for p in made if p.is_file()] == []


def assert_saved(folder, pattern, log):
    saved = list((folder / "results/tiny/.resume").glob(pattern))
    assert len(saved) == 1 and "asked to end" in log.read_text()


def ends_within_5_seconds(folder, study, log, begun):
    """Run a study until the step with this log has begun its work, ask the step to end, and see that it does."""
    write_study(folder, study)
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2", *PROFILE]
    process = subprocess.Popen(
        [*command, *study_argument("tiny.yaml")], cwd=folder, env=environment(PYTHONPATH=str(folder)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    step = at_work(process, log, begun)
    step.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    step.wait(timeout=60)
    assert time.monotonic() - asked < 5
    process.terminate()
    process.wait(timeout=120)


def at_work(process, log, begun):
    """Return the process of the step with this log, once it has begun."""
    until = time.monotonic() + 600
    while time.monotonic() < until:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if str(log) in [f.path for f in child.open_files()] and begun(child):
                    return child
        time.sleep(0.2)
    raise AssertionError("the step did not begin")
