"""Before any job starts: what can't work is refused, what is odd is warned of, once each."""

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.study import data_checks

from ..conftest import BOWL, refusal

N = 20
STUDY = """
study: mixes
problem:
  table: {file: mixes.csv, outputs: [strength]}
  inputs: INPUTS
  constraints: CONSTRAINTS
surrogates: {forest: {kind: random_forest}}
objectives: OBJECTIVES
"""


def mixes(**changed):
    """Cement 100..195, water 200..390, strength 50..69."""
    k = np.arange(N)
    return pd.DataFrame({"cement": 100 + 5 * k, "water": 200 + 10.0 * k, "strength": 50.0 + k, **changed})


@pytest.fixture
def check(tmp_path, monkeypatch, study_file):
    """Return a function that writes a table and a study of it, and checks them."""
    monkeypatch.chdir(tmp_path)

    def call(inputs="{}", constraints="[]", objectives="{o: {maximize: strength}}", table=None, text=STUDY):
        (mixes() if table is None else table).to_csv("mixes.csv", index=False)
        for key, value in (("INPUTS", inputs), ("CONSTRAINTS", constraints), ("OBJECTIVES", objectives)):
            text = text.replace(key, value)
        before = sorted(tmp_path.iterdir())
        found = study.load(study_file(text))
        try:
            return data_checks.check(found)
        finally:
            assert set(tmp_path.iterdir()) == {*before, tmp_path / "study.yaml"}  # nothing else is written

    return call


def test_a_good_study_of_a_table_has_nothing_to_be_warned_of(check):
    assert check() == []


def test_a_good_study_of_a_simulator_too(check):
    assert check(text=BOWL) == []


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_bounds_that_exclude_some_rows_name_their_share(check):
    assert check("{cement: {low: 125}, water: {high: 300}}") == ["bounds exclude 70.0% of the rows; they still train"]


def test_bounds_that_exclude_all_rows_say_so(check):
    said = ["bounds exclude 100% of the rows: every candidate will lie outside the data"]
    assert check("{cement: {low: 300, high: 400}}") == said
    assert check("{cement: {low: 150}, water: {high: 250}}") == said  # each alone leaves some


def test_targets_one_by_one_are_better_a_table(check):
    def entries(count):
        return "{" + ", ".join(f"o{k}: {{target: {{strength: {50 + k / 4}}}}}" for k in range(count)) + "}"

    assert check(objectives=entries(49)) == []
    (said,) = check(objectives=entries(50))
    assert said.startswith("50 objectives of a single target each make 50 jobs, each of which takes seconds to start")
    text = BOWL.replace("{lowest: {minimize: y}}", entries(50).replace("strength", "y")) + "seeds: [0, 1]\n"
    (said,) = check(text=text + "inverters: {a: {kind: random}, b: {kind: hyperopt}}\n")
    assert "make 300 jobs" in said  # the lookup beside both


def test_a_tiny_share_is_not_called_none(check):
    k = np.arange(4000)
    table = pd.DataFrame({"cement": k, "strength": k + 0.5})
    assert check("{cement: {low: 1}}", table=table) == ["bounds exclude less than 0.1% of the rows; they still train"]
    assert check("{cement: {low: 3998}}", table=table) == [
        "bounds exclude more than 99.9% of the rows; they still train"
    ]


def test_wider_bounds_exclude_nothing(check):
    assert check("{cement: {low: 0, high: 1000}}") == []


@pytest.mark.parametrize(
    ("wish", "asked"),
    [
        ("target: {strength: 70}", "70"),
        ("target: {strength: 49.9}", "49.9"),
        ("within: {strength: [80, 90]}", "[80, 90]"),
        ("within: {strength: [-5, 49]}", "[-5, 49]"),
    ],
)
def test_a_wish_outside_the_range_ever_seen_warns(check, wish, asked):
    assert check(objectives=f"{{far: {{{wish}}}, near: {{target: {{strength: 60}}}}}}") == [
        f"objective 'far' asks for strength = {asked}, outside the measured range [50, 69]; "
        "do not trust any model there"
    ]


@pytest.mark.parametrize(
    ("wish", "asked"),
    [
        ("within: {strength: {at_least: 70}}", "at least 70"),
        ("maximize: strength, subject_to: {strength: {at_most: 49}}", "at most 49"),
    ],
)
def test_an_end_or_a_limit_that_no_row_has_reached_warns(check, wish, asked):
    (said,) = check(objectives=f"{{far: {{{wish}}}}}")
    assert f"objective 'far' asks for strength {asked}, outside the measured range [50, 69]" in said


@pytest.mark.parametrize(
    "wish", ["target: {strength: 69}", "within: {strength: [69, 90]}", "within: {strength: [0, 50]}"]
)
def test_a_wish_at_the_edge_of_the_range_does_not(check, wish):
    assert check(objectives=f"{{o: {{{wish}}}}}") == []


def test_constant_columns_warn_each(check):
    assert check(table=mixes(water=1.0, strength=7)) == [
        "column 'water' is constant and carries no information",
        "column 'strength' is constant and carries no information",
    ]
    one = mixes(grade="a")
    assert check("{grade: {categories: [a, b]}}", table=one) == [
        "column 'grade' is constant and carries no information",
        f"input 'grade': no row has the value 'b'; {GUESSED}",
    ]


def test_rows_that_violate_constraints_warn_once(check):
    constraints = "[{linear: {cement: 1}, at_most: 174}, {linear: {cement: 1, water: 1}, at_least: 330}]"
    # Five rows have too much cement, the first two too little of both.
    assert check(constraints=constraints) == ["7 of 20 rows violate the constraints; they still train"]


def test_rows_that_meet_an_equality_up_to_rounding_do_not(check):
    parts = np.random.default_rng(0).dirichlet([1, 1, 1], N).round(9)
    table = pd.DataFrame({"a": parts[:, 0], "b": parts[:, 1], "c": parts[:, 2], "strength": np.arange(N)})
    assert check(constraints="[{linear: {a: 1, b: 1, c: 1}, equals: 1}]", table=table) == []


def test_a_constraint_that_weighs_nothing_is_no_hindrance(check):
    assert check(constraints="[{linear: {cement: 0}, at_most: 1}]") == []


def test_a_value_fixed_outside_the_data_warns_in_the_problem_and_in_an_objective(check):
    said = "input 'cement' is fixed at 300, outside the data's range [100, 195]"
    assert check("{cement: {fixed: 300}}") == [said]
    wish = "{o: {maximize: strength, fixed: {cement: 300}}, p: {maximize: strength, fixed: {cement: 150}}}"
    assert check(objectives=wish) == [f"objective 'o': {said}"]


def test_categories_are_neither_bounded_nor_ranged(check):
    graded = mixes(grade=["a", "b"] * 10)
    fixed = "{o: {maximize: strength, fixed: {grade: b}}}"
    assert check("{grade: {categories: [a, b]}}", objectives=fixed, table=graded) == []


GUESSED = "models extrapolate there, and candidates there count as outside the data"


def test_values_that_no_row_has_warn_once_an_input(check):
    graded = mixes(grade=["a", "b"] * 10, plant=["7", "8"] * 10)
    assert check("{grade: {categories: [c, a, d, b]}, plant: {categories: [7, 8]}}", table=graded) == [
        f"input 'grade': no row has the values 'c', 'd'; {GUESSED}"
    ]
    many = f"{{grade: {{categories: {['a', 'b', *(f'g{k}' for k in range(50))]}}}}}"
    assert check(many, table=graded) == [
        f"input 'grade': no row has the values 'g0', 'g1', 'g2', 'g3', 'g4' and 45 more; {GUESSED}"
    ]


def test_a_category_fixed_at_a_value_that_no_row_has_warns_in_the_problem_and_in_an_objective(check):
    graded = mixes(grade=["a", "b"] * 10)
    said = f"input 'grade' is fixed at 'c', which no row has; {GUESSED}"
    assert check("{grade: {categories: [a, b, c], fixed: c}}", table=graded) == [said]
    assert check("{grade: {categories: [a, b, c], fixed: a}}", table=graded) == []
    wish = "{o: {maximize: strength, fixed: {grade: c}}, p: {maximize: strength, fixed: {grade: a}}}"
    assert check("{grade: {categories: [a, b, c]}}", objectives=wish, table=graded) == [
        f"input 'grade': no row has the value 'c'; {GUESSED}",
        f"objective 'o': {said}",
    ]


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "constraints", "objectives", "said"),
    [
        ("{cemnt: {}}", "[]", "{o: {maximize: strength}}", "inputs.cemnt: no such input; did you mean 'cement'?"),
        ("{strength: {}}", "[]", "{o: {maximize: strength}}", "inputs.strength: no such input"),
        ("{cemnt: {categories: [a]}}", "[]", "{o: {maximize: strength}}", "inputs.cemnt: no such input"),
        ("{cement: {low: 300}}", "[]", "{o: {maximize: strength}}", "low 300 is above high 195 (of the rows)"),
        (
            "{cement: {low: 110, high: 120, fixed: 130}}",
            "[]",
            "{o: {maximize: strength}}",
            "input 'cement': the fixed value 130 is outside its bounds [110, 120]",
        ),
        (
            "{cement: {low: 110, high: 120}}",
            "[]",
            "{o: {maximize: strength, fixed: {cement: 130}}}",
            "objectives.o: input 'cement': the fixed value 130 is outside its bounds [110, 120]",
        ),
        (
            "{}",
            "[{linear: {cement: 1, water: 1}, at_most: 299}]",
            "{o: {maximize: strength}}",
            "no point within the bounds satisfies 1 cement + 1 water <= 299 (proved by a linear program)",
        ),
        (
            "{}",
            "[{linear: {cement: 1, water: 1}, at_most: 310}]",
            "{o: {maximize: strength, fixed: {cement: 150}}}",
            "objectives.o: constraints: no point within the bounds satisfies 1 cement + 1 water <= 310",
        ),
        ("{}", "[{linear: {watr: 1}, at_most: 3}]", "{o: {maximize: strength}}", "unknown input 'watr'; did you mean"),
        ("{}", "[]", "{o: {maximize: strenth}}", "unknown output 'strenth'; did you mean 'strength'?"),
        ("{}", "[]", "{o: {minimize: cement}}", "unknown output 'cement'"),
        ("{}", "[]", "{o: {within: {strength: [6, 5]}}}", "objectives.o.within.strength: low 6 is above high 5"),
        (
            "{}",
            "[]",
            "{o: {minimize: strength, subject_to: {cost: {at_most: 5}}}}",
            "objectives.o.subject_to: unknown output 'cost'; valid: strength",
        ),
        ("{}", "[]", "{o: {maximize: strength, fixed: {cemnt: 1}}}", "objectives.o: fixed input 'cemnt' is unknown"),
        ("{}", "[]", "{o: {maximize: strength, fixed: {cement: x}}}", "input 'cement': found 'x', expected a number"),
    ],
)
def test_what_cannot_work_is_refused(check, inputs, constraints, objectives, said):
    assert said in refusal(check, inputs, constraints, objectives)


def test_an_output_that_is_not_there_is_refused(check):
    text = STUDY.replace("  inputs:", "  outputs: {strenth: {unit: MPa}}\n  inputs:")
    assert "problem.outputs.strenth: no such output; did you mean 'strength'?" in refusal(check, text=text)


def test_rows_of_one_input_are_refused(check):
    said = "problem.table: every row has the same inputs"
    assert said in refusal(check, table=mixes(cement=1, water=2))


def test_a_bad_cell_is_found_before_any_job(check):
    bad = mixes().astype(object)
    bad.loc[3, "water"] = "wet"
    assert refusal(check, table=bad).startswith("mixes.csv, column 'water', row 4 (line 5): found 'wet'")


def test_a_category_that_is_not_declared_is_found_before_any_job(check):
    message = refusal(check, "{grade: {categories: [a, b]}}", table=mixes(grade=["a", "c"] * 10))
    assert (
        "mixes.csv, column 'grade', row 2 (line 3): found 'c', expected one of the declared categories a, b" in message
    )


def test_a_simulators_natural_bounds_hold_what_is_fixed(check):
    text = BOWL.replace("{lowest: {minimize: y}}", "{lowest: {minimize: y, fixed: {x1: 101}}}")
    said = "the fixed value 101 is outside its bounds [-100, 100]"
    assert said in refusal(check, text=text)
    assert said in refusal(check, text=BOWL.replace("paraboloid}", "paraboloid, inputs: {x1: {fixed: 101}}}"))


def test_a_table_beside_a_simulator_must_be_of_the_same_problem(check):
    text = STUDY.replace("  table:", "  simulator: paraboloid\n  table:")
    assert "found inputs ['cement', 'water'] in the table, expected the simulator's, ['x1', 'x2']" in refusal(
        check, text=text
    )
    same = mixes().set_axis(["x1", "x2", "y"], axis=1)
    text = text.replace("[strength]", "[y]")
    assert check(objectives="{o: {minimize: y}}", table=same, text=text) == []


def test_tolerances_of_targets_from_test_rows_are_checked_before_there_are_any():
    entry = {"test_rows": 5, "tolerance": {"strenght": 1}}
    message = refusal(data_checks._check_held_out, {"many": entry}, ["strength", "slump"])
    assert message == "objectives.many.tolerance: unknown output 'strenght'; did you mean 'strength'?"
