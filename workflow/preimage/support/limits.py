"""How large what stands in a file may be, and what reading it may take: a file's own word is never believed alone.

Limits grow with the memory of the machine, so that what is refused could not have been used: a forest of 2 GB is read
with 24 GB of memory (JSON takes six times its size), a file of 20 GB of nothing is not looked into. `--config
memory=<GB>` states another memory than is found.

    model       half of the memory for a file: its contents and what is made of them must both be held
    table       a quarter of the memory, for a file as for its numbers at 8 bytes each: steps copy columns
    process     three quarters of it, for all that reading a table, or loading and trying a model, takes: the rest is
                left to what runs beside. The kernel keeps to it (`bounded`), whatever a library allocates
    archive     as a file once unpacked, and a hundred times the packed size beyond 64 MB: weights of trained models
                hardly shrink, an archive made to burst shrinks a thousandfold; its list of members and its documents
                have limits of their own as they become Python objects of many times their size
    time        two minutes for a model, and a second for every 4 MB of its file (XGBoost's JSON is read at 13 MB/s)
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError

# What the config says of the memory, in bytes: jobs inherit it.
MEMORY = "PREIMAGE_MEMORY"
REMEDY = "use a machine with more, or state another memory with `--config memory=<GB>`"
PARTS = {"model": (2, "half"), "table": (4, "a quarter")}
SECONDS, BYTES_A_SECOND = 120.0, 4e6
# Addresses that steps reserve with scikit-learn, numba or JAX, however small the study: up to 3.3 GB were seen.
ADDRESSES = 4_000_000_000
# Of an archive: packed a hundred times is suspicious from here on.
SMALL, RATIO = 64_000_000, 100
# Bytes of a list of members, of which each takes 46 and more, and of a document within or beside a model.
DIRECTORY, DOCUMENT, BESIDE = 32_000_000, 256_000_000, 10_000_000


def allow(gigabytes: Any) -> None:
    """Take the config's word for how much memory there is."""
    if gigabytes is not None:
        os.environ[MEMORY] = str(int(float(gigabytes) * 1e9))


def memory() -> int:
    """Return the bytes of memory that this process may count on: of the machine, of its control groups (of a container,
    or a job on a cluster), and of `ulimit`; or what the config says."""
    return int(os.environ.get(MEMORY) or _found())


@cache
def _found() -> int:
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        *(limit for limit in limits if limit != resource.RLIM_INFINITY),
        *_of_groups(),
    )


def _of_groups(listed: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Yield the limits of this process's control groups, of either version, and of the groups around them."""
    with contextlib.suppress(OSError, ValueError):
        for line in listed.read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            root = mounted / "memory" if kinds else mounted
            folder = root / path.lstrip("/")
            for at in {root, folder, *(p for p in folder.parents if p.is_relative_to(root))}:
                with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                    yield int((at / ("memory.limit_in_bytes" if kinds else "memory.max")).read_text())


def check_addresses() -> None:
    """Raise StudyError where `ulimit -v` leaves fewer addresses than libraries reserve: they would end in any way."""
    left = resource.getrlimit(resource.RLIMIT_AS)[0]
    if left != resource.RLIM_INFINITY and left < ADDRESSES:
        raise StudyError(
            f"`ulimit -v` allows {shown(left)} of addresses, expected at least {shown(ADDRESSES)}, which libraries "
            "reserve whether they use them or not: `ulimit -v unlimited`, and limit the memory by a control group"
        )


def share(parts: int) -> int:
    return memory() // parts


def process_memory() -> int:
    return 3 * share(4)


def seconds(size: int) -> float:
    """Return how long loading a model's file of this many bytes, and asking it for a few points, may take."""
    return SECONDS + size / BYTES_A_SECOND


def shown(size: float) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e8 else f"{size / 1e6:.3g} MB" if size >= 1e5 else f"{size:.0f} bytes"


def check_file(path: str | Path, most: int | None = None, kind: str = "model") -> int:
    """Return a file's size in bytes, of which nothing is read. Raises StudyError where it is no regular file, larger
    than `most`, or too large a share of the memory for a model or a table."""
    path = Path(path)
    if not path.is_file():  # a pipe, or a device that has no end
        raise StudyError(f"{path}: expected a regular file")
    size = path.stat().st_size
    if most is not None and size > most:
        raise StudyError(f"{path}: the file has {shown(size)}, expected at most {shown(most)}")
    check_share(size, f"{path}: the file has", kind)
    return size


def check_share(size: int, what: str, kind: str = "model") -> int:
    """Return the bytes that a model or a table may have of the memory. Raises StudyError, which begins with `what`, for
    more."""
    parts, words = PARTS[kind]
    if size > share(parts):
        raise StudyError(
            f"{what} {shown(size)}, expected at most {shown(share(parts))}, {words} of the memory here; {REMEDY}"
        )
    return share(parts)


def too_much(path: str | Path) -> StudyError:
    """Return the error of a file that asked for more memory than a process may take."""
    return StudyError(
        f"{path}: what it asks for doesn't fit into {shown(process_memory())}, three quarters of the memory here; it "
        f"is damaged or too large: {REMEDY}"
    )


def bound() -> None:
    """Let this process take no more memory than it may from now on, by `bounded`'s means, and be the first to go where
    the machine has none left."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (_least(process_memory(), hard), hard))
    end_first(1000)


def end_first(score: int = 500) -> None:
    """Have the kernel end this process before others, where the machine has no memory left."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(score))


def remedy() -> str:
    """Say what helps where the memory ran out."""
    return (
        f"there are {shown(memory())} here; fewer rows, trees or starts take less, and `--cores 1` gives all of it to "
        "one step at a time"
    )


def ended_by_kernel(counts: Path = Path("/proc/vmstat")) -> int:
    """Return how many processes the kernel has ended on this machine, for want of memory, since it was started."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(counts.read_text().split("oom_kill ")[1].split()[0])
    return 0


@contextlib.contextmanager
def bounded(path: str | Path) -> Iterator[None]:
    """Let the block take no more memory than a process may, beside what this one has; raise StudyError where it asks
    for more.

    Data (`RLIMIT_DATA`: heap and anonymous memory) is limited, not addresses, of which some libraries reserve many
    more than they use.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_least(_held() + process_memory(), soft), hard))
    try:
        yield
    except MemoryError:  # Arrow's own is one
        raise too_much(path) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _least(wanted: int, limit: int) -> int:
    return wanted if limit == resource.RLIM_INFINITY else min(wanted, limit)


def peak() -> int:
    """Return the most bytes of memory that this process has held. `getrusage` would count those of its parent too."""
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _held() -> int:
    """Return the bytes of data that this process has."""
    return _status("VmData")


def _status(name: str) -> int:
    """Return bytes of which the kernel keeps account for this process; 0 where it doesn't."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024
    return 0


# -- archives ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members, by their own word, may be unpacked.

    Raises StudyError for one that is too large, and what `zipfile` raises for one that is none.
    """
    size = check_file(path)
    if (listed := _directory(path)) > DIRECTORY:
        raise StudyError(f"{path}: its list of members has {shown(listed)}, expected at most {shown(DIRECTORY)}")
    with zipfile.ZipFile(path) as opened:
        unpacked = sum(part.file_size for part in opened.infolist())
        check_share(unpacked, f"{path}: the archive holds")
        if unpacked > max(SMALL, RATIO * size):
            raise StudyError(
                f"{path}: the archive holds {shown(unpacked)} in a file of {shown(size)}, expected at most {RATIO} "
                "times its size; save the model again, without compression"
            )
        yield opened


def document(opened: zipfile.ZipFile, name: str) -> bytes:
    """Return a member that is text. Raises ValueError where it is too long, KeyError where there is none."""
    if (size := opened.getinfo(name).file_size) > DOCUMENT:
        raise ValueError(f"{name} has {shown(size)}, expected at most {shown(DOCUMENT)}")
    return opened.read(name)


def _directory(path: Path) -> int:
    """Return the length that an archive states of its list of members (4.3.14 and 4.3.16 of APPNOTE.TXT), the largest
    where its end can be read in several ways; 0 where it has none."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - (1 << 16) - 256))
        end = stream.read()
    found = [0]
    for mark, form, at in ((b"PK\5\6", "<L", 12), (b"PK\6\6", "<Q", 40)):
        place = end.find(mark)
        while place >= 0:
            value = end[place + at : place + at + struct.calcsize(form)]
            if len(value) == struct.calcsize(form) and value != b"\xff\xff\xff\xff":
                found += struct.unpack(form, value)
            place = end.find(mark, place + 1)
    return max(found)
