"""The window around a candidate in which an objective provably holds on a model with a form that is bounded on boxes.

Bounds of such a model come near its values in small boxes alone, so there is no largest window to be found, as trees
have (`trees.tolerance_box`): one is grown from the candidate, proof by proof. First of equal relative reach in every
number, then the narrowest input first, as far as it can be proven. A proof splits what is not proven yet, until a point
says otherwise or there are too many boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from preimage.core.formulas import NONE
from preimage.core.objective import Limit, Objective
from preimage.core.space import Space
from preimage.exact import bounding
from preimage.exact.conflict import AnyPoint
from preimage.exact.forms import Form
from preimage.exact.values import Parts
from preimage.trees.objective import refuse_unknown_loss
from preimage.trees.shares import widths
from preimage.trees.tolerance_box import Window, interval

# Boxes that one proof may take, and all the proofs of a window together.
PROOF, WORK = 128, 1000
# Inputs of a window that are tried before a proof.
SAMPLES = 128
# Halvings of the relative reach from which a window is grown, and of a step by which one end is.
REACHES, STEPS = 12, 5
# An end is widened by a quarter of its width; by no less than this share of the range.
LEAST_STEP = 1e-3


def window(
    form: Form,
    predict: Callable[[np.ndarray], np.ndarray],
    space: Space,
    objective: Objective,
    x: np.ndarray,
    best: float | None = None,
) -> Window | None:
    """Return a window around a point x (d,); None where the objective, or a limit, does not hold at x itself, or where
    nothing could be proven around it.

    Args and errors are those of `trees.tolerance_box.tolerance_box`; `predict` are the model's own outputs (n, m).
    """
    refuse_unknown_loss(objective)
    form.check()
    plain = Space(space.inputs)
    low, high = interval(objective, predict(x[None]), best)
    ends = zip(objective.outputs, objective.columns, low.tolist(), high.tolist(), strict=True)
    wanted = tuple(Limit(name, column, a, b) for name, column, a, b in ends)
    limited = replace(objective, limits=(*wanted, *objective.limits))
    if limited.violation(predict(x[None]))[0] > 0:
        return None
    goal = AnyPoint(plain, limited, NONE, bounding.reach(form, plain))
    return _Finder(form, predict, plain, goal, limited, x).grown()


class _Finder:
    def __init__(
        self,
        form: Form,
        predict: Callable[[np.ndarray], np.ndarray],
        space: Space,
        goal: AnyPoint,
        wanted: Objective,
        x: np.ndarray,
    ) -> None:
        self.space, self.predict, self.goal, self.wanted, self.x = space, predict, goal, wanted, x
        self.model = bounding.box_model(form, space, goal.sides, predict)
        self.rng, self.work = np.random.default_rng(0), WORK

    def grown(self) -> Window | None:
        """Return a window as wide as could be proven; None where that is the point alone."""
        start, end = self.x.copy(), self.x.copy()
        least, most = 0.0, 1.0
        for _ in range(REACHES):
            middle = least / 2 + most / 2
            wider = self._of_reach(middle)
            if self._holds(*wider):
                least, (start, end) = middle, wider
            else:
                most = middle
        # What one end can't have it can't have later either, when the window is wider in other inputs.
        growing = {(int(j), below) for j in np.flatnonzero(self.space.free) for below in (True, False)}
        while growing:
            width = widths(self.space, start[None], end[None])[0]
            j, below = min(growing, key=lambda side: (width[side[0]], side))
            if not self._widened(start, end, j, below):
                growing.remove((j, below))
        width, free = widths(self.space, start[None], end[None])[0], self.space.free
        if free.any() and (start == end).all():
            return None
        return Window(start, end, float(width[free].min()) if free.any() else 1.0, False)

    def _of_reach(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the allowed values that lie within that share of every number's range around the candidate."""
        reach = np.where(self.space.categorical, 0.0, share * (self.space.high - self.space.low))
        start, end = (np.clip(self.x + sign * reach, self.space.low, self.space.high) for sign in (-1.0, 1.0))
        return self._inward(start, end)

    def _inward(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the allowed values that are outermost in a box around the candidate."""
        inputs = self.space.inputs
        low = [float(i.above(a)) for i, a in zip(inputs, start, strict=True)]
        high = [float(i.below(b)) for i, b in zip(inputs, end, strict=True)]
        return np.minimum(low, self.x), np.maximum(high, self.x)

    def _widened(self, start: np.ndarray, end: np.ndarray, j: int, below: bool) -> bool:
        """Widen one end of input j, in place, by a quarter of its width where that holds; otherwise about as far as it
        can be, and return False: that end is done."""
        range_ = float(self.space.high[j] - self.space.low[j])
        step = max((end[j] - start[j]) / 4, 1.0 if self.space.discrete[j] else LEAST_STEP * range_)
        for halving in range(STEPS + 1):
            a, b = start.copy(), end.copy()
            if below:
                a[j] = max(a[j] - step, self.space.low[j])
            else:
                b[j] = min(b[j] + step, self.space.high[j])
            a, b = self._inward(a, b)
            if a[j] == start[j] and b[j] == end[j]:
                return False
            if self._holds(a, b):
                start[:], end[:] = a, b
                return halving == 0
            step /= 2
        return False

    def _holds(self, start: np.ndarray, end: np.ndarray) -> bool:
        """Whether it is proven that the objective holds everywhere in a box (d,), within the work that is allowed."""
        X = np.clip(self.space.rounded(self.rng.uniform(start, end, (SAMPLES, len(start)))), start, end)
        if self._fails(X):
            return False
        a, b = start[None].copy(), end[None].copy()
        state, spent = self.model.fresh(1), 0
        while len(a):
            spent += len(a)
            self.work -= len(a)
            if spent > PROOF or self.work < 0:
                return False
            ends, _ = self.model.bound(a, b, state)
            parts = Parts(a, b, ends, np.zeros(len(a), np.int32))
            left = ~self.goal.must_hold(parts)
            a, b, state, ends = a[left], b[left], state[left], ends[left]
            if self._fails(np.clip(self.space.rounded((a + b) / 2), a, b)):
                return False
            parts = Parts(a, b, ends, np.zeros(len(a), np.int32))
            order = self.goal.order(parts, np.zeros(len(a)), np.inf)
            j, at = self.model.split(a, b, state, order)
            if (j < 0).any():
                return False
            a, b, state = _halves(a, b, state, j, at)
        return True

    def _fails(self, X: np.ndarray) -> bool:
        return bool(len(X)) and bool((self.wanted.violation(self.predict(X)) > 0).any())


def _halves(
    start: np.ndarray, end: np.ndarray, state: np.ndarray, j: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two halves of each box (n, d): of its input (n,) the values up to `at` (n,), and those above."""
    n, i = len(at), np.arange(len(at))
    a, b = np.concatenate([start, start]), np.concatenate([end, end])
    b[i, j] = at
    a[n + i, j] = np.nextafter(at, np.inf)
    return a, b, np.concatenate([state, state])
