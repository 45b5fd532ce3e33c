"""The user's files that a study names: beside the study, and otherwise in the working directory."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from preimage.data.remote import is_remote
from preimage.study.cases import Study

IN_TABLE = ("features", "targets", "file")
OF_FIT = ("data", "conditions")
OF_OBSERVATIONS = ("reference", "table", "parameters")


class Named(NamedTuple):
    """A path in a study: `holder[at]`; `key` is what the study's author calls it."""

    holder: Any
    at: Any
    key: str

    @property
    def path(self) -> str:
        return str(self.holder[self.at])


def locate(study: Study, folder: str | Path) -> None:
    """Write in place, for each file that lies beside the study, where it is from the working directory; one that is in
    neither place stays as it is, for those who read it to say."""
    shown = _shown(Path(folder))
    for one in _relative(study):
        if shown != Path() and (shown / one.path).exists():
            one.holder[one.at] = str(shown / one.path)


def ambiguous(study: Study, folder: str | Path) -> list[str]:
    """Return a warning of each path that leads to one file beside the study and to another in the working directory."""
    shown = _shown(Path(folder))
    return [
        f"key '{one.key}': found {one.path} beside the study ({shown}) and another in the working directory: the first "
        f"is read; write {Path(one.path).absolute()} for the second"
        for one in _relative(study)
        if _differ(shown / one.path, Path(one.path))
    ]


def _shown(folder: Path) -> Path:
    """Return a folder as paths below it are written: from the working directory, unless they would lead up from it."""
    relative = Path(os.path.relpath(folder))
    return folder.resolve() if ".." in relative.parts else relative


def _differ(one: Path, other: Path) -> bool:
    if not (one.exists() and other.exists()) or one.samefile(other):
        return False
    return not (one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False))


def _relative(study: Study) -> list[Named]:
    return [one for one in _named(study) if not Path(one.path).is_absolute() and not is_remote(one.path)]


def _named(study: Study) -> Iterator[Named]:
    table = study["problem"].get("table") or {}
    yield from (Named(table, key, f"problem.table.{key}") for key in IN_TABLE if key in table)
    if "new" in table:
        yield from _each(table, "new", "problem.table.new")
    for name, entry in (study.get("objectives") or {}).items():
        if "targets" in entry:
            yield Named(entry, "targets", f"objectives.{name}.targets")
        if "fit" in entry:
            for key in OF_FIT:
                yield from _each(entry["fit"], key, f"objectives.{name}.fit.{key}")
    for name, spec in (study.get("surrogates") or {}).items():
        if "path" in spec:
            yield Named(spec, "path", f"surrogates.{name}.path")
    given = study.get("observations") or {}
    yield from (Named(given, key, f"observations.{key}") for key in OF_OBSERVATIONS if key in given)


def _each(holder: Any, at: str, key: str) -> Iterator[Named]:
    """Yield a path, or those of a list or mapping of paths."""
    value = holder.get(at)
    if isinstance(value, dict):
        yield from (Named(value, name, f"{key}.{name}") for name in value)
    elif isinstance(value, list):
        yield from (Named(value, k, key) for k in range(len(value)))
    elif value is not None:
        yield Named(holder, at, key)
