"""Records to MLflow: with `preimage.registry` the only module that imports it.

Steps never talk to a server. They write records (`preimage.record`); here each becomes an MLflow run, once, however
often and by however many senders it is tried: a run carries its record's digest as a tag, and is looked up before it
is made. A sender runs beside Snakemake (`watch`), and `snakemake sync_tracking` sends what was left.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import re
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from preimage.errors import StudyError, did_you_mean, without_secrets
from preimage.files import read_json, sha256, write_json

RESULTS = Path("results")
MARKER = RESULTS / ".tracking" / "store.created"
LOCK = RESULTS / ".tracking" / "lock"
DEFAULT_URI = "sqlite:///results/mlflow.db"
ARTIFACTS = RESULTS / "mlartifacts"
LOOK_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 15.0
LONGEST_PARAM = 5000
RECORD_TAG = "preimage.record"
INVOCATION_TAG = "preimage.invocation"
ORIGIN = "origin.json"


def uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def shown_uri() -> str:
    """Return the tracking address without user and password."""
    return without_secrets(uri().partition("?")[0])


# -- the store ---------------------------------------------------------------------------------------------------------


def create_store() -> str:
    """Create the store where it is a local database; return what there is to say. Never raises: tracking is no
    reason for science to stop."""
    try:
        with sending():
            Sender()
        return f"tracking to {shown_uri()}"
    except Exception as error:
        return _away(error)


def _away(error: Exception) -> str:
    return (
        f"tracking at {shown_uri()} is away ({redacted(error)}); results are complete without it, and "
        "`snakemake sync_tracking --cores 1` sends what waits"
    )


def redacted(error: Exception) -> str:
    """Return an error in one short line, without secrets."""
    return without_secrets(" ".join(str(error).split()) or type(error).__name__)[:200]


@contextmanager
def sending() -> Iterator[None]:
    """One sender at a time in this folder: a fresh store made by two at once breaks."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# -- records -----------------------------------------------------------------------------------------------------------


def pending() -> list[Path]:
    """Return the records that this address has not been sent, oldest first, invocations last."""
    found = []
    for path in RESULTS.glob("*/tracking/**/*.json"):
        if "sent" not in path.parts and not path.name.startswith(".") and not _receipt(path).exists():
            found.append(path)
    return sorted(found, key=lambda p: (p.name.startswith("invocation-"), p.stat().st_mtime_ns, str(p)))


def _receipt(path: Path) -> Path:
    """Return the file that says a record, as it is now, has been sent to this address."""
    folder = path
    while folder.name != "tracking":
        folder = folder.parent
    address = re.sub(r"[^A-Za-z0-9]+", "_", shown_uri())[-80:]
    return folder / "sent" / address / f"{path.stem}.{sha256(path)[:16]}.json"


def _record_key(path: Path) -> str:
    """Return the tag that the run of a record, as it is now, carries."""
    return f"{path.stem}.{sha256(path)[:16]}"


def send(say: Any = None) -> int:
    """Send every pending record; return how many. Raises what the server raises."""
    with sending():
        waiting = pending()
        if not waiting:
            return 0
        sender = Sender()
        for k, path in enumerate(waiting):
            if path.exists():
                _send_one(sender, path)
            if say:
                say(k + 1, len(waiting))
        return len(waiting)


def run_of(path: Path) -> str:
    """Return the id of the run that a step's record became; one that waits is sent. Raises what the server raises."""
    with sending():
        sender, value, tag = Sender(), read_json(path), _record_key(path)
        experiment = sender.experiment(value["study"])
        run = sender.find(experiment, RECORD_TAG, tag)
        if run is None or run.info.status != "FINISHED":
            _send_one(sender, path)
            run = sender.find(experiment, RECORD_TAG, tag)
        return str(run.info.run_id)


def _send_one(sender: Sender, path: Path) -> None:
    receipt, value = _receipt(path), read_json(path)
    if path.name.startswith("invocation-"):
        sender.end_invocation(value)
    else:
        sender.step(value, _record_key(path))
    write_json(receipt, {"sent": value["name"]})


def _client() -> Any:
    # A server that is away is noticed in seconds, not minutes; the record is sent another time.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    # What MLflow prints on its own account (an address a run, a bar a download) belongs to no step's output.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would override the parent that we name
    import mlflow

    mlflow.set_tracking_uri(uri())
    return mlflow.MlflowClient()


def _check_version() -> None:
    """Raise StudyError where the server is of an older major version than the client: half of what is sent would be
    refused, or lost."""
    if not uri().startswith("http"):
        return
    import mlflow
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    answer = http_request(get_default_host_creds(uri()), "/version", "GET", raise_on_status=False)
    found = re.match(r"(\d+)\.\d", answer.text.strip()) if answer.status_code == 200 else None
    wanted = mlflow.__version__.partition(".")[0]
    if found is not None and int(found[1]) < int(wanted):
        raise StudyError(f"the server is MLflow {answer.text.strip()[:20]}, expected {wanted}.0 or later: upgrade it")


class Sender:
    """A connection to MLflow, with the runs of invocations that it has met."""

    def __init__(self) -> None:
        self.client = _client()
        self.client.search_experiments(max_results=1)
        _check_version()
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
            record = RESULTS / study / "tracking" / f"invocation-{invocation}.json"
            experiment = self.experiment(study)
            run = self.find(experiment, INVOCATION_TAG, invocation)
            if run is None and record.exists():
                value = read_json(record)
                tags = {INVOCATION_TAG: invocation, **value["tags"]}
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
                **value["tags"],
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
        for path in value["artifacts"]:
            if Path(path).exists():
                log = self.client.log_artifacts if Path(path).is_dir() else self.client.log_artifact
                log(run_id, path, Path(path).name if Path(path).is_dir() else None)
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
            run = self.find(experiment, RECORD_TAG, _record_key(Path(path))) if Path(path).exists() else None
            if run is not None:
                self._log(run.info.run_id, {"started": value["started"], "metrics": metrics, "params": {}})

    def _log(self, run_id: str, value: dict[str, Any]) -> None:
        """Log parameters, metrics and digests in one call; saying them again changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        at = value.get("ended") or value["started"]
        metrics = [Metric(_name(n), v, at, s) for n, v, s in value["metrics"]]
        metrics += [Metric(f"timing/{_name(n)}", v, at, 0) for n, v in value.get("timing", {}).items()]
        params = [Param(_name(k), str(v)[:LONGEST_PARAM]) for k, v in value["params"].items()]
        tags = [
            RunTag(_digest_tag(Path(p).name), d)
            for part in ("inputs", "outputs")
            for p, d in value.get(part, {}).items()
        ]
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


def _log_sklearn(model: dict[str, Any]) -> None:
    """Log a scikit-learn model in skops format."""
    import mlflow
    import numpy as np
    import pandas as pd
    import skops.io
    from mlflow.models import infer_signature

    fitted = skops.io.load(model["path"], trusted=model["trusted"])
    example = pd.DataFrame(model["example"])
    fitted.feature_names_in_ = np.array(list(example), object)
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


def _digest_tag(name: str) -> str:
    return f"sha256.{_name(name)}"[:250]


FLAVORS = {"sklearn": _log_sklearn, "keras": _log_keras}


def _name(name: str) -> str:
    """Return a name that MLflow takes: what it refuses becomes an underscore."""
    return re.sub(r"[^A-Za-z0-9_\-. /:]", "_", name)[:250]


# -- a run that is to be made again ------------------------------------------------------------------------------------


def fetch_origin(run: str, folder: Path) -> dict[str, Any]:
    """Return what the run of an invocation started from, and put its tables into `folder`/tables.

    Raises StudyError where there is no such run, it is no invocation that has finished, or the store can't be reached.
    """
    with _asking(f"run {run}") as client:
        from mlflow import MlflowException

        try:
            found = client.get_run(run)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise StudyError(f"run {run}: tracking at {shown_uri()} has no such run") from None
        tags, status = found.data.tags, found.info.status
        if parent := tags.get("mlflow.parentRunId"):
            raise StudyError(f"run {run}: found a step of a run, expected the run itself: run={parent}")
        if INVOCATION_TAG not in tags:
            raise StudyError(f"run {run} ('{found.info.run_name}'): no run of this workflow")
        if status != "FINISHED":
            raise StudyError(f"run {run}: found the status {status}, expected a run that finished")
        if not any(a.path == ORIGIN for a in client.list_artifacts(run)):
            raise StudyError(f"run {run}: it has no {ORIGIN}: it was made before this workflow could reproduce runs")
        value: dict[str, Any] = read_json(client.download_artifacts(run, ORIGIN, str(folder)))
        if not value["tables"]:
            raise StudyError(f"run {run}: it left no tables to compare with; expected a run of all of its study")
        (folder / "tables").mkdir()
        for name, digest in value["tables"].items():
            if Path(name).name != name or Path(name).suffix not in (".parquet", ".csv"):
                raise StudyError(f"run {run}: found a table named '{name[:60]}', expected one of parquet or CSV")
            _fetch_table(client, found.info.experiment_id, name, digest, folder / "tables")
        return value


def _fetch_table(client: Any, experiment: str, name: str, digest: str, folder: Path) -> None:
    """Download a table from whichever run of the experiment has it: an invocation may have found it made before."""
    tag = _digest_tag(name)
    for step in client.search_runs([experiment], f"tags.`{tag}` = '{digest}'"):
        if any(a.path == name for a in client.list_artifacts(step.info.run_id)):
            path = Path(client.download_artifacts(step.info.run_id, name, str(folder)))
            if sha256(path) == digest:
                return
    raise StudyError(f"{name}: no run in tracking at {shown_uri()} has this table (sha256 {digest})")


# -- models of the user's own ------------------------------------------------------------------------------------------


def resolve_model(address: str) -> str:
    """Return the version that an MLflow address stands for now: `models:/name/3` for an alias or the latest.

    Raises StudyError where it leads nowhere, or the store can't be reached.
    """
    with _asking(f"uri '{address}'") as client:
        part = re.fullmatch(r"models:/([^/@]+)(?:@([^/]+)|/(\w+))", address)
        if part is None:
            if address.startswith("models:/"):
                client.get_logged_model(address.removeprefix("models:/"))
            else:
                client.get_run(address.split("/")[1])
            return address
        name, alias, version = part.groups()
        found = [m for m in client.search_registered_models(max_results=1000) if m.name == name]
        if not found:
            names = [m.name for m in client.search_registered_models(max_results=1000)]
            raise StudyError(f"uri '{address}': no registered model '{name}'{did_you_mean(name, names)}")
        versions = sorted(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
        if alias is not None:
            if alias not in found[0].aliases:
                raise StudyError(
                    f"uri '{address}': '{name}' has no alias '{alias}'{did_you_mean(alias, found[0].aliases)}"
                )
            version = str(found[0].aliases[alias])
        if not versions or (version != "latest" and int(version) not in versions):
            raise StudyError(f"uri '{address}': found versions {versions}, expected {version}")
        return f"models:/{name}/{versions[-1] if version == 'latest' else version}"


@cache
def fetch_model(address: str) -> Path:
    """Download the files of a model, once a process, into a folder that is removed when it ends; return where.

    Raises StudyError where there are none, or the store can't be reached.
    """
    folder = tempfile.mkdtemp(prefix="preimage-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with _asking(f"uri '{address}'"):
        import mlflow

        return Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder))


@contextmanager
def _asking(address: str) -> Iterator[Any]:
    """Give a client of the store; make what it raises one StudyError of one line, about `address`."""
    store = uri().removeprefix("sqlite:///")
    if uri().startswith("sqlite:") and not Path(store).exists():
        raise StudyError(f"{address}: no tracking store at {shown_uri()}; MLFLOW_TRACKING_URI names another")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        yield _client()
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{address}: tracking at {shown_uri()} says: {redacted(error)}") from None


# -- senders -----------------------------------------------------------------------------------------------------------


def watch() -> None:
    """Send records as steps end, until standard input closes (Snakemake ended or was killed); then once more.

    Prints one line at the end where something could not be sent.
    """
    rest_until = 0.0
    while not select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)[0] or os.read(sys.stdin.fileno(), 64):
        if time.monotonic() > rest_until and MARKER.exists():
            try:
                send()
            except Exception:
                rest_until = time.monotonic() + RETRY_AFTER_SECONDS
    try:
        send()
    except Exception as error:
        print(f"warning: {len(pending())} records wait: {_away(error)}", file=sys.stderr)


def sync() -> int:
    """Send what waits, saying how far it is; return an exit status."""
    try:
        n = send(lambda done, total: print(f"\rsending {done} of {total}", end="", file=sys.stderr))
    except Exception as error:
        print(f"\nerror: {_away(error)}", file=sys.stderr)
        return 1
    print(f"{'' if not n else chr(10)}{n} records sent to {shown_uri()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    watch()
