"""Layers of a model of the user's own as a network that exact searches bound: what is affine between two activations
becomes one layer.

A value is followed as a sum over neurons and columns. Neurons are put into layers by how many activations are before
them, at most; what a later layer takes from an earlier one, as around a residual block, is passed on in between by
neurons that change nothing, which costs a bound nothing.

How large the terms were before they were multiplied out is kept beside, as rounding goes by that: where a scaler takes
off a mean, the layer's own weights may be small though the terms were not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from preimage.exact.activations import CODES, PARAMETERS
from preimage.support.errors import StudyError

# Other names of activations, and those that are none.
SAME = {"swish": "silu", "logistic": "sigmoid", "leaky_relu": "relu", "hard_swish": "hard_silu", "celu": "elu"}
NONE = ("linear", "identity")
CLIPPED = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
# Of leaky_relu in Keras, where its name is all that is said.
LEAKY = 0.2
MADE = ("sigmoid", "hard_sigmoid", "log_sigmoid", *CLIPPED)
KNOWN = (*(name for name in CODES if name not in ("linear", "hard")), *MADE, *SAME, *NONE)
# What rounding in bounds is accounted for (`exact.network_bounds`).
WIDEST = 4000


class Neurons:
    """Neurons of one step with what enters them, or the columns, which nothing enters.

    Attributes:
        depth: how many activations there are up to these, at most.
    """

    def __init__(self, width: int, before: Layered | None = None, code: int = 0, parameters: np.ndarray | float = 0.0):
        self.width, self.before, self.code = width, before, code
        self.parameters = np.broadcast_to(np.asarray(parameters, float), width)
        self.depth = 0 if before is None else 1 + before.depth


@dataclass(frozen=True)
class Term:
    """What a value takes of neurons: their values times weights (n, width), and the sizes of the terms."""

    weights: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Layered:
    """A value as it is followed from its columns: offset + the sum of its terms, (width,).

    Attributes:
        roundings: how many the model itself makes of a term, at most, since the neurons.
    """

    terms: Mapping[Neurons, Term]
    offset: np.ndarray
    offset_sizes: np.ndarray
    roundings: float = 0.0

    @classmethod
    def of(cls, neurons: Neurons) -> Layered:
        """Return what neurons, or columns, are themselves."""
        n = neurons.width
        if n > WIDEST:
            raise StudyError(f"a layer of {n} units has no proven bounds; expected at most {WIDEST}")
        return cls({neurons: Term(np.eye(n), np.eye(n))}, np.zeros(n), np.zeros(n))

    @property
    def width(self) -> int:
        return len(self.offset)

    @property
    def depth(self) -> int:
        return max((neurons.depth for neurons in self.terms), default=0)

    @property
    def cells(self) -> int:
        """How many numbers it is made of."""
        return sum(2 * term.weights.size for term in self.terms.values()) + 2 * self.width

    # -- affine steps --------------------------------------------------------------------------------------------------

    def then(self, kernel: np.ndarray, bias: np.ndarray | float = 0.0) -> Layered:
        """Return what comes of a dense layer behind it."""
        kernel = np.asarray(kernel, float)
        size, bias = np.abs(kernel), np.broadcast_to(np.asarray(bias, float), kernel.shape[1])
        if kernel.shape[1] > WIDEST:
            raise StudyError(f"a layer of {kernel.shape[1]} units has no proven bounds; expected at most {WIDEST}")
        return Layered(
            {neurons: Term(term.weights @ kernel, term.sizes @ size) for neurons, term in self.terms.items()},
            self.offset @ kernel + bias,
            self.offset_sizes @ size + np.abs(bias),
            self.roundings + len(kernel) + 4.0,
        )

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> Layered:
        """Return each output times a factor, plus a shift."""
        factor, shift = (np.broadcast_to(np.asarray(a, float), self.width) for a in (factor, shift))
        size = np.abs(factor)
        return Layered(
            {neurons: Term(term.weights * factor, term.sizes * size) for neurons, term in self.terms.items()},
            self.offset * factor + shift,
            self.offset_sizes * size + np.abs(shift),
            self.roundings + 5.0,
        )

    def columns(self, which: np.ndarray | Sequence[int]) -> Layered:
        """Return some of the outputs."""
        terms = {n: Term(term.weights[:, which], term.sizes[:, which]) for n, term in self.terms.items()}
        return replace(self, terms=terms, offset=self.offset[which], offset_sizes=self.offset_sizes[which])

    @classmethod
    def beside(cls, parts: Sequence[Layered]) -> Layered:
        """Return the outputs of several side by side."""
        terms, total, at = dict[Neurons, Term](), sum(part.width for part in parts), 0
        if total > WIDEST:
            raise StudyError(f"a layer of {total} units has no proven bounds; expected at most {WIDEST}")
        for part in parts:
            for neurons, own in part.terms.items():
                blank = Term(np.zeros((neurons.width, total)), np.zeros((neurons.width, total)))
                found = terms.setdefault(neurons, blank)
                found.weights[:, at : at + part.width] = own.weights
                found.sizes[:, at : at + part.width] = own.sizes
            at += part.width
        offset, sizes = (np.concatenate([getattr(p, name) for p in parts]) for name in ("offset", "offset_sizes"))
        return cls(terms, offset, sizes, max(part.roundings for part in parts))

    @classmethod
    def added(cls, parts: Sequence[Layered]) -> Layered:
        """Return the sum of several of one width."""
        terms = dict[Neurons, Term]()
        for neurons, own in (pair for part in parts for pair in part.terms.items()):
            known = terms.get(neurons)
            terms[neurons] = Term(known.weights + own.weights, known.sizes + own.sizes) if known else own
        offset, sizes = (np.sum([getattr(p, name) for p in parts], axis=0) for name in ("offset", "offset_sizes"))
        return cls(terms, offset, sizes, max(part.roundings for part in parts) + len(parts) + 2.0)

    # -- activations ---------------------------------------------------------------------------------------------------

    def activated(self, name: str, parameter: np.ndarray | float | None = None) -> Layered:
        """Return what comes of an activation. Raises StudyError for one that has no bounds here.

        Args:
            parameter: of relu the slope below 0, of elu what it falls to.
        """
        parameter = LEAKY if name == "leaky_relu" and parameter is None else parameter
        name = SAME.get(name, name)
        if name in NONE:
            return self
        if name == "sigmoid":  # of tanh: 1 / (1 + exp(-x)) is (1 + tanh(x / 2)) / 2
            return self.scaled(0.5).activated("tanh").scaled(0.5, 0.5)
        if name == "hard_sigmoid":
            return self.scaled(1.0 / 6.0, 0.5).clipped(0.0, 1.0)
        if name in CLIPPED:
            return self.clipped(*CLIPPED[name])
        if name == "log_sigmoid":
            return self.scaled(-1.0).activated("softplus").scaled(-1.0)
        if name not in KNOWN:
            raise StudyError(f"activation '{name}' has no proven bounds; supported: {', '.join(KNOWN)}")
        own = PARAMETERS.get(name, 0.0) if parameter is None else parameter
        return Layered.of(Neurons(self.width, self, CODES[name], own))

    def clipped(self, low: float, high: float) -> Layered:
        """Return values no smaller and no larger than two ends, of which either may be infinite."""
        if np.isinf(low) and np.isinf(high):
            return self
        if np.isinf(high):
            return self.scaled(1.0, -low).activated("relu").scaled(1.0, low)
        if np.isinf(low):
            return self.scaled(-1.0, high).activated("relu").scaled(-1.0, high)
        if not low < high:
            raise StudyError(f"values clipped to [{low:g}, {high:g}] have no proven bounds; expected an interval")
        inner = self.scaled(1.0 / (high - low), -low / (high - low))
        return Layered.of(Neurons(self.width, inner, CODES["hard"])).scaled(high - low, low)
