"""Values that were followed through a model's layers as the arrays of a network: the mean of several, each a member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preimage.exact.activations import LINEAR
from preimage.exact.forms import Columns, Form, Network, Planes, Units
from preimage.surrogates.brought.layered import Layered, Neurons

# Roundings of float32 in units of those of float64.
OF_SINGLE = 2.0**29
# Of what enters a layer, in the model's own precision: of inputs, and of activations.
OF_INPUTS, OF_ACTIVATIONS = 4.0, 32.0


@dataclass(frozen=True)
class Step:
    """One layer: kernel and bias with their sizes, and the activations behind, by neuron; none behind the last."""

    kernel: np.ndarray
    kernel_size: np.ndarray
    bias: np.ndarray
    bias_size: np.ndarray
    codes: np.ndarray
    parameters: np.ndarray
    roundings: float


def form(members: Sequence[Layered], shares: Sequence[float], inputs: Neurons, columns: Columns, single: bool) -> Form:
    """Return a weighted sum of values as arrays that exact searches take: planes where nothing is hidden.

    Args:
        inputs: the columns, from which all values were followed.
        single: whether the model computes in float32.
    """
    depth, count = max(member.depth for member in members), len(members)
    if depth == 0:
        step = _last(Layered.added([m.scaled(share) for m, share in zip(members, shares, strict=True)]), [inputs])
        return Planes(columns, step.bias, step.kernel, step.kernel_size, step.bias_size, _roundings(step, 0, single))
    each = [_steps(m.scaled(share * count), inputs, depth) for m, share in zip(members, shares, strict=True)]
    layers = [_together([steps[layer] for steps in each]) for layer in range(depth + 1)]
    m = members[0].width
    return Network(
        columns,
        tuple(Units(layer.codes, layer.parameters) for layer in layers[:-1]),
        np.zeros(m),
        np.ones(m),
        tuple(layer.kernel for layer in layers),
        tuple(layer.bias for layer in layers),
        tuple(layer.kernel_size for layer in layers),
        tuple(layer.bias_size for layer in layers),
        tuple(_roundings(layer, k, single) + count for k, layer in enumerate(layers)),
    )


def _roundings(step: Step, place: int, single: bool) -> float:
    """Return how many roundings of double precision a layer's terms go through: the model's own, and as many where they
    were multiplied out here."""
    own = step.roundings + (OF_ACTIVATIONS if place else OF_INPUTS)
    return own * (1.0 + (OF_SINGLE if single else 1.0))


def _steps(value: Layered, inputs: Neurons, depth: int) -> list[Step]:
    """Return the layers of a value, behind as many that only pass on the columns as make up a depth."""
    uses = _last_uses(value)
    by_depth = dict[int, list[Neurons]]()
    for neurons in uses:
        by_depth.setdefault(neurons.depth, []).append(neurons)
    given, found = [inputs], [_step([], [inputs], [inputs]) for _ in range(depth - value.depth)]
    for layer in range(1, value.depth + 1):
        own, passed = by_depth.get(layer, []), [n for n in given if uses.get(n, 0) > layer]
        found.append(_step(own, passed, given))
        given = [*own, *passed]
    return [*found, _last(value, given)]


def _last_uses(value: Layered) -> dict[Neurons, int]:
    """Return all neurons that a value comes of, with the layer that takes them last."""
    found, pending = dict[Neurons, int](), [(value.depth + 1, value)]
    while pending:
        layer, one = pending.pop()
        for neurons in one.terms:
            if neurons not in found and neurons.before is not None:
                pending.append((neurons.depth, neurons.before))
            found[neurons] = max(found.get(neurons, 0), layer)
    return found


def _step(own: Sequence[Neurons], passed: Sequence[Neurons], given: Sequence[Neurons]) -> Step:
    """Return a layer of neurons, and of such before it that are passed on."""
    before = [*(n.before for n in own if n.before is not None), *(Layered.of(n) for n in passed)]
    codes = np.repeat([*(n.code for n in own), *(LINEAR for _ in passed)], [n.width for n in (*own, *passed)])
    parameters = np.concatenate([*(n.parameters for n in own), *(np.zeros(n.width) for n in passed)])
    return _affine(Layered.beside(before), given, codes.astype(np.int64), parameters)


def _last(value: Layered, given: Sequence[Neurons]) -> Step:
    return _affine(value, given, np.full(value.width, LINEAR), np.zeros(value.width))


def _affine(value: Layered, given: Sequence[Neurons], codes: np.ndarray, parameters: np.ndarray) -> Step:
    rows = sum(n.width for n in given)
    kernel, size, at = np.zeros((rows, value.width)), np.zeros((rows, value.width)), 0
    for neurons in given:
        if neurons in value.terms:
            term = value.terms[neurons]
            kernel[at : at + neurons.width], size[at : at + neurons.width] = term.weights, term.sizes
        at += neurons.width
    return Step(kernel, size, value.offset, value.offset_sizes, codes, parameters, value.roundings)


def _together(members: Sequence[Step]) -> Step:
    """Return one layer of several networks, filled up to the widest with neurons that take and give nothing."""
    rows, width = np.max([member.kernel.shape for member in members], axis=0)

    def filled(name: str, value: float = 0.0) -> np.ndarray:
        shape = (rows, width) if "kernel" in name else (width,)
        arrays = [getattr(member, name) for member in members]
        ends = [[(0, n - own) for n, own in zip(shape, a.shape, strict=True)] for a in arrays]
        return np.stack([np.pad(a, end, constant_values=value) for a, end in zip(arrays, ends, strict=True)])

    return Step(
        filled("kernel"),
        filled("kernel_size"),
        filled("bias"),
        filled("bias_size"),
        filled("codes", LINEAR),
        filled("parameters"),
        max(member.roundings for member in members),
    )
