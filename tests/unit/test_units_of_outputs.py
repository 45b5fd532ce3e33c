"""Two outputs of different units in one objective: each is met to within its own tolerance, in whatever unit."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.evidence.windows import with_windows
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.reporting import windows
from preimage.support import digits
from preimage.trees import preimage
from preimage.trees.forest import from_sklearn

from ..conftest import inverter

SPACE = Space((Input("a", 0, 1), Input("b", 0, 1)))
OUTPUTS = ["purity", "load"]
OPTIONS = {"boxes": 100_000, "gap": 0.0, "memory": 100, "starts": 2}
# Powers of two change nothing but the exponent of a number: answers must be the same to the bit.
UNITS = [2.0**-40, 1.0, 2.0**20]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(200, 2))
    return X, np.column_stack([X[:, 0] + 0.05 * np.sin(9 * X[:, 1]), 0.5 * X[:, 0] + X[:, 1] ** 2])


@pytest.fixture(scope="module")
def forest(rows):
    return from_sklearn(RandomForestRegressor(10, random_state=0, n_jobs=1).fit(*rows))


def told_in(unit, forest, rows, **entry):
    """The model, its rows and an objective that they meet, with the load in another unit."""
    X, Y = rows[0], rows[1] * [1, unit]
    model = dataclasses.replace(forest, values=forest.values * [1, unit], start=forest.start * np.array([1, unit]))
    goal = dict(zip(OUTPUTS, model.predict(X[7:8])[0].tolist(), strict=True))
    wanted = objective.build("both", {"target": goal, **entry}, OUTPUTS, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    return model, X, Y, wanted


def asked(model, X, Y, wanted):
    q = Question(SPACE, wanted, model.predict, X, Y, np.arange(len(X)), trees=model)
    return asking.ask(inverter("certified", OPTIONS), [q], np.random.default_rng(0))[0]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("entry", [{}, {"tolerance": {"purity": 0.01}}])
def test_certified_preimage_and_window_keep_each_output_to_its_own_tolerance(unit, entry, forest, rows):
    model, X, Y, wanted = told_in(unit, forest, rows, **entry)
    own = np.array([0.01 if entry else 0.01 * np.ptp(Y[:, 0]), 0.01 * np.ptp(Y[:, 1])])
    assert wanted.tolerance == pytest.approx(own)

    answer, predicted = asked(model, X, Y, wanted)
    assert answer.certificate["feasible"] == "yes"
    assert (np.abs(predicted - wanted.low) <= own).all(axis=1).any()
    reference, _ = asked(*told_in(1.0, forest, rows, **entry))
    np.testing.assert_array_equal(answer.X, reference.X)

    found = preimage.preimage(model, SPACE, wanted, 10_000)
    rng = np.random.default_rng(1)
    points = rng.uniform(size=(5000, 2))
    held = ((found.low[:, None] <= points) & (points <= found.high[:, None])).all(axis=2).any(axis=0)
    # Compared with the model itself, at random points; ends of boxes have no share of them.
    np.testing.assert_array_equal(held, (np.abs(model.predict(points) - wanted.low) <= own).all(axis=1))

    frame = pd.DataFrame({"surrogate": ["forest"], "objective": ["both"], "x.a": X[7:8, 0], "x.b": X[7:8, 1]})
    (window,) = with_windows(frame, SPACE, {"forest": model}, {"both": wanted}, {("forest", "both"): 0.0}).to_dict(
        "records"
    )
    ends = [[window[f"tolerance_{end}.{n}"] for n in SPACE.names] for end in ("low", "high")]
    assert (np.abs(model.predict(rng.uniform(*ends, (2000, 2))) - wanted.low) <= own).all()
    units = digits.Units({}, dict(zip(OUTPUTS, map(digits.step, np.ptp(Y, axis=0)), strict=True)))
    said = windows.window(window, wanted, SPACE, units).replace(",", "").split()
    for name, value, margin in zip(OUTPUTS, wanted.low, own, strict=True):
        low, high = (float(said[said.index(name) + k]) for k in (2, 4))
        assert low == pytest.approx(value - margin, abs=0.1 * margin)
        assert high == pytest.approx(value + margin, abs=0.1 * margin)


def test_what_one_output_alone_can_not_meet_is_proven_for_both(forest, rows):
    model, X, Y, wanted = told_in(2.0**20, forest, rows)
    beyond = dataclasses.replace(wanted, low=(30.0, wanted.low[1]), high=(30.0, wanted.high[1]))
    assert asked(model, X, Y, beyond)[0].certificate["feasible"] == "no"
