"""Calls of a user's simulator, kept as they return: the next attempt of a killed step makes only those that it lacks.

A step asks the same in the same order at every attempt. What an attempt before was answered is given again, each answer
once, so that a simulator that is asked the same twice is run twice, killed or not. Kept is what took longer than a
second per megabyte of its answer: other calls cost less than their keeping, and files stay small. A call that raised is
made again: what ailed it may be mended by then.

A kill loses nothing that was kept; a machine that goes down, at most the last second of simulations.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from preimage.support.files import remove

SUFFIX = ".calls"
SECONDS_PER_BYTE = 1e-6
FLUSH_SECONDS = 1.0
# Of a record: what was asked, bytes of the answer; then the answer, and the seal over all before.
HEAD = struct.Struct("<32sQ")
SEAL = hashlib.sha256().digest_size

_where: Callable[[], Path] | None = None
_store: KeptCalls | None = None


@contextmanager
def keeping_at(where: Callable[[], Path]) -> Iterator[None]:
    """Keep the calls of this process in the file that `where` returns at the first of them."""
    global _where, _store
    _where = where
    try:
        yield
    finally:
        if _store is not None:
            _store.file.close()
        _where = _store = None


def kept(asked: Iterable[Any], call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or what it returned to the same in an attempt before.

    Args:
        asked: all that the answer depends on: arrays, and what `repr` tells apart.
    """
    global _store
    if _where is None:
        return call()
    if _store is None:
        _store = KeptCalls(_where())
    return _store.answer(_digest(asked), call)


def forget(folder: Path) -> None:
    """Remove what was kept in a folder."""
    for path in folder.glob(f"*{SUFFIX}"):
        remove(path)


def _digest(asked: Iterable[Any]) -> bytes:
    import numpy as np

    whole = hashlib.sha256()
    for part in asked:
        if isinstance(part, np.ndarray):
            whole.update(f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            whole.update(repr(part).encode())
    return whole.digest()


class KeptCalls:
    """The file of one step: records that are only appended."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file: BinaryIO = path.open("a+b")
        self.lock = threading.Lock()
        self.unflushed = 0.0
        self.left: defaultdict[bytes, deque[int]] = defaultdict(deque)
        self._index(path)

    def answer(self, asked: bytes, call: Callable[[], Any]) -> Any:
        """Return the next answer that is left to what was asked; call, and keep what returns, where there is none."""
        import numpy as np

        with self.lock:
            if left := self.left.get(asked):
                self.file.seek(left.popleft())
                return np.lib.format.read_array(self.file, allow_pickle=False)
        began = time.monotonic()
        value = call()
        seconds = time.monotonic() - began
        record = _record(asked, value)
        if record is not None and seconds > len(record) * SECONDS_PER_BYTE:
            self._append(record, seconds)
        return value

    def _append(self, record: bytes, seconds: float) -> None:
        with self.lock:
            self.file.write(record)
            self.file.flush()
            self.unflushed += seconds
            if self.unflushed >= FLUSH_SECONDS:
                os.fsync(self.file.fileno())
                self.unflushed = 0.0

    def _index(self, path: Path) -> None:
        """Note where each whole record's answer begins, and cut off what follows the last of them."""
        self.file.seek(0)
        whole = 0
        while record := _read(self.file):
            asked, size = HEAD.unpack_from(record)
            self.left[asked].append(whole + HEAD.size)
            whole += HEAD.size + size + SEAL
        if whole:
            logging.info("%s: %d calls of the simulator are kept", path, sum(map(len, self.left.values())))
        if self.file.seek(0, os.SEEK_END) > whole:
            logging.warning("%s: damaged after %d bytes, which is cut off", path, whole)
            self.file.truncate(whole)


def _record(asked: bytes, value: Any) -> bytes | None:
    """Return the record of an answer; None for what is no array of numbers, which is refused elsewhere."""
    import numpy as np

    try:
        array = np.asarray(value)
    except ValueError:
        return None
    if array.dtype.kind not in "biufc":
        return None
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    body = HEAD.pack(asked, stream.tell()) + stream.getvalue()
    return body + hashlib.sha256(body).digest()


def _read(file: BinaryIO) -> bytes:
    """Return the next record without its seal; nothing where it is not whole."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return b""
    _, size = HEAD.unpack(head)
    if size > os.fstat(file.fileno()).st_size - file.tell() - SEAL:
        return b""
    body = head + file.read(size)
    return body if hashlib.sha256(body).digest() == file.read(SEAL) else b""
