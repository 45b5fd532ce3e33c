"""From records to MLflow runs: a run carries its record's digest as a tag, and is looked up before it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preimage.data.described import STUDY
from preimage.tracking import compared, datasets, logged_models, record
from preimage.tracking.names import (
    INVOCATION_TAG,
    LONGEST,
    ORIGIN,
    OUTPUTS_TAG,
    RECORD_TAG,
    changed,
    escaped,
    outputs_tag,
)
from preimage.tracking.records import RESULTS, record_key
from preimage.tracking.store import check_version, client, uri

ARTIFACTS = RESULTS / "mlartifacts"
# Tags of a record that are the same for all steps of an invocation, and compare nothing.
ENVIRONMENT = {"git_commit", "lock_digest", "python", "platform", "config_digest"}
LONGEST_PARAM, LONGEST_TAG = 5000, 5000
# What stands above the run of a study in MLflow's pages.
NOTE = (
    "One run of the study `{0}`, and its steps below it. `report.html` among the artifacts is the page to read first; "
    "metrics `answer.<objective>/...` are of the recommended answers."
)
# What stands above an experiment: where its latest report is.
DESCRIPTION = "Study `{0}`. Its latest page: [report.html](#/experiments/{1}/runs/{2}/artifacts/report.html)"
NOTE_TAG = "mlflow.note.content"
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

    def written(self, study: str, invocation: str) -> dict[str, Any] | None:
        """Return a study as its author wrote it, of which an invocation is; None where that is not known."""
        value = self.invocation(study, invocation)
        found = None if value is None else value.get("origin", {}).get("study")
        return found if isinstance(found, dict) else None

    def invocation(self, study: str, invocation: str) -> dict[str, Any] | None:
        """Return the record of an invocation; None where there is none."""
        return record.read(RESULTS / study / "tracking" / f"invocation-{invocation}.json")

    def parent(self, study: str, invocation: str) -> Any:
        """Return the run of one invocation of Snakemake on one study, made when its first step is sent; None where
        a step ran outside any."""
        key = (study, invocation)
        if key not in self.parents:
            value = self.invocation(study, invocation)
            experiment = self.experiment(study)
            run = self.find(experiment, INVOCATION_TAG, invocation)
            if run is None and value is not None:
                digest = {"config_digest": value["tags"].get("config_digest", "")}
                tags = {INVOCATION_TAG: invocation, NOTE_TAG: NOTE.format(study), **digest, **_tags(value)}
                run = self.client.create_run(experiment, value["started"], tags, value["name"])
                params = compared.params_of_study(value, self.written(study, invocation))
                self._log(run.info.run_id, value["started"], params=params)
                self.client.log_dict(run.info.run_id, value, compared.RECORD_FILE)
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
            self.client.log_dict(run.info.run_id, value, compared.RECORD_FILE)
            self.client.set_terminated(run.info.run_id, value["status"], value["ended"])

    def step(self, value: dict[str, Any], key: str) -> None:
        """Make the run of one step, under its invocation."""
        study = value["study"]
        experiment, parent = self.experiment(study), self.parent(study, value["invocation"])
        run = self.find(experiment, RECORD_TAG, key)
        if run is None:
            tags = {
                RECORD_TAG: key,
                OUTPUTS_TAG: outputs_tag(value.get("outputs", {}), LONGEST_TAG),
                **_tags(value),
                "rule": value["rule"],
                **{f"wildcard.{k}": v for k, v in value["wildcards"].items() if k != "study"},
            }
            if parent is not None:
                tags["mlflow.parentRunId"] = parent.info.run_id
            run = self.client.create_run(experiment, value["started"], tags, value["name"])
        run_id, known = run.info.run_id, value.get("datasets", [])
        params = compared.params(value, self.written(study, value["invocation"]))
        datasets.log(self.client, run_id, known)
        model = None
        if value.get("model"):
            name = value["wildcards"].get("surrogate", "model")
            model = logged_models.of_step(self.client, run, key, name, value["model"], params)
        at = value.get("ended") or value["started"]
        self._log(run_id, at, compared.metrics(value), params, model, known)
        self._log_system(run_id, value.get("system", {}))
        self._log_others(experiment, value)
        self._log_artifacts(run_id, value)
        self.client.log_dict(run_id, value, compared.RECORD_FILE)
        if parent is not None:
            self._log_of_study(parent.info, value)
        self.client.set_terminated(run_id, "FINISHED", value["ended"])

    def _create(self, study: str, location: str | None, tags: dict[str, Any]) -> str:
        from mlflow import MlflowException

        try:
            return self.client.create_experiment(study, location, tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another folder on this server just did
                raise
            return self.client.get_experiment_by_name(study).experiment_id

    def _log_of_study(self, parent: Any, value: dict[str, Any]) -> None:
        """Log on an invocation's run what the study came to, and the data that it is about."""
        datasets.log(self.client, parent.run_id, [d for d in value.get("datasets", []) if d["context"] == STUDY])
        if value.get("of_study"):
            self._log(parent.run_id, value["started"], [tuple(m) for m in value["metrics"]])
            self._log_artifacts(parent.run_id, value)
            description = DESCRIPTION.format(value["study"], parent.experiment_id, parent.run_id)
            self.client.set_experiment_tag(parent.experiment_id, NOTE_TAG, description)

    def _log_others(self, experiment: str, value: dict[str, Any]) -> None:
        """Log what a step found of steps before on their runs, where these are compared: the truth of an inversion."""
        for path, metrics in value.get("others", {}).items():
            run = self.find(experiment, RECORD_TAG, record_key(Path(path))) if Path(path).exists() else None
            if run is not None:
                self._log(run.info.run_id, value["started"], [tuple(m) for m in metrics])

    def _log_artifacts(self, run_id: str, value: dict[str, Any]) -> None:
        for path in value["artifacts"]:
            if Path(path).exists():
                log = self.client.log_artifacts if Path(path).is_dir() else self.client.log_artifact
                log(run_id, path, Path(path).name if Path(path).is_dir() else None)

    def _log_system(self, run_id: str, system: Mapping[str, list[list[Any]]]) -> None:
        from mlflow.entities import Metric

        self._send(run_id, [Metric(name, v, at, k) for name, ps in system.items() for k, (at, v) in enumerate(ps)])

    def _log(
        self, run_id: str, at: int, metrics: Sequence[tuple[str, float, int]] = (),
        params: Mapping[str, Any] | None = None, model: str | None = None, known: Sequence[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        """Log parameters, and metrics as they were at a time; saying them again changes nothing.

        Args:
            model: the logged model that metrics are of which have a dataset.
            known: the datasets.
        """
        from mlflow.entities import Metric, Param, RunTag

        params, found = params or {}, []
        for name, value, step in metrics:
            of = datasets.of_metric(name, known)
            about = {} if of is None else {"dataset_name": of["name"], "dataset_digest": datasets.digest_of(of)}
            found.append(Metric(escaped(name), value, at, step, model if of else None, **about))
        called = [name for name, *_ in metrics] + list(params)
        tags = [RunTag(f"name.{safe}"[:LONGEST], name[:LONGEST_TAG]) for safe, name in changed(called).items()]
        self._send(run_id, found, [Param(escaped(k), str(v)[:LONGEST_PARAM]) for k, v in params.items()], tags)

    def _send(self, run_id: str, metrics: list[Any], params: Sequence[Any] = (), tags: Sequence[Any] = ()) -> None:
        for k in range(0, len(metrics), 1000):
            self.client.log_batch(run_id, metrics=metrics[k : k + 1000])
        for k in range(0, max(len(params), len(tags)), 100):
            self.client.log_batch(run_id, params=params[k : k + 100], tags=tags[k : k + 100])


def _tags(value: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a record by which MLflow's pages tell where a run is from; those of the environment that are
    the same for all of an invocation's steps stand in their records."""
    found = COMMIT.match(value["tags"].get("git_commit", ""))
    own = {k: v for k, v in value["tags"].items() if k not in ENVIRONMENT}
    return {**own, "mlflow.source.name": "snakemake", **({"mlflow.source.git.commit": found[0]} if found else {})}
