"""A Keras model of dense layers as a network that exact searches bound; other layers are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought.layered import Affine, Layered
from preimage.surrogates.brought.supported import KERAS_LAYERS, PASSING


def layered(model: Any, inputs: int) -> Layered:
    """Return a model of one tensor of columns, or of one a column, as layers. Raises StudyError by name."""
    whole = Layered(Affine.identity(inputs))
    each = [Layered(whole.last.columns(np.array([k]))) for k in range(inputs)]
    return _joined(_called(model, [whole] if len(model.inputs) == 1 else each))


def _called(layer: Any, given: list[Layered]) -> list[Layered]:
    """Return the outputs of a layer, or of a model as one, for what it is given."""
    name = type(layer).__name__
    if name == "Sequential":
        for one in layer.layers:
            given = _called(one, given)
        return given
    if name == "Functional":
        return _followed(layer, given)
    if name in PASSING:
        return given
    if name not in LAYERS:
        raise StudyError(f"layer '{layer.name}' ({name}) has no proven bounds; supported: {', '.join(KERAS_LAYERS)}")
    return [LAYERS[name](layer, given)]


def _followed(model: Any, given: list[Layered]) -> list[Layered]:
    """Return the outputs of a graph of layers, node by node as Keras walks it."""
    known = {id(tensor): value for tensor, value in zip(model.inputs, given, strict=True)}
    depths = model._nodes_by_depth
    for node in (node for depth in sorted(depths, reverse=True) for node in depths[depth]):
        if node.is_input or not all(id(t) in known for t in node.input_tensors):
            continue
        found = _called(node.operation, [known[id(t)] for t in node.input_tensors])
        known.update({id(tensor): value for tensor, value in zip(node.output_tensors, found, strict=True)})
    return [known[id(tensor)] for tensor in model.outputs]


def _only(given: list[Layered]) -> Layered:
    if len(given) != 1:
        raise StudyError(f"a layer takes {len(given)} tensors, expected one")
    return given[0]


def _joined(given: list[Layered]) -> Layered:
    """Return outputs side by side. Raises StudyError where they do not come from one hidden layer."""
    if len(given) == 1:
        return given[0]
    _check_together(given)
    return Layered(Affine.beside([g.last for g in given]), given[0].hidden)


def _added(layer: Any, given: list[Layered]) -> Layered:
    widths = {len(g.last.offset) for g in given}
    if len(widths) > 1:
        raise StudyError(f"layer '{layer.name}' adds tensors of {len(widths)} shapes, which has no proven bounds")
    (n,) = widths
    share = 1.0 if type(layer).__name__ == "Add" else 1.0 / len(given)
    return _joined(given).then(np.tile(share * np.eye(n), (len(given), 1)), np.zeros(n))


def _check_together(given: list[Layered]) -> None:
    first = given[0].hidden
    if any(len(g.hidden) != len(first) or any(a is not b for a, b in zip(g.hidden, first, strict=True)) for g in given):
        raise StudyError("branches with activations of their own are joined, which has no proven bounds")


def _dense(layer: Any, given: list[Layered]) -> Layered:
    before = _only(given)
    kernel = np.asarray(layer.kernel, float)
    bias = np.asarray(layer.bias, float) if layer.use_bias else np.zeros(kernel.shape[1])
    return before.then(kernel, bias).activated(_name_of(layer))


def _activation(layer: Any, given: list[Layered]) -> Layered:
    return _only(given).activated(_name_of(layer))


def _elu(layer: Any, given: list[Layered]) -> Layered:
    if layer.alpha != 1.0:
        raise StudyError(f"layer '{layer.name}' (ELU) has alpha {layer.alpha:g}, expected 1")
    return _only(given).activated("elu")


def _relu(layer: Any, given: list[Layered]) -> Layered:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise StudyError(f"layer '{layer.name}' (ReLU) has a slope, threshold or largest value, expected none")
    return _only(given).activated("relu")


def _name_of(layer: Any) -> str:
    """Return the name of a layer's activation; one that its name alone does not say is refused."""
    config = layer.get_config()["activation"]
    if isinstance(config, Mapping):
        config = config.get("config") if config.get("class_name") == "function" else config.get("class_name")
    return str(config)


def _batch_normalised(layer: Any, given: list[Layered]) -> Layered:
    mean, variance = np.asarray(layer.moving_mean, float), np.asarray(layer.moving_variance, float)
    if layer.axis not in (-1, 1):
        raise StudyError(f"layer '{layer.name}' (BatchNormalization) is over axis {layer.axis}, expected the last")
    factor = 1.0 / np.sqrt(variance + layer.epsilon)
    found = _only(given).scaled(1.0, -mean).scaled(factor)
    gamma = np.asarray(layer.gamma, float) if layer.scale else 1.0
    return found.scaled(gamma, np.asarray(layer.beta, float) if layer.center else 0.0)


def _normalised(layer: Any, given: list[Layered]) -> Layered:
    before = _only(given)
    mean, variance = (np.asarray(a, float).reshape(-1) for a in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # as Keras has it: its smallest divisor
    n = len(before.last.offset)
    mean, deviation = np.broadcast_to(mean, n), np.broadcast_to(deviation, n)
    if getattr(layer, "invert", False):
        return before.scaled(deviation, mean)
    return before.scaled(1.0, -mean).scaled(1.0 / deviation)


def _rescaled(layer: Any, given: list[Layered]) -> Layered:
    return _only(given).scaled(np.asarray(layer.scale, float), np.asarray(layer.offset, float))


def _flat(layer: Any, given: list[Layered]) -> Layered:
    return _only(given)


LAYERS: Mapping[str, Callable[[Any, list[Layered]], Layered]] = {
    "Dense": _dense,
    "Activation": _activation,
    "ReLU": _relu,
    "ELU": _elu,
    "BatchNormalization": _batch_normalised,
    "Normalization": _normalised,
    "Rescaling": _rescaled,
    "Flatten": _flat,
    "Concatenate": lambda layer, given: _joined(given),
    "Add": _added,
    "Average": _added,
}
