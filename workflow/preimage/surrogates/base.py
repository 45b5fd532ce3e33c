"""What every kind of surrogate is: an entry of a study with options, and what its models have."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from preimage.support.frozen import Whole
from preimage.support.registry import Entry, Registry

Folds = Annotated[
    Whole, Field(ge=2, le=100, description="Folds of the cross-validation that gives prediction intervals.")
]


class SurrogateKind(Entry):
    """A model to train."""

    registry: ClassVar[Registry[SurrogateKind]] = Registry("surrogate", "preimage.surrogates.kinds")
