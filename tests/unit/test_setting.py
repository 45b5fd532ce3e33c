"""The space, names and units of a study, from its problem and its rows."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preimage.data import named, rows, setting, split, tables
from preimage.data.generate import generate, simulate_part
from preimage.problems import loading
from preimage.problems.built_in import paraboloid
from preimage.reporting import words

from ..conftest import refusal

SPEC = {
    "inputs": {"grade": {"categories": ["b", "a", 3]}, "age": {"integer": True, "unit": "day"}, "water": {}},
    "outputs": {"strength": {"unit": "MPa"}, "cost": None},
    "constraints": [{"linear": {"age": 1, "water": 0.5}, "at_most": 150}],
}


def table():
    fields = [
        pa.field("age", pa.float64()),
        pa.field("water", pa.float64(), metadata={"unit": "kg/m3"}),
        pa.field("grade", pa.string()),
        pa.field("strength", pa.float64(), metadata={"unit": "psi"}),
        pa.field("cost", pa.float64()),
    ]
    columns = [
        [1.0, 28.0, 3.0, 7.0],
        [120.5, 180.0, 150.0, 247.25],
        ["a", "b", "3", "a"],
        [10.0, 50, 20, 40],
        [1.0] * 4,
    ]
    return pa.table(columns, pa.schema(fields))


def described():
    return setting.describe(table(), ["age", "water", "grade"], ["strength", "cost"], named.categories(SPEC))


def test_what_is_known_of_rows():
    found = described()
    assert found.ranges == {"age": (1.0, 28.0), "water": (120.5, 247.25), "grade": (0.0, 0.0)}
    assert found.spread == pytest.approx([np.sqrt(250), 0.0]) and found.reach == [40.0, 0.0]
    assert found.units == {"water": "kg/m3", "strength": "psi"}


def test_it_survives_being_written():
    assert setting.RowSummary.from_dict(json.loads(json.dumps(described()._asdict()))) == described()


def test_bounds_are_the_rows_range_and_units_are_the_studys_where_it_names_them():
    found = setting.of_rows(SPEC, described())
    assert found.space.names == ["age", "water", "grade"] == found.inputs
    assert found.space.low.tolist() == [1, 120.5, 0] and found.space.high.tolist() == [28, 247.25, 2]
    assert found.space.discrete.tolist() == [True, False, True]
    assert found.units == {"age": "day", "water": "kg/m3", "strength": "MPa"}
    assert [i.unit for i in found.space.inputs] == ["day", "kg/m3", ""]
    assert len(found.space.constraints) == 1


def test_names_that_are_not_there_are_refused():
    rows_known = described()
    assert "problem.outputs.strenth: no such output; did you mean 'strength'?" in refusal(
        setting.of_rows, {"outputs": {"strenth": {}}}, rows_known
    )
    assert "problem: inputs.wter: no such input; did you mean 'water'?" in refusal(
        setting.of_rows, {"inputs": {"wter": {}}}, rows_known
    )


def test_a_simulator_brings_its_own_bounds_and_a_study_narrows_them():
    spec = {"simulator": "paraboloid", "dimension": 3, "inputs": {"x2": {"low": 0, "high": 5}}}
    found = setting.of_simulator(spec)
    assert found.space.low.tolist() == [-100, 0, -100] and found.space.high.tolist() == [100, 5, 100]
    assert (found.inputs, found.outputs, found.units) == (["x1", "x2", "x3"], ["y"], {})


def test_a_value_fixed_for_an_objective_may_lie_outside_the_training_rows():
    """It lay inside the whole table when the study was checked; the split must not turn that into an error."""
    found = setting.of_rows({}, setting.RowSummary(["age"], ["y"], {}, {"age": (1.0, 270.0)}, [1.0], [1.0]))
    assert found.space.fix({"age": 365}).contains(np.array([[365.0]]))[0]


def test_categories_are_read_from_the_split_by_their_place_in_the_list(tmp_path):
    tables.write(tmp_path / "train.parquet", tables.numbered(table()))
    (tmp_path / "split.json").write_text(json.dumps(described()._asdict()))
    loaded = rows.load(str(tmp_path / "train.parquet"), str(tmp_path / "split.json"), named.categories(SPEC))
    assert loaded.X.tolist() == [[1, 120.5, 1], [28, 180, 0], [3, 150, 2], [7, 247.25, 1]]
    assert loaded.Y.tolist() == [[10, 1], [50, 1], [20, 1], [40, 1]]
    assert loaded.numbers.tolist() == [1, 2, 3, 4]
    assert (loaded.inputs, loaded.outputs) == (["age", "water", "grade"], ["strength", "cost"])


# -- simulated rows ----------------------------------------------------------------------------------------------------


def bowl(**spec):
    found = setting.of_simulator({"simulator": "paraboloid", **spec})
    return loading.load({"simulator": "paraboloid"}), found.space


def test_simulated_rows_are_the_simulators_answers():
    frame = generate(*bowl(), 50, np.random.default_rng(0)).table.to_pandas()
    assert list(frame) == ["x1", "x2", "y"] and len(frame) == 50
    assert np.array_equal(frame["y"], frame["x1"] ** 2 + frame["x2"] ** 2)


@pytest.mark.parametrize("sampling", ["uniform", "latin_hypercube", "clustered"])
def test_rows_that_jobs_share_are_the_rows_of_one(sampling):
    whole = generate(*bowl(), 11, np.random.default_rng(0), sampling, noise=1.0).table
    parts = [simulate_part(*bowl(), 11, np.random.default_rng(0), sampling, (k, 3)) for k in range(3)]
    assert [len(part) for part in parts] == [4, 4, 3]
    assert generate(*bowl(), 11, np.random.default_rng(0), sampling, noise=1.0, parts=parts).table.equals(whole)


def test_noise_is_added_to_outputs_alone_and_has_the_wanted_size():
    clean, noisy = (generate(*bowl(), 4000, np.random.default_rng(0), noise=s).table.to_pandas() for s in (0.0, 7.0))
    pd.testing.assert_frame_equal(clean[["x1", "x2"]], noisy[["x1", "x2"]])
    error = (noisy["y"] - clean["y"]).to_numpy()
    assert abs(error.std() - 7) < 0.3 and abs(error.mean()) < 0.4


@pytest.mark.parametrize("sampling", ["uniform", "latin_hypercube", "clustered"])
def test_simulated_rows_hold_bounds_constraints_and_fixed_inputs(sampling):
    spec = {"inputs": {"x1": {"low": 0, "high": 9, "integer": True}, "x2": {"low": -5, "high": 5}}}
    spec["constraints"] = [{"linear": {"x1": 1, "x2": 1}, "at_most": 6}]
    simulator, space = bowl(**spec)
    frame = generate(simulator, space, 300, np.random.default_rng(0), sampling).table.to_pandas()
    assert space.contains(frame[["x1", "x2"]].to_numpy()).all()
    fixed = generate(simulator, space.fix({"x2": -2}), 30, np.random.default_rng(0), sampling).table.to_pandas()
    assert set(fixed["x2"]) == {-2.0}


def test_a_point_that_fails_costs_its_row_and_too_many_are_an_error():
    def broken(X):
        return np.where(X[:, :1] > 50, np.nan, X[:, :1])

    simulator, space = loading.Problem("b", {"x1": (-100, 100), "x2": (-100, 100)}, {"y": ""}, broken), bowl()[1]
    table, failed = generate(simulator, space, 100, np.random.default_rng(0), noise=1.0)
    assert len(table) + len(failed) == 100 and len(failed) > 10
    assert (table["x1"].to_numpy() <= 50).all() and (failed["x.x1"] > 50).all()
    assert set(failed["message"]) == {"no finite number"} and list(failed) == ["x.x1", "x.x2", "message", "of"]
    parts = [simulate_part(simulator, space, 100, np.random.default_rng(0), None, (k, 3)) for k in range(3)]
    again = generate(simulator, space, 100, np.random.default_rng(0), noise=1.0, parts=parts)
    assert again.table.equals(table) and again.failed.equals(failed)
    found = refusal(generate, simulator, space, 100, np.random.default_rng(0), success_fraction=0.99)
    assert f"failed at {len(failed)} of 100 points, and must succeed at 99% of them" in found
    assert "problem.success_fraction" in found and f"no finite number ({len(failed)} times)" in found


def test_rows_of_one_experiment_stay_together_when_they_are_generated_with_fixed_inputs():
    simulator, space = bowl(inputs={"x1": {"low": 0, "high": 2, "integer": True}, "x2": {"fixed": 1}})
    made = generate(simulator, space, 60, np.random.default_rng(0), noise=1.0).table
    train, test = split.split(made, ["x1", "x2"], 0.3, np.random.default_rng(1))
    column = made["x1"].to_numpy()
    assert not set(column[train]) & set(column[test])


def test_the_bowl_in_any_dimension():
    for d in (1, 2, 7):
        built = paraboloid.build(d)
        assert list(built.inputs) == [f"x{j + 1}" for j in range(d)]
        assert built.simulate(np.zeros((1, d))).tolist() == [[built.minimum["y"].y]]
        assert built.minimum["y"].x == (0.0,) * d
    assert "expected 1 or more" in refusal(paraboloid.build, 0)


@pytest.mark.parametrize(
    ("offset", "unit", "said"), [(1549.8, 1.0, "1,549.8"), (0.0, 1e-9, "5e-10"), (1e8, 1.0, "1e+08")]
)
def test_values_show_what_tells_them_apart_in_the_range_of_the_rows(offset, unit, said):
    """A wavelength from 1549.8 to 1550.3 is not "1,550, data from 1,550 to 1,550"; nor is a tiny one 0."""
    low, high = offset, offset + 0.5 * unit
    rows = setting.RowSummary(["wave"], ["y"], {"y": "nm"}, {"wave": (low, high)}, [unit], [0.5 * unit])
    units = setting.of_rows({}, rows).units
    ends = [words.of(v, "wave", units) for v in (low, low + 1e-3 * unit, high)]
    assert len(set(ends)) == 3 and said in (ends[0], ends[-1], words.number(low))
    assert words.of(high, "y", units) == f"{words.number(high, 0.5e-3 * unit)} nm"
