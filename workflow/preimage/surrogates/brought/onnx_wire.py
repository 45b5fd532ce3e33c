"""What an ONNX file says of itself, seen without building anything of it: files that it refers to, and its nodes.

The format is Protocol Buffers (https://protobuf.dev/programming-guides/encoding): a field is its number and wire type
in one varint, then a varint, 4 or 8 bytes, or a length and so many bytes. Fields are those of onnx.proto3.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Of each kind of message, the fields that are messages looked into.
INSIDE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}  # fmt: skip
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5
# Graphs within graphs are levels of three messages; no model has a tenth of these.
DEEPEST = 100
MOST_NODES = 5_000_000


Bytes = mmap.mmap | bytes


class Field(NamedTuple):
    """A field of a message: its number and wire type, the value of a varint, and where the bytes of others are."""

    number: int
    kind: int
    value: int
    start: int
    stop: int


class About(NamedTuple):
    """The names of files with weights, and the number of nodes."""

    files: frozenset[str]
    nodes: int


def about(path: Path) -> About:
    """Raises ValueError for what is no ONNX file, and for one of too many nodes."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        files, nodes, graphs = set(), 0, 0
        pending = [("model", 0, len(data), 0)]
        while pending:
            kind, at, end, depth = pending.pop()
            if depth > DEEPEST:
                raise ValueError(f"nested deeper than {DEEPEST}")
            nodes += kind == "node"
            graphs += kind == "graph"
            if nodes + len(pending) > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES} nodes and tensors")
            entry = {}
            for number, start, stop in _messages(data, at, end):
                if kind == "entry" and stop - start < 4096:
                    entry[number] = data[start:stop].decode(errors="replace")
                elif number in INSIDE[kind]:
                    pending.append((INSIDE[kind][number], start, stop, depth + 1))
            if entry.get(1) == "location":
                files.add(entry.get(2, ""))
        if not graphs:
            raise ValueError("it holds no graph")
    return About(frozenset(files), nodes)


def operations(path: Path) -> list[tuple[str, str, str]]:
    """Return domain, operation and name of each node of a file: the name that it has, or its first output's."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        graphs = [(start, stop) for number, start, stop in _messages(data, 0, len(data)) if number == 7]
        return [
            _operation(data, start, stop)
            for graph in graphs
            for number, start, stop in _messages(data, *graph)
            if number == 1
        ]


def _operation(data: Bytes, at: int, end: int) -> tuple[str, str, str]:
    texts = dict[int, str]()
    for number, start, stop in _messages(data, at, end):
        if number in (2, 3, 4, 7):
            texts.setdefault(number, data[start:stop].decode(errors="replace"))
    domain, name = texts.get(7, ""), texts.get(3) or texts.get(2, "")
    return "" if domain == "ai.onnx" else domain, texts.get(4, ""), name


def _messages(data: Bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each field that has a length, as its number and where its bytes begin and end."""
    return ((f.number, f.start, f.stop) for f in fields(data, at, end) if f.kind == LENGTH)


def fields(data: Bytes, at: int, end: int) -> Iterator[Field]:
    """Yield the fields of a message. Raises ValueError for what is none."""
    while at < end:
        key, at = varint(data, at, end)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in (VARINT, EIGHT, LENGTH, FOUR):
            raise ValueError(f"byte {at - 1}: found no field of a message")
        if kind == VARINT:
            value, at = varint(data, at, end)
            yield Field(number, kind, value, at, at)
            continue
        size, at = varint(data, at, end) if kind == LENGTH else (8 if kind == EIGHT else 4, at)
        if size > end - at:
            raise ValueError(f"byte {at}: the file ends in the middle of a field")
        yield Field(number, kind, 0, at, at + size)
        at += size


def varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where the next field is."""
    value = shift = 0
    while at < end and shift < 70:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError(f"byte {at}: found no number")
