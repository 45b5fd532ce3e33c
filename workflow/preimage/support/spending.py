"""What a step spends on calls of a simulator: points asked for, held to its share of a budget; those that failed.

A point that fails costs its row and nothing else. It is noted with its message in `failed_calls.jsonl` of the study as
it fails, so that no step, and no run after this one, calls it again; with other code, or another limit of time, it is
another call. Remove the file to have them called again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preimage.support.errors import StudyError, without_secrets

if TYPE_CHECKING:
    import numpy as np

FILE = "failed_calls.jsonl"
# Characters of a message that are kept.
LONGEST = 300
Simulator = Callable[["np.ndarray"], "np.ndarray"]


class Account:
    """The calls of one step.

    Args:
        limit: most points that it may ask for; None where the study has no budget. Only then a point that was asked
            before is answered without a call.
        path: where failures are noted for others; None to note them nowhere.
    """

    def __init__(self, limit: int | None = None, path: Path | None = None) -> None:
        self.limit, self.path, self.asked = limit, path, 0
        self.reasons: Counter[str] = Counter()
        self._failed: dict[bytes, str] = {}
        self._known: dict[bytes, np.ndarray] = {}
        self._noted: dict[str, str] | None = None  # messages by key
        self._check: Callable[[Mapping[str, int]], None] | None = None

    @property
    def left(self) -> int | None:
        """Points that may be asked for still; None where the study has no budget."""
        return None if self.limit is None else self.limit - self.asked

    def asks(self, X: np.ndarray, simulate: Simulator) -> np.ndarray:
        """Return what a simulator gives for points (n, d). Raises StudyError where they are more than is left."""
        import numpy as np

        if self.limit is None:
            self.asked += len(X)
            return simulate(X)
        keys = [x.tobytes() for x in X]
        new = [k for k, key in enumerate(keys) if key not in self._known and key not in keys[:k]]
        if self.asked + len(new) > self.limit:
            raise StudyError(f"budget.simulations: this step's share, {self.limit} calls of the simulator, is spent")
        if new:
            self.asked += len(new)
            self._known.update(zip((keys[k] for k in new), simulate(X[new]), strict=True))
        return np.array([self._known[key] for key in keys]).reshape(len(X), -1) if len(X) else simulate(X)

    # -- what failed ---------------------------------------------------------------------------------------------------

    def why(self, x: np.ndarray) -> str:
        """Return why a point (d,) failed in this step; "" where it did not."""
        return self._failed.get(x.tobytes(), "")

    @property
    def noted(self) -> dict[str, str]:
        """Messages of the calls that have failed before, in this run or one before, by code and point."""
        if self._noted is None:
            self._noted = _read(self.path)
        return self._noted

    def fails_again(self, key: str, x: np.ndarray) -> bool:
        """Whether a point (d,) has failed before; it counts as failed here too.

        Args:
            key: of the code and the point.
        """
        if key in self.noted:
            self._count(x, self.noted[key])
        return key in self.noted

    def fail(self, key: str, x: np.ndarray, point: Mapping[str, float], message: str) -> None:
        """Note that a point (d,) has failed.

        Args:
            point: its value by input.
        """
        message = without_secrets(message)
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]} ..."
        self._count(x, message)
        self.noted[key] = message
        if self.path is not None:
            _append(self.path, {"x": dict(point), "message": message, "key": key})

    @contextmanager
    def checked_by(self, check: Callable[[Mapping[str, int]], None]) -> Iterator[None]:
        """Have the reasons of all failures, with their numbers, looked at after each: too many may be an error."""
        self._check = check
        try:
            yield
        finally:
            self._check = None

    def _count(self, x: np.ndarray, message: str) -> None:
        if x.tobytes() not in self._failed:
            self._failed[x.tobytes()] = message
            self.reasons[message] += 1
            if self._check is not None:
                self._check(self.reasons)


_account = Account()


def account() -> Account:
    """Return the account of this step."""
    return _account


@contextmanager
def opened(limit: int | None, path: Path | None) -> Iterator[Account]:
    """Open the account of a step; see `Account`."""
    global _account
    before, _account = _account, Account(limit, path)
    try:
        yield _account
    finally:
        _account = before


def _read(path: Path | None) -> dict[str, str]:
    """Return the messages of failed calls by their keys; a line that a kill cut short is none."""
    found = {}
    for line in path.read_bytes().splitlines() if path is not None and path.exists() else ():
        try:
            value = json.loads(line)
            found[str(value["key"])] = str(value["message"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _append(path: Path, value: Mapping[str, Any]) -> None:
    """Add a line, after one that a kill cut short too; others may write at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
        cut = b"\n" if end and file.read(1) != b"\n" else b""
        file.write(cut + json.dumps(value).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
