"""What nodes of an ONNX graph give: constants, and values by row that are followed as layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought.layered import Layered


class Gate(NamedTuple):
    """A value as factor * kind(of) + shift: what multiplies a neuron's input in activations that files write as
    products, x * sigmoid(x) for one."""

    kind: str
    of: Layered
    factor: float = 1.0
    shift: float = 0.0


class Value(NamedTuple):
    """A value of each row.

    Attributes:
        layered: None where it has no bounds by itself, and is a gate only.
        flat: whether it is one number per row, of shape (n,), and not (n, width).
        gate: where it is one.
    """

    layered: Layered | None
    flat: bool = False
    gate: Gate | None = None

    @property
    def known(self) -> Layered:
        """Its layers. Raises StudyError where it has no bounds."""
        if self.layered is None:
            raise StudyError(f"{self.gate.kind if self.gate else 'a value'} by itself has no proven bounds")
        return self.layered

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Value:
        """Return it times constants, plus constants, each of one number or of one for each column."""
        gate = None
        if self.gate is not None and factor.size == shift.size == 1:
            times, more = factor.item(), shift.item()
            gate = self.gate._replace(factor=times * self.gate.factor, shift=times * self.gate.shift + more)
        if self.layered is None and gate is not None:
            return Value(None, self.flat, gate)
        width = max(factor.size, shift.size)
        own = widened(self.known, width if not self.flat else 1)
        return Value(own.scaled(factor.ravel(), shift.ravel()), self.flat, gate)


def widened(own: Layered, width: int) -> Layered:
    """Return a value for each of so many columns, of one for each or of one for all. Raises StudyError for others."""
    if own.width == width or width == 1:
        return own
    if own.width == 1:
        return own.columns([0] * width)
    raise StudyError(f"{own.width} columns beside {width} have no proven bounds")


def constant(array: np.ndarray, flat: bool) -> np.ndarray:
    """Return a constant that meets values of rows as one number, or as one for each column. Raises StudyError for one
    of another shape."""
    found = np.asarray(array, float)
    if found.size > 1 and (flat or found.ndim > 2 or found.shape[-1] != found.size):
        raise StudyError(f"a constant of the shape {list(found.shape)} has no proven bounds")
    return found.ravel()


def added(values: Sequence[Value]) -> Value:
    """Return the sum of values of rows."""
    if len({value.flat for value in values}) > 1:
        raise StudyError("a sum of values of different shapes has no proven bounds")
    width = max(value.known.width for value in values)
    return Value(Layered.added([widened(value.known, width) for value in values]), values[0].flat)


def multiplied(a: Value, b: Value, resolution: float) -> Value:
    """Return the product of two values of rows: an activation. Raises StudyError for any other."""
    for gate, other in ((a.gate, b.layered), (b.gate, a.layered)):
        if gate is None or other is None or a.flat != b.flat:
            continue
        times = _ratio(other, gate.of, 4 * resolution)
        found = None if times is None else _gated(gate, resolution)
        if found is not None and times is not None:
            return Value(found.scaled(times), a.flat)
    raise StudyError("a product of values that depend on inputs has no proven bounds")


def _gated(gate: Gate, resolution: float) -> Layered | None:
    """Return a gate times what it is the gate of, where that is an activation."""
    of, factor, shift = gate.of, gate.factor, gate.shift
    if gate.kind == "erf" and abs(factor - shift) <= 4 * resolution * abs(factor):
        # y (1 + erf y) is the root of 2 times gelu of the root of 2 times y.
        return of.scaled(math.sqrt(2)).activated("gelu").scaled(factor * math.sqrt(2))
    names = {"sigmoid": "silu", "hard_sigmoid": "hard_silu", "tanh of softplus": "mish"}
    return of.activated(names[gate.kind]).scaled(factor) if shift == 0.0 and gate.kind in names else None


def _ratio(a: Layered, b: Layered, tolerance: float) -> float | None:
    """Return what one value is of another, as a number for all columns; None where it is not."""
    if a is b:
        return 1.0
    if a.width != b.width or set(a.terms) != set(b.terms):
        return None
    pairs = [(a.terms[n].weights, b.terms[n].weights, b.terms[n].sizes) for n in a.terms]
    pairs.append((a.offset, b.offset, b.offset_sizes))
    own, other, size = (np.concatenate([part[k].ravel() for part in pairs]) for k in range(3))
    largest = np.abs(other).argmax()
    if other[largest] == 0.0:
        return None
    times = float(own[largest] / other[largest])
    return times if (np.abs(own - times * other) <= tolerance * abs(times) * size).all() else None
