"""What long work is given: threads, a folder to go on from, and whom to tell how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Told the work done so far and the least loss there; a descent adds its iteration and the norm of its gradient.
Report = Callable[..., None]


@dataclass(frozen=True)
class TrainingContext:
    """What training may use; none of it changes the result.

    Attributes:
        threads: to work on.
        state: a folder where training keeps what it has, so that one that was killed goes on.
        report: told the progress.
    """

    threads: int = 1
    state: Path | None = None
    report: Report | None = None


ALONE = TrainingContext()
