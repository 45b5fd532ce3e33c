"""A Keras model of dense layers as a network that exact searches bound; other layers are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought.layered import Layered, Neurons
from preimage.surrogates.brought.supported import KERAS_LAYERS, PASSING


def followed(model: Any, inputs: Neurons) -> Layered:
    """Return a model of one tensor of columns, or of one a column, as layers. Raises StudyError by name."""
    whole = Layered.of(inputs)
    each = [whole.columns([k]) for k in range(inputs.width)]
    return Layered.beside(_called(model, [whole] if len(model.inputs) == 1 else each))


def _called(layer: Any, given: list[Layered]) -> list[Layered]:
    """Return the outputs of a layer, or of a model as one, for what it is given."""
    name = type(layer).__name__
    if name == "Sequential":
        for one in layer.layers:
            given = _called(one, given)
        return given
    if name == "Functional":
        return _graph(layer, given)
    if name in PASSING:
        return given
    if name not in LAYERS:
        raise StudyError(f"layer '{layer.name}' ({name}) has no proven bounds; supported: {', '.join(KERAS_LAYERS)}")
    return [LAYERS[name](layer, given)]


def _graph(model: Any, given: list[Layered]) -> list[Layered]:
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


def _added(layer: Any, given: list[Layered]) -> Layered:
    widths = {value.width for value in given}
    if len(widths) > 1:
        raise StudyError(f"layer '{layer.name}' adds tensors of {len(widths)} shapes, which has no proven bounds")
    found = Layered.added(given)
    return found if type(layer).__name__ == "Add" else found.scaled(1.0 / len(given))


def _dense(layer: Any, given: list[Layered]) -> Layered:
    before = _only(given)
    kernel = np.asarray(layer.kernel, float)
    bias = np.asarray(layer.bias, float) if layer.use_bias else np.zeros(kernel.shape[1])
    return before.then(kernel, bias).activated(_name_of(layer))


def _activation(layer: Any, given: list[Layered]) -> Layered:
    return _only(given).activated(_name_of(layer))


def _elu(layer: Any, given: list[Layered]) -> Layered:
    return _only(given).activated("elu", float(layer.alpha))


def _relu(layer: Any, given: list[Layered]) -> Layered:
    if layer.threshold:
        raise StudyError(f"layer '{layer.name}' (ReLU) has the threshold {layer.threshold:g}, expected none")
    found = _only(given)
    if layer.max_value is not None and not layer.negative_slope:
        return found.clipped(0.0, float(layer.max_value))
    found = found.activated("relu", float(layer.negative_slope or 0.0))
    return found if layer.max_value is None else found.clipped(-np.inf, float(layer.max_value))


def _leaky(layer: Any, given: list[Layered]) -> Layered:
    own = layer.alpha if type(layer).__name__ == "PReLU" else layer.negative_slope
    return _only(given).activated("relu", np.asarray(own, float).reshape(-1))


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
    n = before.width
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
    "LeakyReLU": _leaky,
    "PReLU": _leaky,
    "BatchNormalization": _batch_normalised,
    "Normalization": _normalised,
    "Rescaling": _rescaled,
    "Flatten": _flat,
    "Concatenate": lambda layer, given: Layered.beside(given),
    "Add": _added,
    "Average": _added,
}
