"""From records to MLflow runs: a run carries its record's digest as a tag, and is looked up before it is made."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from preimage.tracking import record
from preimage.tracking.flavors import FLAVORS
from preimage.tracking.names import INVOCATION_TAG, LONGEST, ORIGIN, RECORD_TAG, changed, digest_tag, escaped
from preimage.tracking.records import RESULTS, record_key
from preimage.tracking.store import check_version, client, uri

ARTIFACTS = RESULTS / "mlartifacts"
LONGEST_PARAM, LONGEST_TAG = 5000, 5000
# What stands above the run of a study in MLflow's pages.
NOTE = (
    "One run of the study `{0}`, and its steps below it. `report.html` among the artifacts is the page to read first; "
    "metrics `answer.<objective>/...` are of the recommended answers."
)
COMMIT = re.compile(r"[0-9a-f]{40}")


class Sender:
    """A connection to MLflow, with the runs of invocations that it has met."""

    def __init__(self) -> None:
        self.client = client()
        self.client.search_experiments(max_results=1)
        check_version()
        self.parents: dict[tuple[str, str], Any] = {}

    def experiment(self, study: str) -> str:
        found = self.client.get_experiment_by_name(study)
        if found is None:
            location = None
            if uri().startswith("sqlite:"):
                location = (ARTIFACTS / study).resolve().as_uri()
            tags = {"mlflow.experimentKind": "custom_model_development"}  # which face MLflow's UI shows
            return self._create(study, location, tags)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def find(self, experiment: str, tag: str, value: str) -> Any:
        runs = self.client.search_runs([experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return runs[0] if runs else None

    def parent(self, study: str, invocation: str) -> Any:
        """Return the run of one invocation of Snakemake on one study, made when its first step is sent; None where
        a step ran outside any."""
        key = (study, invocation)
        if key not in self.parents:
            value = record.read(RESULTS / study / "tracking" / f"invocation-{invocation}.json")
            experiment = self.experiment(study)
            run = self.find(experiment, INVOCATION_TAG, invocation)
            if run is None and value is not None:
                tags = {INVOCATION_TAG: invocation, "mlflow.note.content": NOTE.format(study), **_tags(value)}
                run = self.client.create_run(experiment, value["started"], tags, value["name"])
                self._log(run.info.run_id, value)
                if "origin" in value:
                    self.client.log_text(run.info.run_id, value["origin"]["text"], "study.yaml")
            self.parents[key] = run
        return self.parents[key]

    def end_invocation(self, value: dict[str, Any]) -> None:
        """Note how an invocation ended; one in which no step of the study ran has no run."""
        run = self.find(self.experiment(value["study"]), INVOCATION_TAG, value["invocation"])
        if run is not None and value["status"] != "RUNNING":
            # A family of studies has none, nor has a record of an older version of the workflow.
            if "origin" in value:
                self.client.log_dict(run.info.run_id, value["origin"], ORIGIN)
            self.client.set_terminated(run.info.run_id, value["status"], value["ended"])

    def step(self, value: dict[str, Any], key: str) -> None:
        """Make the run of one step, under its invocation."""
        study = value["study"]
        experiment = self.experiment(study)
        run = self.find(experiment, RECORD_TAG, key)
        if run is None:
            tags = {
                RECORD_TAG: key,
                "mlflow.source.name": "snakemake",
                **_tags(value),
                "rule": value["rule"],
                **{f"wildcard.{k}": v for k, v in value["wildcards"].items()},
            }
            parent = self.parent(study, value["invocation"])
            if parent is not None:
                tags["mlflow.parentRunId"] = parent.info.run_id
                tags["config_digest"] = parent.data.tags.get("config_digest", "")
            run = self.client.create_run(experiment, value["started"], tags, value["name"])
        run_id = run.info.run_id
        self._log(run_id, value)
        self._log_others(experiment, value)
        self._log_artifacts(run_id, value)
        if value.get("of_study") and (parent := self.parent(study, value["invocation"])) is not None:
            self._log(parent.info.run_id, {"started": value["started"], "metrics": value["metrics"], "params": {}})
            self._log_artifacts(parent.info.run_id, value)
        if value.get("model"):
            self._log_model(run_id, value["model"])
        self.client.set_terminated(run_id, "FINISHED", value["ended"])

    def _create(self, study: str, location: str | None, tags: dict[str, Any]) -> str:
        from mlflow import MlflowException

        try:
            return self.client.create_experiment(study, location, tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another folder on this server just did
                raise
            return self.client.get_experiment_by_name(study).experiment_id

    def _log_others(self, experiment: str, value: dict[str, Any]) -> None:
        """Log what a step found of steps before on their runs, where these are compared: the truth of an inversion."""
        for path, metrics in value.get("others", {}).items():
            run = self.find(experiment, RECORD_TAG, record_key(Path(path))) if Path(path).exists() else None
            if run is not None:
                self._log(run.info.run_id, {"started": value["started"], "metrics": metrics, "params": {}})

    def _log_artifacts(self, run_id: str, value: dict[str, Any]) -> None:
        for path in value["artifacts"]:
            if Path(path).exists():
                log = self.client.log_artifacts if Path(path).is_dir() else self.client.log_artifact
                log(run_id, path, Path(path).name if Path(path).is_dir() else None)

    def _log(self, run_id: str, value: dict[str, Any]) -> None:
        """Log parameters, metrics and digests in one call; saying them again changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        at = value.get("ended") or value["started"]
        metrics = [Metric(escaped(n), v, at, s) for n, v, s in value["metrics"]]
        metrics += [Metric(f"timing/{escaped(n)}", v, at, 0) for n, v in value.get("timing", {}).items()]
        params = [Param(escaped(k), str(v)[:LONGEST_PARAM]) for k, v in value["params"].items()]
        tags = [
            RunTag(digest_tag(Path(p).name), d)
            for part in ("inputs", "outputs")
            for p, d in value.get(part, {}).items()
        ]
        called = [name for name, *_ in value["metrics"]] + list(value["params"])
        tags += [RunTag(f"name.{safe}"[:LONGEST], name[:LONGEST_TAG]) for safe, name in changed(called).items()]
        for k in range(0, len(metrics), 1000):
            self.client.log_batch(run_id, metrics=metrics[k : k + 1000])
        for k in range(0, max(len(params), len(tags)), 100):
            self.client.log_batch(run_id, params=params[k : k + 100], tags=tags[k : k + 100])

    def _log_model(self, run_id: str, model: dict[str, Any]) -> None:
        """Log a trained model once a run, with signature and input example where its format has a flavour."""
        outputs = self.client.get_run(run_id).outputs
        if model["flavor"] == "arrays":
            self.client.log_artifacts(run_id, model["path"], "model")
        elif outputs is None or not outputs.model_outputs:
            import mlflow

            logging.getLogger("mlflow").setLevel(logging.ERROR)
            with mlflow.start_run(run_id=run_id):
                FLAVORS[model["flavor"]](model)


def _tags(value: dict[str, Any]) -> dict[str, str]:
    """Return a record's tags, with the commit where MLflow's pages look for it."""
    found = COMMIT.match(value["tags"].get("git_commit", ""))
    return {**value["tags"], **({"mlflow.source.git.commit": found[0]} if found else {})}
