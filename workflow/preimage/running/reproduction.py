"""A run made again from what it left in MLflow: study, digests, commit and lock fetched, and its tables compared.

What a run started from is its `Origin`, kept with the run of each invocation. To reproduce it is to run that study in
a folder of its own, by the code and the packages that are here, on files that must still be the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from preimage.data import named, remote
from preimage.problems import user_code
from preimage.study import origin as origins
from preimage.study import paths as user_files
from preimage.study import written
from preimage.study.inference import observation_files
from preimage.support.errors import StudyError, without_secrets
from preimage.support.files import read_json, remove, replacing, sha256, write_json
from preimage.tracking import record

FETCHED = Path("results/.reproduced")
ORIGIN, STUDY, TABLES = "origin.json", "study.yaml", "tables"
# How long a folder's name may be.
LONGEST_NAME = 100
TOLERANCE = 1e-6
# Seconds and memory differ from run to run.
NOT_COMPARED = ("timings.csv", "reproduced.csv")


# -- what a run leaves -------------------------------------------------------------------------------------------------


def origin(study: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Return what a run of a study starts from, as plain values.

    Args:
        study: the study with its defaults filled in, its addresses of models pinned to versions.
        path: its file.

    Returns: {format, study: as its author wrote it, but with addresses pinned and new files listed; text: the file;
    beside: its folder, where that is below the working directory; files: sha256 by path; packages: versions by name,
    of the lock; commit, lock, python}.
    """
    raw = written(path, study["study"])
    table = raw.get("problem", {}).get("table", {})
    if table.get("new"):
        table["new"] = named.new_files(table)
    for name, spec in (raw.get("surrogates") or {}).items():
        if "uri" in spec:
            spec["uri"] = study["surrogates"][name]["uri"]
    if not (beside := _beside(path)):
        user_files.locate(raw, Path(path).parent)  # nothing else says where the study stood
    tags = record.environment()
    return {
        "format": origins.FORMAT,
        "study": raw,
        "text": without_secrets(Path(path).read_text(encoding="utf-8-sig")),
        **beside,
        "files": {p: sha256(p) for p in read_files(study)},
        "packages": _packages(),
        "commit": tags["git_commit"],
        "lock": tags["lock_digest"],
        "python": tags["python"],
    }


def read_files(study: Mapping[str, Any]) -> list[str]:
    """Return the files of the user's that a study reads: tables, targets, series, models, a simulator's modules; of a
    table at an address there is none."""
    problem, objectives = study["problem"], study.get("objectives", {})
    table = problem.get("table", {})
    found = [str(table[key]) for key in remote.FILES if key in table and not remote.is_remote(str(table[key]))]
    found += [*named.new_files(table), *named.target_files(objectives), *named.series_files(objectives)]
    found += [str(spec["path"]) for spec in study.get("surrogates", {}).values() if "path" in spec]
    if "inference" in study:
        found += observation_files(study)
    if name := user_code.named(problem):
        found += [str(user_code.shown(file)) for file in user_code.files(name).values()]
    return list(dict.fromkeys(found))


def _beside(path: str | Path) -> dict[str, str]:
    folder = Path(os.path.relpath(Path(path).parent))
    return {} if ".." in folder.parts else {"beside": str(folder)}


def tables_of(study: str) -> dict[str, str]:
    """Return the sha256 of each table that a finished study has, by name."""
    folder = Path("results") / study
    found = sorted(p for kind in ("*.parquet", "*.csv") for p in folder.glob(kind) if p.name not in NOT_COMPARED)
    return {p.name: sha256(p) for p in found}


@cache
def _packages() -> dict[str, str]:
    """Return the versions that the lock pins; of one that differs by Python or platform, all of them."""
    lock = record.REPOSITORY / "requirements.lock"
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([A-Za-z0-9_.-]+)==([^ ;\\]+)", lock.read_text() if lock.exists() else ""):
        found.setdefault(name, []).append(version)
    return {name: " or ".join(versions) for name, versions in found.items()}


# -- fetching it again -------------------------------------------------------------------------------------------------


def asked(config: Mapping[str, Any]) -> str | None:
    """Return the run that a config asks for; Snakemake makes numbers of ids that look like one."""
    run = config.get("run")
    return None if run is None else f"{run:032d}" if isinstance(run, int) else str(run)


def fetch(run: str, say: Any = None) -> Path:
    """Return the study file of a run, under its new name; fetched from MLflow unless it was before.

    Args:
        say: told of each difference between there and here; None in a job of a run whose start has told it all.

    Raises StudyError for a run that isn't there, is none of an invocation or did not finish, and for a file that has
    changed since.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", run):
        raise StudyError(f"run '{run[:60]}': expected the id of a run in MLflow, letters and digits")
    folder = FETCHED / run
    if folder.exists() and not _is_whole(run):
        if say is not None:
            say(f"{folder}: damaged, fetched again")
        remove(folder)
    if not folder.exists():
        _fetch(run, folder)
    if say is not None:
        value = read_json(folder / ORIGIN)
        _check_files(run, value["files"])
        for difference in differences(value):
            say(f"run {run}: {difference}")
    return folder / STUDY


def _fetch(run: str, folder: Path) -> None:
    """Put what a run left into a folder, once all of it has been fetched and checked."""
    from preimage.tracking.origin import fetch_origin

    with tempfile.TemporaryDirectory() as elsewhere:
        value = fetch_origin(run, Path(elsewhere))
        origins.check(run, value)
        value["study"]["study"] = _new_name(value["study"]["study"], run)
        with replacing(folder) as temporary:
            shutil.copytree(Path(elsewhere) / TABLES, temporary / TABLES)
            (temporary / STUDY).write_text(_study_text(value), encoding="utf-8")
            write_json(temporary / ORIGIN, value)


def _study_text(value: Mapping[str, Any]) -> str:
    """Return a run's study as a file: JSON is YAML, whose texts are never taken for numbers."""
    return json.dumps(value["study"], indent=1, ensure_ascii=False)


def _is_whole(run: str) -> bool:
    """Whether what was fetched of a run before is still what was fetched."""
    folder = FETCHED / run
    try:
        value = origins.parsed(run, (folder / ORIGIN).read_bytes())
        origins.check(run, value)
        whole = (folder / STUDY).read_text(encoding="utf-8") == _study_text(value)
        return whole and all(sha256(folder / TABLES / name) == digest for name, digest in value["tables"].items())
    except (OSError, ValueError):
        return False


def beside(run: str) -> Path | None:
    """Return the folder in which the study of a run stood, where it was below the working directory."""
    folder = read_json(FETCHED / run / ORIGIN).get("beside")
    return None if folder is None else Path(folder)


def check_trust(run: str, studies: Mapping[str, Mapping[str, Any]], trust: Any) -> None:
    """Raise StudyError where a run that was fetched names code of the user's, who has not said that it may run."""
    names = {name for study in studies.values() if (name := user_code.named(study["problem"]))}
    if names and str(trust).lower() not in ("yes", "true"):
        files = [str(user_code.shown(file)) for name in sorted(names) for file in user_code.files(name).values()]
        raise StudyError(
            f"run {run}: its study runs {', '.join(sorted(names))}, code that came with no part of this workflow "
            f"({', '.join(files) or 'installed'}): look at it and at {FETCHED / run / STUDY}, then add trust=yes to "
            "--config"
        )


def _new_name(name: str, run: str) -> str:
    end = f"-reproduced-{run[:8]}"
    return name[: LONGEST_NAME - len(end)] + end


def _check_files(run: str, files: Mapping[str, str]) -> None:
    for path, digest in files.items():
        if not _is_file(path):
            raise StudyError(f"run {run}: {path}: no such file; the run read it (sha256 {digest})")
        if (found := sha256(path)) != digest:
            raise StudyError(
                f"run {run}: {path} has changed since: found sha256 {found[:16]}..., expected {digest[:16]}...; "
                "put that file back to reproduce the run"
            )


def _is_file(path: str) -> bool:
    """Whether there is a regular file; no device that has no end."""
    try:
        return Path(path).is_file()
    except OSError:  # a name that no file system takes
        return False


def differences(value: Mapping[str, Any]) -> list[str]:
    """Return what differs between an origin and this place that may change results, in words."""
    here, found = record.environment(), []
    for key, tag, what in (("commit", "git_commit", "workflow commit"), ("python", "python", "Python")):
        if value[key] != here[tag]:
            found.append(f"{what} differs: {value[key]} there, {here[tag]} here")
        elif value[key].endswith("-dirty"):
            found.append(f"{what} {value[key]}: files differed from it, which nobody has recorded")
    if value["lock"] != here["lock_digest"]:
        theirs, ours = value["packages"], _packages()
        names = [n for n in sorted({*theirs, *ours}) if theirs.get(n) != ours.get(n)]
        shown = [f"{n} {theirs.get(n, 'absent')} there, {ours.get(n, 'absent')} here" for n in names[:5]]
        more = [f"{len(names) - 5} more"] if len(names) > 5 else []
        found.append(f"requirements.lock differs: {'; '.join([*shown, *more]) or 'in hashes or order only'}")
    return found
