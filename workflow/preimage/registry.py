"""The registry: every trained surrogate a version, and the aliases `champion` and `challenger`.

A version is a folder of our own files (arrays, skops, `.keras`: nothing that runs code when loaded) beside an `MLmodel`
with signature and input example. Beside `preimage.tracking` the only module that imports MLflow.

Whatever is done here may be done twice, or be stopped half-way: a version carries the digest of what it was made of and
is looked up before it is made; an alias is the last thing to move, never to a version without its files, and only while
the champion is still the one that the challenger was compared with: `preimage.succession` sees to that, also between
folders that share a server.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from preimage import succession, tracking
from preimage.errors import StudyError
from preimage.files import digest, sha256, write_json
from preimage.surrogates.brought.source import OWN as FLAVOR
from preimage.surrogates.brought.source import OWN_FILES as FILES
from preimage.surrogates.brought.source import REGISTERED as ABOUT

CHAMPION, CHALLENGER = "champion", "challenger"
KEY = "preimage.key"
# What MLflow's errors say where the server is away or won't have us.
AWAY = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "UNAUTHENTICATED", "PERMISSION_DENIED")


class Version(NamedTuple):
    """A version of a registered model; `key` says what it was made of."""

    name: str
    version: str
    key: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


def model_name(study: str, surrogate: str, seed: int | None = None) -> str:
    """Return the name of a study's registered model; with the seed where a study has several."""
    return f"{study}.{surrogate}" + ("" if seed is None else f".seed{seed}")


class Registry:
    """A connection to the registry. Raises StudyError where the server is away, as everything below does."""

    def __init__(self) -> None:
        with _reached():
            self.sender = tracking.Sender()
            self.client = self.sender.client

    # -- looking -----------------------------------------------------------------------------------------------------

    def alias(self, name: str, alias: str = CHAMPION) -> Version | None:
        """Return the version that an alias points to; None where there is no such model or alias.

        Raises StudyError where it points, or pointed, to a version that was deleted or lost its files.
        """
        with _reached():
            found = self._model(name)
            version = None if found is None else dict(found.aliases).get(alias)
            if version is None and found is not None and alias == CHAMPION:
                version = self._deleted_champion(name)
            if version is None:
                return None
            whole = self.version(name, str(version))
            if whole is None or not self.has_files(whole):
                lost = "was deleted" if whole is None else "has no files"
                raise StudyError(
                    f"registered model '{name}': alias '{alias}' points to version {version}, which {lost}; "
                    "`snakemake rollback` moves it to another"
                )
            return whole

    def reign(self, version: Version) -> succession.Reign | None:
        """Return the first reign of a version that is or was the champion, None for another; first carry through what
        a killed process left half-done."""
        with _reached(), tracking.sending():
            line, _ = self._settle(version.name)
            return next((r for r in line.reigns() if r.version == version.version and r.complete), None)

    def _deleted_champion(self, name: str) -> str | None:
        """Return the number of the last champion if it was deleted: MLflow takes the alias away with it."""
        last = self._succession(name).last()
        gone = last is not None and last.complete and self.version(name, last.version) is None
        return last.version if last and gone else None

    def version(self, name: str, version: str) -> Version | None:
        """Return a version by its number; None where there is none."""
        with _reached():
            return next((v for v in self._versions(name) if v.version == version), None)

    def has_files(self, version: Version) -> bool:
        """Whether everything that a version needs is in the store."""
        return self._whole(version.uri)

    def _whole(self, uri: str) -> bool:
        import mlflow

        with _reached():
            try:
                found = mlflow.artifacts.list_artifacts(uri)
            except (mlflow.MlflowException, OSError) as error:
                if _away(error):  # nothing is known of the files
                    raise
                return False
            return {"MLmodel", ABOUT, FILES} <= {Path(f.path).name for f in found}

    def fetch(self, uri: str, folder: Path) -> tuple[dict[str, Any], Path]:
        """Copy a version of ours into `folder`; return what is known of it, and where the surrogate's own files are.

        Args:
            uri: models:/name@alias or models:/name/version.

        Raises StudyError where there is none, or it was not registered by this workflow.
        """
        import mlflow

        name, version = self.resolve(uri)
        with _reached():
            try:
                path = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=str(folder)))
                about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            except (mlflow.MlflowException, OSError, ValueError) as error:
                if _away(error):
                    raise
                raise StudyError(
                    f"{uri}: found no model of this workflow in version {version} ({type(error).__name__}); expected "
                    "one that `snakemake relearn` registered"
                ) from None
        return about, path / FILES

    def resolve(self, uri: str) -> tuple[str, str]:
        """Return name and version number of models:/name@alias or models:/name/version.

        Raises StudyError for another form, an alias or version that is not there.
        """
        match = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", uri)
        if match is None:
            raise StudyError(f"'{uri}': expected models:/name@alias or models:/name/version")
        name, alias, number = match.groups()
        found = self.alias(name, alias) if alias else self.version(name, number)
        if found is None:
            wanted = f"alias '{alias}'" if alias else f"version {number}"
            raise StudyError(f"'{uri}': the registry at {tracking.shown_uri()} has no {wanted} of '{name}'")
        return found.name, found.version

    def trained_by(self, record: Path) -> str:
        """Return the MLflow run of the step that left this record."""
        with _reached():
            return tracking.run_of(record)

    # -- registering -------------------------------------------------------------------------------------------------

    def register(
        self, name: str, model: Path, about: Mapping[str, Any], example: Mapping[str, list[Any]],
        predicted: Mapping[str, list[float]], tags: Mapping[str, str], run_id: str | None = None,
    ) -> Version:  # fmt: skip
        """Register a trained surrogate, once: the same files and facts give the version that is there already.

        Args:
            model: folder that the surrogate saved itself into.
            about: kind, intervals, inputs, outputs, and whatever else is needed to use it.
            example, predicted: a few rows of inputs by name, and what the surrogate predicts for them.
            tags: round, data digest, metrics, git commit, lock digest.
            run_id: the MLflow run that trained it; without, one is made for it.
        """
        key = digest([sha256(model), dict(about)])
        with _reached(), tracking.sending():
            if known := self._known(name, key):
                return known
            run_id = run_id or self._run(name, f"register {name}", key, tags)
            source = self._log(name, run_id, model, about, example, predicted, {**tags, KEY: key})
            if self._model(name) is None:
                self._create(name)
            made = self.client.create_model_version(
                name, f"models:/{source}", run_id, {**tags, KEY: key}, model_id=source
            )
            # Another folder may have registered the same at the same time: both go on with the older one.
            return self._known(name, key) or Version(name, str(made.version), key, dict(made.tags))

    def _known(self, name: str, key: str) -> Version | None:
        """Return the oldest version made of that, files and all; None where there is none."""
        return next((v for v in self._versions(name) if v.key == key and self.has_files(v)), None)

    def _log(
        self, name: str, run_id: str, model: Path, about: Mapping[str, Any], example: Mapping[str, list[Any]],
        predicted: Mapping[str, list[float]], tags: Mapping[str, str],
    ) -> str:  # fmt: skip
        """Store a version's folder; return the id of the logged model. One that was begun before is gone on with."""
        experiment = self.client.get_run(run_id).info.experiment_id
        begun = self.client.search_logged_models([experiment], f"tags.`{KEY}` = '{tags[KEY]}'")
        begun = [m for m in begun if m.status != "READY" or self._whole(f"models:/{m.model_id}")]
        logged = begun[0] if begun else self.client.create_logged_model(
            experiment, name.replace(".", "-"), run_id, dict(tags), {"kind": about["kind"]}
        )  # fmt: skip
        if logged.status != "READY":
            with tempfile.TemporaryDirectory() as folder:
                _write(Path(folder), logged.model_id, run_id, model, about, example, predicted)
                self.client.log_model_artifacts(logged.model_id, folder)
            self.client.finalize_logged_model(logged.model_id, "READY")
        self._link(run_id, logged.model_id)
        return str(logged.model_id)

    def _link(self, run_id: str, model_id: str) -> None:
        """Say that a run made a model; MLflow refuses to be told twice."""
        from mlflow import MlflowException
        from mlflow.entities import LoggedModelOutput

        try:
            self.client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
        except MlflowException:
            outputs = self.client.get_run(run_id).outputs
            if outputs is None or model_id not in [m.model_id for m in outputs.model_outputs]:
                raise

    def _run(self, name: str, title: str, key: str, tags: Mapping[str, str]) -> str:
        """Return the finished run that carries `key`; made where there is none."""
        experiment = self.sender.experiment(name.partition(".")[0])
        found = self.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        run = found[0] if found else self.client.create_run(experiment, tags={**tags, KEY: key}, run_name=title)
        if run.info.status != "FINISHED":
            self.client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    # -- moving aliases ----------------------------------------------------------------------------------------------

    def promote(
        self, version: Version, compared_with: Version | None, reason: str, comparison: Mapping[str, Any] | None = None
    ) -> bool:
        """Make a version the champion, if the champion is still the one that it was compared with.

        Returns whether it is the champion now; False means that another was promoted meanwhile: compare again.
        """
        with _reached(), tracking.sending():
            line, last = self._settle(version.name)  # before the alias: a claim fails where anything moved since
            now = self.alias(version.name)
            if now is not None and now.version == version.version:
                return True
            before = now and now.version
            if before != (compared_with and compared_with.version):
                return False
            self._check_files(version)
            reign = line.claim(last, version.version, before, reason, comparison)
            if reign is None:
                return False
            self._enthrone(version.name, line, reign)
            return True

    def refuse(self, version: Version, reasons: list[str]) -> None:
        """Make a version the challenger, with the reasons why it is not the champion."""
        with _reached(), tracking.sending():
            self._check_files(version)
            tag, alias = self.client.set_model_version_tag, self.client.set_registered_model_alias
            _written(tag, version.name, version.version, "refused", "; ".join(reasons)[:5000])
            _written(alias, version.name, CHALLENGER, version.version)

    def rollback(self, name: str, number: str, reason: str) -> Version:
        """Make an earlier version the champion again, and record why. Raises StudyError where it is not there."""
        with _reached(), tracking.sending():
            version = self.version(name, number)
            if version is None:
                numbers = ", ".join(v.version for v in self._versions(name)) or "none"
                raise StudyError(f"registered model '{name}': no version {number}; there are: {numbers}")
            self._check_files(version)
            reign = None
            while reign is None:
                line, last = self._settle(name)
                try:
                    now = self.alias(name)
                except StudyError:  # the champion was deleted: that is what a rollback is for
                    now = None
                if now is not None and now.version == number:
                    return version
                reign = line.claim(last, number, now and now.version, f"rolled back: {reason}")
            self._enthrone(name, line, reign)
            return version

    def _settle(self, name: str) -> tuple[succession.Succession, succession.Reign | None]:
        """Carry through a claim that its process did not (it was killed, or is at it now: twice does no harm); return
        the succession and its last reign, which is complete or can't be: its version was deleted or lost its files."""
        line = self._succession(name)
        last = line.last()
        if last is not None and not last.complete:
            version = self.version(name, last.version)
            if version is not None and self.has_files(version):
                last = self._enthrone(name, line, last)
        return line, last

    def _enthrone(self, name: str, line: succession.Succession, reign: succession.Reign) -> succession.Reign:
        """Make tags and alias say what a reign says; where a later one began meanwhile, what that says. Return it."""
        while True:
            self._tag(name, reign)
            if (last := line.last()) is None or last.number == reign.number:
                _written(self.client.set_registered_model_alias, name, CHAMPION, reign.version)
                line.complete(reign)
                last = line.last()
            # A process that was slow may have moved the alias after a later reign did: it moves it on, too.
            if last is None or last.number == reign.number:
                return reign
            reign = last

    def _tag(self, name: str, reign: succession.Reign) -> None:
        """Say on the versions what a reign says. The alias moves after that."""
        tag, untag = self.client.set_model_version_tag, self.client.delete_model_version_tag
        versions = {v.version: v for v in self._versions(name)}
        _written(tag, name, reign.version, "promoted", reign.reason)
        _written(tag, name, reign.version, "replaced", reign.replaced or succession.NOBODY)
        for past in {"refused", "demoted"} & set(versions[reign.version].tags):
            untag(name, reign.version, past)
        if reign.replaced in versions:
            _written(tag, name, reign.replaced, "demoted", f"by version {reign.version}: {reign.reason}")
        if str(dict(self._model(name).aliases).get(CHALLENGER)) == reign.version:
            self.client.delete_registered_model_alias(name, CHALLENGER)

    def _check_files(self, version: Version) -> None:
        if not self.has_files(version):
            raise StudyError(f"{version.uri}: its files are not in the store; no alias is set on it")

    # -- MLflow's side -----------------------------------------------------------------------------------------------

    def _model(self, name: str) -> Any:
        from mlflow import MlflowException

        try:
            return self.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _create(self, name: str) -> None:
        from mlflow import MlflowException

        try:
            self.client.create_registered_model(name, {succession.TAG: self._new_succession(name)})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else just did
                raise

    def _succession(self, name: str) -> succession.Succession:
        """Return the succession of a model that is there; a new one where it has none, or its run was deleted."""
        from mlflow import MlflowException

        run_id = self._model(name).tags.get(succession.TAG)
        try:
            if run_id is not None and self.client.get_run(run_id).info.lifecycle_stage == "active":
                return succession.Succession(self.client, run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        run_id = self._new_succession(name)
        _written(self.client.set_registered_model_tag, name, succession.TAG, run_id)
        return succession.Succession(self.client, run_id)

    def _new_succession(self, name: str) -> str:
        return self._run(name, f"champions of {name}", f"champions of {name}", {})

    def _versions(self, name: str) -> list[Version]:
        """Return every version of a model, oldest first."""
        found: list[Version] = []
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{name}'", page_token=token)
            found += [Version(name, str(v.version), v.tags.get(KEY, ""), dict(v.tags)) for v in page]
            token = page.token
            if not token:
                return sorted(found, key=lambda v: int(v.version))


def thresholds_failed(
    champion: Mapping[str, float] | None, challenger: Mapping[str, float], limits: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return why MLflow's own validation refuses the challenger; nothing where it passes.

    Args:
        champion, challenger: metrics by name, smaller is better; without a champion only `threshold` counts.
        limits: by metric: threshold, min_absolute_change, min_relative_change, each of which may be left out.
    """
    import mlflow
    from mlflow.models import MetricThreshold
    from mlflow.models.evaluation import EvaluationResult
    from mlflow.models.evaluation.validation import ModelValidationFailedException

    relative = {"min_absolute_change", "min_relative_change"}
    kept = {
        name: {k: float(v) for k, v in limit.items() if v is not None and (champion is not None or k not in relative)}
        for name, limit in limits.items()
    }
    # MLflow takes a least absolute change above 0 only: 0 asks for nothing.
    kept = {n: {k: v for k, v in limit.items() if k == "threshold" or v > 0} for n, limit in kept.items()}
    thresholds = {n: MetricThreshold(**limit, greater_is_better=False) for n, limit in kept.items() if limit}
    if not thresholds:
        return []
    old = None if champion is None else EvaluationResult(dict(champion), {})
    try:
        mlflow.validate_evaluation_results(thresholds, EvaluationResult(dict(challenger), {}), old)
    except ModelValidationFailedException as error:
        return [line for line in str(error.message).splitlines() if line.strip()]
    return []


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


def _written(call: Callable[..., None], *arguments: str) -> None:
    """Set a tag or an alias. MLflow looks whether it is there and then inserts it: of two that do so at the same moment
    the database refuses one, which finds the other's at the second try."""
    import mlflow

    try:
        call(*arguments)
    except mlflow.MlflowException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        call(*arguments)


@contextmanager
def _reached() -> Iterator[None]:
    """Say in one sentence that the server is away: nothing was promoted, and the next run goes on from here."""
    import mlflow
    import requests

    try:
        yield
    except (requests.RequestException, ConnectionError, mlflow.MlflowException) as error:
        if not _away(error):
            raise  # MLflow understood, and refused: that is a fault of ours
        raise StudyError(
            f"the model registry at {tracking.shown_uri()} can't be used ({tracking.redacted(error)}); nothing was "
            "promoted, and the next run goes on from here"
        ) from None


def _away(error: Exception) -> bool:
    """Whether an error says that the server is away, and not that what was asked for is missing."""
    import mlflow
    import requests

    if isinstance(error, mlflow.MlflowException):
        return error.error_code in AWAY
    if getattr(getattr(error, "response", None), "status_code", None) == 404:
        return False
    return isinstance(error, (requests.RequestException, ConnectionError))
