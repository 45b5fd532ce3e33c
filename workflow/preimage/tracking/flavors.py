"""Trained models in MLflow's own formats, with signature and input example."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _log_sklearn(model: dict[str, Any]) -> None:
    """Log a scikit-learn model in skops format."""
    import mlflow
    import pandas as pd
    import skops.io
    from mlflow.models import infer_signature

    fitted = skops.io.load(model["path"], trusted=model["trusted"])
    example = pd.DataFrame(model["example"])
    mlflow.sklearn.log_model(
        fitted,
        name="model",
        signature=infer_signature(example, fitted.predict(example)),
        input_example=example,
        serialization_format="skops",
        skops_trusted_types=model["trusted"],
        pip_requirements=model["requirements"],
    )


def _log_keras(model: dict[str, Any]) -> None:
    """Log a Keras model; its inputs are one tensor, so their names go into the metadata."""
    from types import SimpleNamespace

    import numpy as np

    from preimage.surrogates.keras_files import keras_on_jax

    keras = keras_on_jax()  # before mlflow.keras, which would look for tensorflow
    import mlflow
    import mlflow.keras
    from mlflow.models import Model, infer_signature

    fitted = keras.saving.load_model(model["path"], safe_mode=True, compile=False)
    example = np.column_stack(list(model["example"].values())).astype(float)

    def save_model(path: str, **keywords: Any) -> None:
        # mlflow.keras.save_model writes the input example into a folder that it has not made yet.
        Path(path).mkdir(parents=True, exist_ok=True)
        mlflow.keras.save_model(path=path, **keywords)

    Model.log(
        None,
        SimpleNamespace(save_model=save_model),
        name="model",
        model=fitted,
        signature=infer_signature(example, np.asarray(fitted(example))),
        input_example=example,
        pip_requirements=model["requirements"],
        metadata={"inputs": list(model["example"])},
    )


FLAVORS = {"sklearn": _log_sklearn, "keras": _log_keras}
