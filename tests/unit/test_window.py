"""The window around a candidate on models that are bounded on boxes, against dense grids of their predictions."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.evidence.windows import with_windows
from preimage.exact.window import window
from preimage.reporting import windows

from .test_certified_processes import model, space_of

SIDE = np.linspace(0, 1, 101)


def wanted_of(entry, Y):
    return objective.build("o", entry, ["y", "z"], Y.std(axis=0), np.ptp(Y, axis=0), Y)


def spread_over(low, high):
    """Return a grid of a window of two numbers, ends among it (n, 2)."""
    a, b = (low[j] + SIDE * (high[j] - low[j]) for j in range(2))
    return np.clip(np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2), low[:2], high[:2])


@pytest.mark.some(3)
@pytest.mark.parametrize("kernel", ["rbf", "matern52"])
@pytest.mark.parametrize("seed", range(3))
def test_a_band_holds_all_over_its_window_which_is_about_as_wide_as_can_be(kernel, seed):
    found, X, Y = model(kernel, seed=seed)
    x = X[seed]
    y, z = found.predict(x[None])[0]
    wanted = wanted_of({"within": {"y": [y - 0.2, y + 0.3]}, "subject_to": {"z": {"at_most": z + 0.25}}}, Y)
    space = space_of()
    got = window(found.exact_form(), found.predict, space, wanted, x)
    values = found.predict(spread_over(got.low, got.high))
    assert ((values[:, 0] >= y - 0.2) & (values[:, 0] <= y + 0.3) & (values[:, 1] <= z + 0.25)).all()
    assert ((got.low <= x) & (got.high >= x)).all() and not got.largest

    def holds(reach):
        low, high = np.maximum(x - reach, -1), np.minimum(x + reach, 1)
        points = spread_over(low, high)
        # A few points are enough for most reaches that don't hold.
        return all(
            ((Y[:, 0] >= y - 0.2) & (Y[:, 0] <= y + 0.3) & (Y[:, 1] <= z + 0.25)).all()
            for Y in map(found.predict, (points[::37], points))
        )

    reach = max(r for r in np.linspace(0, 2, 201) if holds(r))
    assert got.width >= 0.9 * min(reach, 1.0) / 2  # of equal reach to both sides, which a bound may cut on one


def test_what_is_nearly_the_best_holds_and_what_does_not_hold_has_no_window():
    found, _X, Y = model()
    grid = spread_over(np.full(2, -1.0), np.ones(2))
    y = found.predict(grid)[:, 0]
    wanted, best = wanted_of({"maximize": "y", "tolerance": 0.1}, Y), float(-y.max())
    got = window(found.exact_form(), found.predict, space_of(), wanted, grid[y.argmax()], best)
    assert found.predict(spread_over(got.low, got.high))[:, 0].min() >= y.max() - 0.1 - 1e-12
    assert got.width > 0
    assert window(found.exact_form(), found.predict, space_of(), wanted, grid[y.argmin()], best) is None


def test_whole_numbers_categories_and_fixed_inputs_keep_to_their_values():
    found, _X, Y = model(category=True)
    space = Space(
        (
            Input("x0", -1, 1, fixed=0.25),
            Input("x1", -1, 1, values=(-1, -0.4, 0.1, 0.2, 0.9)),
            space_of(category=True).inputs[2],
        )
    )
    x = np.array([0.25, 0.1, 1.0])
    y = found.predict(x[None])[0, 0]
    got = window(found.exact_form(), found.predict, space, wanted_of({"target": {"y": y}, "tolerance": 0.4}, Y), x)
    assert got.low[0] == got.high[0] == 0.25 and {got.low[1], got.high[1]} <= {-1, -0.4, 0.1, 0.2, 0.9}
    inside = [
        [0.25, b, c]
        for b in (-1, -0.4, 0.1, 0.2, 0.9)
        if got.low[1] <= b <= got.high[1]
        for c in range(int(got.low[2]), int(got.high[2]) + 1)
    ]
    assert np.abs(found.predict(np.array(inside))[:, 0] - y).max() <= 0.4


def test_the_table_and_the_report_have_it_in_the_words_for_trees():
    found, X, Y = model()
    x = X[0]
    y = found.predict(x[None])[0, 0]
    wanted, space = wanted_of({"target": {"y": float(y)}, "tolerance": 0.2}, Y), space_of()
    frame = pd.DataFrame({"surrogate": ["gp"], "objective": ["o"], **space.decode(x[None], "x.")})
    row = with_windows(frame, space, {"gp": found}, {"o": wanted}, {("gp", "o"): 0.0}).iloc[0]
    assert row["tolerance_width"] > 0 and row["tolerance_low.x0"] <= x[0] <= row["tolerance_high.x0"]
    said = windows.window({**row.to_dict(), **{f"predicted.{o}": 0.0 for o in "yz"}}, wanted, space, {})
    assert said.startswith("Keep") and said.endswith("(proven).")
