"""preimage: name the output you want, get the inputs that give it, with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preimage.results import Results

# The one place that says so: the package, its tags and the records of runs take it from here.
__version__ = "0.2.0"


def open(folder: str | Path) -> Results:
    """Return the finished results of a study, from its folder: "results/my".

    Raises StudyError where there are none.
    """
    from preimage.results import read  # it takes a second, and reading a Snakefile needs none of it

    return read(folder)
