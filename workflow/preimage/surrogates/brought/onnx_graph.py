"""The graph of an ONNX file: its nodes in order, and its constants. No library of ONNX's own is needed to read it.

Messages and numbers of fields are those of onnx.proto3. A file is looked into by `onnx_wire.about` before, which limits
how many nodes it has; no constant is larger than the bytes that hold it.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from preimage.surrogates.brought import onnx_wire
from preimage.surrogates.brought.onnx_wire import EIGHT, FOUR, LENGTH, VARINT, Bytes, Field

# Types of tensors, by their number: those that are read.
FLOAT, INT32, INT64, BOOLEAN, DOUBLE = 1, 6, 7, 9, 11
DTYPES = {FLOAT: "<f4", INT32: "<i4", INT64: "<i8", BOOLEAN: "|b1", DOUBLE: "<f8"}
# Of a tensor, the fields that hold numbers of a type where its bytes are not given as they are.
HELD = {4: "<f4", 10: "<f8"}
MOST_DIMENSIONS = 8


class Node(NamedTuple):
    """An operation.

    Attributes:
        domain: "" of ONNX's own operations.
        name: as a user may know it; else its first output's.
        attributes: numbers, texts, arrays or lists of numbers, by name.
    """

    operation: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class Graph(NamedTuple):
    """Nodes in an order in which each comes after those that it needs; constants and names of inputs and outputs."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(path: Path) -> Graph:
    """Return the graph of a file. Raises ValueError for one that is damaged, or holds what is not read here."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        parts = [f for f in onnx_wire.fields(data, 0, len(data)) if f.kind == LENGTH]
        graphs = [f for f in parts if f.number == 7]
        if any(f.number == 25 for f in parts):
            raise ValueError("it has functions of its own, which are not followed")
        if len(graphs) != 1:
            raise ValueError(f"it holds {len(graphs)} graphs")
        return _graph(data, graphs[0], path.parent)


def _graph(data: Bytes, whole: Field, folder: Path) -> Graph:
    nodes, constants, inputs, outputs = list[Node](), dict[str, np.ndarray](), list[str](), list[str]()
    for f in onnx_wire.fields(data, whole.start, whole.stop):
        if f.kind != LENGTH:
            continue
        if f.number == 1:
            nodes.append(_node(data, f, folder))
        elif f.number == 5:
            name, constant = _tensor(data, f, folder)
            constants[name] = constant
        elif f.number in (11, 12):
            (inputs if f.number == 11 else outputs).append(_first_text(data, f))
        elif f.number == 15:
            raise ValueError("it holds sparse constants")
    return Graph(tuple(nodes), constants, tuple(n for n in inputs if n not in constants), tuple(outputs))


def _node(data: Bytes, whole: Field, folder: Path) -> Node:
    texts: dict[int, list[str]] = {number: [] for number in (1, 2, 3, 4, 7)}
    attributes = dict[str, Any]()
    for f in onnx_wire.fields(data, whole.start, whole.stop):
        if f.kind == LENGTH and f.number in texts:
            texts[f.number].append(_text(data, f))
        elif f.kind == LENGTH and f.number == 5:
            name, value = _attribute(data, f, folder)
            attributes[name] = value
    operation, domain, name = ("".join(texts[number][-1:]) for number in (4, 7, 3))
    name = name or "".join(texts[2][:1])
    return Node(operation, "" if domain == "ai.onnx" else domain, name, tuple(texts[1]), tuple(texts[2]), attributes)


def _attribute(data: Bytes, whole: Field, folder: Path) -> tuple[str, Any]:
    """Return an attribute's name, and its value: None where it is a graph, or another kind that is not read."""
    found: Any = None
    name, several = "", list[Any]()
    for f in onnx_wire.fields(data, whole.start, whole.stop):
        if f.number == 1:
            name = _text(data, f)
        elif f.number == 2:
            found = _real(data, f)
        elif f.number == 3:
            found = _signed(f.value)
        elif f.number == 4:
            found = _text(data, f)
        elif f.number == 5:
            found = _tensor(data, f, folder)[1]
        elif f.number == 7:
            several += _packed(data, f, "<f4") if f.kind == LENGTH else [_real(data, f)]
        elif f.number == 8:
            several += _integers(data, f)
    return name, several or found


def _tensor(data: Bytes, whole: Field, folder: Path) -> tuple[str, np.ndarray]:
    """Return a tensor's name and its numbers. Raises ValueError where these are not as many as its shape says."""
    shape, kind, name, values, raw, place = list[int](), 0, "", list[Any](), b"", dict[str, str]()
    for f in onnx_wire.fields(data, whole.start, whole.stop):
        if f.number == 1:
            shape += _integers(data, f)
        elif f.number == 2:
            kind = f.value
        elif f.number == 8:
            name = _text(data, f)
        elif f.number == 9:
            raw = data[f.start : f.stop]
        elif f.number in HELD:
            values += _packed(data, f, HELD[f.number]) if f.kind == LENGTH else [_real(data, f)]
        elif f.number in (5, 7):
            values += _integers(data, f)
        elif f.number == 13:
            entry = {part.number: _text(data, part) for part in onnx_wire.fields(data, f.start, f.stop)}
            place[entry.get(1, "")] = entry.get(2, "")
    if kind not in DTYPES:
        raise ValueError(f"the constant '{name}' is of type {kind}, expected float, double, int32, int64 or bool")
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"the constant '{name}' has the shape {shape[:9]}")
    dtype = np.dtype(DTYPES[kind])
    size = math.prod(shape) * dtype.itemsize
    if place:
        raw = _beside(folder, place, size)
    found = np.frombuffer(raw, dtype) if raw else np.array(values, dtype)
    if found.nbytes != size:
        raise ValueError(f"the constant '{name}' of shape {shape} has {found.size} numbers")
    return name, found.reshape(shape)


def _beside(folder: Path, place: Mapping[str, str], size: int) -> bytes:
    """Return the bytes of a tensor in another file of the same folder. Raises ValueError where they are not there."""
    name, offset = place.get("location", ""), int(place.get("offset", "0") or 0)
    file = folder / name
    if "/" in name or not file.is_file() or not 0 <= offset <= file.stat().st_size - size:
        raise ValueError(f"the file '{name}' does not hold the constants that are looked for there")
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)


# -- values ------------------------------------------------------------------------------------------------------------


def _text(data: Bytes, f: Field) -> str:
    return data[f.start : f.stop].decode(errors="replace")


def _first_text(data: Bytes, whole: Field) -> str:
    """Return the name that a description of an input or output begins with."""
    found = (_text(data, f) for f in onnx_wire.fields(data, whole.start, whole.stop) if f.number == 1)
    return next((text for text in found), "")


def _real(data: Bytes, f: Field) -> float:
    if f.kind not in (FOUR, EIGHT):
        raise ValueError(f"byte {f.start}: found no number")
    return float(struct.unpack("<f" if f.kind == FOUR else "<d", data[f.start : f.stop])[0])


def _packed(data: Bytes, f: Field, dtype: str) -> list[float]:
    found: list[float] = np.frombuffer(data[f.start : f.stop], dtype).tolist()
    return found


def _integers(data: Bytes, f: Field) -> Iterator[int]:
    """Yield whole numbers, of a field of one or of many."""
    if f.kind == VARINT:
        yield _signed(f.value)
        return
    at = f.start
    while at < f.stop:
        value, at = onnx_wire.varint(data, at, f.stop)
        yield _signed(value)


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
