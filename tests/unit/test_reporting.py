"""Words and the picture of the steps."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.reporting import dag, fronts, proofs, words
from preimage.reporting.templates import environment

SIXTY = objective.build("sixty", {"target": {"strength": 60}, "tolerance": 1}, ["strength"])
UNITS = {"strength": "MPa"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (60.0, "60"), (59.98534, "59.99"), (0.00021462, "0.000215"), (1234.56, "1,235"), (-80.1756, "-80.18"),
        (12345678.9, "1.23e+07"), (0.5, "0.5"), (100, "100"), (10.0, "10"), (None, words.NONE),
        (float("nan"), words.NONE),
        ("steel", "steel"), (1e-12, "1e-12"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_read_as_people_write_them(value, text):
    assert words.number(value) == text


def row(**more):
    return {
        "surrogate": "forest", "predicted.strength": 59.9, "interval_low.strength": 50.0,
        "interval_high.strength": 70.0, "simulated.strength": None, "simulated_loss": None, "solves": True,
        "domain_score": 0.5, **more,
    }  # fmt: skip


def test_an_answer_without_a_simulator_says_to_measure_it():
    said = " ".join(words.answer(row(), SIXTY, UNITS))
    assert "Forest predicts 59.9 MPa (90 % interval 50 to 70 MPa)." in said
    assert "measure it before you rely on it" in said and "lies within the data" in said


def test_an_answer_with_a_simulator_says_the_truth():
    said = " ".join(words.answer(row(**{"simulated.strength": 52.0, "simulated_loss": 64.0}), SIXTY, UNITS))
    assert "Re-simulated, the true value is 52 MPa." in said and "measure it" not in said


def test_an_answer_that_solves_nothing_and_lies_outside_says_both():
    said = " ".join(words.answer(row(solves=False, domain_score=0.99), SIXTY, UNITS))
    assert said.startswith("No method found inputs that meet this")
    assert "lies outside the data" in said


def test_unmoved_starts_are_counted_by_case():
    table = pd.DataFrame(
        {
            "surrogate": "forest", "inverter": ["starts"] * 3 + ["tpe"],
            "message": ["did not move in 0 iterations", "moved 0.1", "did not move in 0 iterations", ""],
        }
    )  # fmt: skip
    (said,) = words.unmoved(table)
    assert "starts on forest: 2 of 3 starts did not move" in said


def records():
    return [
        {"rule": "split", "inputs": {}, "outputs": {"a": ""}},
        {"rule": "train", "inputs": {"a": ""}, "outputs": {"b": ""}},
        {"rule": "invert", "inputs": {"a": "", "b": ""}, "outputs": {"c": ""}},
        {"rule": "invert", "inputs": {"a": "", "b": ""}, "outputs": {"d": ""}},
    ]


def test_the_picture_links_steps_by_the_files_they_read():
    count, links = dag.edges(records())
    assert count == {"split": 1, "train": 1, "invert": 2}
    assert links == {("split", "train"), ("split", "invert"), ("train", "invert")}


def test_the_picture_puts_each_step_after_what_it_reads():
    assert dag._columns(["split", "train", "invert"], dag.edges(records())[1]) == {"split": 0, "train": 1, "invert": 2}
    svg = dag.draw(records())
    assert svg.count("<rect") == 3 and svg.count("<path") == 3 and "×2" in svg


# -- proofs ------------------------------------------------------------------------------------------------------------


def proven(entry, **more):
    wanted = objective.build("o", entry, ["y", "z"])
    base = {"surrogate": "forest", "certified_bound": 0.0, "gap": 0.0, "feasible": "undecided", "predicted.y": 1.0}
    return proofs.proof({**base, **more}, wanted, {"y": "MPa"})


def test_what_is_proven_out_of_reach_says_between_which_values_nothing_lies():
    said = proven({"within": {"y": [85, 120]}}, certified_bound=4.3**2, feasible="no", **{"predicted.y": 80.7})
    assert said.startswith(
        "Proven for the model forest: no inputs within the bounds and constraints meet this objective"
    )
    assert "the model gives no y between 80.7 and 124.3 MPa; the nearest it gives is 80.7 MPa" in said
    one_sided = {"within": {"y": {"at_least": 85}}}
    said = proven(one_sided, certified_bound=4.3**2, feasible="no", **{"predicted.y": 80.7})
    assert "the model gives no y above 80.7 MPa; the nearest it gives is 80.7 MPa" in said


def test_an_open_gap_is_not_called_proven_and_a_met_objective_needs_no_proof():
    open_ = proven({"target": {"y": 50}}, certified_bound=4.0, gap=1.0)
    assert open_.startswith("Undecided") and "the model gives no y between 48 and 52 MPa" in open_
    assert proven({"target": {"y": 50}}, feasible="yes") == ""
    assert proven({"minimize": "y"}, certified_bound=float("nan")) == ""


def test_an_optimum_is_proven_only_where_the_gap_is_closed():
    assert "no inputs within the bounds and constraints give a value above 80.7 MPa" in proven(
        {"maximize": "y"}, certified_bound=-80.7, feasible="yes"
    )
    limited = {"maximize": "y", "subject_to": {"z": {"at_most": 2}}}
    assert "within the bounds and constraints that keep the limits give a value above 80.7 MPa" in proven(
        limited, certified_bound=-80.7, feasible="yes"
    )
    assert "nothing lies below 3 MPa; the best found is 0.5 MPa from that bound" in proven(
        {"minimize": "y"}, certified_bound=3.0, gap=0.5, feasible="yes"
    )


def test_several_outputs_are_proven_by_their_loss():
    said = proven({"target": {"y": 1, "z": 2}}, certified_bound=0.25, feasible="no")
    assert "no inputs within the bounds and constraints meet this objective; the loss is nowhere below 0.25" in said


# -- fronts ------------------------------------------------------------------------------------------------------------


def front_words(entry, bound=np.nan, simulated=0.4, volume=0.5):
    """Of two methods; the better one has three points, of which one lies outside the data and one is dominated."""
    outputs = ["strength", "price", "waste"]
    rows = np.array([[0.0, 0.0, 0.0], [100.0, 10.0, 5.0]])
    wanted = objective.build("o", entry, outputs, None, None, rows)
    values = np.array([[90.0, 8.0, 1.0], [40.0, 2.0, 2.0], [50.0, 4.0, 3.0], [45.0, 4.0, 4.0], [10.0, 1.0, 5.0]])
    candidates = pd.DataFrame(values, columns=[f"predicted.{o}" for o in outputs]).assign(
        inverter=["nsga2"] * 4 + ["random"], rank=[1, 2, 3, 4, 1], in_domain=[False, True, True, True, True]
    )
    summary = pd.DataFrame(
        {
            "inverter": ["random", "nsga2"], "surrogate": "forest", "hypervolume": [0.1, volume],
            "simulated_hypervolume": simulated, "hypervolume_bound": bound,
        }
    )  # fmt: skip
    return fronts.front(candidates, summary, wanted, outputs, {"strength": "MPa", "price": "EUR"})


TRADE = {"pareto": {"maximize": ["strength"], "minimize": ["price"]}}


def test_a_front_is_told_by_its_ends_and_what_it_covers():
    said = front_words(TRADE)
    assert said[0] == (
        "The front that nsga2 found on forest has 3 points, from strength 40 MPa and price 2 EUR to strength 90 MPa "
        "and price 8 EUR."
    )
    assert said[1].startswith("It covers 50% of the box") and said[1].endswith("the same inputs cover 40%.")
    assert said[2].startswith("1 of its 3 points lie outside the data")
    assert not any("Proven" in s for s in said)
    assert "re-simulated" not in " ".join(front_words(TRADE, simulated=np.nan))


def test_a_front_of_three_outputs_is_told_by_their_ranges():
    said = front_words({"pareto": {"maximize": ["strength"], "minimize": ["price", "waste"]}})
    assert said[0].endswith("strength from 40 to 90 MPa, price from 2 to 8 EUR and waste from 1 to 3.")


def test_a_front_is_proven_or_lacks_at_most_a_share():
    assert any("nothing within the bounds and constraints extends" in s for s in front_words(TRADE, bound=0.5))
    assert any("lacks at most 20% of the largest" in s for s in front_words(TRADE, bound=0.625))


def test_of_hundreds_of_answers_all_but_the_first_are_folded():
    empty = {"flags": (), "predicted": (), "recipe": (), "others": [], "rest": "", "common_unit": "", "explored": False}
    card = dict.fromkeys(
        ["colour", "wanted", "verdict", "chance", "truth", "proof", "surrogate", "coverage", "domain"], ""
    )
    cards = [card | empty | {"name": f"o{k}"} for k in range(300)]
    page = environment().get_template("cards.html").render(cards=cards, live=False)
    shown, _, folded = page.partition("<details>")
    assert shown.count("<section") == 12 and folded.count("<section") == 288 and "288 more answers" in folded
    assert "<details>" not in environment().get_template("cards.html").render(cards=cards[:12], live=False)


def test_nothing_found_by_the_model_is_not_nothing_found_in_truth():
    by_model, by_simulator = (
        words.answer(row(solves=False, surrogate=name), SIXTY, UNITS)[0] for name in ("forest", "simulator")
    )
    assert "meet this objective by the model;" in by_model and "meet this objective;" in by_simulator
