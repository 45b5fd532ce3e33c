"""A step that is asked to end (SIGTERM: its time is up, its node goes down) saves what it has, and ends within 5 s.

Loops that keep a state for the next attempt ask `asked()` as they save; whatever else a step does is broken off after
`GRACE_SECONDS`, so that half-written files are removed on the way out.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

GRACE_SECONDS = 3.0
CODE = 128 + signal.SIGTERM

_asked = threading.Event()


def listen() -> None:
    """Take the signal from here on; only the main thread of a process can."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _note)
        signal.signal(signal.SIGALRM, _end)


def asked() -> bool:
    """Whether this step is to save and end."""
    return _asked.is_set()


def end_if_asked() -> None:
    """End the step where it was asked to: what a loop calls when it has saved. Raises SystemExit."""
    if asked():
        raise SystemExit(CODE)


def _note(number: int, frame: FrameType | None) -> None:
    _asked.set()
    signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(CODE)
