"""Surrogate `model`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.frozen import Distinct, Maybe, Text, option
from preimage.surrogates.base import SurrogateKind


class Model(SurrogateKind):
    """A model of your own, trained elsewhere."""

    kind: ClassVar[str] = "model"
    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("path",), ("uri",))

    path: Maybe[Text] = option(
        None,
        "File: `.keras` (Keras's built-in layers; inverted with exact gradients), `.skops` (a scikit-learn "
        "regressor), `.onnx`, `.json` or `.ubj` (XGBoost) or `.txt` (LightGBM's text).",
    )
    uri: Maybe[Text] = option(
        None,
        "MLflow address: `models:/name@alias`, `models:/name/3` or `runs:/<run id>/path`, of the flavour "
        "keras, onnx, or sklearn in skops format. An alias is resolved once, as a run starts; when it has "
        "moved, its steps rerun.",
    )
    inputs: Maybe[Distinct[Text]] = option(
        None,
        "The table's inputs in the model's order. Default: by the names in the file, or the table's order "
        "if the file has none. The model receives a category as its position in `categories`, from 0.",
        min_length=1,
    )
    outputs: Maybe[Distinct[Text]] = option(None, "The table's outputs in the model's order.", min_length=1)
