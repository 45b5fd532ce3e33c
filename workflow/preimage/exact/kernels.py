"""Kernels over boxes: on all cores where there are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preimage.trees import threads

# A batch of fewer boxes than this is done before another core has woken.
FEW = 16


def over(kernel: Callable[..., Any], n: int, *arguments: Any) -> None:
    """Call kernel(begin, end, *arguments) on parts of range(n) (see `trees.threads.over`)."""
    threads.over(kernel, n, *arguments, least=FEW)
