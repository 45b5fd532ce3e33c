"""Nodes of an ONNX graph that compute nothing: they hold constants, choose columns, or give rows another shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought.layered import Layered
from preimage.surrogates.brought.onnx_graph import DOUBLE, FLOAT, Node
from preimage.surrogates.brought.onnx_values import Value

# Attributes of a constant, of which a node has one.
HELD = ("value", "value_float", "value_floats", "value_int", "value_ints")


def _held(node: Node, given: Sequence[Any], resolution: float) -> np.ndarray:
    for name in HELD:
        if node.attributes.get(name) is not None:
            return np.asarray(node.attributes[name])
    raise StudyError("a constant of another kind than numbers")


def _same(node: Node, given: Sequence[Any], resolution: float) -> Any:
    if node.operation == "Dropout" and len(given) > 2 and given[2] is not None and np.any(given[2]):
        raise StudyError("dropout as in training has no proven bounds")
    return given[0]


def _cast(node: Node, given: Sequence[Any], resolution: float) -> Any:
    if node.attributes.get("to") not in (FLOAT, DOUBLE):
        raise StudyError("another type than float or double has no proven bounds")
    return np.asarray(given[0], float) if isinstance(given[0], np.ndarray) else given[0]


def _transposed(node: Node, given: Sequence[Any], resolution: float) -> np.ndarray:
    if not isinstance(given[0], np.ndarray):
        raise StudyError("rows in place of columns have no proven bounds")
    return given[0].transpose(node.attributes.get("perm"))


def _reshaped(node: Node, given: Sequence[Any], resolution: float) -> Any:
    """Return the same numbers in another shape: of values of rows (n,) or (n, width)."""
    own, shape = given[0], None
    if node.operation == "Flatten":
        shape = [0, -1] if node.attributes.get("axis", 1) in (1, -1) else None
    else:
        shape = [int(n) for n in np.ravel(given[1])]
    if isinstance(own, np.ndarray):
        return own.reshape([own.shape[k] if n == 0 else n for k, n in enumerate(shape or [])])
    if shape == [-1] and own.known.width == 1:
        return own._replace(flat=True)
    # A shape of one row is that of a model that takes one at a time.
    if shape is not None and len(shape) == 2 and shape[0] in (-1, 0, 1) and shape[1] in (-1, own.known.width):
        return own._replace(flat=False)
    raise StudyError(f"the shape {shape} has no proven bounds; expected one of rows and columns")


def _squeezed(node: Node, given: Sequence[Any], resolution: float) -> Any:
    own, axes = given[0], _list(node, given, "axes")
    if isinstance(own, np.ndarray):
        return np.squeeze(own, tuple(axes)) if node.operation == "Squeeze" else np.expand_dims(own, tuple(axes))
    flat = node.operation == "Squeeze"
    if axes not in ([1], [-1]) or own.known.width != 1 or own.flat == flat:
        raise StudyError(f"axes {axes} have no proven bounds; expected the one behind the rows")
    return own._replace(flat=flat)


def _list(node: Node, given: Sequence[Any], name: str, place: int = 1) -> list[int]:
    """Return whole numbers that stand in a node's input, or in older files in an attribute."""
    found = given[place] if len(given) > place and given[place] is not None else node.attributes.get(name, [])
    return [int(n) for n in np.ravel(found)]


def _beside(node: Node, given: Sequence[Any], resolution: float) -> Any:
    if all(isinstance(own, np.ndarray) for own in given):
        return np.concatenate(given, axis=node.attributes.get("axis", 0))
    if not all(isinstance(own, Value) and not own.flat for own in given):
        raise StudyError("constants beside values of rows have no proven bounds")
    _check_axis(node)
    return Value(Layered.beside([own.known for own in given]))


def _check_axis(node: Node, default: int = 0) -> None:
    if node.attributes.get("axis", default) not in (1, -1):
        raise StudyError("another axis than that of the columns has no proven bounds")


def _chosen(node: Node, given: Sequence[Any], resolution: float) -> Value:
    _check_axis(node)
    own, which = given[0].known, np.asarray(given[1])
    if which.ndim > 1 or not ((-own.width <= which) & (which < own.width)).all():
        raise StudyError(f"columns {which.ravel()[:9].tolist()} of {own.width} have no proven bounds")
    return Value(own.columns(np.atleast_1d(which)), which.ndim == 0)


def _sliced(node: Node, given: Sequence[Any], resolution: float) -> Value:
    starts, ends, axes, steps = (
        _list(node, given, name, k) for k, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    if axes not in ([1], [-1]) or len(starts) != 1 or len(ends) != 1:
        raise StudyError("other axes than that of the columns have no proven bounds")
    own = given[0].known
    return Value(own.columns(np.arange(own.width)[slice(starts[0], ends[0], (steps or [1])[0])]))


def _parted(node: Node, given: Sequence[Any], resolution: float) -> list[Value]:
    _check_axis(node)
    own, count = given[0].known, len(node.outputs)
    most = -(-own.width // count)
    sizes = _list(node, given, "split") or [min(most, own.width - k * most) for k in range(count)]
    if sum(sizes) != own.width or min(sizes) < 1:
        raise StudyError(f"{own.width} columns in parts of {sizes} have no proven bounds")
    ends = np.cumsum(sizes)
    return [Value(own.columns(np.arange(end - size, end))) for end, size in zip(ends, sizes, strict=True)]


OPERATIONS: Mapping[str, Callable[[Node, Sequence[Any], float], Any]] = {
    "Constant": _held,
    **dict.fromkeys(("Identity", "Dropout"), _same),
    "Cast": _cast,
    "Transpose": _transposed,
    **dict.fromkeys(("Flatten", "Reshape"), _reshaped),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeezed),
    "Concat": _beside,
    "Gather": _chosen,
    "Slice": _sliced,
    "Split": _parted,
}
