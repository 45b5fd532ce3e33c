"""What a long loop does between its turns: it tells how far it is, and keeps its state for the next attempt."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from preimage.support import stopping

SAVE_EVERY_SECONDS = 10.0
SHOW_EVERY_SECONDS = 0.2


class Pace:
    """Neither more often than is of use.

    Args:
        save: writes the state; called with `state`, None where none is kept.
        tell: reports the progress.
    """

    def __init__(self, save: Callable[[Path], None], state: Path | None, tell: Callable[[], None] | None) -> None:
        self.save, self.state, self.tell = save, state, tell
        self.started = self.saved = self.shown = time.monotonic()
        self.pause = SAVE_EVERY_SECONDS

    @property
    def seconds(self) -> float:
        """Seconds since the beginning of this attempt."""
        return time.monotonic() - self.started

    def turn(self) -> None:
        """Do what is due. Raises SystemExit where the step is asked to end; its state is saved then."""
        now = time.monotonic()
        if self.tell and now - self.shown > SHOW_EVERY_SECONDS:
            self.shown = now
            self.tell()
        if self.state and (stopping.asked() or now - self.saved > self.pause):
            self.save(self.state)
            stopping.end_if_asked()
            self.saved = time.monotonic()
            self.pause = max(SAVE_EVERY_SECONDS, 20 * (self.saved - now))
