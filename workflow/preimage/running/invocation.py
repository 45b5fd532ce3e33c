"""One run of Snakemake: what is checked before it, recorded of it, and the sender that runs beside it."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from preimage.problems import user_code
from preimage.running import integrity, reproduction
from preimage.running.step import JOBS_LOCK, resume_folder
from preimage.study import Study, calls
from preimage.study.cases import plain as plain_study
from preimage.support import kept_calls, limits
from preimage.support.errors import StudyError
from preimage.support.files import digest, plain, remove, write_json
from preimage.support.masking import plainly
from preimage.support.places import python_path
from preimage.tracking import record

# Held by the one Snakemake at work in this folder; `workflow/run.py` may hold it on our behalf.
RUN_LOCK = Path("results/.locks/run")
RUN_LOCK_HELD = "PREIMAGE_RUN_LOCK_HELD"
NO_LOCKS = (
    "results/ is on a file system without locks: results are not compared with what their steps wrote, and nothing "
    "keeps two runs apart but Snakemake's own lock; start one at a time, and where that lock fails too, use --nolock"
)
SENDER_LOG = Path("results/.tracking/sender.log")

_sender: list[subprocess.Popen[bytes]] = []
_records: dict[Path, dict[str, Any]] = {}
_lock: list[Any] = []
# Processes that the kernel had ended for want of memory as this run started.
_ended_before: list[int] = []


def share_library() -> None:
    """Let every script find this library, on whatever node it runs, and commands of a profile this Python."""
    os.environ["PYTHONPATH"] = python_path()
    os.environ["PREIMAGE_PYTHON"] = sys.executable


def check(studies: Mapping[str, Study]) -> list[str]:
    """Check every study against its data; return warnings, raise StudyError.

    Where only Snakemake is installed, as with `--sdm conda`, the steps bring what reads data, and check it themselves.
    """
    limits.check_addresses()
    if importlib.util.find_spec("pyarrow") is None:
        return ["pyarrow is not installed here: each step checks the data and models that it reads"]
    # Picked at run time: all that reads data comes with it.
    checking = importlib.import_module("preimage.running.checking")
    said = []
    for name, study in studies.items():
        try:
            _check_folder(Path("results") / name)
            said += [f"study '{name}': {w}" for w in checking.check(study)]
        except StudyError as error:
            raise StudyError(f"study '{name}': {error}") from None
    return said


def _check_folder(folder: Path) -> None:
    """Raise StudyError where a study's folder is a link that leads out of the results (which may be one themselves)."""
    if not folder.resolve().is_relative_to(folder.parent.resolve()):
        raise StudyError(
            f"{folder} is a link to {folder.resolve()}; expected a folder, as results are written below it"
        )


def mend(studies: Mapping[str, Study], only_look: bool) -> list[str]:
    """Remove results that are no longer what their steps wrote, unless only to look; return a warning of each.

    Nothing is looked at while somebody is at work in this folder. Raises StudyError where it can't be written.
    """
    if not only_look:
        _check_writable()
    locks = [JOBS_LOCK] if RUN_LOCK_HELD in os.environ else [RUN_LOCK, JOBS_LOCK]
    if not any((integrity.RESULTS / name / "tracking").exists() for name in studies):
        return []
    with integrity.nobody_at_work(*locks) as free:
        found, made_of_them = integrity.damaged(studies) if free else ([], [])
        if not only_look:
            integrity.remove([*found, *made_of_them])
    if free is None:
        return [NO_LOCKS]
    then = "it would be made again" if only_look else "it is made again, and what was made of it"
    return [f"{path}: not what its step wrote (damaged, or changed by hand): {then}" for path in found]


def unseen(studies: Mapping[str, Study], dry: bool) -> list[str]:
    """Return a warning of each study whose checks wait for a run: in a dry one nothing of the user's is imported."""
    own = {name: user_code.named(study["problem"]) for name, study in studies.items()} if dry else {}
    return [
        f"study '{name}': {simulator} is not imported in a dry run; whether it works is checked as a run starts"
        for name, simulator in own.items()
        if simulator
    ]


def planned(studies: Mapping[str, Study], dry: bool) -> list[str]:
    """Return how many calls of its simulator each study makes, by purpose, where nothing is run yet."""
    said = {name: calls.sentence(study) for name, study in studies.items()} if dry else {}
    return [f"study '{name}': {text}" for name, text in said.items() if text]


def _check_writable() -> None:
    try:
        RUN_LOCK.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=RUN_LOCK.parent) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise StudyError(f"{integrity.RESULTS.resolve()}: can't be written: {error.strerror}") from None


def start(studies: Mapping[str, Study], files: Mapping[str, str | Path], reproduces: str | None = None) -> None:
    """Record the invocation, one record a study, and start the sender.

    Args:
        files: where the studies were read from, by name; of a family, which is no study of its own, there is none.
        reproduces: the run in MLflow that is made again, if one is.
    """
    _hold_lock()
    _note_killed(studies)
    _ended_before.append(limits.ended_by_kernel())
    name = f"{record.now()}-{os.getpid()}"
    os.environ[record.INVOCATION] = name
    for study, value in studies.items():
        path = Path("results") / study / "tracking" / f"invocation-{name}.json"
        described = _description(name, study, plain_study(value))
        if study in files:
            described["origin"] = reproduction.origin(value, files[study])
        if reproduces is not None:
            described["tags"]["preimage.reproduces"] = reproduces
        write_json(path, described)
        _records[path] = described
    SENDER_LOG.parent.mkdir(parents=True, exist_ok=True)
    with SENDER_LOG.open("ab") as log:
        _sender.append(
            subprocess.Popen(
                [sys.executable, "-m", "preimage.tracking"], stdin=subprocess.PIPE,
                stdout=log, stderr=log, start_new_session=True,
            )
        )  # fmt: skip
    atexit.register(_close_sender)


def _description(name: str, study: str, value: Study) -> dict[str, Any]:
    packages = {f"version.{p}": v for p, v in record.versions().items()}
    tags = {**record.environment(), "config_digest": digest(value), "platform": platform.platform()}
    return {
        **asdict(
            record.Record(study, "invocation", f"{study} {time.strftime('%Y-%m-%d %H:%M:%S')}", {}, name, record.now())
        ),
        "params": plainly(plain({**record.flat({k: v for k, v in value.items() if k != "study"}), **packages})),
        "tags": tags,
        "status": "RUNNING",
    }


def _note_killed(studies: Mapping[str, Study]) -> None:
    """Mark earlier invocations that never said how they ended: they were killed. A record of one that is damaged is
    of no more use, and goes."""
    for study in studies:
        for path in (Path("results") / study / "tracking").glob("invocation-*.json"):
            value = record.read(path)
            if value is None:
                print(f"preimage: {path}: the record of an earlier run is damaged; it is removed", file=sys.stderr)
                remove(path)
            elif value.get("status") == "RUNNING":
                write_json(path, {**value, "status": "KILLED", "ended": record.now()})


def end(status: str, logs: Sequence[str] = ()) -> None:
    """Note how the invocation ended, and wait for the sender to send what is left.

    Args:
        logs: Snakemake's own, of a run that failed.
    """
    for path, value in _records.items():
        if path.exists():
            if "origin" in value:
                value["origin"]["tables"] = reproduction.tables_of(value["study"])
            write_json(path, {**value, "status": status, "ended": record.now()})
        if status == "FINISHED":
            kept_calls.forget(resume_folder(value["study"]))
    offset = SENDER_LOG.stat().st_size if SENDER_LOG.exists() else 0
    _close_sender()
    if SENDER_LOG.exists():
        with SENDER_LOG.open("rb") as sent:
            sent.seek(offset)
            said = [line for line in sent.read().decode(errors="replace").splitlines() if line.startswith("warning:")]
        for line in said:
            print(f"preimage: {line}", file=sys.stderr)
    killed = any("SIGKILL" in Path(log).read_text(errors="replace") for log in logs)
    if killed and limits.ended_by_kernel() > sum(_ended_before):
        # Such a step had no time to say anything.
        print(f"preimage: memory ran out, and the kernel ended a step: {limits.remedy()}", file=sys.stderr)


def _close_sender() -> None:
    while _sender:
        process = _sender.pop()
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _hold_lock() -> None:
    if RUN_LOCK_HELD in os.environ:
        return
    RUN_LOCK.parent.mkdir(parents=True, exist_ok=True)
    lock = RUN_LOCK.open("a")
    # Snakemake's own lock decides; this one only tells `make run` that somebody is at work.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _lock.append(lock)
