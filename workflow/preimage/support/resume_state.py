"""What a step kept for its next attempt, taken only where it is whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from preimage.support.files import remove

T = TypeVar("T")


def resumed(state: Path | None, take: Callable[[Path], T]) -> T | None:
    """Return what `take` makes of the file that an attempt before has left; None where there is none, and where it is
    damaged, which is said: the work begins again then.

    Args:
        take: reads the file, and raises, with nothing else changed, where it isn't what it should be.
    """
    if state is None or not state.exists():
        return None
    try:
        return take(state)
    except Exception as error:  # whatever reading any bytes may raise
        logging.warning("%s: damaged (%s), begun again", state, type(error).__name__)
        remove(state)
        return None
