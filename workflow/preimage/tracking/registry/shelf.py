"""The versions of registered models as the store has them: looked up, and made where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from preimage.surrogates.brought.source import OWN_FILES as FILES
from preimage.surrogates.brought.source import REGISTERED as ABOUT
from preimage.tracking.registry.reached import is_away, reached, written
from preimage.tracking.registry.succession import TAG as SUCCESSION_TAG
from preimage.tracking.registry.succession import Succession
from preimage.tracking.sender import Sender

KEY = "preimage.key"


class Version(NamedTuple):
    """A version of a registered model; `key` says what it was made of."""

    name: str
    version: str
    key: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


class Shelf:
    """A connection to the store of registered models, without a word on which of them counts."""

    def __init__(self) -> None:
        with reached():
            self.sender = Sender()
            self.client = self.sender.client

    def version(self, name: str, version: str) -> Version | None:
        """Return a version by its number; None where there is none."""
        with reached():
            return next((v for v in self.versions(name) if v.version == version), None)

    def versions(self, name: str) -> list[Version]:
        """Return every version of a model, oldest first."""
        found: list[Version] = []
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{name}'", page_token=token)
            found += [Version(name, str(v.version), v.tags.get(KEY, ""), dict(v.tags)) for v in page]
            token = page.token
            if not token:
                return sorted(found, key=lambda v: int(v.version))

    def known(self, name: str, key: str) -> Version | None:
        """Return the oldest version made of that, files and all; None where there is none."""
        return next((v for v in self.versions(name) if v.key == key and self.has_files(v)), None)

    def has_files(self, version: Version) -> bool:
        """Whether everything that a version needs is in the store."""
        return self.is_whole(version.uri)

    def is_whole(self, uri: str) -> bool:
        """Whether all files of a version are at an address."""
        import mlflow

        with reached():
            try:
                found = mlflow.artifacts.list_artifacts(uri)
            except (mlflow.MlflowException, OSError) as error:
                if is_away(error):  # nothing is known of the files
                    raise
                return False
            return {"MLmodel", ABOUT, FILES} <= {Path(f.path).name for f in found}

    def model(self, name: str) -> Any:
        """Return a registered model as MLflow has it; None where there is none."""
        from mlflow import MlflowException

        try:
            return self.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def create(self, name: str) -> None:
        """Make a registered model, with a succession of its own."""
        from mlflow import MlflowException

        try:
            self.client.create_registered_model(name, {SUCCESSION_TAG: self.new_succession(name)})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else just did
                raise

    def succession(self, name: str) -> Succession:
        """Return the succession of a model that is there; a new one where it has none, or its run was deleted."""
        from mlflow import MlflowException

        run_id = self.model(name).tags.get(SUCCESSION_TAG)
        try:
            if run_id is not None and self.client.get_run(run_id).info.lifecycle_stage == "active":
                return Succession(self.client, run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        run_id = self.new_succession(name)
        written(self.client.set_registered_model_tag, name, SUCCESSION_TAG, run_id)
        return Succession(self.client, run_id)

    def new_succession(self, name: str) -> str:
        return self.run(name, f"champions of {name}", f"champions of {name}", {})

    def run(self, name: str, title: str, key: str, tags: Mapping[str, str]) -> str:
        """Return the finished run that carries `key`; made where there is none."""
        experiment = self.sender.experiment(name.partition(".")[0])
        found = self.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        run = found[0] if found else self.client.create_run(experiment, tags={**tags, KEY: key}, run_name=title)
        if run.info.status != "FINISHED":
            self.client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)
