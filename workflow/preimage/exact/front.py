"""The front of a trade-off with a proof: how much more any front can dominate, at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from preimage.core import fronts
from preimage.exact.search import Search
from preimage.exact.trade_off import FrontProblem
from preimage.support.checkpoints import Pace

# Volumes are compared after so many batches at first, and after a tenth more batches from then on.
FIRST, MORE = 4, 1.1


class Front(NamedTuple):
    """A front, and what is proven of it.

    Attributes:
        points: inputs (f, d).
        shares: their values (f, k).
        corners: whatever valid input there is, its values are at least as large as one of these in every value (c, k).
        volume, bound: the hypervolume that the front dominates, and what none can exceed.
        stopped: why the search ended: closed, gap, boxes or seconds.
    """

    points: np.ndarray
    shares: np.ndarray
    corners: np.ndarray
    volume: float
    bound: float
    stopped: str


def front(
    search: Search,
    boxes: int,
    gap: float,
    seconds: float | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
) -> Front:
    """Search until the front is proven to a share of its volume, or a limit is reached.

    Args:
        boxes: most boxes to expand (whole batches).
        gap: the share of the largest possible volume that the front may lack.
    """
    problem = search.problem
    assert isinstance(problem, FrontProblem)

    def tell() -> None:
        assert report is not None
        report(min(search.boxes, boxes), -search.bound, points=len(problem.points), open=search.open)

    pace, next_ = Pace(search.save, state, tell if report else None), FIRST
    stopped = "closed"
    while search.open:
        if search.boxes >= boxes:
            stopped = "boxes"
            break
        if seconds is not None and pace.seconds >= seconds:
            stopped = "seconds"
            break
        if search.batches >= next_:
            next_ = max(search.batches + 1, int(search.batches * MORE))
            volume, bound = _volumes(search, problem)
            if gap > 0 and bound - volume <= gap * bound:
                stopped = "gap"
                break
        search.step()
        pace.turn()
    corners = problem.corners(search.open_boxes())
    corners = corners[fronts.undominated(corners)]
    volume = fronts.hypervolume(problem.goal.front)
    bound = fronts.hypervolume(corners)
    return Front(problem.points, problem.goal.front, corners, volume, bound, stopped)


def _volumes(search: Search, problem: FrontProblem) -> tuple[float, float]:
    return fronts.hypervolume(problem.goal.front), fronts.hypervolume(problem.corners(search.open_boxes()))
