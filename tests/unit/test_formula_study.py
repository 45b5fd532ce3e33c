"""Formulas of a study: read, checked before any job, refused in one message where they can't be, and in its rows."""

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.data import setting, split_rows, tables
from preimage.study import data_checks
from preimage.support.files import write_json

from ..conftest import BOWL, refusal

STUDY = """
study: mixes
problem:
  table: {file: mixes.csv, outputs: [strength]}
  inputs: {grade: {categories: [a, b]}}
  formulas: FORMULAS
surrogates: {forest: {kind: random_forest, trees: 5}}
objectives: OBJECTIVES
inverters: INVERTERS
"""
COST = "{cost: {expression: '0.1*cement + 0.01*`water (kg)`', unit: EUR}}"


def mixes():
    """Cement 100..195, water 200..390, strength 50..69."""
    k = np.arange(20)
    grade = np.where(k % 2, "a", "b")
    return pd.DataFrame({"cement": 100 + 5 * k, "water (kg)": 200 + 10.0 * k, "grade": grade, "strength": 50.0 + k})


@pytest.fixture
def check(tmp_path, monkeypatch, study_file):
    monkeypatch.chdir(tmp_path)
    mixes().to_csv("mixes.csv", index=False)

    def call(formulas=COST, objectives="{o: {minimize: cost}}", inverters="{tpe: {kind: hyperopt}}", text=STUDY):
        for key, value in (("FORMULAS", formulas), ("OBJECTIVES", objectives), ("INVERTERS", inverters)):
            text = text.replace(key, value)
        return data_checks.check(study.load(study_file(text)))

    return call


@pytest.mark.parametrize(
    "objectives",
    [
        "{o: {minimize: cost}}",
        "{o: {maximize: {cost: -1, strength: 2}}}",
        "{o: {target: {cost: 15, strength: 60}}}",
        "{o: {within: {cost: [14, 16]}}}",
        "{o: {maximize: strength, subject_to: {cost: {at_most: 15}}}}",
    ],
)
def test_a_formula_stands_where_an_output_may(check, objectives):
    assert check(objectives=objectives) == []


def test_a_wish_outside_the_formula_s_range_over_the_rows_warns(check):
    (said,) = check(objectives="{o: {target: {cost: 99}}}")
    assert said.startswith("objective 'o' asks for cost = 99, outside the measured range [12, 23.4]")


@pytest.mark.parametrize(
    ("formulas", "said"),
    [
        ("{cost: {expression: '0.1*cemnt'}}", "problem.formulas.cost.expression: unknown name 'cemnt'"),
        (
            "{cost: {expression: '0.1*water (kg)'}}",
            "write a name with such characters between backquotes: `water (kg)`",
        ),
        ("{cost: {expression: 'grade + 1'}}", "'grade' is a category, which has no place in an expression"),
        ("{cement: {expression: 'strength'}}", "problem.formulas.cement: an input has this name"),
        ("{strength: {expression: 'cement'}}", "problem.formulas.strength: an output has this name"),
        ("{cost: {expression: 'cement / (cement - 150)'}}", "divides by 'cement - 150', which can be 0"),
        ("{cost: {expression: 'cement / (strength - 60)'}}", "divides by 'strength - 60', which can be 0"),
        ("{cost: {expression: 'system(cement)'}}", "unknown function 'system'; expected one of abs, exp"),
        ("{cost: {expression: 5}}", "key 'problem.formulas.cost.expression': found the number 5, expected text"),
        ("{cost: {formula: cement}}", "key 'problem.formulas.cost.formula': unknown key"),
        ("{cost: {unit: EUR}}", "missing key 'expression'"),
        ("{}", "unknown output 'cost'"),
    ],
)
def test_what_cannot_be_is_refused(check, formulas, said):
    assert said in refusal(check, formulas)


@pytest.mark.parametrize("kind", ["certified", "coordinate"])
def test_exact_searches_take_formulas(check, kind):
    assert check(objectives="{o: {minimize: cost}}", inverters=f"{{c: {{kind: {kind}}}}}") == []


def test_what_divides_by_a_simulated_output_is_not_known_before_there_are_rows(check):
    text = BOWL.replace("{simulator: paraboloid}", "{simulator: paraboloid, formulas: FORMULAS}")
    assert check("{f: {expression: 'x1 / y'}}", text=text) == []
    assert "divides by 'x1'" in refusal(check, "{f: {expression: 'y / x1'}}", text=text)


def test_a_fit_and_inference_refuse_formulas(check):
    fit = "study: f\nproblem: {simulator: sir, formulas: FORMULAS}\nobjectives: {o: {fit: {data: a.csv}}}\n"
    assert "key 'problem.formulas': a fit has no outputs" in refusal(check, text=fit)
    text = "study: p\nproblem: {simulator: poisson, formulas: FORMULAS}\ninference: {grid: {kind: grid}}\n"
    assert "key 'problem.formulas': found beside 'inference'" in refusal(
        check, text=text + "observations: {simulate: 2, size: 5}\n"
    )


def test_the_rows_of_a_split_have_formulas_behind_their_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = {
        "inputs": {"grade": {"categories": ["a", "b"]}},
        "formulas": {
            "cost": {"expression": "0.1*cement", "unit": "EUR"},
            "ratio": {"expression": "cost / strength"},
            "far": {"expression": "log(cement - 99)"},
        },
    }
    mixes().to_csv("mixes.csv", index=False)
    table, inputs, outputs, _ = tables.import_table({"file": "mixes.csv", "outputs": ["strength"]}, spec["inputs"], [])
    table = tables.numbered(table)
    write_json("split.json", setting.describe(table, inputs, outputs, spec["inputs"])._asdict())
    tables.write("train.parquet", table)
    found = split_rows.read(spec, "split.json", "train.parquet", "train.parquet")
    cement, strength = mixes()["cement"].to_numpy(), mixes()["strength"].to_numpy()
    expected = np.column_stack([strength, 0.1 * cement, 0.1 * cement / strength, np.log(cement - 99)])
    np.testing.assert_allclose(found.train.Y, expected)
    assert found.outputs == ["strength"] and found.setting.outputs == ["strength", "cost", "ratio", "far"]
    np.testing.assert_allclose(found.known.spread, expected.std(axis=0))
    np.testing.assert_allclose(found.known.reach, np.ptp(expected, axis=0))
    assert found.setting.units["cost"] == "EUR"
    # A model that takes no cement is not free of it where a formula takes it.
    write_json("about.json", {"without_influence": ["cement", "grade"]})
    assert found.about("about.json") == {"without_influence": ["grade"]}
    # A percent of what the formula spans over the training rows is its tolerance.
    wanted = found.objectives({"o": {"target": {"cost": 15}}})["o"]
    assert wanted.tolerance == pytest.approx([0.01 * np.ptp(expected[:, 1])])
    # Its interval follows from those of the outputs.
    frame = pd.DataFrame(
        {"predicted.strength": strength, "interval_low.strength": strength - 5, "interval_high.strength": strength + 5}
    )
    seen = found.predicted(frame)
    np.testing.assert_allclose(seen["predicted.ratio"], expected[:, 2])
    np.testing.assert_allclose(seen["interval_low.ratio"], 0.1 * cement / (strength + 5))
    np.testing.assert_array_equal(seen["interval_low.cost"], seen["interval_high.cost"])
