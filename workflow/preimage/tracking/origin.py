"""A run that is to be made again: what it started from, and the tables that it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preimage.study.origin import check_tables, parsed
from preimage.support.errors import StudyError
from preimage.support.files import sha256
from preimage.tracking.downloading import download
from preimage.tracking.names import INVOCATION_TAG, ORIGIN, OUTPUTS_TAG, digest_tag, signed
from preimage.tracking.store import asking, shown_uri


def fetch_origin(run: str, folder: Path) -> dict[str, Any]:
    """Return what the run of an invocation started from, its tables checked and put into `folder`/tables.

    Raises StudyError where there is no such run, it is no invocation that has finished, or the store can't be reached.
    """
    with asking(f"run {run}") as client:
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
            raise StudyError(f"run {run} ('{found.info.run_name}'): not a run of this workflow")
        if status != "FINISHED":
            raise StudyError(f"run {run}: found the status {status}, expected a run that finished")
        if not any(a.path == ORIGIN and not a.is_dir for a in client.list_artifacts(run)):
            raise StudyError(f"run {run}: it has no {ORIGIN}: it was made before this workflow could reproduce runs")
        value = parsed(run, download(f"runs:/{run}/{ORIGIN}", folder).read_bytes())
        check_tables(run, value)
        (folder / "tables").mkdir()
        for name, digest in value["tables"].items():
            _fetch_table(client, found.info.experiment_id, name, digest, folder / "tables")
        return value


def _fetch_table(client: Any, experiment: str, name: str, digest: str, folder: Path) -> None:
    """Download a table from whichever run of the experiment has it: an invocation may have found it made before."""
    steps = client.search_runs([experiment], f"tags.`{OUTPUTS_TAG}` LIKE '%{signed(name, digest)}%'")
    steps = steps or client.search_runs([experiment], f"tags.`{digest_tag(name)}` = '{digest}'")
    for step in steps:
        if any(a.path == name for a in client.list_artifacts(step.info.run_id)):
            path = download(f"runs:/{step.info.run_id}/{name}", folder, "table")
            if sha256(path) == digest:
                return
    raise StudyError(f"{name}: no run in tracking at {shown_uri()} has this table (sha256 {digest})")
