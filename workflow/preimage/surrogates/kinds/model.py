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
        "The table's inputs that the model takes, in its order; the others have no influence on it. Default: all, "
        "by the names in the file, or in the table's order if the file has none. A model whose file knows labels "
        "(encoders of scikit-learn, category columns of XGBoost and LightGBM) receives a category by its label, "
        "any other as its position in `categories`, from 0.",
        min_length=1,
    )
    outputs: Maybe[Distinct[Text]] = option(None, "The table's outputs in the model's order.", min_length=1)
