"""Bad input, told in one message that a user can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from preimage.support.masking import without_secrets

__all__ = ["StudyError", "did_you_mean", "without_secrets"]


class StudyError(ValueError):
    """Input that can't be used: says which file, key or column and row, what was found, what was expected.

    In one line, without secrets: names may have line ends in them, or what a terminal would obey.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in without_secrets(message)))


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the valid name nearest to `name`, or the list of valid names."""
    names = sorted(str(v) for v in valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid: {', '.join(names)}" if names else ""
