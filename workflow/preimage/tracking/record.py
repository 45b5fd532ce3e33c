"""What a step leaves of itself: parameters, metrics, digests, artifacts and times, as one JSON file.

Records are written whether or not a tracking server can be reached; `preimage.tracking` sends them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from preimage.support.files import digest, plain, read_json, sha256, write_json
from preimage.support.masking import plainly
from preimage.support.places import REPOSITORY

INVOCATION = "PREIMAGE_INVOCATION"
PACKAGES = ("snakemake", "mlflow", "scikit-learn", "hyperopt", "scipy", "numpy", "numba", "pandas", "pyarrow")
SLOW_TO_IMPORT = (
    *("hyperopt", "jax", "keras", "matplotlib", "mlflow", "numba", "pandera", "sklearn", "skops"),
    *("scipy.optimize", "scipy.spatial", "scipy.stats"),
)


@dataclass
class Record:
    """One step that ran.

    Attributes:
        metrics: [name, value, step] each.
        inputs, outputs: sha256 by path.
        artifacts: paths to hand to the tracking server.
        model: how to log a trained model: {flavor, path, trusted, example}.
        imported: which of the packages that are slow to import the step had loaded in the end.
        calls: points that a simulator was asked for (`asked`), and messages of those that failed, with their numbers
            (`failed`); empty where none was asked.
        timing: wall and CPU seconds, peak memory in MB, evaluations.
        started, ended: milliseconds since 1970.
        others: metrics that are known only now, of steps before, by the path of their record.
        datasets: tables that it worked on, as `Step.dataset` describes them.
        system: use of the machine by name, [milliseconds since 1970, value] each; empty where it is not asked for.
        of_study: whether its metrics and artifacts are what the study has come to, and stand on the run of the
            invocation too.
    """

    study: str
    rule: str
    name: str
    wildcards: dict[str, str]
    invocation: str
    started: int
    ended: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    metrics: list[list[Any]] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    model: dict[str, Any] | None = None
    imported: list[str] = field(default_factory=list)
    calls: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    others: dict[str, list[list[Any]]] = field(default_factory=dict)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    system: dict[str, list[list[Any]]] = field(default_factory=dict)
    of_study: bool = False

    def write(self, path: str | Path) -> None:
        value = plain(asdict(self))
        value |= {key: plainly(value[key]) for key in ("params", "tags")}
        write_json(path, {**value, "seal": digest(value)})


# What those who read a record rely on, by type; a record of an invocation has a status too.
TYPES: dict[str, type | tuple[type, ...]] = {
    **{"study": str, "name": str, "invocation": str, "started": int, "params": dict, "tags": dict, "metrics": list},
}
OPTIONAL: dict[str, type | tuple[type, ...]] = {
    **{"rule": str, "status": str, "ended": int, "wildcards": dict, "artifacts": list, "timing": dict, "others": dict},
    **{"inputs": dict, "outputs": dict, "model": (dict, type(None)), "origin": dict, "of_study": bool},
    **{"datasets": list, "system": dict},
}


def read(path: str | Path) -> dict[str, Any] | None:
    """Return a record as it was written; None where the file is none: empty, cut short, or something else."""
    try:
        value = read_json(path)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    good = all(isinstance(value.get(key), kind) for key, kind in TYPES.items())
    good = good and all(isinstance(value[key], kind) for key, kind in OPTIONAL.items() if key in value)
    return value if good else None


def intact(value: Mapping[str, Any]) -> bool:
    """Whether a record, as it was read, is as it was written."""
    return value.get("seal") == digest({k: v for k, v in value.items() if k != "seal"})


def now() -> int:
    return int(time.time() * 1000)


def digests(paths: Iterable[str]) -> dict[str, str]:
    return {str(p): sha256(p) for p in paths if Path(p).exists()}


def environment() -> dict[str, str]:
    """Return what made a result possible, as tags: git commit, digest of the lock, Python."""
    return {"git_commit": _commit(), "lock_digest": lock_digest(), "python": platform.python_version()}


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    return {name: version(name) for name in PACKAGES}


@cache
def _commit() -> str:
    """Return the commit of the workflow, marked where files differ from it; "unknown" outside a checkout."""
    if not (REPOSITORY / ".git").exists():
        return "unknown"
    try:
        out = subprocess.run(
            ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return out.stdout.strip()


@cache
def lock_digest() -> str:
    lock = REPOSITORY / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else "unknown"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested parameters as one level with dotted names."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            out.update(flat(value, f"{prefix}{key}."))
        else:
            out[f"{prefix}{key}"] = value
    return out


def invocation() -> str:
    """Return the name of the run of Snakemake that this process belongs to."""
    return os.environ.get(INVOCATION, "none")
