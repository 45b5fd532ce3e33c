"""Compiled kernels follow the sources of everything they call."""

import subprocess
import sys
from pathlib import Path

import pytest

from preimage.support import numba_cache

CALLED = """
from preimage.support.numba_cache import numba
@numba.njit(cache=True)
def step(x):
    return x + {}
"""
CALLER = """
from preimage.support.numba_cache import numba
from preimage.trees.called import step
@numba.njit(cache=True)
def twice(x):
    return step(step(x))
"""


@pytest.mark.long
def test_a_kernel_whose_callee_has_changed_is_compiled_again(tmp_path):
    root = tmp_path / "preimage"
    (root / "trees").mkdir(parents=True)
    (root / "support").mkdir()
    (root / "__init__.py").touch()
    (root / "trees/__init__.py").touch()
    (root / "support/__init__.py").touch()
    (root / "support/numba_cache.py").write_text(Path(numba_cache.__file__).read_text())
    (root / "trees/caller.py").write_text(CALLER)

    def run():
        code = "from preimage.trees.caller import twice; print(twice(0))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return int(done.stdout)

    for step in (1, 5):
        (root / "trees/called.py").write_text(CALLED.format(step))
        assert run() == run() == 2 * step


def test_every_module_with_kernels_is_among_them():
    library = numba_cache.LIBRARY
    users = {p for p in library.rglob("*.py") if "import numba" in p.read_text() and p.name != "numba_cache.py"}
    assert users <= {p for pattern in numba_cache.KERNELS for p in library.glob(pattern)} and len(users) > 5
    assert all("from preimage.support.numba_cache import numba" in p.read_text() for p in users)
