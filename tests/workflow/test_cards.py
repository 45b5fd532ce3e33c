"""The first screen: a verdict that follows from what is known, and a recipe that can be weighed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from preimage.core.weighing import step_of
from preimage.data import rows
from preimage.reporting import cards

from .test_report import material_of

SAME = {name: name for name in ("tpe", "starts", "direct", "lookup", "forest", "ring", "lowest")}


@pytest.fixture(scope="module")
def material(tiny):
    whole = material_of(tiny, SAME)
    return replace(whole, solutions=whole.solutions[whole.solutions["surrogate"] == "forest"])


def unseen(material):
    """The same without a simulator."""
    nothing = {c: np.nan for c in material.solutions if c.startswith("simulated")}
    return replace(material, solutions=material.solutions.assign(**nothing))


def evidence(material, **changed):
    return replace(material, evidence={**material.evidence, **changed})


def card(material, name="ring"):
    (found,) = (c for c in cards.cards(material) if c["name"] == name)
    return found


def test_every_objective_has_a_card(material):
    assert [c["name"] for c in cards.cards(material)] == list(material.objectives)


def test_the_truth_decides_where_it_is_known(material):
    wanted = material.objectives["ring"]
    row = material.solutions[material.solutions["objective"] == "ring"].iloc[0]
    met = wanted.met(np.array([[row["simulated.y"]]]))[0]
    assert card(material)["verdict"] == ("Met when re-simulated" if met else "Not met when re-simulated")
    for value, said in ((100.0, "Met"), (1e4, "Not met")):
        off = material.solutions.assign(**{"simulated.y": value, "simulated_loss": (value - 100) ** 2})
        assert card(replace(material, solutions=off))["verdict"].startswith(said)


def test_a_row_that_meets_it_is_named(material, tiny):
    seed = tiny / "results/tiny/round0/seed0"
    parts = [rows.load(str(seed / f"{part}.parquet"), str(seed / "split.json"), {}) for part in ("train", "test")]
    wanted = material.objectives["ring"]
    meets = {int(n) for p in parts for n, y in zip(p.numbers, wanted.met(p.Y), strict=True) if y}
    known = material.evidence["measured"]["ring"]
    assert known["count"] == len(meets) and (known["row"] in meets or not meets)
    one = evidence(unseen(material), measured={"ring": {"count": 2, "row": 7, "values": {"y": 101.0}}})
    assert card(one)["verdict"] == "2 known rows meet it already: row 7, 101" and card(one)["colour"] == cards.GOOD


def test_what_is_proven_impossible_says_so(material):
    none = evidence(unseen(material), measured={"ring": {"count": 0, "row": None, "values": {}}})
    found = card(replace(none, summary=material.summary.assign(feasible="no")))
    assert (found["verdict"], found["colour"]) == ("Proven impossible by the model", cards.BAD)


@pytest.mark.parametrize(("chance", "verdict"), [(0.8, "Likely"), (0.2, "Unlikely"), (None, "Unknown how likely")])
def test_otherwise_the_chance_decides(material, chance, verdict):
    recipes = [
        {**r, "chance": chance, "chance_low": chance, "chance_high": chance} for r in material.evidence["recipes"]
    ]
    nothing = {"count": 0, "row": None, "values": {}}
    found = evidence(unseen(material), recipes=recipes, measured={"ring": nothing, "lowest": nothing})
    found = replace(found, summary=material.summary.assign(feasible="undecided"))
    assert card(found)["verdict"] == verdict
    best = evidence(found, measured={"lowest": {"count": 9, "row": 3, "values": {"y": 12.0}}})
    said = card(best, "lowest")["verdict"]
    assert said == (f"{verdict} to be better than the best known row (row 3: 12)" if chance else verdict)


def test_faults_of_the_model_stand_in_the_headline(material):
    about = material.surrogates["forest"]
    bad = {**about, "test": {"y": {**about["test"]["y"], "r2": -0.5}}, "test_coverage": [0.4]}
    found = card(replace(material, surrogates={"forest": bad}))
    assert any("worse than the mean" in f for f in found["flags"])
    assert any("Only 40% of its 90 % intervals for y hold" in f for f in found["flags"])
    poor = {**about, "test": {"y": {**about["test"]["y"], "r2": 0.3}}}
    assert any("explains little of y" in f for f in card(replace(material, surrogates={"forest": poor}))["flags"])
    slow = material.solutions.assign(status="not_converged")
    open_ = replace(material, solutions=slow, summary=material.summary.assign(gap=np.nan))
    assert "The search had not ended here" in card(open_, "lowest")["flags"]
    proven = replace(open_, summary=material.summary.assign(gap=0.0))
    assert "The search had not ended here" not in card(proven, "lowest")["flags"]


def test_recipes_can_be_weighed_and_are_judged_as_rounded(material):
    space = material.space
    for recipe in material.evidence["recipes"]:
        x = space.encode(pd.DataFrame([recipe["x"]]))
        assert space.contains(x).all()
        for j, i in enumerate(space.inputs):
            if step := step_of(i):
                assert x[0, j] / step == pytest.approx(round(x[0, j] / step), abs=1e-6)
        assert recipe["low"]["y"] <= recipe["predicted"]["y"] <= recipe["high"]["y"]


def test_the_page_begins_with_the_cards(tiny):
    page = (tiny / "results/tiny/report.html").read_text(encoding="utf-8")
    assert page.index('<div class="cards">') < page.index('id="objective-')
    assert page.count('<section class="card answer') == 2


def test_what_rounding_costs_is_said(material):
    recipes = [{**r, "met": False} for r in material.evidence["recipes"]]
    solved = replace(material, solutions=material.solutions.assign(solves=True))
    assert "As rounded, it is not predicted to meet the objective" in card(evidence(solved, recipes=recipes))["flags"]
