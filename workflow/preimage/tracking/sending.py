"""Records to MLflow.

Steps never talk to a server. They write records (`preimage.tracking.record`); here each becomes an MLflow run, once,
however often and by however many senders it is tried. A sender runs beside Snakemake (`watch`: `python -m
preimage.tracking`), and `snakemake sync_tracking` sends what was left.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError
from preimage.support.files import write_json
from preimage.tracking import record
from preimage.tracking.names import RECORD_TAG
from preimage.tracking.records import RESULTS, pending, receipt, record_key
from preimage.tracking.sender import Sender
from preimage.tracking.store import redacted, shown_uri

MARKER = RESULTS / ".tracking" / "store.created"
LOCK = RESULTS / ".tracking" / "lock"
LOOK_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 15.0
# What MLflow says of a record, rather than of itself.
REFUSED = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
_damaged: set[Path] = set()
_refused: dict[Path, int] = {}


def create_store() -> str:
    """Create the store where it is a local database; return what there is to say. Never raises: tracking is no
    reason for science to stop."""
    try:
        with one_at_a_time():
            Sender()
        return f"tracking to {shown_uri()}"
    except Exception as error:
        return _away(error)


def _away(error: Exception) -> str:
    return (
        f"tracking at {shown_uri()} is away ({redacted(error)}); results are complete without it, and "
        "`snakemake sync_tracking --cores 1` sends what waits"
    )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """One sender at a time in this folder: a fresh store made by two at once breaks."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def send(say: Any = None) -> int:
    """Send every pending record; return how many the server took. Raises what the server raises, but for refusals."""
    with one_at_a_time():
        waiting = pending()
        if not waiting:
            return 0
        sender, refused = Sender(), 0
        for k, path in enumerate(waiting):
            if path.exists():
                refused += not _taken(sender, path)
            if say:
                say(k + 1, len(waiting))
        return len(waiting) - refused


def _taken(sender: Sender, path: Path) -> bool:
    """Send a record; return whether the server took it. One that is refused for what it says waits, is said once, and
    keeps no other from being sent."""
    from mlflow import MlflowException

    if _refused.get(path) == (state := path.stat().st_mtime_ns):
        return False
    try:
        _send_one(sender, path)
    except MlflowException as error:
        if error.error_code not in REFUSED:
            raise
        print(f"warning: {path}: refused by tracking at {shown_uri()}: {redacted(error)}", file=sys.stderr)
        _refused[path] = state
        return False
    return True


def run_of(path: Path) -> str:
    """Return the id of the run that a step's record became; one that waits is sent. Raises what the server raises."""
    with one_at_a_time():
        sender, value, tag = Sender(), record.read(path), record_key(path)
        if value is None:
            raise StudyError(f"{path}: a damaged record; the next run makes it again")
        experiment = sender.experiment(value["study"])
        run = sender.find(experiment, RECORD_TAG, tag)
        if run is None or run.info.status != "FINISHED":
            _send_one(sender, path)
            run = sender.find(experiment, RECORD_TAG, tag)
        return str(run.info.run_id)


def _send_one(sender: Sender, path: Path) -> None:
    sent, value = receipt(path), record.read(path)
    if value is None:
        if path not in _damaged:
            print(f"warning: {path}: a damaged record, not sent; the next run makes it again", file=sys.stderr)
        _damaged.add(path)
        return
    if path.name.startswith("invocation-"):
        sender.end_invocation(value)
    else:
        sender.step(value, record_key(path))
    write_json(sent, {"sent": value["name"]})


def watch() -> None:
    """Send records as steps end, until standard input closes (Snakemake ended or was killed); then once more.

    Prints one line at the end where something could not be sent.
    """
    rest_until = 0.0
    while not select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)[0] or os.read(sys.stdin.fileno(), 64):
        if time.monotonic() > rest_until and MARKER.exists():
            try:
                send()
            except Exception:
                rest_until = time.monotonic() + RETRY_AFTER_SECONDS
    try:
        send()
    except Exception as error:
        print(f"warning: {len(pending())} records wait: {_away(error)}", file=sys.stderr)


def sync() -> int:
    """Send what waits, saying how far it is; return an exit status."""
    try:
        n = send(lambda done, total: print(f"\rsending {done} of {total}", end="", file=sys.stderr))
    except Exception as error:
        print(f"\nerror: {_away(error)}", file=sys.stderr)
        return 1
    print(f"{'' if not n else chr(10)}{n} records sent to {shown_uri()}", file=sys.stderr)
    return 0
