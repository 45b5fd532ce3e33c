"""What may fail in any way, done in a process apart: it may hang, end Python, or ask for all the memory there is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple, NoReturn

from preimage.support.places import python_path


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        answers: what it has answered, in order.
        status: as of `subprocess`; None where its time was over.
        said: the last line that it has printed.
    """

    answers: list[Any]
    status: int | None
    said: str


def ask(module: str, question: Any, seconds: float) -> Ended:
    """Run a module as a program that reads its question from standard input, as JSON, and writes answers (`Answers`).

    After `seconds` it is killed with all that it has started. Its temporary files are removed, however it ends.
    """
    # Files, not pipes: what the code leaves running may keep a pipe open.
    with (
        tempfile.TemporaryDirectory(prefix="preimage-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as rest,
    ):
        with subprocess.Popen(
            [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=answer, stderr=rest,
            start_new_session=True, env={**os.environ, "PYTHONPATH": python_path(), "TMPDIR": folder},
        ) as process:  # fmt: skip
            status: int | None = None
            try:
                process.communicate(json.dumps(question, default=str).encode(), seconds)
                status = process.returncode
            except subprocess.TimeoutExpired:
                pass
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        answer.seek(0)
        rest.seek(max(0, rest.seek(0, os.SEEK_END) - 65536))
        last = (rest.read().decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        return Ended(_whole(answer.read()), status, last)


def _whole(text: bytes) -> list[Any]:
    """Return the answers on lines that were written whole."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


class Answers:
    """The other end: takes standard output for answers alone, and what the code prints out of it."""

    def __init__(self) -> None:
        self.at = os.dup(1)
        os.dup2(2, 1)

    def give(self, answer: Any) -> None:
        os.write(self.at, json.dumps(answer).encode() + b"\n")

    def end(self) -> NoReturn:
        os._exit(0)  # threads that the code has started are no reason to wait
