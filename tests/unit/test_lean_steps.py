"""No step waits for a package that it may not need."""

import pytest

from preimage.benchmarks import imports
from preimage.support.places import WORKFLOW

# What the imports at the top of a script may load of the packages that take long. Those that show figures draw, those
# that calibrate differentiate, those that look at trees compile; models and methods are loaded when they are chosen.
MAY = {
    "evidence": {"numba"},
    "figures": {"matplotlib"},
    "invert": set(),
    "split": set(),
    "train": set(),
}


@pytest.mark.parametrize("script", MAY)
def test_a_step_loads_no_heavy_package_before_it_works(script):
    heavy = {name for name in imports.loaded(WORKFLOW / "scripts" / f"{script}.py") if not name.startswith("scipy.")}
    assert heavy == MAY[script]
