"""The registry: every trained surrogate a version, and the aliases `champion` and `challenger`.

A version is a folder of our own files (arrays, skops, `.keras`: nothing that runs code when loaded) beside an `MLmodel`
with signature and input example.

Whatever is done here may be done twice, or be stopped half-way: a version carries the digest of what it was made of and
is looked up before it is made; an alias is the last thing to move, never to a version without its files, and only while
the champion is still the one that the challenger was compared with: the `succession` sees to that, also between folders
that share a server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError
from preimage.support.files import digest, sha256
from preimage.surrogates.brought.source import OWN_FILES as FILES
from preimage.surrogates.brought.source import REGISTERED as ABOUT
from preimage.tracking.downloading import download
from preimage.tracking.registry.reached import is_away, reached, written
from preimage.tracking.registry.shelf import KEY, Shelf, Version
from preimage.tracking.registry.storing import stored
from preimage.tracking.registry.succession import NOBODY, Reign, Succession
from preimage.tracking.sending import one_at_a_time, run_of
from preimage.tracking.store import shown_uri

CHAMPION, CHALLENGER = "champion", "challenger"


def model_name(study: str, surrogate: str, seed: int | None = None) -> str:
    """Return the name of a study's registered model; with the seed where a study has several."""
    return f"{study}.{surrogate}" + ("" if seed is None else f".seed{seed}")


class Registry(Shelf):
    """A connection to the registry. Raises StudyError where the server is away, as everything below does."""

    # -- looking -----------------------------------------------------------------------------------------------------

    def alias(self, name: str, alias: str = CHAMPION) -> Version | None:
        """Return the version that an alias points to; None where there is no such model or alias.

        Raises StudyError where it points, or pointed, to a version that was deleted or lost its files.
        """
        with reached():
            found = self.model(name)
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

    def reign(self, version: Version) -> Reign | None:
        """Return the first reign of a version that is or was the champion, None for another; first carry through what
        a killed process left half-done."""
        with reached(), one_at_a_time():
            line, _ = self._settle(version.name)
            return next((r for r in line.reigns() if r.version == version.version and r.complete), None)

    def _deleted_champion(self, name: str) -> str | None:
        """Return the number of the last champion if it was deleted: MLflow takes the alias away with it."""
        last = self.succession(name).last()
        gone = last is not None and last.complete and self.version(name, last.version) is None
        return last.version if last and gone else None

    def fetch(self, uri: str, folder: Path) -> tuple[dict[str, Any], Path]:
        """Copy a version of ours into `folder`; return what is known of it, and where the surrogate's own files are.

        Args:
            uri: models:/name@alias or models:/name/version.

        Raises StudyError where there is none, or it was not registered by this workflow.
        """
        import mlflow

        name, version = self.resolve(uri)
        with reached():
            try:
                path = download(f"models:/{name}/{version}", folder)
                about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            except StudyError:
                raise
            except (mlflow.MlflowException, OSError, ValueError) as error:
                if is_away(error):
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
            raise StudyError(f"'{uri}': the registry at {shown_uri()} has no {wanted} of '{name}'")
        return found.name, found.version

    def trained_by(self, record: Path) -> str:
        """Return the MLflow run of the step that left this record."""
        with reached():
            return run_of(record)

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
        with reached(), one_at_a_time():
            if known := self.known(name, key):
                return known
            run_id = run_id or self.run(name, f"register {name}", key, tags)
            source = stored(self, name, run_id, model, about, example, predicted, {**tags, KEY: key})
            if self.model(name) is None:
                self.create(name)
            made = self.client.create_model_version(
                name, f"models:/{source}", run_id, {**tags, KEY: key}, model_id=source
            )
            # Another folder may have registered the same at the same time: both go on with the older one.
            return self.known(name, key) or Version(name, str(made.version), key, dict(made.tags))

    # -- moving aliases ----------------------------------------------------------------------------------------------

    def promote(
        self, version: Version, compared_with: Version | None, reason: str, comparison: Mapping[str, Any] | None = None
    ) -> bool:
        """Make a version the champion, if the champion is still the one that it was compared with.

        Returns whether it is the champion now; False means that another was promoted meanwhile: compare again.
        """
        with reached(), one_at_a_time():
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
        with reached(), one_at_a_time():
            self._check_files(version)
            tag, alias = self.client.set_model_version_tag, self.client.set_registered_model_alias
            written(tag, version.name, version.version, "refused", "; ".join(reasons)[:5000])
            written(alias, version.name, CHALLENGER, version.version)

    def rollback(self, name: str, number: str, reason: str) -> Version:
        """Make an earlier version the champion again, and record why. Raises StudyError where it is not there."""
        with reached(), one_at_a_time():
            version = self.version(name, number)
            if version is None:
                numbers = ", ".join(v.version for v in self.versions(name)) or "none"
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

    def _settle(self, name: str) -> tuple[Succession, Reign | None]:
        """Carry through a claim that its process did not (it was killed, or is at it now: twice does no harm); return
        the succession and its last reign, which is complete or can't be: its version was deleted or lost its files."""
        line = self.succession(name)
        last = line.last()
        if last is not None and not last.complete:
            version = self.version(name, last.version)
            if version is not None and self.has_files(version):
                last = self._enthrone(name, line, last)
        return line, last

    def _enthrone(self, name: str, line: Succession, reign: Reign) -> Reign:
        """Make tags and alias say what a reign says; where a later one began meanwhile, what that says. Return it."""
        while True:
            self._tag(name, reign)
            if (last := line.last()) is None or last.number == reign.number:
                written(self.client.set_registered_model_alias, name, CHAMPION, reign.version)
                line.complete(reign)
                last = line.last()
            # A process that was slow may have moved the alias after a later reign did: it moves it on, too.
            if last is None or last.number == reign.number:
                return reign
            reign = last

    def _tag(self, name: str, reign: Reign) -> None:
        """Say on the versions what a reign says. The alias moves after that."""
        tag, untag = self.client.set_model_version_tag, self.client.delete_model_version_tag
        versions = {v.version: v for v in self.versions(name)}
        written(tag, name, reign.version, "promoted", reign.reason)
        written(tag, name, reign.version, "replaced", reign.replaced or NOBODY)
        for past in {"refused", "demoted"} & set(versions[reign.version].tags):
            untag(name, reign.version, past)
        if reign.replaced in versions:
            written(tag, name, reign.replaced, "demoted", f"by version {reign.version}: {reign.reason}")
        if str(dict(self.model(name).aliases).get(CHALLENGER)) == reign.version:
            self.client.delete_registered_model_alias(name, CHALLENGER)

    def _check_files(self, version: Version) -> None:
        if not self.has_files(version):
            raise StudyError(f"{version.uri}: its files are not in the store; no alias is set on it")
