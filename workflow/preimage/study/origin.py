"""What a run started from, as it comes back from a tracking store: taken only where all of it is what it should be.

A store is shared, and what it holds may be anything: nothing is written or run by it before it has passed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from preimage.study.messages import checked
from preimage.study.sections import StudyFile
from preimage.support.errors import StudyError

FORMAT = 1
# A study is a page, its digests a few more.
LARGEST = 20_000_000
TABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.(parquet|csv)")
SHA256 = re.compile(r"[0-9a-f]{64}")


def parsed(run: str, text: bytes) -> dict[str, Any]:
    """Return the mapping that a run's record is. Raises StudyError where it is no such thing."""
    if len(text) > LARGEST:
        raise StudyError(f"run {run}: its record has {len(text)} bytes, expected at most {LARGEST}")
    try:
        value = json.loads(text.decode())
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate is text for JSON, and for nothing else
    except (ValueError, RecursionError) as error:
        raise StudyError(f"run {run}: its record can't be read: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise _odd(run, "the whole", value, "a mapping")
    return value


def check_tables(run: str, value: Mapping[str, Any]) -> None:
    """Raise StudyError where a record names no tables, or some that can't be a study's."""
    tables = value.get("tables")
    if not isinstance(tables, dict):
        raise _odd(run, "tables", tables, "a mapping of names to digests")
    if not tables:
        raise StudyError(f"run {run}: it has no tables to compare with; expected a run of the whole study")
    for name, digest in tables.items():
        if not TABLE.fullmatch(name):
            raise StudyError(f"run {run}: found a table named '{name[:60]}', expected one of parquet or CSV")
        if not _is_digest(digest):
            raise _odd(run, f"tables.{name}", digest, "a sha256")


def check(run: str, value: Mapping[str, Any]) -> None:
    """Raise StudyError where a record is not what this workflow writes, or its study none that it would take."""
    if type(value.get("format")) is not int or value["format"] != FORMAT:
        found = str(value.get("format"))[:60]
        raise StudyError(f"run {run}: found a record of format {found}, expected {FORMAT}")
    check_tables(run, value)
    for key in ("text", "commit", "lock", "python"):
        if not isinstance(value.get(key), str):
            raise _odd(run, key, value.get(key), "text")
    _check_mapping(run, "packages", value, lambda _, version: isinstance(version, str), "versions by name")
    _check_mapping(run, "files", value, _is_file, "digests by path")
    beside = value.get("beside")
    if beside is not None and not (isinstance(beside, str) and _stays_inside(beside)):
        raise _odd(run, "beside", beside, "a folder below the working directory")
    if not isinstance(value.get("study"), dict):
        raise _odd(run, "study", value.get("study"), "a mapping")
    try:
        checked(value["study"], StudyFile, f"run {run}: its study")
    except RecursionError:
        raise StudyError(f"run {run}: its study is nested too deep") from None


def _check_mapping(
    run: str, key: str, value: Mapping[str, Any], good: Callable[[str, Any], bool], expected: str
) -> None:
    found = value.get(key)
    if not isinstance(found, dict) or not all(good(k, v) for k, v in found.items()):
        raise _odd(run, key, found, expected)


def _is_file(path: str, digest: Any) -> bool:
    return bool(path) and "\0" not in path and _is_digest(digest)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def _stays_inside(folder: str) -> bool:
    path = PurePath(folder)
    return "\0" not in folder and not path.is_absolute() and ".." not in path.parts


def _odd(run: str, key: str, found: Any, expected: str) -> StudyError:
    shown = json.dumps(found, default=str)[:60]
    return StudyError(
        f"run {run}: its record is not one that this workflow writes: {key}: found {shown}, expected {expected}"
    )
