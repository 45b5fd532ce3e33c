"""numba, with what it compiles kept between runs.

numba compiles a kernel anew when the kernel's own file has changed, but not when a file that it calls has: after an
update, a search might go on with old bounds inside. So there is one cache for each state of all kernels' sources.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numba

LIBRARY = Path(__file__).parents[1]
KERNELS = (
    "trees/*.py",
    *(f"exact/{name}.py" for name in ("activations", "affine", "columns", "covariances", "expansions", "guarded")),
    *(f"exact/{name}.py" for name in ("network_bounds", "process_bounds", "quadratic", "region", "row_bounds")),
    *(f"exact/{name}.py" for name in ("slanted", "smooth", "tree_model")),
    "inference/simulators/lotka_volterra_exact.py",
)


def cache_folder() -> Path:
    """Return where compiled code of the kernels as they are now belongs: beside them, or where that can't be written
    in a folder of this user's."""
    total = hashlib.sha256(numba.__version__.encode())
    for pattern in KERNELS:
        for path in sorted(LIBRARY.glob(pattern)):
            total.update(path.read_bytes())
    name = f"numba-{total.hexdigest()[:16]}"
    beside = LIBRARY / "__pycache__"
    if os.access(beside if beside.exists() else LIBRARY, os.W_OK):
        return beside / name
    return Path(tempfile.gettempdir()) / f"preimage-{os.getuid()}" / name


if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(cache_folder())
