"""Arrays by name as one file of NumPy's, which runs no code when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from preimage.support import npz
from preimage.support.files import replacing


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read(path: str | Path) -> dict[str, np.ndarray]:
    return npz.read(path)
