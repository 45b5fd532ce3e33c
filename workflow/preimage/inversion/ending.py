"""When a local search has ended: one rule for every engine and method, and the restarts that follow from it.

The library that searches stops by rules of its own, which compare numbers that have units. Here an end is judged by
ratios alone, so that the verdict is the same in any unit and after any shift. With inputs scaled to [0, 1]:

1. A target counts as reached where the loss is as small as rounding, or a ten-thousandth of the tolerance, or a
   millionth of the output's spread allows.
2. Otherwise a probe goes a thousandth of the range down the slope, along the inputs that bounds and constraints leave
   free. Where the loss falls, the search has not ended. Where it rises, the end is a minimum if the largest decrease
   that the slope promises anywhere in the space (the criticality measure of Conn, Gould and Toint 2000, Trust-Region
   Methods, 12.1.4) is small beside the slope that the probe has climbed, or where the bottom of the parabola through
   both is closer than rounding. Where it stays the same, the loss is flat, which is no sign of a minimum.
3. Where outputs have limits, an end that misses one has not ended. Otherwise the slopes of the limited outputs are
   constraints of the way down, and what is followed on it is the Lagrangian: the loss, and each limit that holds the
   way at its price (the multiplier of that linear program), so that a limit's curvature counts.

What has not ended is searched again from there, on the scale of what it finds there, as long as that helps. An end that
fails all this is `not_converged`, whatever the library says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from preimage.core import polytope
from preimage.core.objective import Objective
from preimage.core.quickly import moved_quickly
from preimage.core.scaled import curved_slopes, curved_values
from preimage.core.space import Space
from preimage.inversion.descents import HELD, Ends, scaled_rows
from preimage.inversion.gradients import Line
from preimage.inversion.question import Question
from preimage.inversion.rounding import Rounding

PROBE, SMALL = 1e-3, 1e-3
MOST_RESTARTS = 10
# A start that has spent this is not begun again.
MOST_EVALUATIONS = 2000

FALLS = "the loss still falls here"
STEEP = "the slope has not vanished"
FLAT = "the loss is flat here, which shows no way to go"
BLIND = "no finite loss beside this point"
MISSES = "it misses a limit of an output"


def narrowed(question: Question) -> Objective:
    """Return the objective as a search should see it: intervals narrower by a millionth at each end, because a search
    from outside ends on the edge, where rounding decides whether the interval is reached."""
    return question.objective.narrowed(Rounding(question).spread)


class Verdict(NamedTuple):
    """What is found of n ends: why each is not `ok` (empty where it is), whether to go on, evaluations spent, and how
    much of the loss is rounding (n,)."""

    reason: list[str]
    again: np.ndarray
    evaluations: np.ndarray
    noise: np.ndarray


def until_ended(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    gradient: str,
    search: Callable[[np.ndarray, np.ndarray, bool], Ends],
) -> Ends:
    """Search from every start (n, d), and again from where a search has not ended, as long as that helps.

    Args:
        search: of owners (n,) and starts (n, d); the last argument says whether it is the first time.
    """
    ends = _inside(questions, owner, search(owner, X0, True), X0)
    judge = Judge(questions, movable, gradient)
    missed = ends.missed.copy()
    active = np.flatnonzero([s != "failed" for s in ends.status])
    spent, status, message, history = ends.evaluations.copy(), list(ends.status), list(ends.message), ends.history
    X, loss, slope = ends.X.copy(), ends.loss.copy(), ends.slope
    slope = np.full((len(X), int(movable.sum())), np.nan) if slope is None else slope.copy()
    for turn in range(MOST_RESTARTS + 1):
        found = judge(owner[active], X[active], loss[active], slope[active], missed[active])
        spent[active] += found.evaluations
        for k, reason in zip(active, found.reason, strict=True):
            status[k] = "not_converged" if reason else "ok"
        again = found.again & (spent[active] < MOST_EVALUATIONS) & (turn < MOST_RESTARTS)
        noise = found.noise[again]
        for k, reason, more in zip(active, found.reason, again, strict=True):
            message[k] += f"; {reason}" if reason and not more else ""
        if not again.any():
            break
        reasons = [r for r, more in zip(found.reason, again, strict=True) if more]
        active = active[again]
        later = _inside(questions, owner[active], search(owner[active], X[active], False), X[active])
        spent[active] += later.evaluations
        nearer, as_near = later.missed < missed[active], later.missed == missed[active]
        helped = nearer | (as_near & (later.loss < loss[active] - noise))
        for j, k in enumerate(active):
            message[k] += f"; begun again {later.message[j]}" if helped[j] else f"; {reasons[j]}"
        lower = nearer | (as_near & (later.loss < loss[active]))
        X[active[lower]], loss[active[lower]] = later.X[lower], later.loss[lower]
        missed[active[lower]] = later.missed[lower]
        slope[active[lower]] = np.nan if later.slope is None else later.slope[lower]
        history = [*history, *((len(history) + n, low, g) for n, low, g in later.history)]
        active = active[helped]
    return Ends(X, loss, spent, status, message, history, slope, missed)


def _inside(questions: Sequence[Question], owner: np.ndarray, ends: Ends, starts: np.ndarray) -> Ends:
    """Return ends moved onto the constraints, whole numbers left as they are, with the loss there and by how much it
    misses the limits of outputs; the start (n, d) where that can't be done."""
    ends = _on_constraints(questions, owner, ends, starts)
    if not questions[0].objective.limits:
        return ends
    _, violation = measured(questions, owner, ends.X)
    return ends._replace(violation=violation, evaluations=ends.evaluations + 1)


def within_limits(questions: Sequence[Question], owner: np.ndarray, ends: Ends, starts: np.ndarray) -> Ends:
    """Return ends that whole numbers have been put to: none is `ok` that misses a limit of an output, and where its
    start (n, d) is valid and misses them by less, that is kept instead."""
    if not questions[0].objective.limits:
        return ends
    X, loss, missed, message = ends.X.copy(), ends.loss.copy(), ends.missed.copy(), list(ends.message)
    misses = np.flatnonzero(~(missed == 0) & questions[0].space.contains(starts))
    if len(misses):
        at_start, by = measured(questions, owner[misses], starts[misses])
        nearer = by < missed[misses]
        back = misses[nearer]
        X[back], loss[back], missed[back] = starts[back], at_start[nearer], by[nearer]
        for k in back:
            message[k] += "; its start, which misses the limits of outputs by less, is kept"
    status = ["not_converged" if s == "ok" and m else s for s, m in zip(ends.status, ~(missed == 0), strict=True)]
    spent = ends.evaluations + np.isin(np.arange(len(X)), misses)
    return ends._replace(X=X, loss=loss, violation=missed, status=status, message=message, evaluations=spent)


def _on_constraints(questions: Sequence[Question], owner: np.ndarray, ends: Ends, starts: np.ndarray) -> Ends:
    space = questions[0].space
    if not (space.constraints or space.curved):
        return ends
    X = ends.X.copy()
    for k in np.unique(owner):
        mine = owner == k
        X[mine] = _in_space(_relaxed(questions[k].space), ends.X[mine], starts[mine])
    moved = np.flatnonzero((X != ends.X).any(axis=1))
    if not len(moved):
        return ends
    loss, spent = ends.loss.copy(), ends.evaluations.copy()
    slope = None if ends.slope is None else ends.slope.copy()
    loss[moved], _ = measured(questions, owner[moved], X[moved])
    spent[moved] += 1
    if slope is not None:
        slope[moved] = np.nan
    return ends._replace(X=X, loss=loss, evaluations=spent, slope=slope)


def _in_space(space: Space, X: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return points (n, d) moved into a space in one piece; where curved constraints don't let them, their starts."""
    if space.plain:
        return polytope.repair(space, X)[0]
    points, valid = moved_quickly(space, X)
    points = np.where(space.contains(X)[:, None], X, points)
    return np.where((valid | space.contains(X))[:, None], points, starts)


def _relaxed(space: Space) -> Space:
    """Return the space with separate values as numbers; categories stay, which no constraint names."""
    return replace(space, inputs=tuple(replace(i, integer=False, values=()) for i in space.inputs))


def measured(questions: Sequence[Question], owner: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and violation (n,) of each point (n, d), of the question that `owner` (n,) names; the model is asked
    once."""
    return _valued(questions, owner, questions[0].outputs(X))


def _valued(questions: Sequence[Question], owner: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    loss, violation = np.full((2, len(Y)), np.nan)
    for k in np.unique(owner):
        mine = owner == k
        loss[mine], violation[mine] = questions[k].objective.loss(Y[mine]), questions[k].objective.violation(Y[mine])
    return loss, violation


class Edge(NamedTuple):
    """The limits of outputs around a point: outputs (k,) and ends (k,) in units of each limit's scale, and the outputs'
    derivatives (k, n) by the movable inputs scaled to [0, 1]."""

    at: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slopes: np.ndarray

    @classmethod
    def of(cls, wanted: Objective, at: np.ndarray, slopes: np.ndarray) -> Edge:
        """Return the edge of an objective's limits."""
        low, high = (np.array([getattr(m, end) / m.scale for m in wanted.limits]) for end in ("low", "high"))
        return cls(at, low, high, slopes)


class Judge:
    """The rule, for the searches of some questions over the movable inputs (d,)."""

    def __init__(self, questions: Sequence[Question], movable: np.ndarray, gradient: str) -> None:
        self.questions, self.movable, self.gradient = questions, movable, gradient
        self.rounding = Rounding(questions[0])
        self.close = np.array([self.rounding.close(q.objective) for q in questions])

    def __call__(
        self,
        owner: np.ndarray,
        X: np.ndarray,
        loss: np.ndarray,
        slope: np.ndarray,
        violation: np.ndarray | None = None,
    ) -> Verdict:
        """Judge ends (n, d) with their loss (n,) and, where they are known, slopes over scaled movable inputs (n, k);
        the unknown ones that matter are filled in.

        Args:
            violation: by how much they miss the limits of outputs (n,); nothing, if left out.
        """
        n = len(X)
        missed = np.zeros(n, bool) if violation is None else ~(violation == 0)
        found = Verdict([MISSES if m else "" for m in missed], missed.copy(), np.zeros(n, int), np.zeros(n))
        far, edges = np.flatnonzero(~(loss <= self.close[owner]) & ~missed), dict[int, Edge]()
        far = far[[bool(self._own(owner[k]).any()) for k in far]]
        for k in map(int, far):
            wanted = self.questions[owner[k]].objective
            if np.isnan(slope[k]).any() or wanted.limits:
                line = Line(self.questions[owner[k]], X[k], movable=self._own(owner[k]))
                slope[k] = line.over(self.movable, line.derivative(self.gradient, line.start)[1])
                found.evaluations[k] += line.evaluations
                if wanted.limits:
                    at, slopes = line.edges[line.start.tobytes()]
                    edges[k] = Edge.of(wanted, at, line.over(self.movable, slopes))
            found.noise[k] = self.rounding.noise(wanted, float(loss[k]), slope[k], self.movable)
        # A step of the inputs' own rounding may be worth the whole loss.
        reach = np.abs(slope[far]) @ self.rounding.inputs[self.movable]
        bounded = self.questions[0].objective.bounded
        far = far[~(bounded & (reach >= loss[far]))]
        self._probe(found, far, owner, X, loss, slope, edges)
        return found

    def _own(self, k: int) -> np.ndarray:
        """Return which inputs move in the space of a question (d,)."""
        return np.asarray(self.movable & self.questions[k].space.free)

    def _probe(
        self,
        found: Verdict,
        far: np.ndarray,
        owner: np.ndarray,
        X: np.ndarray,
        loss: np.ndarray,
        slope: np.ndarray,
        edges: Mapping[int, Edge],
    ) -> None:
        """Fill in what is found of ends whose target is not reached (`far`), all of which are probed in one call."""
        if not len(far):
            return
        bounded, spaces = self.questions[0].objective.bounded, {k: self.questions[owner[k]].space for k in far}
        ways = [descent(spaces[k], X[k], slope[k], self.movable, edges.get(k)) for k in far]
        P = np.array([stepped(spaces[k], X[k], way.step, self.movable) for k, way in zip(far, ways, strict=True)])
        Y = self.questions[0].outputs(P)
        rises = _valued(self.questions, owner[far], Y)[0] - loss[far]
        found.evaluations[far] += 1
        for k, way, rise, y in zip(far, ways, rises, Y, strict=True):
            steepness = slope[k]
            if k in edges:
                wanted, edge = self.questions[owner[k]].objective, edges[k]
                rise += way.prices @ (np.array([y[m.column] / m.scale for m in wanted.limits]) - edge.at)
                steepness = steepness + way.prices @ edge.slopes
                found.noise[k] += np.abs(way.prices) @ self.rounding.of_limits(wanted)
            reason = verdict(way, rise, float(-steepness @ way.step), found.noise[k], loss[k] if bounded else None)
            if reason == FLAT:
                reason, spent = self._flat(self.questions[owner[k]], X[k], loss[k], way, found.noise[k])
                found.evaluations[k] += spent
            found.reason[k] = reason
            found.again[k] = bool(reason) and bool(slope[k].any())

    def _flat(self, question: Question, x: np.ndarray, loss: float, way: Way, noise: float) -> tuple[str, int]:
        """Return what is said of an end (d,) beside which the loss does not change, and what it took to find out."""
        bounded = question.objective.bounded
        if bounded and question.objective.met(question.outputs(x[None]))[0]:
            return "", 1
        if not way.held:
            return FLAT, int(bounded)
        # The slope presses against bounds. The other inputs may have no effect at all, or none near here.
        steps = [PROBE * way.free, *(side * way.free for side in (1.0, -1.0))] if way.free.any() else []
        P = np.array([stepped(question.space, x, step, self.movable) for step in steps])
        rise = question.loss(P) - loss if len(P) else np.zeros(3)
        if rise[0] > noise or (not (rise[1:] < -noise).any() and not (bounded and (np.abs(rise[1:]) > noise).any())):
            return "", len(P) + bounded
        return FLAT, len(P) + bounded


def verdict(way: Way, rise: float, fall: float, noise: float, left: float | None) -> str:
    """Return why an end is no minimum, empty where it is one.

    Args:
        rise, fall: how the loss changed on the way to the probe, and the decrease that the slope promised there.
        noise: how much of a loss is rounding.
        left: the loss, where it can fall to 0 at most.
    """
    if not np.isfinite(rise):
        return BLIND
    if rise < -noise:
        return FALLS
    if rise <= noise:
        return FLAT
    if left is not None:
        return "" if way.promised <= SMALL * left else STEEP
    gain = fall**2 / (4 * (rise + fall)) if fall > 0 else 0.0
    return "" if way.promised <= SMALL * rise / PROBE or gain <= noise else STEEP


class Way(NamedTuple):
    """The way down from a point, over the movable inputs scaled to [0, 1].

    Attributes:
        promised: the largest decrease of the loss that its slope promises within bounds and constraints.
        step: of `PROBE` of the range, downwards (k,); towards the middle where the slope is exactly 0.
        free: 1 or -1 for inputs that no bound holds (k,), 0 for others.
        held: whether some slope is left, which bounds, constraints or limits hold.
        prices: what the loss would fall by, per unit by which each limited output could be larger; negative where it
            would be by a smaller output.
    """

    promised: float
    step: np.ndarray
    free: np.ndarray
    held: bool
    prices: np.ndarray = np.empty(0)


def descent(space: Space, x: np.ndarray, slope: np.ndarray, movable: np.ndarray, edge: Edge | None = None) -> Way:
    """Return the way down from a point (d,) where the slope is (k,), along the limits of outputs if there are any."""
    u = _scaled(space, x, movable)
    steepest = np.abs(slope).max()
    inward = np.where(u < 0.5, 1.0, -1.0)
    if space.constraints or space.curved or edge is not None:
        way, prices = _furthest(space, x, slope / steepest if steepest > 0 else -inward, movable, edge)
        promised, prices = max(0.0, float(-slope @ way)), prices * steepest
        held = steepest > 0 and promised <= HELD * steepest
        step = way * PROBE / max(np.abs(way).max(), PROBE)
        none = 0 * step
        return Way(0.0, none, none, True, prices) if held else Way(promised, step, np.sign(step), False, prices)
    if steepest == 0:
        return Way(0.0, PROBE * inward, inward, False)
    room = np.where(slope > 0, u, 1 - u)
    room = np.where(room > HELD, room, 0.0)
    # An input that all but touches its bound counts by what is left.
    free = slope * np.minimum(1.0, room / PROBE)
    promised, largest = float(np.abs(slope) @ room), np.abs(free).max()
    step = np.clip(u - PROBE * free / largest, 0, 1) - u if largest > 0 else 0 * u
    return Way(promised, step, np.where(room > 0, inward, 0.0), promised <= SMALL * steepest)


def _scaled(space: Space, x: np.ndarray, movable: np.ndarray) -> np.ndarray:
    """Return a point's movable inputs (k,), scaled to [0, 1]; 0 where a piece of the space leaves no room."""
    width = (space.high - space.low)[movable]
    return np.clip((x - space.low)[movable] / np.where(width > 0, width, 1.0), 0, 1)


def stepped(space: Space, x: np.ndarray, step: np.ndarray, movable: np.ndarray) -> np.ndarray:
    """Return a point (d,) moved by a step (k,) of its movable inputs, scaled to [0, 1], as far as bounds allow."""
    moved = x.copy()
    moved[movable] += step * (space.high - space.low)[movable]
    return np.clip(moved, space.low, space.high)


def _furthest(
    space: Space, x: np.ndarray, slope: np.ndarray, movable: np.ndarray, edge: Edge | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the step (k,) inside bounds and constraints, and limits as their slopes have them, that goes furthest down
    a slope, by a linear program; and the price of each limit."""
    A, low, high = scaled_rows(space, x, movable)
    u, room = _scaled(space, x, movable), (space.high > space.low)[movable]
    at, count = A @ u, 0
    if space.curved:
        A, at, low, high = _with_curves(space, x, movable, (A, at, low, high))
    if edge is not None:
        A, at, count = np.vstack([A, edge.slopes]), np.concatenate([at, edge.at]), len(edge.at)
        low, high = np.concatenate([low, edge.low]), np.concatenate([high, edge.high])
    # A point may be outside by a rounding, which must not make the program infeasible.
    rows, limits = np.vstack([A, -A]), np.maximum(np.concatenate([high - at, at - low]), 0.0)
    use = np.isfinite(limits)
    solved = linprog(slope, A_ub=rows[use], b_ub=limits[use], bounds=np.column_stack([-u, 1 - u]) * room[:, None])
    if solved.x is None:
        return np.zeros_like(u), np.zeros(count)
    prices = np.zeros(len(limits))
    prices[use] = -solved.ineqlin.marginals
    above, below = np.split(prices, 2)
    return solved.x, (above - below)[len(A) - count :]


def _with_curves(
    space: Space, x: np.ndarray, movable: np.ndarray, rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (matrix, values, low, high) with those that curved constraints are around a point (d,)."""
    scale, width = space.curved_scale, (space.high - space.low)[movable]
    slopes = curved_slopes(space, x)[:, movable] * width / scale[:, None]
    ends = np.array([(c.low, c.high) for c in space.curved]) / scale[:, None]
    own = np.nan_to_num(slopes), curved_values(space, x) / scale, ends[:, 0], ends[:, 1]
    matrix, *others = (np.concatenate(pair) for pair in zip(rows, own, strict=True))
    return matrix, others[0], others[1], others[2]
