"""Files of arrays by name (`numpy.savez`) read back, with no more memory than they have bytes."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, MemoryError, NotImplementedError, struct.error)


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays by name. Raises ValueError where the file is damaged, or holds less than it states: NumPy makes
    an array of the size that is stated before it reads it."""
    with Path(path).open("rb") as stream:
        try:
            _check(stream)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as found:
                return dict(found)
        except DAMAGED as error:
            raise ValueError(f"damaged: {type(error).__name__}: {error}") from None


def _check(stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > os.fstat(stream.fileno()).st_size:
            raise ValueError("damaged: its arrays are larger than the file")
        for part in parts:
            with archive.open(part) as member:
                shape, _, dtype = HEADERS[np.lib.format.read_magic(member)](member)
                if dtype.itemsize * math.prod(shape) != part.file_size - member.tell():
                    raise ValueError(f"damaged: '{part.filename}' states an array of {shape}, which it doesn't hold")
