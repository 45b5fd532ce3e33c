"""One figure of a page, as it is planned: drawn later, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure


class Shown(NamedTuple):
    """One figure of the gallery; `draw` gives None where there is nothing to see after all."""

    file: str
    title: str
    caption: str
    objective: str | None
    draw: Callable[[], Figure | None]
