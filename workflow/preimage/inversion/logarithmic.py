"""Parameters that are searched by their logarithm: of a fit, where a study gives them `scale: log`.

Whatever a method does to the other numbers it does to the logarithms of these: it draws, steps and compares them there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from preimage.core.space import Space
from preimage.inversion.question import Question


@dataclass(frozen=True)
class Logarithms:
    """Which parameters are replaced by their logarithms to base 10 (d,): those a study wants so and leaves free."""

    mask: np.ndarray
    space: Space

    @classmethod
    def of(cls, wanted: tuple[bool, ...], space: Space) -> Logarithms:
        mask = np.array(wanted, bool) if wanted else np.zeros(len(space.inputs), bool)
        return cls(mask & space.free, space)

    def __bool__(self) -> bool:
        return bool(self.mask.any())

    def bounds(self) -> Space:
        """Return the space of logarithms."""
        inputs = tuple(
            replace(i, low=float(np.log10(i.low)), high=float(np.log10(i.high))) if m else i
            for i, m in zip(self.space.inputs, self.mask, strict=True)
        )
        return replace(self.space, inputs=inputs)

    def taken(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) with the logarithms of these parameters."""
        return np.where(self.mask, np.log10(np.where(self.mask, X, 1.0)), X)

    def undone(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) with the parameters themselves, within their bounds."""
        powers = 10.0 ** np.where(self.mask, X, 0.0)
        return np.where(self.mask, np.clip(powers, self.space.low, self.space.high), X)

    def put(self, question: Question) -> Question:
        """Return a question about a fit, of the logarithms."""
        fit = question.fit.by_logarithms(self.mask)
        gradient = fit.gradient if question.gradient is not None else None
        X = self.taken(question.X)
        return replace(question, space=self.bounds(), fit=fit, predict=fit.predict, gradient=gradient, X=X)
