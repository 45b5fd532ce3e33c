"""The graph of an ONNX file as a network that exact searches bound, node by node; other operations are refused by
name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought import onnx_shapes
from preimage.surrogates.brought.layered import Layered, Neurons
from preimage.surrogates.brought.onnx_graph import FLOAT, Graph, Node
from preimage.surrogates.brought.onnx_values import Gate, Value, added, constant, multiplied
from preimage.surrogates.brought.supported import ONNX_OPERATIONS

# What a node is given: values of rows, constants, and None where there is none.
Given = Value | np.ndarray | None
# Ends as large as those of float32 are none.
NO_END = 3.4e38
ML = "ai.onnx.ml"


def followed(graph: Graph, inputs: Neurons, flat: Sequence[bool]) -> Layered:
    """Return a graph of one tensor of columns, or of one a column, as layers. Raises StudyError by name.

    Args:
        flat: of each input, whether it is of shape (n,).
    """
    whole = Layered.of(inputs)
    each = [whole] if len(graph.inputs) == 1 else [whole.columns([k]) for k in range(inputs.width)]
    known: dict[str, Any] = {**graph.constants}
    known.update({name: Value(own, f) for name, own, f in zip(graph.inputs, each, flat, strict=True)})
    resolution, held = float(np.finfo(np.float32 if single(graph) else float).eps), 0
    for node in graph.nodes:
        found = _results(node, known, resolution)
        known.update(zip(node.outputs, found, strict=False))
        held += sum(_bytes(value) for value in found)
        if held > limits.share(4):
            raise StudyError(f"its layers take {limits.shown(held)}, a quarter of the memory here")
    return Layered.beside([_value(known.get(name)).known for name in graph.outputs])


def single(graph: Graph) -> bool:
    """Whether some of a graph is computed in single precision."""
    constants = [*graph.constants.values(), *(a for node in graph.nodes for a in node.attributes.values())]
    return any(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in constants) or any(
        node.domain == ML or (node.operation == "Cast" and node.attributes.get("to") == FLOAT) for node in graph.nodes
    )


def _results(node: Node, known: Mapping[str, Any], resolution: float) -> Sequence[Any]:
    """Return what a node gives; where it has no bounds, the error that says so, as its outputs may not matter."""
    given = [known.get(name) if name else None for name in node.inputs]
    failed = [value for value in given if isinstance(value, StudyError)]
    if failed:
        return failed[:1] * len(node.outputs)
    try:
        if node.domain not in ("", ML) or node.operation not in OPERATIONS:
            raise StudyError(f"no proven bounds; supported: {', '.join(ONNX_OPERATIONS)}")
        found = OPERATIONS[node.operation](node, given, resolution)
        return found if isinstance(found, list) else [found]
    except (StudyError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"node '{node.name}' ({node.operation}): {str(error) or type(error).__name__}"
        return [StudyError(said)] * max(len(node.outputs), 1)


def _bytes(value: Any) -> int:
    if isinstance(value, Value):
        return 8 * value.layered.cells if value.layered is not None else 0
    return value.nbytes if isinstance(value, np.ndarray) else 0


def _value(given: Any) -> Value:
    """Return what is a value of rows. Raises StudyError for a constant, or for what has no bounds."""
    if isinstance(given, StudyError):
        raise given
    if not isinstance(given, Value):
        raise StudyError("found a constant where a value of rows has proven bounds")
    return given


def _wide(given: Any) -> Layered:
    """Return the layers of a value of shape (n, width). Raises StudyError for others."""
    if (value := _value(given)).flat:
        raise StudyError("a product over the rows has no proven bounds")
    return value.known


def _constant(given: Any) -> np.ndarray:
    if not isinstance(given, np.ndarray):
        raise StudyError("a value that depends on inputs, where a constant has proven bounds")
    return given


# -- affine operations -------------------------------------------------------------------------------------------------


def _gemm(node: Node, given: Sequence[Given], resolution: float) -> Value:
    own = node.attributes
    if own.get("transA", 0):
        raise StudyError("transA has no proven bounds")
    kernel = np.asarray(_constant(given[1]), float) * own.get("alpha", 1.0)
    found = Value(_wide(given[0]).then(kernel.T if own.get("transB", 0) else kernel))
    if len(given) < 3 or given[2] is None:
        return found
    return _plus(found, given[2], float(own.get("beta", 1.0)))


def _matmul(node: Node, given: Sequence[Given], resolution: float) -> Value:
    kernel = np.asarray(_constant(given[1]), float)
    if kernel.ndim > 2:
        raise StudyError("several kernels have no proven bounds")
    return Value(_wide(given[0]).then(kernel.reshape(len(kernel), -1)), kernel.ndim == 1)


def _plus(first: Given, second: Given, times: float = 1.0) -> Value:
    """Return a value plus a multiple of another, of which one may be a constant."""
    if isinstance(first, Value) and isinstance(second, Value):
        return added([first, second if times == 1.0 else _times(second, np.array([times]))])
    if isinstance(first, Value):
        return first.scaled(np.ones(1), times * constant(_constant(second), first.flat))
    own = _value(second)
    return own.scaled(np.array([times]), constant(_constant(first), own.flat))


def _times(value: Value, by: np.ndarray) -> Value:
    return value.scaled(constant(by, value.flat), np.zeros(1))


def _multiplied(node: Node, given: Sequence[Given], resolution: float) -> Any:
    first, second = given
    if isinstance(first, Value) and isinstance(second, Value):
        return multiplied(first, second, resolution)
    value, by = (first, second) if isinstance(first, Value) else (second, first)
    return _times(_value(value), _constant(by))


def _divided(node: Node, given: Sequence[Given], resolution: float) -> Value:
    by = _constant(given[1])
    if by.dtype.kind != "f":
        raise StudyError("a quotient of whole numbers has no proven bounds")
    return _times(_value(given[0]), 1.0 / by.astype(float))


def _sum(node: Node, given: Sequence[Given], resolution: float) -> Value:
    found = added([_value(value) for value in given])
    return _times(found, np.array([1.0 / len(given)])) if node.operation == "Mean" else found


def _normalised(node: Node, given: Sequence[Given], resolution: float) -> Value:
    if node.attributes.get("training_mode", 0):
        raise StudyError("batches as in training have no proven bounds")
    scale, shift, mean, variance = (np.asarray(_constant(a), float) for a in given[1:5])
    factor = 1.0 / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return Value(_wide(given[0]).scaled(1.0, -mean).scaled(factor).scaled(scale, shift))


def _scaler(node: Node, given: Sequence[Given], resolution: float) -> Value:
    offset, scale = (np.array(node.attributes.get(name, d), float) for name, d in (("offset", [0]), ("scale", [1])))
    return _times(_value(given[0]).scaled(np.ones(1), -offset), scale)


def _linear(node: Node, given: Sequence[Given], resolution: float) -> Value:
    own, before = node.attributes, _wide(given[0])
    if own.get("post_transform", "NONE") != "NONE":
        raise StudyError(f"post_transform {own['post_transform']} has no proven bounds")
    slopes = np.array(own["coefficients"], float).reshape(int(own.get("targets", 1)), before.width)
    return Value(before.then(slopes.T, np.array(own.get("intercepts") or [0.0], float)))


# -- activations -------------------------------------------------------------------------------------------------------


def _named(name: str, gate: str = "") -> Callable[..., Value]:
    """Return the operation of an activation that has no parameters."""

    def operation(node: Node, given: Sequence[Given], resolution: float) -> Value:
        before = _value(given[0])
        return Value(before.known.activated(name), before.flat, Gate(gate, before.known) if gate else None)

    return operation


def _bent(node: Node, given: Sequence[Given], resolution: float) -> Value:
    """Return what comes of an activation with a parameter."""
    own, before = node.attributes, _value(given[0])
    value = before.known
    if node.operation == "PRelu":
        found = value.activated("relu", constant(_constant(given[1]), before.flat))
    elif node.operation == "LeakyRelu":
        found = value.activated("relu", own.get("alpha", 0.01))
    elif node.operation == "Abs":
        found = value.activated("relu", -1.0)
    elif node.operation == "Elu":
        found = value.activated("elu", own.get("alpha", 1.0))
    elif node.operation == "Selu":
        found = value.activated("elu", own.get("alpha", float(np.float32(1.6732632423543772))))
        found = found.scaled(own.get("gamma", float(np.float32(1.0507009873554805))))
    else:  # Celu
        alpha = own.get("alpha", 1.0)
        found = value.scaled(1.0 / alpha).activated("elu").scaled(alpha)
    return Value(found, before.flat)


def _tanh(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before = _value(given[0])
    inner, gate = before.gate, None
    if inner is not None and inner.kind == "softplus" and (inner.factor, inner.shift) == (1.0, 0.0):
        gate = Gate("tanh of softplus", inner.of)
    return Value(before.known.activated("tanh"), before.flat, gate)


def _gelu(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before, kind = _value(given[0]), node.attributes.get("approximate", "none")
    return Value(before.known.activated("gelu_tanh" if kind == "tanh" else "gelu"), before.flat)


def _swish(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before, alpha = _value(given[0]), node.attributes.get("alpha", 1.0)
    return Value(before.known.scaled(alpha).activated("silu").scaled(1.0 / alpha), before.flat)


def _hard_sigmoid(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before = _value(given[0])
    alpha, beta = node.attributes.get("alpha", float(np.float32(0.2))), node.attributes.get("beta", 0.5)
    usual = abs(alpha - 1 / 6) <= resolution and beta == 0.5
    gate = Gate("hard_sigmoid", before.known) if usual else None
    return Value(before.known.scaled(alpha, beta).clipped(0.0, 1.0), before.flat, gate)


def _hard_swish(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before = _value(given[0])
    if resolution < np.finfo(np.float32).eps:
        raise StudyError("found in double precision, which has no proven bounds")
    return Value(before.known.activated("hard_silu"), before.flat)


def _clipped(node: Node, given: Sequence[Given], resolution: float) -> Value:
    before, ends = _value(given[0]), []
    for k, name in ((1, "min"), (2, "max")):
        end = _constant(given[k]).item() if len(given) > k and given[k] is not None else node.attributes.get(name)
        ends.append((-np.inf, np.inf)[k - 1] if end is None or abs(end) >= NO_END else float(end))
    return Value(before.known.clipped(*ends), before.flat)


def _largest(node: Node, given: Sequence[Given], resolution: float) -> Value:
    """Return the largest or the smallest of values: b + relu(a - b), or b - relu(b - a)."""
    sign = 1.0 if node.operation == "Max" else -1.0
    found, *rest = sorted(given, key=lambda value: isinstance(value, np.ndarray))
    for other in rest:
        away = _plus(found, other, -1.0)
        above = Value(away.known.scaled(sign).activated("relu").scaled(sign), away.flat)
        found = _plus(above, other)
    return _value(found)


OPERATIONS: Mapping[str, Callable[[Node, Sequence[Given], float], Any]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": lambda node, given, resolution: _plus(given[0], given[1]),
    "Sub": lambda node, given, resolution: _plus(given[0], given[1], -1.0),
    "Mul": _multiplied,
    "Div": _divided,
    "Neg": lambda node, given, resolution: _times(_value(given[0]), -np.ones(1)),
    "Sum": _sum,
    "Mean": _sum,
    "BatchNormalization": _normalised,
    "Scaler": _scaler,
    "LinearRegressor": _linear,
    "Relu": _named("relu"),
    "Sigmoid": _named("sigmoid", "sigmoid"),
    "Softplus": _named("softplus", "softplus"),
    "Softsign": _named("softsign"),
    "Mish": _named("mish"),
    "Tanh": _tanh,
    **dict.fromkeys(("LeakyRelu", "PRelu", "Abs", "Elu", "Selu", "Celu"), _bent),
    "Gelu": _gelu,
    "Erf": lambda node, given, resolution: Value(None, _value(given[0]).flat, Gate("erf", _value(given[0]).known)),
    "Swish": _swish,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Clip": _clipped,
    "Max": _largest,
    "Min": _largest,
    **onnx_shapes.OPERATIONS,
}
