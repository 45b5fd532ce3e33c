"""Studies from their files: one, a family of them, or all that a config names. Nothing is written."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from preimage.study import paths as user_files
from preimage.study import yaml_file
from preimage.study.cases import Study
from preimage.study.completing import completed
from preimage.study.messages import checked
from preimage.study.sections import Config, StudyFile
from preimage.support.errors import StudyError


def load(path: str | Path) -> Study:
    """Read a study with its defaults filled in. Raises StudyError; nothing is written."""
    first, *others = load_each(path)
    if others:
        raise StudyError(f"{path}: key 'vary': this file is {len(others) + 1} studies, expected one")
    return first


def load_each(path: str | Path, folder: str | Path | None = None) -> list[Study]:
    """Read the studies of a file: one, or with `vary` one for each combination of its values, which are a family.

    Args:
        folder: where the file was written to stand, if that isn't where it is: the user's files are looked for there.
    """
    declared = checked(yaml_file.read(path), StudyFile, path)
    study = {**declared.plain(), "inverters": dict(declared.inverters)}
    beside = Path(path).parent if folder is None else folder
    try:
        user_files.locate(study, beside)
        return [completed(one, beside) for one in _varied(study)]
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None


def _varied(study: Study) -> Iterator[Study]:
    """Yield a study for each combination of the values that it varies; `family` and `varied` say which they are."""
    vary = study.pop("vary", None)
    if not vary:
        yield study
        return
    name = study["study"]
    for key in vary:
        if key in study["problem"]:
            raise StudyError(f"key 'vary.{key}': found beside 'problem.{key}', expected one of them")
    for values in itertools.product(*vary.values()):
        chosen = dict(zip(vary, values, strict=True))
        one = copy.deepcopy(study)
        one["problem"] |= chosen
        one |= {"study": "_".join([name, *(f"{k}{v}" for k, v in chosen.items())]), "family": name, "varied": chosen}
        yield one


def load_all(paths: Iterable[str | Path]) -> dict[str, Study]:
    """Read several studies, by name. Raises StudyError where two have one name."""
    return load_located(paths)[0]


def load_located(
    paths: Iterable[str | Path], folder: str | Path | None = None
) -> tuple[dict[str, Study], dict[str, str | Path]]:
    """Read several studies; return them and their files, by name, families' files too. Raises StudyError where two have
    one name.

    Args:
        folder: see `load_each`.
    """
    studies: dict[str, Study] = {}
    files: dict[str, str | Path] = {}
    for path in _files(paths):
        found = {study["study"]: study for study in load_each(path, folder)}
        own = {study.get("family", name) for name, study in found.items()}
        for name in dict.fromkeys([*found, *own]):
            # Names that differ in case only would share a folder on some file systems.
            other = next((n for n in files if n.lower() == name.lower()), None)
            if other is not None:
                raise StudyError(f"{path}: study '{name}': {files[other]} has that name too")
            files[name] = path
        studies |= found
    return studies, files


def ambiguous(files: Mapping[str, str | Path], folder: str | Path | None = None) -> list[str]:
    """Return a warning of each path in these files that may mean one file or another (see `paths`)."""
    found = []
    for path in dict.fromkeys(files.values()):
        for said in user_files.ambiguous(yaml_file.read(path), Path(path).parent if folder is None else folder):
            found.append(f"{path}: {said}")
    return found


def written(path: str | Path, name: str) -> Study:
    """Return a study as its author wrote it; one of a family with the values that it has there."""
    for one in _varied(yaml_file.read(path)):
        if one["study"] == name:
            return {k: v for k, v in one.items() if k not in ("family", "varied")}
    raise StudyError(f"{path}: has no study '{name}'")


def families(studies: Mapping[str, Study]) -> dict[str, list[str]]:
    """Return the studies of each family, by its name, in order."""
    found: dict[str, list[str]] = {}
    for name, study in studies.items():
        if "family" in study:
            found.setdefault(study["family"], []).append(name)
    return found


def _files(paths: Iterable[str | Path]) -> list[str | Path]:
    """Return study files; a folder stands for those in it. Raises StudyError where it has none."""
    found: list[str | Path] = []
    for path in paths:
        inside = sorted(Path(path).glob("*.yaml")) if Path(path).is_dir() else [path]
        if not inside:
            raise StudyError(f"{path}: found a folder without studies (*.yaml)")
        found += inside
    return found


def configured(config: Mapping[str, Any], path: str | Path) -> list[str]:
    """Check the config and return the files of the studies that it names."""
    named = checked(dict(config), Config, path).studies
    return [named] if isinstance(named, str) else list(named)


def load_configured(config: Mapping[str, Any], path: str | Path) -> dict[str, Study]:
    """Check the config and read the studies that it names, by name."""
    return load_all(configured(config, path))
