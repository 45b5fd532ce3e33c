"""What every kind of surrogate is: an entry of a study with options, and what its models have."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from preimage.support.errors import StudyError
from preimage.support.frozen import Whole
from preimage.support.progress import ALONE, TrainingContext
from preimage.support.registry import Entry, Registry

if TYPE_CHECKING:
    import numpy as np

    from preimage.data.rows import Rows
    from preimage.surrogates.protocol import Trained

Folds = Annotated[
    Whole, Field(ge=2, le=100, description="Folds of the cross-validation behind the prediction intervals.")
]


class SurrogateKind(Entry):
    """A model to train.

    The module that computes has `train(rows, options, rng, context)`, which returns a
    `preimage.surrogates.protocol.Trained`.

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

    @classmethod
    def of_study(cls, entry: Mapping[str, Any]) -> SurrogateKind:
        """Return an entry of a study that was read, which says more of a model of the user's than its options."""
        kind = cls.registry[entry["kind"]]
        return kind.model_validate({key: value for key, value in entry.items() if key in kind.model_fields})

    def train(self, rows: Rows, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
        """Return a model trained on the rows. Raises StudyError where it can't learn from them."""
        found: Trained = self.computing().train(rows, self, rng, context)
        return found


# Formats of a brought model that have an exact derivative.
DIFFERENTIABLE_FORMATS = frozenset({"keras"})


def made_of_trees(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry is made of trees that exact searches can take."""
    return SurrogateKind.registry[spec["kind"]].made_of_trees or bool(spec.get("made_of_trees"))


def form_of(spec: Mapping[str, Any]) -> str:
    """Return the form of a study's surrogate that exact searches can bound on boxes; "" where it has none."""
    known = SurrogateKind.registry
    return spec.get("form") or (known[spec["kind"]].form if spec["kind"] in known else "")


def differentiable(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry has an exact derivative."""
    form = spec.get("format", spec["kind"])
    known = SurrogateKind.registry
    return form in DIFFERENTIABLE_FORMATS or (form in known and known[form].differentiable)


def module(kind: str) -> ModuleType:
    """Return the module that trains and loads a kind."""
    return SurrogateKind.registry[kind].computing()


def kept(kind: str, folder: Path, name: str) -> Any:
    """Return a surrogate from a folder that may be older than this code, a registered version say.

    Raises StudyError, with `name`, where the folder doesn't hold what this code saves.
    """
    try:
        return module(kind).load(folder)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise StudyError(
            f"{name}: its files are damaged, or of another version of this workflow ({type(error).__name__}: {error}); "
            "train and register it again"
        ) from None
