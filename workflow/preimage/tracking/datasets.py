"""The tables that a step worked on, as MLflow's datasets: with source, digest, columns and number of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

# MLflow's bound; the whole digest is a tag of the input.
LONGEST_DIGEST = 36
CONTEXT = "mlflow.data.context"


def log(client: Any, run_id: str, datasets: Iterable[Mapping[str, Any]]) -> None:
    """Log datasets of a record as inputs of a run; MLflow takes each once, however often it is logged."""
    from mlflow.entities import DatasetInput, InputTag

    if found := [DatasetInput(_entity(one), _tags(InputTag, one)) for one in datasets]:
        client.log_inputs(run_id, found)


def of_metric(name: str, datasets: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the dataset that a metric is of: that whose context begins its name (`test/rmse`)."""
    return next((one for one in datasets if one["context"] == name.partition("/")[0]), None)


def digest_of(dataset: Mapping[str, Any]) -> str:
    return str(dataset["digest"][:LONGEST_DIGEST])


def _entity(one: Mapping[str, Any]) -> Any:
    from mlflow.entities import Dataset

    columns = [{"name": name, "type": kind, "required": True} for name, kind in one["columns"].items()]
    return Dataset(
        name=one["name"],
        digest=digest_of(one),
        source_type=one["source_type"],
        source=json.dumps(one["source"]),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": one["rows"], "num_elements": one["rows"] * len(columns)}),
    )


def _tags(tag: Any, one: Mapping[str, Any]) -> list[Any]:
    return [tag(CONTEXT, one["context"]), tag("sha256", one["digest"])]
