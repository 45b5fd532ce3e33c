"""Faults planted in a copy of the exact search, each of which the suite must see."""

import os
import shutil
import subprocess
import sys

import pytest

from ..running import ROOT

SEARCH = "workflow/preimage/trees"
# What is broken: file, what stands there, what is put there instead.
FAULTS = {
    "a bound 1 % too tight": (
        f"{SEARCH}/bounds.py",
        "score[c, leaves[c, t]], trees.single",
        "score[c, leaves[c, t]] - 0.01 * abs(score[c, leaves[c, t]]), trees.single",
    ),
    "a half-open side flipped": (
        f"{SEARCH}/boxes.py",
        "space.above(j, np.nextafter(c, np.inf)) for",
        "space.above(j, c) for",
    ),
    "a threshold not rounded to float32": (
        f"{SEARCH}/forest.py",
        "    if threshold.dtype == np.float64:",
        "    if threshold.dtype != np.float16:",
    ),
    "a threshold that is compared as it is": (
        f"{SEARCH}/forest.py",
        "    rounded = threshold.astype(np.float32)",
        "    return threshold.astype(np.float32)",
    ),
    "a leaf dropped": (
        f"{SEARCH}/boxes.py",
        "            if f < 0:\n                best, leaf = largest, node[k, RIGHT]\n                break",
        "            if f < 0:\n                if node[k, RIGHT] != 1:\n"
        "                    best, leaf = largest, node[k, RIGHT]\n                elif leaf < 0:\n"
        "                    leaf = node[k, RIGHT]\n                break",
    ),
}
SUITE = [f"tests/property/{n}.py" for n in ("test_forest_certificates", "test_forest", "test_forest_preimage")]


def run(folder, cache):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    # numba takes compiled code from its cache where the caller's own file is unchanged, whatever it calls.
    kept["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SUITE]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    for name in ("workflow", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_fault_breaks_stands_where_it_stood(fault):
    name, there, _ = FAULTS[fault]
    assert (ROOT / name).read_text(encoding="utf-8").count(there) == 1


@pytest.mark.long
def test_the_copy_itself_passes(copy, tmp_path):
    done = run(copy, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_the_suite_fails(copy, fault, tmp_path):
    name, there, instead = FAULTS[fault]
    path = copy / name
    whole = path.read_text(encoding="utf-8")
    try:
        path.write_text(whole.replace(there, instead), encoding="utf-8")
        done = run(copy, tmp_path)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode == 1 and "failed" in done.stdout, done.stdout[-3000:]
    # It is the answers that are wrong, not the program that does not run.
    assert "AssertionError" in done.stdout or "contradicts the proven bound" in done.stdout, done.stdout[-3000:]
