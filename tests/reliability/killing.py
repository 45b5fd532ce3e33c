"""What `make run` starts, killed at random moments and started again each time, with no command in between."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from ..running import ROOT, environment, study_argument

VICTIMS = ["everything", "the launcher", "Snakemake", "a step"]
STUDY = study_argument("tiny.yaml")


class After(NamedTuple):
    """Moments to kill at: when up to `most` more are counted in a folder, and up to so many seconds later."""

    count: Callable[[Path], int]
    most: int
    seconds: float


def start(folder, *arguments):
    """Start what `make run` starts, in a process group of its own."""
    command = [sys.executable, str(ROOT / "workflow/run.py"), "-s", str(ROOT / "Snakefile"), "--cores", "2"]
    return subprocess.Popen(
        [*command, *(arguments or STUDY)], cwd=folder, env=environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pipesize=1 << 20,
    )  # fmt: skip


def finish(folder, *arguments):
    """Run to the end; return what was said."""
    process = start(folder, *arguments)
    said, _ = process.communicate(timeout=3600)
    assert process.returncode == 0, said[-4000:]
    return said


def kill_many(fresh, ends_well, seed, count, *arguments, after=()):
    """Kill `count` times: everything, one of the programs above the steps, or a step or the sender; after up to three
    more ended steps and a while, or after something else.

    Args:
        fresh: returns a new folder for the command, by a number.
        ends_well: called with a folder where the command has ended, or is to be run to its end.
        after: other moments (`After`).
    """
    moments, folder, kills = random.Random(seed), None, 0
    while kills < count:
        if folder is None:
            folder = fresh(kills)
        moment = moments.choice([STEPS, *after])
        process, until = start(folder, *arguments), moment.count(folder) + moments.randint(0, moment.most)
        while process.poll() is None and moment.count(folder) < until:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, moment.seconds))
        kills += killed(process, moments.choice(VICTIMS), moments)
        with (folder / "kills.txt").open("a", encoding="utf-8") as file:
            file.write(f"{kills} {process.returncode}\n")
        if process.returncode == 0:
            ends_well(folder)
            folder = None
    if folder is not None:
        ends_well(folder)


def ended_steps(folder):
    """Count the records that steps have written, each as it ended."""
    records = (folder / "results").glob("*/tracking/**/*.json")
    return sum("sent" not in path.parts and not path.name.startswith("invocation") for path in records)


STEPS = After(ended_steps, 3, 3.0)


def killed(process, victim, moments):
    """Kill a running launcher, all of its group, or a program below it; return whether there was one to kill."""
    if process.poll() is not None:
        said, _ = process.communicate()
        assert process.returncode == 0, said[-4000:]
        return False
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
        if victim == "everything":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            found = {"Snakemake": below[:1], "a step": below[1:]}.get(victim) or [process]
            moments.choice(found).kill()
    if victim == "a step":
        process.communicate(timeout=3600)
    else:
        process.stdout.close()  # whoever is left alive can write there no more, as in a terminal that was closed
        process.wait()
    return True


def assert_same_files(whole, folder, files):
    """Assert that files below `results` have the bytes that they have in a run that nothing broke."""
    for pattern in files:
        (one,), (other,) = ((f / "results").glob(pattern) for f in (whole, folder))
        assert one.name == other.name and one.read_bytes() == other.read_bytes(), pattern


def assert_nothing_left(folder, said):
    """Assert that no half file, no state of a step, no lock and no process is left where a command has ended.

    Args:
        said: what the last command said. Where all was done before it, the calls that are kept until a run has
            succeeded are there until the next one.
    """
    assert [p for p in (folder / "results").rglob("*") if p.name.endswith(".tmp")] == []
    state = list((folder / "results").glob("*/.resume/*"))
    assert [p for p in state if p.suffix != ".calls" or "Nothing to be done" not in said] == []
    assert list((folder / ".snakemake/locks").glob("*")) == []
    for lock in (folder / "results/.locks").iterdir():
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert psutil.wait_procs(_at_work_in(folder), timeout=60)[1] == []


def _at_work_in(folder):
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(folder.resolve()):
                found.append(process)
    return found
