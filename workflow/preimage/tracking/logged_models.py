"""Models that MLflow lists beside runs, stored once: looked up, gone on with where they were begun, and linked last."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from preimage.tracking.flavors import SAVE
from preimage.tracking.names import RECORD_TAG

KIND = "surrogate.kind"


def of_step(client: Any, run: Any, key: str, name: str, model: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Store the model that a step trained, under its run, once for a record's key; return its id."""
    experiment, run_id = run.info.experiment_id, run.info.run_id
    found = client.search_logged_models([experiment], f"tags.`{RECORD_TAG}` = '{key}'")
    said = {name: str(value) for name, value in params.items()}

    def make() -> Any:
        return client.create_logged_model(experiment, name, run_id, {RECORD_TAG: key}, said, said.get(KIND))

    def write(folder: Path, model_id: str) -> None:
        SAVE[model["flavor"]](folder, model, run_id, model_id)

    return stored(client, found, make, write, run_id)


def stored(
    client: Any, found: list[Any], make: Callable[[], Any], write: Callable[[Path, str], None], run_id: str
) -> str:
    """Return the id of a logged model: the first of those found, or one that is made.

    Args:
        write: fills a folder with the files of the model of this id.
    """
    logged = found[0] if found else make()
    if logged.status != "READY":
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / "model", logged.model_id)
            client.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(logged.model_id, "READY")
    _link(client, run_id, logged.model_id)
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
