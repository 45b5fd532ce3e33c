"""Results that are no longer what a step wrote: bits lost by a disk, a copy cut short, a table saved again by hand.

Every record keeps the sha256 of what its step wrote, and of itself. Before a run they are compared with what is there,
all of it: sizes and times don't tell a disk's own errors, and hashing costs a second a gigabyte. What differs is
removed with all that was made of it: Snakemake makes a missing file again only where something still to be made
needs it.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from preimage.support.files import sha256
from preimage.tracking import record

RESULTS = Path("results")


def damaged(studies: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the files and folders of these studies that differ from what the step that wrote them recorded, and those
    that were made of them."""
    records = {str(path): _read(path, RESULTS / study) for study in studies for path in _paths(study)}
    found = [name for name, value in records.items() if value is None]
    whole = {name: value for name, value in records.items() if value is not None}
    found += [path for value in whole.values() for path in _differing(value["outputs"])]
    return found, _made_of(found, whole)


def _paths(study: str) -> Iterator[Path]:
    for path in sorted((RESULTS / study / "tracking").rglob("*.json")):
        # Not receipts, half-written files, or records that are written again as a run goes on.
        passing = "sent" in path.parts or path.name.startswith((".", "invocation-"))
        if not passing and _below(path, RESULTS / study):
            yield path


def _read(path: Path, folder: Path) -> Mapping[str, Any] | None:
    """Return what a record says of the files of its study's folder; None where it is damaged itself.

    Of any other file it says nothing that we would act on, whoever has sealed it.
    """
    value = record.read(path)
    if value is None or not record.intact(value):
        return None
    kept = folder / "tracking"
    outputs = {k: v for k, v in value["outputs"].items() if _below(Path(k), folder) and not _below(Path(k), kept)}
    return {"inputs": value["inputs"], "outputs": {k: v for k, v in outputs.items() if Path(k) != kept}}


def _differing(outputs: Mapping[str, str]) -> Iterator[str]:
    """Yield the outputs that are there and differ; Snakemake itself sees those that are missing."""
    for name, expected in outputs.items():
        if Path(name).exists() and sha256(name) != expected:
            yield name


def _below(path: Path, folder: Path) -> bool:
    """Whether a path leads to something in a folder, all links followed; not to the folder itself."""
    try:
        return path.resolve() != folder.resolve() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # no path at all, or links in a circle
        return False


def _made_of(found: Iterable[str], records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what the steps wrote that read or wrote any of these files, and those that read that, and so on."""
    bad, left = set(found), dict(records)
    while touched := [n for n, v in left.items() if bad & {n, *v["inputs"], *v["outputs"]}]:
        for name in touched:
            bad |= {name, *left.pop(name)["outputs"]}
    return sorted(bad - set(found))


def remove(names: Iterable[str]) -> None:
    for path in map(Path, names):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def nobody_at_work(*locks: Path) -> Iterator[bool | None]:
    """Say whether all these locks are free, None where the file system has none; hold them while the block runs.

    A step at work writes files whose record is still the old one.
    """
    held: list[IO[str]] = []
    free: bool | None = True
    try:
        for path in locks:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.append(path.open("a"))
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        free = False
    except OSError:
        free = None
    try:
        yield free
    finally:
        for lock in held:
            lock.close()
