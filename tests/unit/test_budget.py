"""Calls of a simulator counted ahead from a study, and a budget shared out: what is needed whole, the rest by order."""

import numpy as np
import pytest

from preimage import study as study_module
from preimage.core import sizes
from preimage.core.space import Input, Space
from preimage.evidence import answer_findings
from preimage.inversion import asking
from preimage.problems.built_in import paraboloid
from preimage.study import calls
from preimage.support import spending

from ..conftest import inverter, refusal
from .test_inversion import question

STUDY = """
study: s
seeds: [0, 1]
problem: {simulator: paraboloid, dimension: 3, samples: 20}
surrogates: {forest: {kind: random_forest, trees: 5}}
objectives: {lowest: {minimize: y}, ring: {target: {y: 5000}, tolerance: 200}}
inverters:
  random: {kind: random, evaluations: 30}
  direct: {kind: hyperopt, evaluations: 7, on: [simulator]}
rounds: 2
relearning: {simulations: 6}
"""


@pytest.fixture
def read(own_file):
    """Return a function that reads the study above with a budget, some of it replaced."""

    def call(budget=None, *replaced):
        text = STUDY + (f"budget: {{simulations: {budget}}}\n" if budget is not None else "")
        for before, after in replaced:
            assert before in text
            text = text.replace(before, after)
        own_file(text, "s.yaml")
        return study_module.load("s.yaml")

    return call


def spent(study):
    """What all steps of a study are granted, by purpose."""
    counts = dict.fromkeys(calls.WORDS, 0)
    for wish in calls.shared_out(study):
        counts[wish.purpose] += wish.steps * wish.calls
    return counts


def test_a_study_without_a_budget_counts_what_it_makes(read):
    # Two seeds and three rounds; lookup works on the forest too, and only there.
    found = calls.planned(read())
    assert found == {
        "samples": 2 * 20,
        "searches": 2 * 3 * 2 * 7,
        "rounds": 2 * 2 * 6,
        "evidence": 2 * 3 * (2 * (30 + 1) + 2 * 7),
        "diagnosis": 2 * 2 * 2 * calls.DIAGNOSED,
    }
    said = calls.sentence(read())
    assert f"{2 * 2 * 2 * 379} for diagnosis" in said and f"at most {sum(found.values())} in all" in said


def test_what_is_needed_is_granted_whole_and_the_least_that_works_is_named(read):
    least = 2 * 20 + 2 * 3 * 2 * 7 + 2 * 2 * 1 + 2 * 3 * 1
    said = refusal(read, least - 1)
    assert f"found {least - 1}, expected at least {least} calls" in said and "'budget.simulations'" in said
    assert "40 for rows to train on, 84 for searches of the simulator itself, 4 for rounds" in said
    found = spent(read(least))
    assert found == {"samples": 40, "searches": 84, "rounds": 4, "evidence": 6, "diagnosis": 0, "figures": 0}


@pytest.mark.parametrize("budget", [134, 140, 155, 200, 300, 500, 2000, 100_000])
def test_no_budget_is_exceeded_and_what_comes_first_is_granted_first(read, budget):
    found, more = spent(read(budget)), spent(read(budget + 37))
    assert sum(found.values()) <= budget
    assert all(more[p] >= found[p] for p in found if p != "evidence")  # which gives way to a diagnosis that is of use
    if found["diagnosis"]:  # comes after rounds and the first candidates
        assert found["rounds"] == 24 and found["evidence"] >= 6 * 2 * 10
    searches = [case for case in study_module.cases(read()) if case.surrogate == "simulator"]
    assert [calls.granted(read(budget), calls.SEARCHES, case) for case in searches] == [7, 7]


def test_steps_of_a_study_without_a_budget_have_no_limit(read):
    study = read()
    assert all(calls.granted(study, purpose) is None for purpose in calls.WORDS)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{simulations: 0}", "found 0, expected at least 1"),
        ("{simulations: -3}", "found -3, expected at least 1"),
        ("{simulations: many}", "found text 'many', expected a whole number"),
        ("300", "found the number 300, expected a mapping"),
        ("{}", "missing key 'simulations'"),
    ],
)
def test_what_is_no_budget_is_refused(own_file, value, said):
    own_file(STUDY + f"budget: {value}\n", "s.yaml")
    assert said in refusal(study_module.load, "s.yaml")


def test_a_search_that_no_budget_can_plan_is_refused(read):
    said = refusal(read, 5000, ("{kind: hyperopt, evaluations: 7,", "{kind: multistart, starts: 3,"))
    assert "'inverters.direct'" in said and "cmaes, evolution, hyperopt, nsga2, random" in said
    said = refusal(read, 5000, ("tolerance: 200}", "tolerance: 200, closest_to: {row: 3}}"))
    assert "'objectives.ring' with closest_to" in said


def test_a_budget_without_a_simulator_is_refused(own_file):
    own_file("a,y\n" + "".join(f"{k},{k % 7}\n" for k in range(20)), "t.csv")
    own_file(
        "study: s\nproblem: {table: {file: t.csv, outputs: [y]}}\nsurrogates: {f: {kind: linear}}\n"
        "objectives: {o: {minimize: y}}\ninverters: {r: {kind: random}}\nbudget: {simulations: 30}\n",
        "s.yaml",
    )
    said = refusal(study_module.load, "s.yaml")
    assert "'budget'" in said and "no simulator" in said


@pytest.mark.parametrize("kind", ["cmaes", "evolution", "hyperopt", "lookup", "random"])
@pytest.mark.parametrize("entry", [{"minimize": "y"}, {"target": {"y": 5000.0}, "tolerance": 10.0}])
def test_a_search_asks_for_no_more_points_than_are_planned(kind, entry):
    method = inverter(kind, {"rows": 45} if kind == "lookup" else {"evaluations": 45})
    space = Space((Input("a", -100, 100), Input("b", -100, 100)))
    with spending.opened(method.simulations, None) as account:
        problem = paraboloid.build(2)
        asked = question(space, entry, predict=lambda X: account.asks(X, problem.simulate))
        ((answer, Y),) = asking.ask(method, [asked], np.random.default_rng(0))
    assert account.asked <= 45 and np.isfinite(Y).all() and "failed" not in answer.status


@pytest.mark.parametrize("most", [12, 13, 40, 297, 1000])
def test_a_diagnosis_asks_for_no_more_points_than_it_may(most):
    space = Space((Input("a", -100, 100), Input("b", -100, 100)))
    asked = question(space, {"target": {"y": 5000.0}, "tolerance": 10.0})
    x = np.array([50.0, 50.0])
    with spending.opened(most, None) as account:
        found = answer_findings.unstable_answer(
            x - 1, x + 1, False, x, space, lambda X: account.asks(X, paraboloid.build(2).simulate), asked.objective,
            np.random.default_rng(0), most,
        )  # fmt: skip
    assert account.asked <= most and found.verdict != "unknown"
    assert account.asked == min(most, 1 + sizes.ASKED + sizes.HALVINGS) or most < 297


def test_under_a_limit_a_known_point_costs_nothing_and_one_too_many_is_an_error():
    seen = []

    def simulate(X):
        seen.extend(X[:, 0].tolist())
        return 2 * X

    with spending.opened(3, None) as account:
        found = account.asks(np.array([[1.0], [2.0], [1.0]]), simulate)
        assert found.ravel().tolist() == [2, 4, 2] and seen == [1, 2] and account.left == 1
        assert account.asks(np.array([[2.0], [3.0]]), simulate).ravel().tolist() == [4, 6]
        assert "3 calls" in refusal(account.asks, np.array([[4.0]]), simulate)
    assert seen == [1, 2, 3]
