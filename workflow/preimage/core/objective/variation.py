"""Inputs that vary in production around the values that are set: how, and what points come of it.

The draws are a fixed set of quasi-random points (Sobol, scrambled by the study's seed), the same for every candidate,
method and surrogate of a seed: common random numbers, by which what is judged is a deterministic and all but smooth
function of the inputs. A draw is clipped nowhere: production leaves the bounds of the study as it leaves any others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.core.sizes import DRAWS
from preimage.core.space import Space
from preimage.support.errors import StudyError, did_you_mean

_PERCENT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")


@dataclass(frozen=True)
class Vary:
    """How one input varies.

    Attributes:
        size: standard deviation of a normal distribution, or half the width of a uniform one.
        relative: whether that is a share of the input's value, rather than in its unit.
    """

    input: str
    size: float
    relative: bool = False
    uniform: bool = False

    def words(self, unit: str = "") -> str:
        """Return the variation as a person would say it."""
        size = f"{100 * self.size:g} %" if self.relative else f"{self.size:g} {unit}".strip()
        name = self.input.replace("_", " ")
        return f"{name} by up to {size}" if self.uniform else f"{name} by {size} (standard deviation)"


@dataclass(frozen=True)
class Variation:
    """The inputs that vary, in the study's order."""

    inputs: tuple[Vary, ...]

    def check(self, space: Space) -> None:
        """Raise StudyError for an input that a space does not have, or that takes no values in between."""
        for vary in self.inputs:
            where = f"variation.{vary.input}"
            if vary.input not in space.names:
                raise StudyError(f"{where}: unknown input{did_you_mean(vary.input, space.names)}")
            found = space.inputs[space.names.index(vary.input)]
            if found.categories or found.integer:
                what = "a category" if found.categories else "a whole number"
                raise StudyError(f"{where}: found {what}, which can't vary; expected an input that is a number")

    def on(self, space: Space, rng: np.random.Generator, count: int = DRAWS) -> Draws:
        """Return draws in a space (see `check`), a power of two of them."""
        from scipy.special import ndtri
        from scipy.stats import qmc

        u = qmc.Sobol(len(self.inputs), rng=rng).random(count)
        eps = np.finfo(float).eps
        uniform = np.array([v.uniform for v in self.inputs])
        steps = np.where(uniform, 2 * u - 1, ndtri(np.clip(u, eps, 1 - eps))) * [v.size for v in self.inputs]
        relative = np.array([v.relative for v in self.inputs])
        columns = np.array([space.names.index(v.input) for v in self.inputs])
        absent = np.array([space.inputs[j].zero_or is not None for j in columns])
        return Draws(columns, np.where(relative, 0.0, steps), np.where(relative, steps, 0.0), absent)

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the variation as a person would say it."""
        found = [v.words((units or {}).get(v.input, "")) for v in self.inputs]
        return " and ".join(found)


@dataclass(frozen=True)
class Draws:
    """Variation drawn once: what each draw adds to the inputs that vary.

    Attributes:
        columns: positions of these inputs (k,).
        absolute, relative: what is added, in the input's unit and as a share of its value (q, k).
        absent: whether an input at 0 is left out, and does not vary then (k,).
    """

    columns: np.ndarray
    absolute: np.ndarray
    relative: np.ndarray
    absent: np.ndarray

    def around(self, X: np.ndarray) -> np.ndarray:
        """Return the varied points (n, q, d) of points (n, d)."""
        out = np.repeat(X[:, None], len(self.absolute), axis=1)
        at = X[:, None, self.columns]
        step = self.absolute + self.relative * at
        out[:, :, self.columns] += np.where(self.absent & (at == 0), 0.0, step)
        return out

    def derivative(self, d: int) -> np.ndarray:
        """Return the derivative of each varied point by the point itself (q, d): how much of a step each takes."""
        out = np.ones((len(self.relative), d))
        out[:, self.columns] += self.relative
        return out

    def only(self, k: int) -> Draws:
        """Return the draws with the k-th of the inputs varying alone."""
        alone = np.arange(len(self.columns)) == k
        return replace(self, absolute=self.absolute * alone, relative=self.relative * alone)


def variation_of(where: str, entry: Mapping[str, Any]) -> Variation | None:
    """Return the variation of an objective's entry, None where it names none.

    Args:
        where: its key, as messages name it.

    Raises StudyError for a text that is no share of the value.
    """
    stated = entry.get("variation")
    if not stated:
        return None
    return Variation(tuple(_vary(f"{where}.variation", name, value) for name, value in stated.items()))


def _vary(where: str, name: str, value: Any) -> Vary:
    uniform = isinstance(value, Mapping) and "half_width" in value
    size = value["half_width" if uniform else "sd"] if isinstance(value, Mapping) else value
    if not isinstance(size, str):
        return Vary(name, float(size), uniform=uniform)
    found = _PERCENT.fullmatch(size.strip())
    if not found:
        raise StudyError(f"{where}.{name}: found '{size}', expected a number, or a share of the value such as '2 %'")
    if not float(found[1]):
        raise StudyError(f"{where}.{name}: found '{size}', expected more than 0 %")
    return Vary(name, float(found[1]) / 100, relative=True, uniform=uniform)
