"""Files written whole or not at all, and their digests."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What a disk says that has not kept what it was given; others only say that they can't be asked.
LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to (a file or a folder); move it there when the block succeeds.

    What was written is on the disk before it has its name: a machine that goes down leaves no empty file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):  # by a writer that was killed
        remove(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        for written in [temporary, *(temporary.rglob("*") if temporary.is_dir() else ())]:
            _flush(written)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        remove(temporary)


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk, where the file system can."""
    if not path.is_file() and not path.is_dir():
        return
    try:
        at = os.open(path, os.O_RDONLY)
        try:
            os.fsync(at)
        finally:
            os.close(at)
    except OSError as error:
        if error.errno in LOST:
            raise


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON that reads back to the same floats; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, default=_plain) + "\n")


def read_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def plain(value: Any) -> Any:
    """Return `value` as it reads back from JSON."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    """Make numpy's scalars and arrays plain for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"not JSON: {type(value).__name__}")


def sha256(path: str | Path) -> str:
    """Return the full sha256 of a file, or of a folder's files by name (but for the one that Snakemake adds)."""
    path = Path(path)
    if path.is_dir():
        whole = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp"):
            whole.update(f"{file.relative_to(path)}\0{sha256(file)}\n".encode())
        return whole.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the sha256 of a plain value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
