"""How long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes by the clock on the wall."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
