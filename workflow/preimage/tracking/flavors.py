"""Trained models in MLflow's own formats, with signature and input example, as folders that MLflow keeps."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Files of models whose format is this workflow's own, below the folder.
ARRAYS, FILES = "preimage_arrays", "files"


def _save_sklearn(folder: Path, model: Mapping[str, Any], run_id: str, model_id: str) -> None:
    """Save a scikit-learn model in skops format."""
    import mlflow
    import pandas as pd
    import skops.io
    from mlflow.models import Model, infer_signature

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    fitted = skops.io.load(model["path"], trusted=model["trusted"])
    example = pd.DataFrame(model["example"])
    mlflow.sklearn.save_model(
        fitted,
        str(folder),
        mlflow_model=Model(run_id=run_id, model_id=model_id),
        signature=infer_signature(example, fitted.predict(example)),
        input_example=example,
        serialization_format="skops",
        skops_trusted_types=model["trusted"],
        pip_requirements=model["requirements"],
    )


def _save_keras(folder: Path, model: Mapping[str, Any], run_id: str, model_id: str) -> None:
    """Save a Keras model; its inputs are one tensor, so their names go into the metadata."""
    import numpy as np

    from preimage.surrogates.keras_files import keras_on_jax

    keras = keras_on_jax()  # before mlflow.keras, which would look for tensorflow
    import mlflow
    import mlflow.keras
    from mlflow.models import Model, infer_signature

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    fitted = keras.saving.load_model(model["path"], safe_mode=True, compile=False)
    example = np.column_stack(list(model["example"].values())).astype(float)
    # mlflow.keras.save_model writes the input example into a folder that it has not made yet.
    folder.mkdir(parents=True)
    mlflow.keras.save_model(
        model=fitted,
        path=str(folder),
        mlflow_model=Model(run_id=run_id, model_id=model_id, metadata={"inputs": list(model["example"])}),
        signature=infer_signature(example, np.asarray(fitted(example))),
        input_example=example,
        pip_requirements=model["requirements"],
    )


def _save_arrays(folder: Path, model: Mapping[str, Any], run_id: str, model_id: str) -> None:
    """Save a model of this workflow's own format: its files, beside a description with no loader to run."""
    shutil.copytree(model["path"], folder / FILES)
    described(folder, model["example"], model.get("predicted"), run_id, model_id, ARRAYS, {"data": FILES})


def described(
    folder: Path, example: Mapping[str, list[Any]], predicted: Mapping[str, list[float]] | None, run_id: str,
    model_id: str, flavor: str, about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write signature, input example and a flavour into a model's folder."""
    import pandas as pd
    from mlflow.models import Model, infer_signature

    from preimage.support.files import write_json

    rows = pd.DataFrame(dict(example))
    write_json(folder / "input_example.json", rows.to_dict(orient="split", index=False))
    said = None if predicted is None else pd.DataFrame(dict(predicted))
    made = Model(run_id=run_id, model_id=model_id, signature=infer_signature(rows, said))
    made.saved_input_example_info = {
        "artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split",
    }  # fmt: skip
    made.add_flavor(flavor, **about)
    made.save(str(folder / "MLmodel"))


# By how a record says that its model is kept: `save(folder, model, run_id, model_id)`.
SAVE: dict[str, Callable[[Path, Mapping[str, Any], str, str], None]] = {
    "sklearn": _save_sklearn,
    "keras": _save_keras,
    "arrays": _save_arrays,
}
