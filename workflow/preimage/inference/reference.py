"""Observations and reference posteriors of the public benchmark of simulation-based inference (Lueckmann et al. 2021),
from a folder that the user has: `num_observation_1/` and so on, each with three tables.

The folder is that of a task in the benchmark's package; the package itself is not needed.
"""

from __future__ import annotations

import bz2
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from preimage.inference.observed import Observed
from preimage.inference.simulator import Simulator
from preimage.support import limits
from preimage.support.errors import StudyError

OBSERVATION, TRUTH = "observation.csv", "true_parameters.csv"
POSTERIOR = ("reference_posterior_samples.csv.bz2", "reference_posterior_samples.csv")


def folders(path: str) -> list[Path]:
    """Return the folders of the observations, in order. Raises StudyError where there are none."""
    root = Path(path)
    root = root / "files" if (root / "files").is_dir() else root
    found = [p for p in root.glob("num_observation_*") if re.fullmatch(r"num_observation_\d+", p.name) and p.is_dir()]
    if not found:
        what = "no such folder" if not root.exists() else "found no folder 'num_observation_1'"
        raise StudyError(f"{path}: {what}; expected the files of a task of the benchmark")
    return sorted(found, key=_number)


def files(path: str) -> list[Path]:
    """Return every file that is read."""
    found = [p / name for p in folders(path) for name in (OBSERVATION, TRUTH, *POSTERIOR)]
    return [p for p in found if p.exists()]


def read(path: str, simulator: Simulator) -> Observed:
    """Return the benchmark's observations. Raises StudyError naming the file that isn't this simulator's."""
    places = folders(path)
    d, width = len(simulator.prior.names), len(simulator.coordinates)
    rows = [_row(p / OBSERVATION) for p in places]
    for p, row in zip(places, rows, strict=True):
        if len(row) % width or len(row) != len(rows[0]):
            raise StudyError(
                f"{p / OBSERVATION}: found {len(row)} numbers, expected whole samples of {width}, as "
                f"'{simulator.name}' has, and as many as in the other observations"
            )
    theta = np.stack([_row(p / TRUTH, d) for p in places])
    references = [_table(next((p / n for n in POSTERIOR if (p / n).exists()), p / POSTERIOR[0]), d) for p in places]
    names: list[Any] = [_number(p) for p in places]
    return Observed(names, np.stack(rows).reshape(len(rows), -1, width), theta, references)


def _number(folder: Path) -> int:
    return int(folder.name.rpartition("_")[2])


def _row(path: Path, width: int | None = None) -> np.ndarray:
    found: np.ndarray = _table(path, width)[0]
    return found


def _table(path: Path, width: int | None = None) -> np.ndarray:
    try:
        with limits.bounded(path), bz2.open(path) if path.suffix == ".bz2" else path.open("rb") as stream:
            text = stream.read(limits.share(8)).decode()
            if stream.read(1):
                raise ValueError(f"it has more than {limits.shown(len(text))}")
            found = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1, ndmin=2)
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise StudyError(f"{path}: can't be read as a table of numbers ({error})") from None
    if not len(found) or not np.isfinite(found).all():
        raise StudyError(f"{path}: found no rows, or cells that are not finite numbers")
    if width is not None and found.shape[1] != width:
        raise StudyError(f"{path}: found {found.shape[1]} columns, expected {width}, the parameters of the simulator")
    return found
