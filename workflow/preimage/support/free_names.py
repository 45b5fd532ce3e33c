"""Names for what a study has beside what its author has named."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that nothing has yet: the one asked for, or that with the first number that makes it free."""
    return next(n for n in chain([name], (f"{name}_{k}" for k in count(2))) if n not in taken)
