"""The space of a study: what its settings make, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from preimage.core.building import build
from preimage.core.space import Input, Linear, Space, code

from ..conftest import refusal

BOUNDS = {"age": (1.0, 365.0), "water": (120.5, 247.25), "grade": (0.0, 0.0)}


def test_inputs_left_out_take_the_rows_range():
    space = build({}, [], {"age": (1, 365), "water": (120.5, 247.25)}, {"water": "kg/m3"})
    assert space.names == ["age", "water"]
    assert space.low.tolist() == [1, 120.5] and space.high.tolist() == [365, 247.25]
    assert [i.unit for i in space.inputs] == ["", "kg/m3"]


def test_stated_settings_win_over_the_rows():
    settings = {
        "age": {"low": 2.5, "high": 90.5, "integer": True, "unit": "day"},
        "grade": {"categories": ["a", 2, "no"]},
    }
    age, water, grade = build(settings, [], BOUNDS, {"age": "week"}).inputs
    assert (age.low, age.high, age.integer, age.unit) == (3, 90, True, "day")
    assert (water.low, water.high) == (120.5, 247.25)
    assert (grade.low, grade.high, grade.categories) == (0, 2, ("a", "2", "no"))


def test_constraints_of_all_three_kinds():
    settings = [
        {"linear": {"age": 1, "water": 2}, "at_most": 600},
        {"linear": {"water": -1.5}, "at_least": -300},
        {"linear": {"age": 1, "water": 1}, "equals": 200},
    ]
    space = build({}, settings, {"age": (1, 365), "water": (120, 247)})
    matrix, low, high = space.rows
    assert matrix.tolist() == [[1, 2], [0, -1.5], [1, 1]]
    assert low.tolist() == [-np.inf, -300, 200] and high.tolist() == [600, np.inf, 200]
    assert space.row_scale.tolist() == [365 + 2 * 247, 1.5 * 247, 365 + 247]
    assert [str(c) for c in space.constraints] == [
        "1 age + 2 water <= 600",
        "-300 <= -1.5 water",
        "1 age + 1 water = 200",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"wter": {}}, "inputs.wter: no such input; did you mean 'water'?"),
        ({"water": {"low": 5, "high": 3}}, "input 'water': low 5 is above high 3"),
        ({"water": {"low": 300}}, "input 'water': low 300 is above high 247.25 (of the rows)"),
        ({"water": {"high": 100}}, "input 'water': low 120.5 (of the rows) is above high 100"),
        ({"age": {"low": 1.2, "high": 1.8, "integer": True}}, "input 'age': low 2 is above high 1"),
        (
            {"water": {"low": 130, "high": 200, "fixed": 201}},
            "input 'water': the fixed value 201 is outside its bounds [130, 200]",
        ),
        ({"age": {"low": 5, "fixed": 4}}, "input 'age': the fixed value 4 is outside its bounds [5, 365]"),
        ({"age": {"integer": True, "fixed": 2.5}}, "input 'age': found 2.5, expected a whole number"),
        ({"age": {"fixed": "old"}}, "input 'age': found 'old', expected a number"),
        ({"grade": {"categories": ["low", "high"], "fixed": "hgh"}}, "'hgh' is no category; did you mean 'high'?"),
    ],
)
def test_settings_that_contradict_are_refused(settings, said):
    assert said in refusal(build, settings, [], BOUNDS)


def test_constraints_on_what_is_no_number_are_refused():
    settings = {"grade": {"categories": ["a", "b"]}}
    unknown = [{"linear": {"wter": 1}, "at_most": 3}]
    assert "constraint on unknown input 'wter'; did you mean 'water'?" in refusal(build, settings, unknown, BOUNDS)
    category = [{"linear": {"grade": 1}, "at_most": 3}]
    assert "a category has no place in a linear constraint" in refusal(build, settings, category, BOUNDS)


def test_an_input_may_be_fixed_outside_the_rows_but_not_outside_stated_or_natural_bounds():
    assert build({"age": {"fixed": 400}}, [], BOUNDS).low[0] == 400
    measured = build({}, [], BOUNDS).fix({"age": 400})
    assert measured.low[0] == measured.high[0] == 400 and measured.contains([[400, 200, 0]])[0]
    said = "the fixed value 400 is outside its bounds [1, 365]"
    assert said in refusal(build({"age": {"high": 365}}, [], BOUNDS).fix, {"age": 400})
    assert said in refusal(build, {"age": {"fixed": 400}}, [], BOUNDS, natural=True)
    assert said in refusal(build({}, [], BOUNDS, natural=True).fix, {"age": 400})


def test_fixing_names_what_it_does_not_know():
    space = Space((Input("age", 1, 365), Input("grade", 0, 1, categories=("a", "b"))))
    assert "fixed input 'aeg' is unknown; did you mean 'age'?" in refusal(space.fix, {"aeg": 3})
    assert "'c' is no category" in refusal(space.fix, {"grade": "c"})
    assert space.fix({"grade": "b"}).low.tolist() == [1, 1]
    assert space.fix({}).inputs == space.inputs


def test_a_value_is_coded_by_kind():
    grade = Input("grade", 0, 2, categories=("a", "2", "no"))
    assert [code(grade, v) for v in ("a", 2, "no")] == [0, 1, 2]
    assert code(Input("age", 0, 9, integer=True), 3) == 3.0
    assert "found 'True', expected a number" in refusal(code, Input("age", 0, 9), True)


def test_an_unknown_category_in_a_table_is_named_by_row():
    space = Space((Input("grade", 0, 1, categories=("low", "high")),))
    frame = pd.DataFrame({"grade": ["low", "hihg"]})
    assert "column 'grade', row 2: category 'hihg' is not declared; did you mean 'high'?" in refusal(
        space.encode, frame
    )
    assert space.encode(frame.head(0)).shape == (0, 1)


def test_a_missing_point_has_no_category():
    space = Space((Input("x", 0, 1), Input("grade", 0, 1, categories=("a", "b"))))
    columns = space.decode(np.array([[np.nan, np.nan], [0.5, 1.0]]))
    assert pd.isna(columns["grade"][0]) and columns["grade"][1] == "b"
    assert np.isnan(columns["x"][0])


def test_bounds_hold_exactly_and_constraints_to_a_billionth_of_their_scale():
    space = Space((Input("a", 0, 1000), Input("b", 0, 1)), (Linear((("a", 1.0), ("b", 1.0)), 5.0, 5.0),))
    assert space.row_scale.tolist() == [1001]
    inside = np.array([[4.5, 0.5], [4.5 + 1.0009e-6, 0.5], [4.5 - 1.0009e-6, 0.5]])
    outside = np.array([[4.5 + 1.002e-6, 0.5], [4.5, 0.5 - 1.002e-6], [5.0, -1e-300], [4.0, np.nextafter(1, 2)]])
    assert space.contains(inside).all()
    assert not space.contains(outside).any()


def test_width_is_1_where_there_is_no_range():
    space = Space((Input("a", 3, 3), Input("b", 0, 4, fixed=1.0)))
    assert space.width.tolist() == [1, 4] and not space.free.any()
    assert space.scaled(np.array([[3.0, 1.0]])).tolist() == [[0, 0.25]]


def test_distance_sees_categories_as_the_same_or_not_whatever_their_order():
    x = np.array([[10.0, 0.0, 5.0], [20.0, 2.0, 5.0], [10.0, 1.0, 9.0]])
    inputs = (Input("a", 10, 30), Input("c", 0, 2, categories=("r", "g", "b")), Input("n", 1, 9, integer=True))
    at = Space(inputs).coordinates(x)
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1)
    assert apart[0, 1] == pytest.approx(np.sqrt(0.5**2 + 1)) and apart[0, 2] == pytest.approx(np.sqrt(1 + 0.5**2))
    other = (inputs[0], Input("c", 0, 2, categories=("b", "r", "g")), inputs[2])
    moved = Space(other).coordinates(np.column_stack([x[:, 0], [1, 0, 2], x[:, 2]]))
    np.testing.assert_allclose(np.linalg.norm(moved[:, None] - moved[None], axis=-1), apart, atol=1e-15)
