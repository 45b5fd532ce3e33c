"""The model that a caller names: a file, an MLflow address, or one of finished results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from preimage.core.space import Space
from preimage.study import user_models
from preimage.support.errors import StudyError
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.source import FORMATS
from preimage.surrogates.model import Opened


class Source(Protocol):
    """A model whose inputs may be named already.

    Attributes:
        known: its inputs with the bounds that are known, NaN where none are; empty where it names none.
    """

    known: dict[str, tuple[float, float]]

    def of(self, space: Space, outputs: Sequence[str], X: np.ndarray) -> tuple[Any, list[str]]:
        """Return a surrogate of the space's inputs, tried at points (n, d), and the names of all its outputs."""


class OfFile:
    """A model in a file, or at an MLflow address."""

    def __init__(self, address: str, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> None:
        place = {"uri": address} if address.startswith(("models:/", "runs:/")) else {"path": address}
        stated = {"inputs": inputs and list(inputs), "outputs": outputs and list(outputs)}
        spec = user_models.completed({"kind": "model", **place, **{k: v for k, v in stated.items() if v}})
        self.opened, self.outputs = Opened(spec), list(outputs or ())
        self.known = dict.fromkeys(inputs or self.opened.inputs, (np.nan, np.nan))

    def of(self, space: Space, outputs: Sequence[str], X: np.ndarray) -> tuple[Any, list[str]]:
        names = self.outputs or list(self.opened.outputs) or list(outputs)
        try:
            found = self.opened.of([Column(i.name, i.categories) for i in space.inputs], names, X)
            found.refuse_unsearched(not self.opened.spec.get("made_of_trees"))
            return found, names
        except StudyError as error:
            remedy = "" if self.outputs else "; name all of its outputs, in its order (`outputs`, --outputs)"
            raise StudyError(f"{error}{remedy if 'outputs' in str(error) else ''}") from None


class OfResults:
    """A model that a study has trained (`preimage.results.Model`)."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.known = {i.name: (i.low, i.high) for i in model.space.inputs}
        self.categories = {i.name: list(i.categories) for i in model.space.inputs if i.categories}

    def of(self, space: Space, outputs: Sequence[str], X: np.ndarray) -> tuple[Any, list[str]]:
        for i in space.inputs:
            if list(i.categories) != self.categories.get(i.name, []):
                found, own = (", ".join(labels) or "a number" for labels in (i.categories, self.categories[i.name]))
                raise StudyError(f"space: input '{i.name}': found {found}, expected {own} as the model was trained on")
        return self.model.surrogate, self.model.outputs


def source_of(model: Any, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Source:
    """Return what a caller named as a model. Raises StudyError where it is none."""
    if isinstance(model, str | Path):
        return OfFile(str(model), inputs, outputs)
    if hasattr(model, "surrogate") and hasattr(model, "space"):
        return OfResults(model)
    raise StudyError(
        f"model: found a {type(model).__name__}, expected a file ({', '.join(FORMATS)}), an MLflow address, or a model "
        'of results, `preimage.open("results/my").models["forest"]`; save a model of scikit-learn with skops.io.dump'
    )


def with_categories(source: Source, space: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a space, with the categories that the model knows where nothing is said of them."""
    found = dict(space)
    for name, labels in getattr(source, "categories", {}).items():
        own = found.get(name) or {}
        if isinstance(own, Mapping) and "categories" not in own:
            found[name] = {**own, "categories": labels}
    return found
