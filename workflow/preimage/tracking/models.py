"""Models of the user's own, by their MLflow address."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from preimage.support.errors import StudyError, did_you_mean
from preimage.tracking.downloading import download
from preimage.tracking.store import asking


def resolve(address: str) -> str:
    """Return the version that an MLflow address stands for now: `models:/name/3` for an alias or the latest.

    Raises StudyError where it leads nowhere, or the store can't be reached.
    """
    with asking(f"uri '{address}'") as client:
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
def fetch(address: str) -> Path:
    """Download the files of a model, once a process, into a folder that is removed when it ends; return where.

    Raises StudyError where there are none, where they don't fit (none is downloaded then), and where the store is away.
    """
    folder = tempfile.mkdtemp(prefix="preimage-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with asking(f"uri '{address}'"):
        return download(address, Path(folder))
