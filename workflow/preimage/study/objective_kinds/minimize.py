"""Objective `minimize`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import ByType, Number, Text, option


class MinimizeEntry(ObjectiveEntry):
    """The smallest output, or weighted sum."""

    kind: ClassVar[str] = "minimize"

    minimize: ByType[Text | Annotated[dict[Text, Number], Field(min_length=1)]] = option(
        ..., "Output to minimise, or weights by output."
    )
