"""Outputs of an ensemble of networks and their slopes at few points, by NumPy.

A search takes one point at a time, and calling a compiled JAX program takes thirty times as long as a small network
itself. Sums are einsum's own: those of a BLAS may depend on its threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import erfc, expit

# Rows up to which this is faster.
FEW = 4
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

Pair = tuple[np.ndarray, np.ndarray]


def _relu(x: np.ndarray) -> Pair:
    return np.maximum(x, 0.0), (x > 0).astype(float)


def _elu(x: np.ndarray) -> Pair:
    below = np.expm1(np.minimum(x, 0.0))
    return np.where(x > 0, x, below), np.where(x > 0, 1.0, below + 1)


def _selu(x: np.ndarray) -> Pair:
    below = ALPHA * np.expm1(np.minimum(x, 0.0))
    return SCALE * np.where(x > 0, x, below), SCALE * np.where(x > 0, 1.0, below + ALPHA)


def _gelu(x: np.ndarray) -> Pair:
    share = 0.5 * erfc(-x * np.sqrt(0.5))
    return x * share, share + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)


def _silu(x: np.ndarray) -> Pair:
    share = expit(x)
    return x * share, share * (1 + x * (1 - share))


def _tanh(x: np.ndarray) -> Pair:
    y = np.tanh(x)
    return y, 1 - y * y


def _softplus(x: np.ndarray) -> Pair:
    return np.logaddexp(x, 0.0), expit(x)


# Each returns values and slopes.
ACTIVATIONS: dict[str, Callable[[np.ndarray], Pair]] = {
    "relu": _relu, "selu": _selu, "elu": _elu, "gelu": _gelu, "silu": _silu, "tanh": _tanh, "softplus": _softplus,
}  # fmt: skip


def outputs_and_slopes(
    Z: np.ndarray, kernels: list[np.ndarray], biases: list[np.ndarray], activation: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the members' mean outputs (n, m) and their derivatives (n, m, D), standardised as the inputs Z (n, D) are.

    One pass forwards keeps the slopes of all units, one backwards makes the product of them (backpropagation).

    Args:
        kernels, biases: of all k members, by layer, (k, i, o) and (k, o).
    """
    members, kept = len(kernels[0]), []
    h = np.broadcast_to(Z, (members, *Z.shape))
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if layer:
            h, slope = ACTIVATIONS[activation](h)
            kept.append(slope)
        h = np.einsum("kni,kio->kno", h, kernel) + bias[:, None]
    back = np.repeat(kernels[-1].transpose(0, 2, 1)[:, None], len(Z), axis=1)  # (k, n, m, i)
    for kernel, slope in zip(kernels[-2::-1], kept[::-1], strict=True):
        back = np.einsum("knmo,kio->knmi", back * slope[:, :, None], kernel)
    return h.mean(axis=0), back.mean(axis=0)
