"""Objective `maximize`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import ByType, Number, Text, option


class MaximizeEntry(ObjectiveEntry):
    """The largest output, or weighted sum."""

    kind: ClassVar[str] = "maximize"

    maximize: ByType[Text | Annotated[dict[Text, Number], Field(min_length=1)]] = option(
        ..., "Output to maximise, or weights by output."
    )
