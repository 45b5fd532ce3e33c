"""The folder of a version: files of our own beside an MLmodel that says what they are, with no loader to run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.support.files import write_json
from preimage.surrogates.brought.source import OWN as FLAVOR
from preimage.surrogates.brought.source import OWN_FILES as FILES
from preimage.surrogates.brought.source import REGISTERED as ABOUT
from preimage.tracking.registry.shelf import KEY, Shelf


def stored(
    shelf: Shelf, name: str, run_id: str, model: Path, about: Mapping[str, Any], example: Mapping[str, list[Any]],
    predicted: Mapping[str, list[float]], tags: Mapping[str, str],
) -> str:  # fmt: skip
    """Store a version's folder; return the id of the logged model. One that was begun before is gone on with."""
    experiment = shelf.client.get_run(run_id).info.experiment_id
    begun = shelf.client.search_logged_models([experiment], f"tags.`{KEY}` = '{tags[KEY]}'")
    begun = [m for m in begun if m.status != "READY" or shelf.is_whole(f"models:/{m.model_id}")]
    logged = begun[0] if begun else shelf.client.create_logged_model(
        experiment, name.replace(".", "-"), run_id, dict(tags), {"kind": about["kind"]}
    )  # fmt: skip
    if logged.status != "READY":
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), logged.model_id, run_id, model, about, example, predicted)
            shelf.client.log_model_artifacts(logged.model_id, folder)
        shelf.client.finalize_logged_model(logged.model_id, "READY")
    _link(shelf.client, run_id, logged.model_id)
    return str(logged.model_id)


def _link(client: Any, run_id: str, model_id: str) -> None:
    """Say that a run made a model; MLflow refuses to be told twice."""
    from mlflow import MlflowException
    from mlflow.entities import LoggedModelOutput

    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    except MlflowException:
        outputs = client.get_run(run_id).outputs
        if outputs is None or model_id not in [m.model_id for m in outputs.model_outputs]:
            raise


def _write(
    folder: Path, model_id: str, run_id: str, model: Path, about: Mapping[str, Any],
    example: Mapping[str, list[Any]], predicted: Mapping[str, list[float]],
) -> None:  # fmt: skip
    """Write the folder of a version: our files, and an MLmodel that says what they are, with no loader to run."""
    import pandas as pd
    from mlflow.models import Model, infer_signature

    rows = pd.DataFrame(dict(example))
    shutil.copytree(model, folder / FILES)
    write_json(folder / ABOUT, dict(about))
    write_json(folder / "input_example.json", rows.to_dict(orient="split", index=False))
    made = Model(run_id=run_id, model_id=model_id, signature=infer_signature(rows, pd.DataFrame(dict(predicted))))
    made.saved_input_example_info = {
        "artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split",
    }  # fmt: skip
    made.add_flavor(FLAVOR, kind=about["kind"], data=FILES)
    made.save(str(folder / "MLmodel"))
