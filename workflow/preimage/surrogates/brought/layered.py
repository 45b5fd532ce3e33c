"""Layers of a model of the user's own as a network that exact searches bound: what is affine between two activations
becomes one layer.

How large the terms were before they were multiplied out is kept beside, as rounding goes by that: where a scaler takes
off a mean, the layer's own weights may be small though the terms were not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from preimage.exact.activations import CODES
from preimage.exact.forms import Columns, Form, Network, Planes
from preimage.support.errors import StudyError

# Other names of activations, and those that are none.
SAME = {"swish": "silu", "logistic": "sigmoid"}
NONE = ("linear", "identity")
KNOWN = (*CODES, "sigmoid", *NONE)
# Roundings of float32 in units of those of float64.
OF_SINGLE = 2.0**29


@dataclass(frozen=True)
class Affine:
    """offset + values @ weights, of the values of a hidden layer or of the columns (n,), and the sizes of the terms."""

    weights: np.ndarray
    offset: np.ndarray
    weight_sizes: np.ndarray
    offset_sizes: np.ndarray
    roundings: float = 0.0

    @classmethod
    def identity(cls, n: int) -> Affine:
        return cls(np.eye(n), np.zeros(n), np.eye(n), np.zeros(n))

    @classmethod
    def of(cls, weights: np.ndarray, offset: np.ndarray) -> Affine:
        return cls(weights, offset, np.abs(weights), np.abs(offset))

    def then(self, kernel: np.ndarray, bias: np.ndarray) -> Affine:
        """Return what comes of a dense layer behind it."""
        kernel, bias, size = np.asarray(kernel, float), np.asarray(bias, float), np.abs(np.asarray(kernel, float))
        return Affine(
            self.weights @ kernel,
            self.offset @ kernel + bias,
            self.weight_sizes @ size,
            self.offset_sizes @ size + np.abs(bias),
            # Those of the model's own steps, and of multiplying them out here.
            self.roundings + 2.0 * (len(kernel) + 4),
        )

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> Affine:
        """Return each output times a factor, plus a shift."""
        n = len(self.offset)
        return self.then(np.diag(np.broadcast_to(factor, n)), np.broadcast_to(shift, n))

    def columns(self, which: np.ndarray) -> Affine:
        """Return some of the outputs."""
        names = ("weights", "offset", "weight_sizes", "offset_sizes")
        return replace(self, **{name: getattr(self, name)[..., which] for name in names})

    @classmethod
    def beside(cls, parts: list[Affine]) -> Affine:
        """Return the outputs of several side by side."""
        weights, sizes = (np.hstack([getattr(p, name) for p in parts]) for name in ("weights", "weight_sizes"))
        offset, own = (np.concatenate([getattr(p, name) for p in parts]) for name in ("offset", "offset_sizes"))
        return cls(weights, offset, sizes, own, max(p.roundings for p in parts))


@dataclass(frozen=True)
class Layered:
    """A network as it is followed from its columns: the hidden layers so far, and what is affine behind the last."""

    last: Affine
    hidden: tuple[tuple[Affine, str], ...] = field(default=())

    def then(self, kernel: np.ndarray, bias: np.ndarray) -> Layered:
        return replace(self, last=self.last.then(kernel, bias))

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> Layered:
        return replace(self, last=self.last.scaled(factor, shift))

    def activated(self, name: str) -> Layered:
        """Return what comes of an activation. Raises StudyError for one that has no bounds here."""
        name = SAME.get(name, name)
        if name in NONE:
            return self
        if name == "sigmoid":  # of tanh: 1 / (1 + exp(-x)) is (1 + tanh(x / 2)) / 2
            return self.scaled(0.5).activated("tanh").scaled(0.5, 0.5)
        if name not in CODES:
            raise StudyError(f"activation '{name}' has no proven bounds; supported: {', '.join(KNOWN)}")
        return Layered(Affine.identity(len(self.last.offset)), (*self.hidden, (self.last, name)))

    def form(self, columns: Columns, single: bool = False) -> Form:
        """Return the arrays that exact searches take: planes where there is no hidden layer.

        Args:
            single: whether the model computes in float32.
        """
        parts = [*(affine for affine, _ in self.hidden), self.last]
        roundings = max(p.roundings + (len(p.weights) + 8.0) for p in parts) * (OF_SINGLE if single else 1.0)
        if not self.hidden:
            own = self.last
            return Planes(columns, own.offset, own.weights, own.weight_sizes, own.offset_sizes, roundings)
        m = len(self.last.offset)
        return Network(
            columns,
            tuple(name for _, name in self.hidden),
            np.zeros(m),
            np.ones(m),
            tuple(p.weights[None] for p in parts),
            tuple(p.offset[None] for p in parts),
            tuple(p.weight_sizes[None] for p in parts),
            tuple(p.offset_sizes[None] for p in parts),
            roundings,
        )
