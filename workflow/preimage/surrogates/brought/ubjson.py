"""Universal Binary JSON (draft 12, https://ubjson.org), as XGBoost writes its models: numbers big-endian, arrays of one
type in one piece."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBERS = {
    b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8",
}  # fmt: skip
CONSTANTS = {b"Z": None, b"T": True, b"F": False}
# Deeper than any model, and no call stack to be exhausted.
DEEPEST = 64


def loads(data: bytes) -> Any:
    """Return the value of a document; arrays of one type become numpy arrays. Raises ValueError."""
    return _Reader(data).value(0)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.free = data, 0, len(data)

    def take(self, n: int) -> bytes:
        if n < 0 or self.at + n > len(self.data):
            raise ValueError(f"the file ends at byte {len(self.data)}, in the middle of a value")
        self.at += n
        return self.data[self.at - n : self.at]

    def peek(self) -> bytes:
        return self.data[self.at : self.at + 1]

    def value(self, depth: int, kind: bytes | None = None) -> Any:
        kind = kind or self.take(1)
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST}")
        if kind in NUMBERS:
            return self.numbers(kind, 1)[0].item()
        if kind in CONSTANTS:
            return CONSTANTS[kind]
        if kind == b"S":
            return self.text()
        if kind == b"C":
            return self.take(1).decode()
        if kind == b"[":
            return self.array(depth)
        if kind == b"{":
            return self.mapping(depth)
        raise ValueError(f"byte {self.at - 1}: found {kind!r}, expected the mark of a value")

    def numbers(self, kind: bytes, n: int) -> np.ndarray:
        dtype = np.dtype(NUMBERS[kind])
        return np.frombuffer(self.take(n * dtype.itemsize), dtype)

    def length(self) -> int:
        kind = self.take(1)
        if kind not in (b"i", b"U", b"I", b"l", b"L"):
            raise ValueError(f"byte {self.at - 1}: found {kind!r}, expected a length")
        return int(self.numbers(kind, 1)[0])

    def text(self) -> str:
        return self.take(self.length()).decode()

    def container(self) -> tuple[bytes | None, int | None]:
        """Return the type and the number of entries, where they are stated."""
        kind = None
        if self.peek() == b"$":
            self.take(1)
            kind = self.take(1)
        count = None
        if self.peek() == b"#":
            self.take(1)
            count = self.length()
        elif kind is not None:
            raise ValueError(f"byte {self.at}: a type without a count")
        return kind, count

    def array(self, depth: int) -> Any:
        kind, count = self.container()
        if kind in NUMBERS and count is not None:
            return self.numbers(kind, count)
        if count is not None:
            if kind in CONSTANTS:
                self.free -= count  # which take no bytes: all arrays of them may have as many as the file
            if not 0 <= count <= min(self.free, len(self.data)):
                raise ValueError(f"byte {self.at}: an array of {count} entries in a file of {len(self.data)} bytes")
            return [self.value(depth + 1, kind) for _ in range(count)]
        found = []
        while self.peek() != b"]":
            found.append(self.value(depth + 1))
        self.take(1)
        return found

    def mapping(self, depth: int) -> dict[str, Any]:
        kind, count = self.container()
        found: dict[str, Any] = {}
        while len(found) < count if count is not None else self.peek() != b"}":
            key = self.text()
            found[key] = self.value(depth + 1, kind)
        if count is None:
            self.take(1)
        return found
