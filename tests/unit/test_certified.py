"""Certified inversion: what ends it, what it keeps, and that neither cores, memory nor a kill change its answer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage import study
from preimage.core import candidates, objective
from preimage.core.certificates import together, verdict
from preimage.core.space import Input, Linear, Space
from preimage.evidence.summary import summarise
from preimage.inversion import asking, certified
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.inversion.table import frame
from preimage.support import checkpoints
from preimage.trees import branch_and_bound, threads
from preimage.trees.forest import from_sklearn

from ..conftest import inverter, refusal
from ..killed_searches import killed_again_and_again

OPTIONS = {"boxes": 100_000, "gap": 0.0, "memory": 100, "starts": 4}
D = 5


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = rng.uniform(-10, 10, (600, D))
    Y = np.column_stack([(X**2).sum(axis=1), X @ np.arange(1.0, D + 1)])
    forest = RandomForestRegressor(25, random_state=0, n_jobs=1).fit(X, Y)
    return from_sklearn(forest), X, Y


def question(model, entry, constraints=()):
    forest, X, Y = model
    space = Space(tuple(Input(f"x{j}", -10, 10) for j in range(D)), tuple(constraints))
    wanted = objective.build("o", entry, ["a", "b"], Y.std(axis=0), np.ptp(Y, axis=0))
    return Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)


def ask(q, state=None, report=None, **options):
    ((answer, Y),) = asking.ask(
        inverter("certified", {**OPTIONS, **options}), [q], np.random.default_rng(1), state, report
    )
    return answer, q.objective.loss(Y)


def same(one, other):
    return np.array_equal(one.X, other.X) and one.certificate == other.certificate and one.message == other.message


def test_it_proves_the_optimum_and_says_so(model):
    answer, loss = ask(question(model, {"minimize": "a"}))
    proof = answer.certificate
    assert proof["closed"] and proof["stopped"] == "closed" and proof["open_boxes"] == 0
    assert proof["bound"] == proof["loss"] == loss[0]
    assert answer.message[0].startswith("proven optimum") and answer.evaluations == [proof["boxes"]]


def test_at_its_limit_the_bound_is_below_the_optimum_and_rises_with_the_limit(model):
    q = question(model, {"minimize": "a"})
    best = ask(q)[1][0]
    bounds = [ask(q, boxes=n)[0].certificate["bound"] for n in (1, 64, 256)]
    assert bounds == sorted(bounds) and bounds[-1] <= best
    answer, _ = ask(q, boxes=1)
    assert answer.certificate["stopped"] == "boxes" and not answer.certificate["closed"]
    assert answer.certificate["open_boxes"] > 0 and "stopped at its limit" in answer.message[0]


def test_a_gap_asked_for_ends_the_search_early(model):
    q = question(model, {"minimize": "a"})
    full, (best,) = ask(q)
    answer, (loss,) = ask(q, gap=0.2 * best)
    assert answer.certificate["boxes"] < full.certificate["boxes"]
    assert loss - answer.certificate["bound"] <= 0.2 * best and loss - best <= 0.2 * best


def test_a_limit_in_seconds_is_said_to_be_not_reproducible(model):
    answer, _ = ask(question(model, {"minimize": "a"}), seconds=1e-9)
    assert answer.certificate["stopped"] == "seconds" and "not reproducible" in answer.message[0]


def test_cores_do_not_change_the_answer(model, monkeypatch):
    q = question(model, {"target": {"a": 100, "b": 5}, "tolerance": 0.01})
    answers = []
    for n in (1, 2, 5):
        monkeypatch.setattr(threads, "cores", lambda n=n: n)
        answers.append(ask(q, boxes=2000)[0])
    assert all(same(answers[0], other) for other in answers)


def test_little_memory_makes_it_depth_first_and_changes_no_optimum(monkeypatch):
    rng = np.random.default_rng(3)
    X, noise = rng.uniform(-10, 10, (300, D)), rng.normal(size=(300, 2))
    rough = from_sklearn(RandomForestRegressor(25, random_state=0, n_jobs=1).fit(X, noise))
    q = question((rough, X, noise), {"minimize": "a"})
    monkeypatch.setattr(branch_and_bound, "BATCH", 2)
    widest = []
    step = branch_and_bound.Search.step

    def watched(search):
        search.queue.most = min(search.queue.most, limit)
        went = step(search)
        widest.append(search.open)
        return went

    monkeypatch.setattr(branch_and_bound.Search, "step", watched)
    limit = 10**6
    free, loss = ask(q)
    reached = max(widest)
    widest.clear()
    limit = 4
    tight, other = ask(q)
    assert loss == other and tight.certificate["closed"] and free.certificate["closed"]
    assert max(widest) < reached


@pytest.mark.parametrize("entry", [{"minimize": "a"}, {"target": {"a": 60, "b": 5}, "tolerance": 1e-3}])
def test_a_search_that_is_killed_again_and_again_ends_the_same(model, entry, tmp_path, monkeypatch):
    q = question(model, entry)
    whole, _ = ask(q, boxes=3000)
    path = tmp_path / "state.json"

    def search(report):
        return ask(q, state=path, report=report, boxes=3000)[0]

    answer, kills = killed_again_and_again(monkeypatch, search, 4, 5)
    assert kills > 1 and path.exists()
    assert same(answer, whole)


def test_mixtures_are_exact_and_constraints_without_a_point_are_refused(model):
    names = [f"x{j}" for j in range(D)]
    mixture = Linear(tuple((n, 1.0) for n in names), 3.0, 3.0)
    other = Linear((("x0", 1.0), ("x1", -2.0)), 1.0, 1.0)
    answer, loss = ask(question(model, {"minimize": "a"}, (mixture, other)))
    x = answer.X[0]
    assert abs(x.sum() - 3) <= 1e-9 * 50 and abs(x[0] - 2 * x[1] - 1) <= 1e-9 * 30
    assert answer.certificate["closed"] and answer.certificate["bound"] == loss[0]
    assert loss[0] >= ask(question(model, {"minimize": "a"}))[1][0]
    free = ask(question(model, {"minimize": "a"}, (Linear(mixture.coefficients, -np.inf, 1e6),)))[1]
    assert free == ask(question(model, {"minimize": "a"}))[1]
    said = refusal(ask, question(model, {"minimize": "a"}, (Linear(mixture.coefficients, 51.0, 51.0),)))
    assert "no point within the bounds satisfies" in said


def test_progress_has_bound_and_gap_and_open_boxes(model, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHOW_EVERY_SECONDS", 0.0)
    seen = []
    ask(question(model, {"minimize": "a"}), report=lambda done, best, **more: seen.append((done, best, more)))
    assert seen and all(set(more) == {"bound", "gap", "open"} and more["bound"] <= best for _, best, more in seen)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


def test_of_several_outputs_a_target_may_be_met_elsewhere_than_at_the_least_loss():
    # Two cells: outputs (1.1, 0) with loss 0.605, and (0.9, 0.9) with loss 0.81; only the second is within 1 of (0, 0).
    X, Y = np.array([[0.0], [1.0]]), np.array([[1.1, 0.0], [0.9, 0.9]])
    forest = from_sklearn(RandomForestRegressor(1, bootstrap=False, n_jobs=1).fit(X, Y))
    wanted = objective.build("o", {"target": {"a": 0, "b": 0}, "tolerance": 1}, ["a", "b"])
    q = Question(Space((Input("x", 0, 1),)), wanted, forest.predict, X, Y, np.arange(2), trees=forest)
    answer, loss = ask(q)
    assert answer.certificate["feasible"] == "yes"
    assert loss == pytest.approx([0.605, 0.81])
    nearer = objective.build("o", {"target": {"a": 0, "b": 0}, "tolerance": 0.85}, ["a", "b"])
    q.objective = nearer
    assert ask(q)[0].certificate["feasible"] == "no"


def certificate(**changes):
    return {
        "bound": 1.0, "loss": 2.0, "closed": False, "stopped": "boxes", "boxes": 1, "open_boxes": 1,
        "feasible": "undecided", "limited": False, **changes,
    }  # fmt: skip


def test_certificates_of_a_question_are_put_together():
    best = together([certificate(bound=1.0), certificate(bound=1.5)], least=1.75)
    assert best == (1.5, 0.25, "undecided")
    assert together([certificate(feasible="no")], 2.0).feasible == "no"
    assert together([certificate()], 2.0, met=True).feasible == "yes"
    none = together([], 2.0)
    assert np.isnan(none.bound) and np.isnan(none.gap) and none.feasible == "undecided"


def test_verdicts():
    band = objective.build("o", {"within": {"y": [1, 2]}}, ["y"])
    assert [verdict(band, b, False) for b in (-1.0, 0.0, 1e-300)] == ["undecided", "undecided", "no"]
    target = objective.build("o", {"target": {"y": 1}, "tolerance": 0.5}, ["y"])
    assert [verdict(target, b, False) for b in (0.0, 0.25, 0.2500001)] == ["undecided", "undecided", "no"]
    assert verdict(objective.build("o", {"minimize": "y"}, ["y"]), 1.0, False) == "yes"
    assert verdict(target, 1.0, True) == "yes"  # an input in hand is the stronger proof


def test_words_say_what_is_proven():
    q = objective.build("o", {"within": {"y": [1, 2]}}, ["y"])
    assert "proven that no input meets" in certified._words(q, certificate(feasible="no", bound=3.0))
    assert "no valid input was found nor ruled out" in certified._words(q, certificate(stopped="unsure"))


def test_a_certificate_goes_with_the_candidates_and_into_the_summary_of_every_inverter(model, tmp_path):
    q = question(model, {"within": {"a": [10_000, 20_000]}})
    ((answer, predicted),) = asking.ask(inverter("certified", OPTIONS), [q], np.random.default_rng(1))
    table = frame(answer, predicted, q, ["a", "b"])
    table.attrs["certificates"] = {"o": dict(answer.certificate)}
    table.to_parquet(tmp_path / "candidates.parquet")
    kept = pd.read_parquet(tmp_path / "candidates.parquet").attrs["certificates"]["o"]
    assert kept == answer.certificate and kept["feasible"] == "no"
    worse = table.assign(predicted_loss=table["predicted_loss"] + 1)
    both = pd.concat([table.assign(inverter="certified"), worse.assign(inverter="other")], ignore_index=True)
    both = both.assign(problem="p", round=0, seed=0, surrogate="forest", objective="o")
    both = candidates.typed(both, q.space.names, ["a", "b"])
    summary = summarise(both, q.space, {"o": q.objective}, ["a", "b"], {("forest", "o"): [kept]})
    assert summary["certified_bound"].tolist() == [kept["bound"]] * 2
    assert summary["gap"].tolist() == [0.0, 0.0]
    assert summary["optimizer_regret"].tolist() == [0.0, 1.0]
    assert summary["feasible"].tolist() == ["no", "no"]
    assert "proven that no input meets" in answer.message[0]


def test_models_that_are_bounded_otherwise_are_taken_where_they_are_named_or_alone(study_file):
    bowl = "study: bowl\nproblem: {simulator: paraboloid}\nobjectives: {lowest: {minimize: y}}\n"
    bowl += "inverters: {proof: {kind: certified}}\n"
    kinds = ("gaussian_process", "neural_network", "linear")
    models = ", ".join(f"m{k}: {{kind: {kind}}}" for k, kind in enumerate(kinds))
    alone = bowl + f"surrogates: {{{models}}}\n"
    assert study.load(study_file(alone))["inverters"]["proof"].on == ["m0", "m1", "m2"]
    beside = bowl + f"surrogates: {{{models}, forest: {{kind: random_forest}}}}\n"
    assert study.load(study_file(beside))["inverters"]["proof"].on == ["forest"]
    named = beside.replace("kind: certified", "kind: certified, on: [m1, forest]")
    assert study.load(study_file(named))["inverters"]["proof"].on == ["m1", "forest"]
    onto = bowl + "surrogates: {}\n"
    assert "it requires trees, or a linear model, Gaussian process or neural network" in refusal(
        study.load, study_file(onto)
    )


@pytest.mark.parametrize("kind", [kind.kind for kind in Inverter.registry.values() if kind.needs_trees])
def test_a_model_that_is_not_trees_is_refused_before_any_job(kind, study_file):
    bowl = "study: bowl\nproblem: {simulator: paraboloid}\nobjectives: {lowest: {minimize: y}}\n"
    models = "surrogates: {gp: {kind: gaussian_process}, forest: {kind: random_forest}}\n"
    text = bowl + models + f"inverters: {{proof: {{kind: {kind}}}}}\n"
    assert study.load(study_file(text))["inverters"]["proof"].on == ["forest"]
    named = text.replace(f"kind: {kind}", f"kind: {kind}, on: [gp]")
    assert "a tree model" in refusal(study.load, study_file(named))
    assert "a tree model" in refusal(study.load, study_file(text.replace(", forest: {kind: random_forest}", "")))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("seconds: 0", "line 4, key 'inverters.proof.seconds': found 0, expected more than 0"),
        ("boxes: 0", "line 4, key 'inverters.proof.boxes': found 0, expected at least 1"),
        ("gap: .nan", "line 4, key 'inverters.proof.gap': found nan, expected a finite number"),
        ("isolation: 1.5", "line 4, key 'inverters.proof.isolation': found 1.5, expected at most 1"),
        ("threads: 0", "line 4, key 'inverters.proof.threads': found 0, expected at least 1"),
    ],
)
def test_limits_that_are_none_are_refused_by_name(options, said, study_file):
    bowl = "study: bowl\nproblem: {simulator: paraboloid}\nobjectives: {lowest: {minimize: y}}\n"
    text = bowl + f"inverters: {{proof: {{kind: certified, {options}}}}}\nsurrogates: {{f: {{kind: random_forest}}}}\n"
    assert said in refusal(study.load, study_file(text))
