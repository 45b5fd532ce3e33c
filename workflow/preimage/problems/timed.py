"""A user's function whose calls may take so long and no longer: it runs in a process of its own, which is killed.

The process imports the function once and answers one call after the other, until one takes too long or ends Python;
the next call starts another. It dies with the step that it belongs to.
"""

from __future__ import annotations

import atexit
import ctypes
import io
import os
import select
import signal
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

if TYPE_CHECKING:
    import numpy as np

from preimage.problems import user_code, user_import
from preimage.problems.calls import CallError
from preimage.support import masking
from preimage.support.errors import StudyError
from preimage.support.places import python_path

MODULE = "preimage.problems.timed"
# The import of a user's file may take this long.
IMPORT_SECONDS = 300.0
# Before each message: what it is, and its length.
HEAD = struct.Struct("<cQ")
READY, ANSWER, RAISED, REFUSED = b"i", b"a", b"r", b"s"
PR_SET_PDEATHSIG = 1


# Signals by which a process is ended from outside: by a user, a scheduler, or the kernel for want of memory.
KILLED = (-signal.SIGKILL, -signal.SIGTERM)


class KilledError(CallError):
    """A call that somebody broke off."""


class Timed:
    """A function by its name, "package.module:function", and the seconds that each of its calls may take.

    A call that is killed from outside is made once more: that it was says nothing of its points, unless it happens
    again.
    """

    def __init__(self, name: str, seconds: float) -> None:
        user_code.find(name)
        self.name, self.seconds = name, seconds
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)

    def __call__(self, X: np.ndarray) -> Any:
        """Return what the function returns, as an array. Raises CallError where it raises, ends, or takes too long;
        StudyError where it can't be imported."""
        try:
            return self._asked(X)
        except KilledError:
            return self._asked(X)

    def _asked(self, X: np.ndarray) -> Any:
        process = self._started()
        assert process.stdin is not None
        try:
            _write(process.stdin, ANSWER, _packed(X))
        except BrokenPipeError:
            raise self._ended() from None
        kind, body = self._answer(self.seconds, f"no answer within {self.seconds:g} s")
        if kind == RAISED:
            raise CallError(body.decode())
        return _unpacked(body)

    def end(self) -> None:
        """End the process, with all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.end()  # what the call before has left behind ended it
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, self.name, str(os.getpid())], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
                env={**os.environ, "PYTHONPATH": python_path()},
            )  # fmt: skip
            where = f"problem.simulator '{self.name}'"
            try:
                kind, body = self._answer(IMPORT_SECONDS, f"not imported within {IMPORT_SECONDS:g} s")
            except KilledError:
                raise
            except CallError as error:
                raise StudyError(f"{where}: {error}") from None
            if kind == REFUSED:
                self.end()
                raise StudyError(body.decode())
        return self._process

    def _answer(self, seconds: float, late: str) -> tuple[bytes, bytes]:
        """Return the next message of the process. Raises CallError where there is none in time."""
        until = time.monotonic() + seconds
        kind, size = HEAD.unpack(self._read(HEAD.size, until, late))
        return kind, self._read(size, until, late)

    def _read(self, size: int, until: float, late: str) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        found, at = b"", self._process.stdout.fileno()
        while len(found) < size:
            if not select.select([at], [], [], max(0.0, until - time.monotonic()))[0]:
                self.end()
                raise CallError(late)
            part = os.read(at, size - len(found))
            if not part:
                raise self._ended()
            found += part
        return found

    def _ended(self) -> CallError:
        """Return how the process ended."""
        assert self._process is not None
        try:
            status: int | None = self._process.wait(10)
        except subprocess.TimeoutExpired:
            status = None
        self.end()
        if status in KILLED:
            return KilledError(f"it was killed twice (status {status}), perhaps for want of memory")
        return CallError(f"it ended Python (status {'unknown' if status is None else status})")


def _packed(value: Any) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)
    return stream.getvalue()


def _unpacked(body: bytes) -> np.ndarray:
    import numpy as np

    found: np.ndarray = np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    return found


def _write(stream: BinaryIO | Any, kind: bytes, body: bytes) -> None:
    rest = memoryview(HEAD.pack(kind, len(body)) + body)
    while rest:
        rest = rest[stream.write(rest) :]


# -- the process of its own --------------------------------------------------------------------------------------------


def main() -> NoReturn:
    name, parent = sys.argv[1], int(sys.argv[2])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it was gone before we asked to die with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, asked = os.fdopen(os.dup(1), "wb", buffering=0), os.fdopen(os.dup(0), "rb")
    # What the function prints is no answer, and it has nothing to read.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = masking.Stream(sys.stdout), masking.Stream(sys.stderr)
    try:
        call = user_import.load(name)
    except StudyError as error:
        _write(answers, REFUSED, str(error).encode())
        os._exit(0)
    _write(answers, READY, b"")
    while head := asked.read(HEAD.size):
        _, size = HEAD.unpack(head)
        try:
            kind, body = ANSWER, _packed(call(_unpacked(asked.read(size))))
        except BaseException as error:
            kind, body = RAISED, user_import.said(error).encode(errors="replace")
        sys.stdout.flush()
        _write(answers, kind, body)
    os._exit(0)  # threads that the code has started are no reason to wait


if __name__ == "__main__":
    main()
