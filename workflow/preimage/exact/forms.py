"""Models as plain arrays, for exact searches to bound: what each is made of, in the order of a space's inputs.

A model that is made of arrays says so by a method `exact_form()`; which searches know the form is `exact.bounded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np

from preimage.support.errors import StudyError


class Columns(NamedTuple):
    """How inputs become the columns that a model sees: a number minus a centre over a scale, a category one column of 0
    and 1 for each of its values.

    Attributes:
        inputs: which input of the space each of the model's is (e,).
        levels: how many values each has, 0 where it is a number (e,).
        centre, scale: of numbers (e,).
    """

    inputs: np.ndarray
    levels: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, encoding: Any) -> Columns:
        """Return those of an encoding (`surrogates.encoding.Encoding`) of all inputs of a space."""
        levels = np.asarray(encoding.levels, np.int64)
        ends = (np.ascontiguousarray(a, float) for a in (encoding.centre, encoding.scale))
        return cls(np.arange(len(levels)), levels, *ends)


class Units(NamedTuple):
    """Activations of a hidden layer, neuron by neuron.

    Attributes:
        codes: which each is (`exact.activations.CODES`), of each member (k, width).
        parameters: of those that have one (k, width).
    """

    codes: np.ndarray
    parameters: np.ndarray


@dataclass(frozen=True)
class Form:
    """A model as arrays."""

    columns: Columns

    def check(self) -> None:
        """Raise StudyError where an array holds what is no number: no bound of it would prove anything."""
        for field in fields(self):
            for array in _arrays(getattr(self, field.name)):
                self._check_numbers(field.name, array)

    def _check_numbers(self, name: str, array: np.ndarray) -> None:
        if not np.isfinite(array).all():
            found = array[~np.isfinite(array)][0]
            raise StudyError(
                f"certified: found {found} among the {name} of the model, expected numbers; train it again, or leave "
                "it out of `on`"
            )

    def of_outputs(self, order: Sequence[int]) -> Self:
        """Return the model whose output k is the output order[k] of this one."""
        raise NotImplementedError

    def of_inputs(self, places: Sequence[int]) -> Self:
        """Return the model of a space whose input places[k] is the model's k-th; others have no influence."""
        return replace(self, columns=self.columns._replace(inputs=np.asarray(places)[self.columns.inputs]))

    def put(self, order: Sequence[int]) -> Self:
        """Return the model of a space whose input k is the input order[k] of the one before."""
        back = np.argsort(np.asarray(order))
        return replace(self, columns=self.columns._replace(inputs=back[self.columns.inputs]))


def _arrays(held: Any) -> Iterator[np.ndarray]:
    """Yield the arrays in a value: itself, or all that a tuple of such holds."""
    if isinstance(held, tuple):
        for part in held:
            yield from _arrays(part)
    elif isinstance(held, np.ndarray):
        yield held


@dataclass(frozen=True)
class Process(Form):
    """Means of Gaussian processes: centre + scale * sum of weights * k(|column / length - row|^2). An output has one
    such sum, or several: of a kernel that is a sum itself, or of several processes.

    Attributes:
        kernel: name of the shape k (`exact.covariances.CODES`), or those of all sums.
        centre, scale: of the outputs (m,).
        lengths: of each sum's columns (M, D).
        rows: training rows over those, (M, n, D).
        weights: amplitude times weight of each row (M, n).
        of: which output each sum is part of; () where each output is one.
        parameters: of kernels that have one (M,); None where none has.
        off: what the centres are off by, at most, from what `predict` makes of them (m,); None where they are exact.
    """

    kernel: str | tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray
    weights: np.ndarray
    of: tuple[int, ...] = ()
    parameters: np.ndarray | None = None
    off: np.ndarray | None = None

    @property
    def outputs(self) -> np.ndarray:
        """Which output each sum is part of (M,)."""
        return np.array(self.of or range(len(self.weights)), np.int64)

    @property
    def kernels(self) -> tuple[str, ...]:
        """The shape of each sum."""
        return (self.kernel,) * len(self.weights) if isinstance(self.kernel, str) else self.kernel

    def of_outputs(self, order: Sequence[int]) -> Self:
        """Return the model whose output k is the output order[k] of this one."""
        own, at = self.outputs, list(order)
        sums = [(int(s), new) for new, k in enumerate(at) for s in np.flatnonzero(own == k)]
        which = [s for s, _ in sums]
        by_sum = {name: getattr(self, name)[which] for name in ("lengths", "rows", "weights")}
        by_output = {name: getattr(self, name)[at] for name in ("centre", "scale")}
        return replace(
            self,
            kernel=tuple(self.kernels[s] for s in which),
            of=tuple(new for _, new in sums),
            parameters=None if self.parameters is None else self.parameters[which],
            off=None if self.off is None else self.off[at],
            **by_sum,
            **by_output,
        )


@dataclass(frozen=True)
class Network(Form):
    """The mean of dense networks of one shape.

    Attributes:
        activations: of the hidden layers, in order: the name of one for a whole layer (`exact.activations.CODES`), or
            those of each neuron.
        centre, scale: of the outputs (m,).
        kernels, biases: of each layer, for all members (k, inputs, outputs) and (k, outputs).
        kernel_sizes, bias_sizes: what their own size is at most, where each stands for several steps whose terms
            cancel; () where they are as they were trained.
        roundings: how many more roundings a term of each layer went through then, at most.
    """

    activations: tuple[str | Units, ...]
    centre: np.ndarray
    scale: np.ndarray
    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    kernel_sizes: tuple[np.ndarray, ...] = ()
    bias_sizes: tuple[np.ndarray, ...] = ()
    roundings: tuple[float, ...] = ()

    def of_outputs(self, order: Sequence[int]) -> Self:
        """Return the model whose output k is the output order[k] of this one."""
        last: dict[str, Any] = {
            name: (*arrays[:-1], arrays[-1][..., list(order)])
            for name in ("kernels", "biases", "kernel_sizes", "bias_sizes")
            if (arrays := getattr(self, name))
        }
        return replace(self, centre=self.centre[list(order)], scale=self.scale[list(order)], **last)


@dataclass(frozen=True)
class Total(Form):
    """The sum of models of different forms, of the same inputs and outputs."""

    parts: tuple[Form, ...]

    def check(self) -> None:
        for part in self.parts:
            part.check()

    def of_outputs(self, order: Sequence[int]) -> Self:
        return replace(self, parts=tuple(part.of_outputs(order) for part in self.parts))

    def of_inputs(self, places: Sequence[int]) -> Self:
        return replace(super().of_inputs(places), parts=tuple(part.of_inputs(places) for part in self.parts))

    def put(self, order: Sequence[int]) -> Self:
        return replace(super().put(order), parts=tuple(part.put(order) for part in self.parts))


@dataclass(frozen=True)
class Planes(Form):
    """Planes: base + columns times slopes.

    Attributes:
        base, slopes: of the outputs (m,) and (D, m).
        base_sizes, sizes, roundings: as of a network's layer.
    """

    base: np.ndarray
    slopes: np.ndarray
    sizes: np.ndarray | None = None
    base_sizes: np.ndarray | None = None
    roundings: float = 0.0

    def of_outputs(self, order: Sequence[int]) -> Self:
        """Return the model whose output k is the output order[k] of this one."""
        at = list(order)
        found = replace(self, base=self.base[at], slopes=self.slopes[:, at])
        if self.sizes is None or self.base_sizes is None:
            return found
        return replace(found, sizes=self.sizes[:, at], base_sizes=self.base_sizes[at])
