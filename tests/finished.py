"""Studies that one Snakemake runs to their end for all tests that read them.

Starting Snakemake, making MLflow's store and sending to it cost more than most of these studies do. So tests of the
workflow share one run: a module declares a study with `finished_study`, which makes a fixture of the study's name, and
the first test that needs one of these fixtures runs every study that the chosen tests need, in one folder. Each process
reads a copy of its own.
"""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from preimage.tracking.record import SLOW_TO_IMPORT

from . import forked_steps
from .running import TINY, snakemake, study_argument, write_study


class Shared(NamedTuple):
    """A study that tests share.

    Attributes:
        text: of the study.
        outputs: what is asked for, below `results`.
        prepare: writes what else the study needs into its folder.
    """

    text: str
    outputs: tuple[str, ...]
    prepare: Callable[[Path], None] | None


STUDIES: dict[str, Shared] = {}
# What Snakemake said as it ran the studies, and in a dry run after that.
SAID, SAID_AGAIN = "said.txt", "said_again.txt"
STORE = "results/.tracking/store.created"


def finished_study(name, text, outputs=None, prepare=None):
    """Return a fixture: the folder in which the study of this name has ended. Its file is `<name>.yaml`."""
    outputs = outputs or (f"{name}/report.html",)
    STUDIES[name] = Shared(text, outputs, prepare)

    @pytest.fixture(scope="session", name=name)
    def folder(all_finished):
        for output in outputs:
            path = all_finished / "results" / output
            assert path.exists(), f"{path} was not made:\n{(all_finished / SAID).read_text()[-6000:]}"
        return all_finished

    return folder


tiny = finished_study("tiny", TINY)


@pytest.fixture(scope="session")
def all_finished(request, tmp_path_factory):
    """This process's own copy of the folder in which the studies that the chosen tests need have ended."""
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    made.mkdir(exist_ok=True)
    wanted = {name for item in request.session.items for name in item.fixturenames if name in STUDIES}
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / SAID_AGAIN).exists():
            run_all({name: STUDIES[name] for name in sorted(wanted)}, made, request.getfixturevalue("forked"))
    return shutil.copytree(made, base / "own")


@pytest.fixture(scope="session")
def forked():
    """A Python for Snakemake that runs its steps in a third of the time (see `forked_steps`)."""
    with forked_steps.python(SLOW_TO_IMPORT) as python:
        yield python


def run_all(studies, folder, python):
    """Run these studies in a folder; keep what was said there. One that fails keeps no other from its end."""
    for name, shared in studies.items():
        write_study(folder, shared.text, f"{name}.yaml")
        if shared.prepare:
            shared.prepare(folder)
    outputs = [f"results/{output}" for shared in studies.values() for output in shared.outputs]
    arguments = [STORE, *outputs, *study_argument(*(f"{name}.yaml" for name in studies))]
    for more, file in (("--keep-going", SAID), ("--dry-run", SAID_AGAIN)):
        done = snakemake(folder, more, *arguments, python=python)
        (folder / file).write_text(done.stdout + done.stderr, encoding="utf-8")
