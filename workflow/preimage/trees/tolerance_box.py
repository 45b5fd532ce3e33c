"""The window around a candidate in which the objective provably holds on the model: how exactly it must be met.

Of all axis-parallel boxes around the candidate on which it holds everywhere, the one whose smallest relative width is
largest, then whose volume is. Shrinking a box makes both smaller, so best-first search is exact: the best box so far
is examined; where it holds an input at which the objective fails, that input must be cut off along one of the inputs
in which it differs from the candidate, which gives a box each; the first box without such an input is the answer. In
more than a few dimensions there are too many boxes: then one is grown from the candidate, proof by proof.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.support.errors import StudyError
from preimage.trees.boxes import Channels, Grid, Trees, build
from preimage.trees.branch_and_bound import Search
from preimage.trees.forest import Forest
from preimage.trees.objective import Wanted, accepted, both_ends, refuse_unknown_loss
from preimage.trees.shares import widths

# Boxes that one proof that the objective holds on a window may take; a window that takes more counts as one where it
# does not hold.
PROOF = 500
# Boxes that all the proofs of a window may take together; then it is left as wide as it has been proven.
WORK = 20_000
# Inputs of a window that are tried before a proof.
SAMPLES = 128
# Halvings of the relative reach from which a window is grown.
REACHES = 12
# What is said of a window whose proof takes too long.
UNDECIDED = np.empty(0)


class Window(NamedTuple):
    """A box on which the objective holds.

    Attributes:
        low, high: smallest and largest value of each input, (d,); both belong to it.
        width: smallest relative width of a free input: 1 is the whole range.
        largest: whether no better box exists; otherwise it is one that was grown, and is proven too.
    """

    low: np.ndarray
    high: np.ndarray
    width: float
    largest: bool


def tolerance_box(
    forest: Forest, space: Space, objective: Objective, x: np.ndarray, boxes: int, best: float | None = None
) -> Window | None:
    """Return the largest window around a point x (d,); None where the objective, or a limit, does not hold at x itself.

    Conditions on several inputs are left aside: the window says where the model meets the objective and its limits.

    Args:
        boxes: most windows to examine in search of the largest; beyond, one is grown around the point instead.
        best: smallest loss known, from which the tolerance of minimize and maximize counts.

    Raises StudyError for a sum of several outputs to minimize or maximize.
    """
    refuse_unknown_loss(objective)
    low, high = interval(objective, forest.predict(x[None]), best)
    low = np.r_[low, [limit.low for limit in objective.limits]]
    high = np.r_[high, [limit.high for limit in objective.limits]]
    columns = [*objective.columns, *(limit.column for limit in objective.limits)]
    if not _holds(forest.predict(x[None])[:, columns], low, high)[0]:
        return None
    wanted = Wanted(forest.divisor, np.nan, 1.0, low, high, np.ones(len(low)), 0.0, 0.0)
    finder = _Finder(forest, Space(space.inputs), columns, low, high, both_ends(forest, columns), wanted, x)
    return finder.search(boxes)


def interval(objective: Objective, Y: np.ndarray, best: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return between which values each named output must stay, given the outputs at a candidate (1, m)."""
    if objective.bounded:
        return accepted(objective)
    if len(objective.columns) > 1 or objective.low[0] <= 0:
        raise StudyError(f"objective '{objective.name}': a tolerance box is for one output, weighted 1")
    least = float(objective.loss(Y)[0]) if best is None else best
    limit = objective.as_good_as(least) / objective.low[0]
    ends = (-np.inf, limit) if objective.sign > 0 else (-limit, np.inf)
    return np.array([ends[0]]), np.array([ends[1]])


def _holds(Y: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(((low <= Y) & (high >= Y)).all(axis=1))


class _Finder:
    def __init__(
        self,
        forest: Forest,
        space: Space,
        columns: list[int],
        low: np.ndarray,
        high: np.ndarray,
        channels: Channels,
        wanted: Wanted,
        x: np.ndarray,
    ) -> None:
        self.forest, self.space, self.columns = forest, space, columns
        self.low, self.high, self.wanted = low, high, wanted
        self.grid: Grid
        self.trees: Trees
        self.grid, self.trees = build(forest, space, channels)
        self.x = x
        self.rng = np.random.default_rng(0)
        self.work = WORK
        self.cell = self.grid.cell(x[None])[0]

    def search(self, boxes: int) -> Window:
        d = len(self.cell)
        first = self._entry(np.zeros(d, np.int32), self.grid.shape.astype(np.int32))
        heap, seen = [first], {first[2:]}
        for _ in range(boxes):
            entry = heapq.heappop(heap)
            lo, hi = (np.array(end, np.int32) for end in entry[2:])
            against = self._against(lo, hi)
            if against is None:
                return self._window(lo, hi, True)
            if against is UNDECIDED:
                break
            for new in self._without(lo, hi, against):
                if new[2:] not in seen:
                    seen.add(new[2:])
                    heapq.heappush(heap, new)
        return self._window(*self._grown(), False)

    # -- growing a window, where the best of all is too far to find ----------------------------------------------------

    def _grown(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a window that no input can widen: of equal relative reach as far as that holds, then the narrowest
        input first."""
        lo, hi = self._of_reach(0.0)
        least, most = 0.0, 1.0
        for _ in range(REACHES):
            middle = least / 2 + most / 2
            wider = self._of_reach(middle)
            if self._against(*wider) is None:
                least, (lo, hi) = middle, wider
            else:
                most = middle
        # What one end can't have it can't have later either, when the window is wider in other inputs.
        growing = {(int(j), below) for j in np.flatnonzero(self.space.free) for below in (True, False)}
        while growing:
            width = widths(self.space, *self.grid.ends(lo[None], hi[None]))[0]
            j, below = min(growing, key=lambda end: (width[end[0]], end))
            if not self._widened(lo, hi, j, below):
                growing.remove((j, below))
        return lo, hi

    def _of_reach(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells that lie within that share of every input's range around the candidate."""
        reach = share * (self.space.high - self.space.low)
        lo, hi = self.cell.copy(), self.cell + 1
        for j, (a, b) in enumerate(zip(self.grid.first[:-1], self.grid.first[1:], strict=True)):
            lo[j] = min(lo[j], np.searchsorted(self.grid.start[a:b], self.x[j] - reach[j]))
            hi[j] = max(hi[j], np.searchsorted(self.grid.end[a:b], self.x[j] + reach[j], side="right"))
        return lo, hi

    def _widened(self, lo: np.ndarray, hi: np.ndarray, j: int, below: bool) -> bool:
        """Widen one end of input j, in place, by a quarter of its cells where that holds; otherwise as far as it can
        be, and return False: that end is done."""
        room = int(lo[j] if below else self.grid.shape[j] - hi[j])
        step = min(room, max(1, (int(hi[j]) - int(lo[j])) // 4))

        def holds(cells: int) -> bool:
            a, b = lo.copy(), hi.copy()
            a[j], b[j] = (a[j] - cells, b[j]) if below else (a[j], b[j] + cells)
            return self._against(a, b) is None

        whole = step > 0 and holds(step)
        least, most = (step, step) if whole else (0, step)
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if holds(middle) else (least, middle)
        if below:
            lo[j] -= least
        else:
            hi[j] += least
        return whole

    def _entry(self, lo: np.ndarray, hi: np.ndarray) -> tuple[float, float, tuple[int, ...], tuple[int, ...]]:
        width = widths(self.space, *self.grid.ends(lo[None], hi[None]))[0]
        return -float(width.min()), -float(width.prod()), tuple(lo.tolist()), tuple(hi.tolist())

    def _without(self, lo: np.ndarray, hi: np.ndarray, against: np.ndarray) -> list[tuple]:
        """Return the boxes that are left when a cell is cut off, input by input."""
        made = []
        for j in np.flatnonzero(against != self.cell):
            a, b = lo.copy(), hi.copy()
            if against[j] < self.cell[j]:
                a[j] = against[j] + 1
            else:
                b[j] = against[j]
            made.append(self._entry(a, b))
        return made

    def _against(self, lo: np.ndarray, hi: np.ndarray) -> np.ndarray | None:
        """Return a cell (d,) of the box where the objective fails; None where it is proven to hold everywhere, and
        UNDECIDED where the proof takes too long.

        For each end of each output its extreme over the box is sought.
        """
        undecided = False
        start, end = self.grid.ends(lo, hi)
        # Most windows that fail do so at many inputs: cheaper to come upon than to search for.
        X = self.rng.uniform(start, end, (SAMPLES, len(start)))
        X = np.clip(self.space.rounded(X), start, end)
        fails = ~_holds(self.forest.predict(X)[:, self.columns], self.low, self.high)
        if fails.any():
            return self.grid.cell(X[fails][:1])[0]
        for k, column in enumerate(self.columns):
            for sign, limit in ((-1.0, self.low[k]), (1.0, self.high[k])):
                if not np.isfinite(limit):
                    continue
                x = self._extreme(lo, hi, 2 * k + (1 if sign > 0 else 0), column, sign, sign * limit)
                if x is UNDECIDED:
                    undecided = True
                elif x is not None:
                    return self.grid.cell(np.clip(x, start, end)[None])[0]
        return UNDECIDED if undecided else None

    def _extreme(
        self, lo: np.ndarray, hi: np.ndarray, channel: int, column: int, sign: float, limit: float
    ) -> np.ndarray | None:
        """Return a point of the box where sign * output is above the limit; None where there is none, UNDECIDED where
        that takes too long to tell."""
        only = slice(channel, channel + 1)
        parts = {name: getattr(self.trees, name)[only] for name in ("score", "most", "start")}
        trees = self.trees._replace(**parts)
        one = np.ones(1)
        wanted = Wanted(self.wanted.divisor, -1.0, 1.0, one, one, one, 0.0, 0.0)

        def loss(X: np.ndarray) -> np.ndarray:
            return -sign * self.forest.predict(X)[:, column]

        search = Search(self.space, self.grid, trees, wanted, loss, box=(lo, hi))
        search.may_tighten = False  # its limit of boxes is for plain ones
        # What does not go above the limit need not be looked at; the first that does ends the search.
        search.loss = -limit
        while np.isnan(search.x).any() and search.boxes < min(PROOF, self.work) and search.step():
            pass
        self.work -= search.boxes
        if not np.isnan(search.x).any():
            return search.x
        return UNDECIDED if search.open else None

    def _window(self, lo: np.ndarray, hi: np.ndarray, largest: bool) -> Window:
        start, end = self.grid.ends(lo, hi)
        width = widths(self.space, *self.grid.ends(lo[None], hi[None]))[0]
        free = self.space.free
        return Window(start, end, float(width[free].min()) if free.any() else 1.0, largest)
