"""Figures of extensions: functions like the `plan` of a module of the gallery, added by `@added.figures`.

Light, as every process that reads a study imports extensions: what draws is imported by the step that draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preimage.figures.gallery.material import Material
    from preimage.figures.shown import Shown

Plan = Callable[["Material"], Iterator["Shown"]]
# By what fingerprints call a user's function, "module:function".
PLANS: dict[str, Plan] = {}


def figures(plan: Plan) -> Plan:
    """Add a function that yields figures of a study; they come last on the page, in order of addition."""
    PLANS[f"{plan.__module__}:{plan.__qualname__}"] = plan
    return plan
