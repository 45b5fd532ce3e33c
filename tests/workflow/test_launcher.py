"""What `make run` starts: asked to end, looked at only, without `which`, and where nothing may be written."""

import fcntl
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ..running import ROOT, TINY, environment, study_argument, write_study

RUN = [sys.executable, str(ROOT / "workflow/run.py"), "-s", str(ROOT / "Snakefile"), "--cores", "2"]
# Hears no signal to end, and has started a program in a session of its own.
DEAF = """
import pathlib, signal, subprocess, time


def bake(X):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    pathlib.Path("begun").write_text(str(child.pid))
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass
"""
STUDY = """
study: s
problem: {simulator: "oven:bake", inputs: {a: {low: 0, high: 1}}, outputs: {y: }, samples: 20}
objectives: {o: {minimize: y}}
inverters: {r: {kind: random}}
"""


@pytest.mark.parametrize(
    ("argument", "dry"),
    [(a, True) for a in ("-n", "-np", "-pn", "--dry-run", "--dryrun", "--dry")]
    + [(a, False) for a in ("-p", "n", "--nolock", "--no-hooks", "-j", "--cores", "studies=-n.yaml", "--dr")],
)
def test_a_dry_run_is_known_by_its_flag(argument, dry):
    assert bool(runpy.run_path(RUN[1])["DRY"].fullmatch(argument)) is dry


def test_a_dry_run_waits_for_nobody_says_nothing_else_and_needs_no_which(tmp_path):
    write_study(tmp_path, TINY)
    page = tmp_path / "results/other/report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "sh"):
        (programs / name).symlink_to(f"/bin/{name}")
    (tmp_path / "results/.locks").mkdir()
    with (tmp_path / "results/.locks/run").open("a") as run, (tmp_path / "results/.locks/jobs").open("a") as jobs:
        for lock in (run, jobs):
            fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [*RUN, "-n", *study_argument("tiny.yaml")], capture_output=True, text=True, cwd=tmp_path, timeout=300,
            env=environment(PATH=str(programs)),
        )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0 and re.search(r"^train +1$", said, re.M), said[-3000:]
    assert "waiting" not in said and "Open:" not in said and "report.html" not in said


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run as somebody else")
@pytest.mark.parametrize("more", [[], ["-n"]])
def test_a_folder_without_write_permission_is_one_line(tmp_path, more):
    write_study(tmp_path, TINY)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    reads = subprocess.run(["test", "-x", sys.executable, "-a", "-r", RUN[1]], user=65534, group=65534, extra_groups=[])
    if reads.returncode:
        pytest.skip("nobody else may read this checkout, or run its Python")
    done = subprocess.run(
        [*RUN, *more, *study_argument("tiny.yaml")], capture_output=True, text=True, cwd=tmp_path, user=65534,
        group=65534, extra_groups=[],
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(rf"preimage: {tmp_path}: can't be written: .*\n", done.stderr)


@pytest.mark.long
@pytest.mark.parametrize("home", ["file/home", "/proc/no-such-home"])  # root may write in any real folder
def test_without_a_home_to_write_in_caches_are_kept_here(tmp_path, home):
    write_study(tmp_path, TINY)
    (tmp_path / "file").touch()
    done = subprocess.run(
        [*RUN, "-n", "--quiet", "all", *study_argument("tiny.yaml")], cwd=tmp_path, capture_output=True, text=True,
        env=environment(HOME=str(tmp_path / home), XDG_CACHE_HOME=""),
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-4000:]
    assert (tmp_path / ".snakemake/cache/snakemake").is_dir()


def test_results_that_are_no_folder_are_one_line(tmp_path):
    write_study(tmp_path, TINY)
    (tmp_path / "results").write_text("")
    done = subprocess.run([*RUN, *study_argument("tiny.yaml")], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(rf"preimage: {tmp_path}/results/?.*: can't be written: .*\n", done.stderr)


@pytest.mark.long
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_the_whole_tree_ends_within_5_seconds_and_locks_are_free(tmp_path, by):
    write_study(tmp_path, STUDY, "s.yaml")
    write_study(tmp_path, DEAF, "oven.py")
    process = subprocess.Popen(
        [*RUN, *study_argument("s.yaml")], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 300
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.1)
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert int((tmp_path / "begun").read_text()) in [p.pid for p in tree] and len(tree) > 4
    asked = time.monotonic()
    process.send_signal(by)
    assert process.wait(60) == 128 + by
    _, alive = psutil.wait_procs(tree, timeout=max(5.5 - (time.monotonic() - asked), 0))
    assert alive == []
    assert not list((tmp_path / ".snakemake/locks").glob("*"))
    for lock in ("run", "jobs"):
        with Path(tmp_path / "results/.locks" / lock).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
