"""What every kind of surrogate is: an entry of a study with options, and what its models have."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Annotated, Any, ClassVar

from pydantic import Field

from preimage.support.frozen import Whole
from preimage.support.registry import Entry, Registry

Folds = Annotated[
    Whole, Field(ge=2, le=100, description="Folds of the cross-validation behind the prediction intervals.")
]


class SurrogateKind(Entry):
    """A model to train.

    Attributes:
        made_of_trees: it is made of trees that exact searches can take.
        differentiable: it has an exact derivative.
        form: the arrays that it is made of, where exact searches can bound these on boxes (`preimage.exact.forms`).
        inverts_decoder: it predicts by inverting a decoder.
    """

    registry: ClassVar[Registry[SurrogateKind]] = Registry(
        "surrogate", "preimage.surrogates.kinds", "preimage.surrogates"
    )
    made_of_trees: ClassVar[bool] = False
    differentiable: ClassVar[bool] = False
    form: ClassVar[str] = ""
    inverts_decoder: ClassVar[bool] = False


# Formats of a brought model that have an exact derivative.
DIFFERENTIABLE_FORMATS = frozenset({"keras"})


def made_of_trees(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry is made of trees that exact searches can take."""
    return SurrogateKind.registry[spec["kind"]].made_of_trees or bool(spec.get("made_of_trees"))


def form_of(spec: Mapping[str, Any]) -> str:
    """Return the form of a study's surrogate that exact searches can bound on boxes; "" where it has none."""
    known = SurrogateKind.registry
    return known[spec["kind"]].form if spec["kind"] in known else ""


def differentiable(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry has an exact derivative."""
    form = spec.get("format", spec["kind"])
    known = SurrogateKind.registry
    return form in DIFFERENTIABLE_FORMATS or (form in known and known[form].differentiable)


def module(kind: str) -> ModuleType:
    """Return the module that trains and loads a kind."""
    return SurrogateKind.registry[kind].computing()
