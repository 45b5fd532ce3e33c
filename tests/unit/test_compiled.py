"""Compiled kernels follow the sources of everything they call."""

import subprocess
import sys
from pathlib import Path

from preimage import compiled

CALLED = """
from preimage.compiled import numba
@numba.njit(cache=True)
def step(x):
    return x + {}
"""
CALLER = """
from preimage.compiled import numba
from preimage.inversion.forest_called import step
@numba.njit(cache=True)
def twice(x):
    return step(step(x))
"""


def test_a_kernel_whose_callee_has_changed_is_compiled_again(tmp_path):
    root = tmp_path / "preimage"
    (root / "inversion").mkdir(parents=True)
    (root / "__init__.py").touch()
    (root / "inversion/__init__.py").touch()
    (root / "compiled.py").write_text(Path(compiled.__file__).read_text())
    (root / "inversion/forest_caller.py").write_text(CALLER)

    def run():
        code = "from preimage.inversion.forest_caller import twice; print(twice(0))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return int(done.stdout)

    for step in (1, 5):
        (root / "inversion/forest_called.py").write_text(CALLED.format(step))
        assert run() == run() == 2 * step


def test_every_module_with_kernels_is_among_them():
    library = compiled.LIBRARY
    users = {p for p in library.rglob("*.py") if "import numba" in p.read_text() and p.name != "compiled.py"}
    assert users <= {p for pattern in compiled.KERNELS for p in library.glob(pattern)} and len(users) > 5
    assert all("from preimage.compiled import numba" in p.read_text() for p in users)
