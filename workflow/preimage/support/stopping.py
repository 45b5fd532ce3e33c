"""A step that is asked to end (SIGTERM: its time is up, its node goes down) saves what it has, and ends within 5 s.

Loops that keep a state for the next attempt ask `asked()` as they save; whatever else a step does is broken off after
`GRACE_SECONDS`, so that half-written files are removed on the way out. A compiled program (a network's training, say)
lets no signal through to Python until it returns; where that takes longer, the process ends as if it were killed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from types import FrameType

GRACE_SECONDS = 3.0
# And a while for cleaning up.
FORCE_SECONDS = 4.5
CODE = 128 + signal.SIGTERM

_asked = threading.Event()


def listen() -> None:
    """Take the signal from here on; only the main thread of a process can."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _note)
        signal.signal(signal.SIGALRM, _end)
        told, tells = os.pipe()
        os.set_blocking(tells, False)
        # Written to as the signal arrives, whatever the main thread is at.
        signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # the end of a child is not ours
        threading.Thread(target=_force, args=(told,), daemon=True).start()


def asked() -> bool:
    """Whether this step is to save and end."""
    return _asked.is_set()


def end_if_asked() -> None:
    """End the step where it was asked to: what a loop calls when it has saved. Raises SystemExit."""
    if asked():
        raise SystemExit(CODE)


def leave() -> None:
    """End the process that was asked to, all being saved and cleaned up.

    Python's own end would wait for what other threads are at, a compiled program of minutes perhaps, and hold up the
    thread that ends the process by force.
    """
    if asked():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(CODE)


def _note(number: int, frame: FrameType | None) -> None:
    _asked.set()
    signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(CODE)


def _force(told: int) -> None:
    """End the process some seconds after SIGTERM, unless it has ended by then."""
    while signal.SIGTERM not in os.read(told, 64):
        pass
    time.sleep(FORCE_SECONDS)
    os._exit(CODE)
