"""The conditions that exclude each other where no input meets all: a smallest set of them, none of which can be left
out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from preimage.core.conditions import Count, Curved, Exclusion, Linear
from preimage.core.objective import Limit
from preimage.core.space import Space
from preimage.exact.affine import Terms
from preimage.exact.goal import Goal, LinearRows
from preimage.exact.search import Search
from preimage.exact.values import Parts

Condition = Limit | Linear | Count | Exclusion | Curved


class AnyPoint(Goal):
    """Limits alone: any input that keeps them will do."""

    def _note_aims(self) -> None:
        pass

    @property
    def curved(self) -> list[str]:
        """The formulas that the loss takes which are not linear: none."""
        return []

    @property
    def cutting(self) -> Terms:
        """No sum over inputs has to be small."""
        return self.nothing()

    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return that nothing bounds it (n,)."""
        return np.full(len(parts.start), np.inf)

    def least(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return that the loss is 0 everywhere (n,)."""
        return np.zeros(len(parts.start))

    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        pass

    def rounding(self, margin: np.ndarray) -> float:
        """Return that no rounding is in the loss."""
        return 0.0


def conflict(
    space: Space, limits: Sequence[Limit], search: Callable[[Space, tuple[Limit, ...]], Search], boxes: int
) -> list[Condition]:
    """Return a smallest set of conditions that no input meets, given that none meets all of them.

    Each is left out in turn; where still no input meets the others, it is not needed. What is not decided within the
    work allowed counts as needed.

    Args:
        search: makes the search for any point of a space that keeps limits.
        boxes: most boxes to expand for all of it.
    """
    needed: list[Condition] = [*space.constraints, *space.counts, *space.exclusions, *space.curved, *limits]
    for condition in list(needed):
        rest = [c for c in needed if c is not condition]
        trial = search(_asking(space, rest), tuple(c for c in rest if isinstance(c, Limit)))
        while trial.open and not np.isfinite(trial.loss) and trial.boxes < boxes:
            trial.step()
        boxes -= trial.boxes
        if trial.closed and not np.isfinite(trial.loss):
            needed = rest
    return needed


def _asking(space: Space, conditions: Sequence[Condition]) -> Space:
    """Return the space with these of its conditions alone."""
    return replace(
        space,
        constraints=tuple(c for c in conditions if isinstance(c, Linear)),
        counts=tuple(c for c in conditions if isinstance(c, Count)),
        exclusions=tuple(c for c in conditions if isinstance(c, Exclusion)),
        curved=tuple(c for c in conditions if isinstance(c, Curved)),
    )
