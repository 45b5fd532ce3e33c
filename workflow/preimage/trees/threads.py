"""A compiled kernel over a range on all cores: each index is worked on alone, so the result depends on no core.

Plain threads rather than numba's own: its OpenMP threads wait by spinning, which on a machine that is busy with other
jobs costs several times what it gains.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

PARTS_A_CORE = 4


_most: list[int] = []


def use_at_most(count: int) -> None:
    """Leave the other cores to other jobs: what is computed does not depend on it."""
    _most[:] = [count]


def cores() -> int:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([here, *_most])


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


def over(kernel: Callable[..., Any], n: int, *arguments: Any, least: int = 2) -> None:
    """Call kernel(begin, end, *arguments) on parts of range(n); the kernel must release the lock of Python (nogil).

    Args:
        least: for fewer than so many, waking another thread costs more than it gains.
    """
    count = cores()
    if count == 1 or n < least:
        kernel(0, n, *arguments)
        return
    part = -(-n // (PARTS_A_CORE * count))
    begins = iter(range(0, n, part))

    def work() -> None:
        for k in begins:
            kernel(k, min(k + part, n), *arguments)

    # The caller works too: each thread takes the next part when it is done with one, and only the others must be woken.
    others = [_pool(count - 1).submit(work) for _ in range(count - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
