"""A space as a mixed-integer linear program: which pieces it has, and which valid point is nearest.

Inputs are counted in units of their ranges, so that the solver's tolerances have no unit. What is 0 or at least some
amount, counts, exclusions and listed values are switches (variables that are 0 or 1) between pieces of the space; big
numbers that switch a row off are those that the bounds give. Curved constraints are left aside. Solved by HiGHS through
scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from preimage.core.conditions import Condition, Count, Exclusion
from preimage.core.inputs import Input
from preimage.core.pieces import beside, kept_apart, outside
from preimage.core.scaled import Units
from preimage.core.space import Space
from preimage.support.errors import StudyError

# scipy.optimize.milp's status where it has proved that there is no solution.
INFEASIBLE = 2
# Values of an input that are this share of their step off a regular one are regular.
REGULAR = 1e-9

Cut = Callable[[list[Input], np.ndarray], None]


@lru_cache(maxsize=16)
def program(space: Space, apart: bool = True) -> Program:
    """Return the program of a space, without its curved constraints; see `Program`."""
    return Program(space.straight, apart)


class Program:
    """Variables: the inputs in units of their ranges, then switches and counters.

    Attributes:
        apart: whether numbers that must differ from a reference keep some way off it, so that a solver can tell; a
            proof needs that they may come as near as they like.
        low, high, whole: of the variables.
        rows: coefficients by variable, and both ends.
        switches: variables of 0 or 1 that tell pieces apart.
    """

    def __init__(self, space: Space, apart: bool = True) -> None:
        self.space, self.units, self.apart = space, Units.of(space), apart
        self.low, self.high = self.units.low.tolist(), self.units.high.tolist()
        self.whole = [bool(w) for w in space.discrete]
        self.rows: list[tuple[Mapping[int, float], float, float]] = []
        self.switches: list[int] = []
        self._cuts: list[Cut] = []
        self._by_value: dict[int, dict[float, int]] = {}
        # Switches of inputs that differ from a reference, and those that may be on however near to it the input is.
        self._differs: dict[tuple[int, float], int] = {}
        self._near: set[tuple[int, float]] = set()
        for row, low, high in zip(self.units.matrix, self.units.row_low, self.units.row_high, strict=True):
            self.row(dict(enumerate(row.tolist())), low, high)
        for j, i in enumerate(space.inputs):
            if i.gapped:
                self._gap(j, i)
            elif len(i.allowed) > 1:
                self._listed(j, i)
        for count in space.counts:
            self._count(count)
        for exclusion in space.exclusions:
            self._exclusion(exclusion)

    # -- building ----------------------------------------------------------------------------------------------------

    def variable(self, low: float, high: float) -> int:
        """Add a whole number."""
        self.low.append(low)
        self.high.append(high)
        self.whole.append(True)
        return len(self.low) - 1

    def switch(self) -> int:
        self.switches.append(self.variable(0.0, 1.0))
        return self.switches[-1]

    def row(self, terms: Mapping[int, float], low: float = -np.inf, high: float = np.inf) -> None:
        self.rows.append((terms, low, high))

    def scaled(self, j: int, value: float) -> float:
        return float((value - self.units.offset[j]) / self.units.unit[j])

    def _gap(self, j: int, i: Input) -> None:
        """An input that is 0, or at least some amount where its switch is on."""
        on = self.switch()
        self.row({j: 1.0, on: -self.high[j]}, high=0.0)
        self.row({j: 1.0, on: -self.scaled(j, i.least)}, low=0.0)
        self._differs[j, 0.0] = on

        def cut(inputs: list[Input], solution: np.ndarray) -> None:
            free = inputs[j]
            inputs[j] = free.within(i.least, i.high) if solution[on] > 0.5 else _pinned(free, 0.0)

        self._cuts.append(cut)

    def _listed(self, j: int, i: Input) -> None:
        """An input of listed values: a number of steps, on top of a first value or of 0; or one switch a value."""
        values = i.allowed
        for skip in (0, 1):
            first, steps = values[skip], np.diff(values[skip:])
            if values[0] not in (first, 0.0) or len(steps) == 0 or np.ptp(steps) > REGULAR * steps[0]:
                continue
            count = self.variable(0.0, float(len(steps)))
            step = float(values[-1] - first) / len(steps) / self.units.unit[j]
            if not skip:
                self.row({j: 1.0, count: -step}, self.scaled(j, first), self.scaled(j, first))
                return
            on, zero = self.switch(), self.scaled(j, 0.0)
            self.row({j: 1.0, count: -step, on: zero - self.scaled(j, first)}, zero, zero)
            self.row({count: 1.0, on: -float(len(steps))}, high=0.0)
            self._differs[j, 0.0] = on
            return
        self._switched(j, values)

    def _switched(self, j: int, values: np.ndarray) -> dict[float, int]:
        """Return a switch for each value of an input, one of which is on."""
        if j not in self._by_value:
            found = {float(v): self.variable(0.0, 1.0) for v in values}
            self.row(dict.fromkeys(found.values(), 1.0), 1.0, 1.0)
            self.row({j: 1.0, **{k: -self.scaled(j, v) for v, k in found.items()}}, 0.0, 0.0)
            self._by_value[j] = found
        return self._by_value[j]

    def _codes(self, j: int) -> dict[float, int]:
        """Return the switches of a category's codes."""
        found = self._switched(j, np.arange(self.space.low[j], self.space.high[j] + 1))

        def cut(inputs: list[Input], solution: np.ndarray) -> None:
            inputs[j] = _pinned(inputs[j], max(found, key=lambda v: solution[found[v]]))

        self._cuts.append(cut)
        return found

    def _count(self, count: Count) -> None:
        """So many inputs differ from their references."""
        terms: dict[int, float] = {}
        always = 0
        for j, reference in zip(self.space.at(count), count.reference, strict=True):
            switch = self._differing(j, reference, apart=count.least > 0)
            if switch is None:
                always += self.space.low[j] != reference or self.space.high[j] != reference
            else:
                terms[switch] = 1.0
        self.row(terms, count.least - always, count.most - always)

    def _differing(self, j: int, reference: float, apart: bool) -> int | None:
        """Return the switch that is on where an input differs from a reference; None where it always or never does."""
        i = self.space.inputs[j]
        if i.fixed is not None or i.low == i.high or not i.allows(reference):
            return None
        known = self._differs.get((j, reference))
        on = self.switch() if known is None else known
        if known is None and i.categories:
            self.row({on: 1.0, self._codes(j)[reference]: 1.0}, 1.0, 1.0)
        elif known is None and j in self._by_value:
            self.row({on: 1.0, self._by_value[j][reference]: 1.0}, 1.0, 1.0)
        elif known is None:
            at = self.scaled(j, reference)
            self.row({j: 1.0, on: at - self.high[j]}, high=at)
            self.row({j: 1.0, on: at - self.low[j]}, low=at)
            self._near.add((j, reference))
        if apart and (j, reference) in self._near:
            self._near.remove((j, reference))
            self._apart(j, reference, on)
        self._differs[j, reference] = on

        def cut(inputs: list[Input], solution: np.ndarray) -> None:
            if solution[on] < 0.5:
                inputs[j] = _pinned(inputs[j], reference)
            elif apart and inputs[j].allows(reference):
                value = self.units.back(solution[: len(inputs)])[j]
                inputs[j] = kept_apart(inputs[j], reference, value, self.space.width[j])

        self._cuts.append(cut)
        return on

    def _apart(self, j: int, reference: float, on: int) -> None:
        """An input whose switch is on is some way above or below its reference."""
        i = self.space.inputs[j]
        if not (self.apart or i.whole or i.values):
            return
        below, above = beside(i, reference, self.space.width[j])
        sides = []
        if above <= i.high:
            sides.append(self.switch())
            self._only_above(j, above, sides[-1])
        if below >= i.low:
            sides.append(self.switch())
            self._only_below(j, below, sides[-1])
        self.row({**dict.fromkeys(sides, 1.0), on: -1.0}, low=0.0)

    def _only_above(self, j: int, value: float, switch: int) -> None:
        at = self.scaled(j, value)
        self.row({j: 1.0, switch: self.low[j] - at}, low=self.low[j])

    def _only_below(self, j: int, value: float, switch: int) -> None:
        at = self.scaled(j, value)
        self.row({j: 1.0, switch: self.high[j] - at}, high=self.high[j])

    def _exclusion(self, exclusion: Exclusion) -> None:
        """One of the conditions is not met, at least."""
        ways: list[int] = []
        for j, condition in zip(self.space.at(exclusion), exclusion.conditions, strict=True):
            i = self.space.inputs[j]
            if i.fixed is not None or i.low == i.high:
                if not condition.met(self.space.low[j : j + 1])[0]:
                    return
            elif condition.codes:
                ways.append(self.switch())
                codes = self._codes(j)
                met = {codes[float(c)]: 1.0 for c in condition.codes if float(c) in codes}
                self.row({ways[-1]: 1.0, **met}, high=1.0)
            else:
                ways += self._outside(j, i, condition)
        self.row(dict.fromkeys(ways, 1.0), low=1.0)

    def _outside(self, j: int, i: Input, condition: Condition) -> list[int]:
        """Return the switches that keep an input below a condition's interval, and above it."""
        under, over = outside(i, condition.low, condition.high)
        found = []
        if np.isfinite(under):
            found.append(self.switch())
            self._only_below(j, under, found[-1])
            self._cuts.append(_kept_within(j, found[-1], -np.inf, under))
        if np.isfinite(over):
            found.append(self.switch())
            self._only_above(j, over, found[-1])
            self._cuts.append(_kept_within(j, found[-1], over, np.inf))
        return found

    # -- solving -----------------------------------------------------------------------------------------------------

    def solve(self, cost: np.ndarray, rows: Sequence[Any] = ()) -> np.ndarray | None:
        """Return the variables where the cost is least, up to the solver's tolerance; None where no point is valid.

        Args:
            cost: of each variable, and of further ones that are at least 0.
            rows: further scipy constraints on all of them.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        more = len(cost) - len(self.low)
        constraints = [LinearConstraint(*self._matrix(len(cost)))] if self.rows else []
        solve = partial(
            milp,
            cost,
            constraints=[*constraints, *rows],
            bounds=Bounds(np.r_[self.low, np.zeros(more)], np.r_[self.high, np.full(more, np.inf)]),
            integrality=np.r_[self.whole, np.zeros(more, bool)],
        )
        options = {"mip_rel_gap": 0.0} if cost.any() else {}
        solution = solve(options=options)
        if solution.x is None and solution.status != INFEASIBLE:
            solution = solve(options={**options, "presolve": False})
        if solution.x is None and solution.status != INFEASIBLE:
            raise StudyError(f"constraints: the solver gave up ({solution.message})")
        return None if solution.x is None else np.asarray(solution.x, float)

    def _matrix(self, n: int) -> tuple[Any, np.ndarray, np.ndarray]:
        from scipy.sparse import csc_array

        entries = [(k, v, c) for k, (terms, _, _) in enumerate(self.rows) for v, c in terms.items() if c != 0]
        at, variables, coefficients = zip(*entries, strict=True) if entries else ((), (), ())
        matrix = csc_array((coefficients, (at, variables)), shape=(len(self.rows), n))
        return matrix, np.array([low for _, low, _ in self.rows]), np.array([high for _, _, high in self.rows])

    def point(self) -> np.ndarray | None:
        """Return a point (d,) that is valid up to the solver's tolerance; None where there is none."""
        found = self.solve(np.zeros(len(self.low)))
        return None if found is None else self.back(found)

    def back(self, solution: np.ndarray) -> np.ndarray:
        return self.units.back(solution[: len(self.space.inputs)])

    def nearest(self, x: np.ndarray, without: list[np.ndarray]) -> np.ndarray | None:
        """Return the variables of the valid point nearest to x (d,): min sum t, |x' - x| <= t width, categories that
        change counted as 1 each.

        Args:
            without: solutions whose pieces are left out.
        """
        from scipy.optimize import LinearConstraint

        d, n, u = len(x), len(self.low), self.units
        wanted = (x - u.offset) / u.unit
        eye, gap = np.eye(d), np.zeros((d, n - d))
        spread = np.diag(self.space.width / u.unit)
        rows = [
            LinearConstraint(np.hstack([eye, gap, -spread]), -np.inf, wanted),
            LinearConstraint(np.hstack([eye, gap, spread]), wanted, np.inf),
        ]
        cost = np.concatenate([np.zeros(n), np.ones(d)])
        for j in np.flatnonzero(self.space.categorical).tolist():
            if j in self._by_value and x[j] in self._by_value[j]:
                cost[n + j] = 0.0
                cost[[k for v, k in self._by_value[j].items() if v != x[j]]] = 1.0
        rows += [self._other_than(s, n + d) for s in without]
        return self.solve(cost, rows)

    def random(self, rng: np.random.Generator) -> np.ndarray | None:
        """Return the variables of a valid point in a random direction of inputs and switches."""
        return self.solve(rng.standard_normal(len(self.low)))

    def _other_than(self, solution: np.ndarray, n: int) -> Any:
        """Return the row that at least one switch is set otherwise."""
        from scipy.optimize import LinearConstraint

        on = solution[self.switches] > 0.5
        row = np.zeros(n)
        row[self.switches] = np.where(on, -1.0, 1.0)
        return LinearConstraint(row, 1.0 - on.sum(), np.inf)

    def piece(self, solution: np.ndarray) -> Space:
        """Return the piece of the space that the switches of a solution stand for."""
        if not self.space.in_pieces:
            return self.space
        inputs = list(self.space.inputs)
        for cut in self._cuts:
            cut(inputs, solution)
        return Space(tuple(inputs), self.space.constraints)


def _pinned(i: Input, value: float) -> Input:
    return i if i.fixed is not None else replace(i, fixed=value, zero_or=None)


def _kept_within(j: int, switch: int, low: float, high: float) -> Cut:
    def cut(inputs: list[Input], solution: np.ndarray) -> None:
        if solution[switch] > 0.5:
            inputs[j] = inputs[j].within(low, high)

    return cut
