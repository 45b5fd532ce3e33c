"""What every objective is: a loss of the outputs that is always minimised, and when it counts as met."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from preimage.core.objective.limits import Limit, interval_ends
from preimage.core.objective.reference import Reference
from preimage.core.space import Space
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# Losses are equal where they agree to this share of what the training rows span.
SAME = 1e-6
# Where a study names no tolerance: this share of the training rows' range of the output.
DEFAULT_TOLERANCE = 0.01


class Goal(NamedTuple):
    """Interval and unit of each named output (k,); for minimize and maximize, `low` holds the weights."""

    low: Any
    high: Any
    scale: Any


class Known(NamedTuple):
    """What is known of the outputs of the training rows, all of them in order; None where nothing is.

    Attributes:
        spread, reach: standard deviation and range of each output (m,).
        rows: the outputs themselves (n, m), without which nothing is known of the range of a sum.
    """

    spread: Sequence[float] | None = None
    reach: Sequence[float] | None = None
    rows: np.ndarray | None = None


@dataclass(frozen=True)
class Objective(ABC):
    """One objective; each kind is a class of its own, registered by the key that a study names it with.

    Attributes:
        columns: position of each named output in Y.
        low, high: interval of each named output (equal for `target`; weights for minimize and maximize).
        tolerance: how far each named output may be from the interval and still count as met; for minimize and
            maximize one number, how far from the best found counts as a solution as good.
        scale: unit of each named output in the loss.
        fixed: inputs pinned for this objective alone.
        committee: options of the committee that ranks candidates (see `preimage.inversion.committee`), None without.
        unit: what the training rows span: of minimize and maximize the range of what is summed, of values to meet the
            range of the outputs in units of `scale` (root mean square); 1 where nothing is known of them. Of a fit 1
            where its loss has no unit, 0 where it has that of the data.
        limits: what other outputs must keep to, or these.
        middle: a typical loss of the training rows, from which `merit` counts.
        near: inputs that the answer should be near, which decide between answers then rather than the loss: what is
            wanted of the outputs is among the limits.
    """

    kinds: ClassVar[dict[str, type[Objective]]] = {}
    kind: ClassVar[str]
    # Whether there are values to meet, rather than a direction to go.
    bounded: ClassVar[bool] = False
    # Whether the answer is a front of points rather than one (`preimage.core.objective.pareto`).
    front: ClassVar[bool] = False
    # What a direction's sum is multiplied with, so that less is better.
    sign: ClassVar[float] = 1.0

    name: str
    outputs: tuple[str, ...]
    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    tolerance: tuple[float, ...]
    scale: tuple[float, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    committee: Mapping[str, Any] | None = None
    unit: float = 1.0
    limits: tuple[Limit, ...] = ()
    middle: float = 0.0
    near: Reference | None = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "kind" in vars(cls):
            Objective.kinds[cls.kind] = cls

    @classmethod
    @abstractmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Build an objective from a study's entry (see `preimage.core.objective.build`)."""

    @staticmethod
    @abstractmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Return the loss of named outputs (..., k), shape (...,); `goal` may be traced by JAX."""

    @abstractmethod
    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of the loss by the outputs, (n, m), at outputs (n, m)."""

    @abstractmethod
    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) satisfy the objective, shape (n,).

        For minimize, maximize and fit there is no such thing by itself: there a loss near that of `best` counts. What
        misses a limit satisfies nothing.
        """

    def achieved(self, Y: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return which outputs (n, m) are as wanted, (n,): they satisfy the objective.

        Args:
            known: outputs of rows that keep the limits (k, m), which a direction has to beat.
        """
        return self.met(Y)

    @abstractmethod
    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of what the training rows span."""

    @abstractmethod
    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""

    @property
    def entry(self) -> str:
        """The study's entry that this objective is of: `many` for `many.7`, the seventh row after the first."""
        return self.name.partition(".")[0]

    @property
    def involved(self) -> tuple[str, ...]:
        """The named outputs, and after them the others that have limits."""
        return tuple(dict.fromkeys([*self.outputs, *(limit.output for limit in self.limits)]))

    @property
    def margin(self) -> np.ndarray:
        """How far each named output may be outside its interval and still meet it, (k,)."""
        return np.zeros(len(self.outputs))

    @property
    def enough(self) -> float:
        """The largest loss of outputs that meet the values; infinite where there are none."""
        return np.inf

    @property
    def goal(self) -> Goal:
        """The numbers of the loss, apart from its form."""
        return Goal(*(np.array(values, float) for values in (self.low, self.high, self.scale)))

    def loss(self, Y: Any, xp: Any = np) -> Any:
        """Return the loss of outputs (n, m), shape (n,); NaN where a named output is NaN.

        Args:
            xp: numpy, or jax.numpy for a loss that JAX can trace. Complex outputs are taken as such (the distance is
                chosen by the real part), so that a complex step through this loss gives its derivative.
        """
        return self.loss_of(Y[:, np.array(self.columns)], self.goal, xp)

    @property
    def loss_unit(self) -> float:
        """The unit of the loss that `unit` makes."""
        return self.unit

    def violation(self, Y: np.ndarray) -> np.ndarray:
        """Return by how much outputs (n, m) miss the limits, shape (n,): exactly 0 where all hold, else the largest
        distance in units of each limit's scale."""
        return np.max([np.zeros(len(Y)), *(limit.violation(Y) for limit in self.limits)], axis=0)

    def merit(self, Y: np.ndarray) -> np.ndarray:
        """Return what a search that sees one number minimises at outputs (n, m), shape (n,): the loss; with limits, a
        number in whose order everything that keeps the limits comes first, by its loss, and the rest follows by its
        violation."""
        if not self.limits:
            return np.asarray(self.loss(Y))
        violation = self.violation(Y)
        far = (self.loss(Y) - self.middle) / (self.loss_unit or 1.0)
        return np.where(violation == 0, far / (1 + np.abs(far)), 1 + violation)

    def loss_of_merit(self, merit: float) -> float:
        """Return the loss that has this merit; infinite where that misses the limits."""
        if not self.limits:
            return merit
        return self.middle + (self.loss_unit or 1.0) * merit / (1 - abs(merit)) if abs(merit) < 1 else np.inf

    @property
    def nominal(self) -> Objective:
        """The objective of a single point: itself, unless inputs vary (`preimage.core.objective.varied`)."""
        return self

    def ranking(self, Y: np.ndarray) -> np.ndarray:
        """Return numbers in whose order outputs (n, m) rank, shape (n,); NaN where there are none."""
        return self.merit(Y)

    @property
    def by_loss(self) -> bool:
        """Whether the smallest loss is sought, rather than any that meets values."""
        return not self.bounded or self.near is not None

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found, where there are no values to meet."""
        return best + self.tolerance[0]

    def completed(self, text: str, units: Mapping[str, str] | None = None) -> str:
        """Return words of the objective with those of its limits and fixed inputs."""
        if limits := [limit.words(units) for limit in self.limits if not limit.wanted]:
            text = f"{text} with {' and '.join(limits)}"
        kept = self.near.kept if self.near else {}
        if fixed := {name: value for name, value in self.fixed.items() if name not in kept}:
            text = f"{text} at " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in fixed.items())
        return f"{text}, {self.near.task}" if self.near else text

    def allowed(self, space: Space) -> Space:
        """Return the part of a space that answers may lie in."""
        return (self.near.allowed(space) if self.near else space).fix(self.fixed)

    def narrowed(self, spread: np.ndarray) -> Objective:
        """Return the objective as a search should see it, given the outputs' spread (m,): some end on an edge."""
        return replace(self, limits=tuple(limit.narrowed() for limit in self.limits)) if self.limits else self


def where(name: str) -> str:
    """Return the key of an objective's entry, as messages name it."""
    return f"objectives.{name.partition('.')[0]}"


def columns_of(name: str, kind: str, terms: Mapping[str, Any], outputs: Sequence[str]) -> tuple[int, ...]:
    """Return the position of each named output. Raises StudyError for an unknown one."""
    for output in terms:
        if output not in outputs:
            raise StudyError(f"{where(name)}.{kind}: unknown output '{output}'{did_you_mean(output, outputs)}")
    return tuple(list(outputs).index(o) for o in terms)


def ends_of(name: str, terms: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return both ends of each output's interval; both are the value, or the weight, where that is one number."""
    pairs = [interval_ends(v if isinstance(v, list | tuple | Mapping) else (v, v)) for v in terms.values()]
    low, high = (tuple(pair[k] for pair in pairs) for k in (0, 1))
    for output, a, b in zip(terms, low, high, strict=True):
        if a > b:
            said = f"low {digits.plain(a)} is above high {digits.plain(b)}"
            raise StudyError(f"{where(name)}.within.{output}: {said}")
    return low, high


def tolerances_of(name: str, spec: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[str, float]:
    """Return the tolerances that a study states, by output; a number is that of each."""
    stated = spec.get("tolerance")
    if not isinstance(stated, Mapping):
        return {} if stated is None else dict.fromkeys(terms, float(stated))
    for output in stated:
        if output not in terms:
            raise StudyError(f"{where(name)}.tolerance: unknown output '{output}'{did_you_mean(output, terms)}")
    return {output: float(value) for output, value in stated.items()}


def committee_of(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the options of the committee, where a study asks for one."""
    value = spec.get("committee")
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value else None
