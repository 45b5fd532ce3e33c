"""Models of series: parameters in, observed series out. Their functions compute with whatever numbers they are given
(NumPy's real, complex and long ones, or JAX's while it traces), so that every kind of derivative can be had of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

Parameters = Mapping[str, Any]


class Known(NamedTuple):
    """What a model may know of the data beside its parameters.

    Attributes:
        first: the observed series at their first row, by name.
        population: as the study says it; NaN where it doesn't.
    """

    first: Mapping[str, Any]
    population: Any = float("nan")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a model says of its series.

    Attributes:
        observed: names of the observed series, in order.
        cumulative: which of these are counts that can't fall.
        columns: by series, the column of a table that holds it where a study names none.
        sticky: parameters that lose all effect at a lower bound of 0, so that a search that lands there stays: it may
            only halve them in a step.
        population: whether the model needs one.
        daily: whether there is to be a row for every day, where rows have dates.
        begins: series whose first value the model begins with.
        own: whether it is the user's: its clock is theirs, and its rates may jump in time or be stiff.
        traceable: whether JAX can trace the functions.
    """

    observed: tuple[str, ...]
    cumulative: frozenset[str] = frozenset()
    columns: tuple[tuple[str, str], ...] = ()
    sticky: frozenset[str] = frozenset()
    population: bool = False
    daily: bool = False
    begins: frozenset[str] = frozenset()
    own: bool = False
    traceable: bool = True


@dataclass(frozen=True)
class Dose:
    """A jump of one state, at each of some times.

    Attributes:
        state: position of the state.
        amount: (p) to what is added to it.
        first: whether a row at the very time of the dose is from before it.
    """

    state: int
    amount: Callable[[Parameters], Any]
    first: bool = True


@dataclass(frozen=True, kw_only=True)
class Dynamics(Observed):
    """A system of ordinary differential equations.

    Attributes:
        states: names of the states, in order.
        rates: (t, y, p, known, xp) to the derivatives of the states by time; y a list of them, p by name, xp numpy or
            jax.numpy.
        initial: (p, known) to the states at the origin: at the first row of the data unless a study says otherwise.
        observe: (y, p) to the observed series, y a list of arrays over time.
        before: (p) to the parameters under which the states have come to rest before the origin; None where they begin
            with their initial values.
        doses: what makes states jump.
    """

    states: tuple[str, ...]
    rates: Callable[[Any, Sequence[Any], Parameters, Known, ModuleType], Sequence[Any]]
    initial: Callable[[Parameters, Known], Sequence[Any]]
    observe: Callable[[Sequence[Any], Parameters], Sequence[Any]]
    before: Callable[[Parameters], Parameters] | None = None
    doses: tuple[Dose, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curve(Observed):
    """Plain regression: y = f(x; parameters), without a differential equation.

    Attributes:
        function: (x, p, xp) to the observed series; x by column of the data.
        at: the columns that x holds.
    """

    function: Callable[[Mapping[str, Any], Parameters, ModuleType], Sequence[Any]]
    at: tuple[str, ...]


Model = Dynamics | Curve


def floored(value: Any, least: float, xp: ModuleType) -> Any:
    """Return a value kept at `least` or above by its real part: no logarithm of 0, for complex numbers too."""
    return xp.where(value.real > least, value, least)
