"""Files from a tracking server, measured by its list of them before any is downloaded."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from preimage.support import limits
from preimage.support.errors import StudyError

# Files and folders of a model: one of Keras or scikit-learn has ten, and a list may have no end.
MOST_FILES = 1000


def download(address: str, folder: Path, kind: str = "model") -> Path:
    """Download what an MLflow address names, a file or a folder, into `folder`; return where it is.

    Args:
        kind: "model" or "table", which says how much of the memory it may take.

    Raises StudyError for more than that, of which nothing is downloaded, and what MLflow raises.
    """
    import mlflow

    sizes = [part.file_size or 0 for part in _files(address)]
    most = limits.check_share(sum(sizes), f"uri '{address}': its files have", kind)
    try:
        with _no_file_beyond(most):  # a list may leave sizes out, or be wrong
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder)))
    except Exception:
        # MLflow doesn't always say why it ended.
        if any(file.stat().st_size >= most for file in folder.rglob("*") if file.is_file()):
            limits.check_share(most + 1, f"uri '{address}': it has a file of more than was said of it: at least", kind)
        raise


def _files(address: str) -> Iterator[Any]:
    """Yield what a server lists at an address, and below it: of each its path and size."""
    listed = _listed(address)
    if not listed and address.startswith("runs:/"):  # of a file alone there is no list
        above, _, name = address.rpartition("/")
        listed = [part for part in _listed(above) if part.path.rpartition("/")[2] == name]
    waiting, seen = [(address, part) for part in listed], 0
    while waiting:
        above, part = waiting.pop()
        if (seen := seen + 1) > MOST_FILES:
            raise StudyError(f"uri '{address}': found more than {MOST_FILES} files, expected a logged model")
        if part.is_dir:
            below = f"{above}/{part.path.rpartition('/')[2]}"
            waiting += [(below, inner) for inner in _listed(below)]
        yield part


def _listed(address: str) -> list[Any]:
    from mlflow.artifacts import list_artifacts

    if not address.startswith("runs:/"):
        return list(list_artifacts(artifact_uri=address))
    run, _, path = address.removeprefix("runs:/").partition("/")
    return list(list_artifacts(run_id=run, artifact_path=path or None))


@contextlib.contextmanager
def _no_file_beyond(size: int) -> Iterator[None]:
    """Let no file that is written meanwhile grow beyond so many bytes: writing more raises OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(size, *bounds), hard) if bounds else (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
