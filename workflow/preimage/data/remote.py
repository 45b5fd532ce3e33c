"""Tables at addresses, which Snakemake's storage plugins download for the step that reads them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from preimage.support.errors import StudyError, without_secrets

ADDRESS = re.compile(r"(https?|s3)://.+")
# Keys of a table's files, in the order in which the step that reads them gets them.
FILES = ("features", "targets", "file")
PLUGINS = {"http": "http", "https": "http", "s3": "s3"}


def is_remote(path: str) -> bool:
    """Whether a path is an address that a storage plugin downloads."""
    return ADDRESS.fullmatch(path) is not None


def plugin(address: str) -> str:
    """Return the name of the storage plugin for an address."""
    return PLUGINS[urlsplit(address).scheme]


def of_table(table: Mapping[str, Any]) -> list[str]:
    """Return the addresses among a table's files."""
    return [str(table[key]) for key in FILES if is_remote(str(table.get(key, "")))]


def local(table: Mapping[str, Any], files: Iterable[str]) -> dict[str, Any]:
    """Return a table's entry with the files that a step got in the place of those that the study names."""
    named = [key for key in FILES if key in table]
    return {**table, **dict(zip(named, map(str, files), strict=True))}


def check(table: Mapping[str, Any]) -> None:
    """Raise StudyError for an address with a password in it, and for one whose plugin is not installed."""
    for address in of_table(table):
        shown, name = without_secrets(address), plugin(address)
        if urlsplit(address).password is not None:
            raise StudyError(
                f"key 'problem.table': {shown}: found a password in an address, which would stand in every record; "
                "give it to the storage plugin in the environment (SNAKEMAKE_STORAGE_HTTP_AUTH)"
            )
        package = f"snakemake-storage-plugin-{name}"
        if importlib.util.find_spec(package.replace("-", "_")) is None:
            raise StudyError(f"key 'problem.table': {shown}: needs {package}: pip install {package}")
