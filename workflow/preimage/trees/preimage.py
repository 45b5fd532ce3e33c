"""The whole preimage of an objective on a forest: disjoint boxes that make up all inputs whose outputs lie in given
intervals (`forest_paving`).

Stopped before its end, the boxes proven inside and those still open bracket it. So they do where linear constraints cut
across: the border of what is valid is no box, and is left in boxes as small as the limit allows. An equality of inputs
that take any value leaves a plane, which has no volume and no box inside: refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.flatness import flat_inputs
from preimage.core.objective import Objective
from preimage.core.sentences import NO_VOLUME
from preimage.core.space import Space
from preimage.support.checkpoints import Pace
from preimage.support.errors import StudyError
from preimage.support.resume_state import resumed
from preimage.trees.boxes import build
from preimage.trees.forest import Forest
from preimage.trees.objective import accepted, reduce
from preimage.trees.paving import Paving, columns


@dataclass(frozen=True)
class Preimage:
    """Disjoint boxes; ends are inputs that `predict` sees as belonging to the box. Shares are of the box of all bounds,
    whatever constraints take of it.

    Attributes:
        low, high: ends of each box, (n, d).
        volume: product of its widths over the inputs that are free, in their units; whole numbers and categories are
            counted, (n,).
        share: of the space that each box takes, (n,).
        certain: whether the box is proven to belong to the preimage; the others are undecided, (n,).
        stopped: why the search ended: closed (nothing is undecided), boxes or seconds.
        examined: number of boxes looked at.
    """

    space: Space
    low: np.ndarray
    high: np.ndarray
    volume: np.ndarray
    share: np.ndarray
    certain: np.ndarray
    stopped: str
    examined: int

    @property
    def bracket(self) -> tuple[float, float]:
        """What share of the space the preimage takes at least and at most."""
        inner, outer = math.fsum(self.share[self.certain]), math.fsum(self.share)
        return min(inner, 1.0), min(outer, 1.0)

    def table(self) -> pd.DataFrame:
        """Return a row a box: `low.<input>`, `high.<input>`, `volume`, `share`, `certain`, `reproducible`."""
        low, high = self.space.decode(self.low, "low."), self.space.decode(self.high, "high.")
        ends = {key: values[key] for n in self.space.names for values, key in ((low, f"low.{n}"), (high, f"high.{n}"))}
        rest = {"volume": self.volume, "share": self.share, "certain": self.certain}
        return pd.DataFrame({**ends, **rest, "reproducible": self.stopped != "seconds"})


def preimage(
    forest: Forest,
    space: Space,
    objective: Objective,
    boxes: int,
    seconds: float | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
) -> Preimage:
    """Return all inputs of the space at which every named output lies in its interval, as boxes.

    Args:
        objective: a `within`, or a `target` whose tolerance makes the intervals.
        boxes: most boxes to examine; at this limit some are undecided. The largest are examined first.
        seconds: most seconds; what this limit ends is not reproducible.
        state: where what is needed to go on after a kill is kept.
        report: called with boxes examined, the share of the space that is undecided, and that inside by name.

    Raises StudyError for another objective, and where an equality ties inputs that are not whole numbers: what is valid
    has no volume then.
    """
    if not objective.bounded:
        raise StudyError(f"objective '{objective.name}': a preimage needs intervals; use within or target")
    if flat := flat_inputs(space):
        raise StudyError(f"objective '{objective.name}': {NO_VOLUME.format(', '.join(flat))}")
    wanted, channels = reduce(objective, forest)
    low, high = accepted(objective)
    grid, trees = build(forest, space, channels)
    paving = Paving(space, grid, trees, wanted._replace(low=low, high=high))
    stopped = pave(paving, boxes, seconds, state, report)
    start, end, share, certain = columns(paving.boxes(), len(space.inputs))
    size = np.where(space.free, end - start + space.discrete, 1.0)
    return Preimage(space, start, end, size.prod(axis=1), share, certain, stopped, paving.examined)


def pave(paving: Any, boxes: int, seconds: float | None, state: Path | None, report: Callable[..., None] | None) -> str:
    """Examine boxes of a paving (this one's, or `exact.paving`'s) until none is open or a limit is reached; return
    which."""

    def tell() -> None:
        assert report is not None
        report(min(paving.examined, boxes), paving.undecided, inside=paving.inside, open=len(paving.heap))

    resumed(state, paving.resume)
    pace = Pace(paving.save, state, tell if report else None)
    while paving.heap:
        if paving.examined >= boxes:
            return "boxes"
        if seconds is not None and pace.seconds >= seconds:
            return "seconds"
        paving.step()
        pace.turn()
    return "closed"
