"""Searches shared by several jobs: the same answers as one job's, whatever the order in which the parts were made."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage import study
from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking, certified, parts
from preimage.inversion.question import Question, SearchContext
from preimage.trees import branch_and_bound
from preimage.trees.forest import from_sklearn

from ..conftest import inverter, refusal

CERTIFIED = {"boxes": 100_000, "gap": 0.0, "memory": 100, "starts": 4}
MULTISTART = {"starts": 7, "gradient": "3-point", "start_from": "latin_hypercube"}
D = 4
# A point, one that 13,000 boxes prove, and a proof that there is none.
HARD = {"target": {"a": 100, "b": 40}, "tolerance": 1}
ENTRIES = [{"minimize": "a"}, HARD, {"within": {"a": [40, 60], "b": [40, 50]}}]


@pytest.fixture(autouse=True)
def few_boxes_before_sharing(monkeypatch):
    # Or these searches, which are small, would be over before they are shared.
    monkeypatch.setattr(branch_and_bound, "BOXES_A_PART", 4)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = rng.uniform(-10, 10, (400, D))
    Y = np.column_stack([(X**2).sum(axis=1), X @ np.arange(1.0, D + 1)])
    return from_sklearn(RandomForestRegressor(15, random_state=0, n_jobs=1).fit(X, Y)), X, Y


def question(model, entry, predict=None, constraints=()):
    forest, X, Y = model
    space = Space(tuple(Input(f"x{j}", -10, 10) for j in range(D)), tuple(constraints))
    wanted = objective.build("o", entry, ["a", "b"], Y.std(axis=0), np.ptp(Y, axis=0))
    return Question(space, wanted, predict or forest.predict, X, Y, np.arange(len(X)), trees=forest)


def smooth(X):
    # Row by row: a matrix product rounds one row alone in another way than among others.
    return np.column_stack([(X**2).sum(axis=1), (X * np.arange(1.0, D + 1)).sum(axis=1)])


def alone(kind, questions, options):
    return asking.ask(inverter(kind, options), questions, np.random.default_rng(1))


def shared(kind, questions, options, count, folder):
    """Return the answers of that many parts, each made by itself, the last first, and left in a file."""
    paths = [folder / f"{k}.parquet" for k in range(count)]
    for k in reversed(range(count)):
        context = SearchContext(np.random.default_rng(1), part=(k, count))
        parts.write(paths[k], asking.propose(inverter(kind, options), questions, context))
    return parts.gather(inverter(kind, options), questions, paths)


def rows(asked):
    return [(a.X.tolist(), a.evaluations, a.status, a.message, Y.tolist()) for a, Y in asked]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shared_starts_end_as_they_do_in_one_job(model, count, tmp_path):
    questions = [question(model, e, smooth) for e in ({"target": {"a": 50}}, {"target": {"a": 90}})]
    options = {**MULTISTART, "scatter": count}
    assert rows(shared("multistart", questions, options, count, tmp_path)) == rows(
        alone("multistart", questions, options)
    )


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_shared_proof_is_that_of_one_job(model, entry, count, tmp_path):
    q = question(model, entry)
    ((whole, _),) = alone("certified", [q], CERTIFIED)
    ((answer, Y),) = shared("certified", [q], CERTIFIED, count, tmp_path)
    one, many = whole.certificate, answer.certificate
    assert many["closed"] and many["loss"] == one["loss"] and many["feasible"] == one["feasible"]
    assert many["bound"] == pytest.approx(one["bound"], rel=1e-12, abs=1e-12)
    assert np.array_equal(Y, q.predict(answer.X)) and q.objective.loss(Y[:1])[0] == many["loss"]
    if count == 1:
        assert np.array_equal(answer.X, whole.X) and many == one and answer.message == whole.message


def test_parts_do_share_the_work(model, tmp_path):
    q = question(model, HARD)
    ((whole, _),) = alone("certified", [q], CERTIFIED)
    shares = []
    for k in range(2):
        context = SearchContext(np.random.default_rng(1), part=(k, 2))
        ((answer, _),) = asking.propose(inverter("certified", CERTIFIED), [q], context)
        shares.append(answer.certificate["boxes"])
    assert max(shares) < whole.certificate["boxes"] and sum(shares) < 1.5 * whole.certificate["boxes"]


def test_a_shared_proof_holds_constraints(model, tmp_path):
    rule = Linear((("x0", 1.0), ("x1", 1.0)), 9.0, np.inf)
    q = question(model, {"minimize": "a"}, constraints=[rule])
    ((whole, _),), ((answer, _),) = (
        alone("certified", [q], CERTIFIED), shared("certified", [q], CERTIFIED, 3, tmp_path)
    )  # fmt: skip
    assert answer.certificate["closed"] and answer.certificate["loss"] == whole.certificate["loss"]
    assert q.space.contains(answer.X).all()


def test_parts_share_the_limit_and_their_bound_holds_at_it(model, tmp_path):
    q = question(model, HARD)
    ((whole, _),) = alone("certified", [q], CERTIFIED)
    ((answer, _),) = shared("certified", [q], {**CERTIFIED, "boxes": 600}, 2, tmp_path)
    proof = answer.certificate
    assert proof["stopped"] == "boxes" and not proof["closed"] and proof["open_boxes"] > 0
    # The first part counts what was split before it was shared.
    assert 600 <= proof["boxes"] < 600 + 2 * 32 + 32 and proof["bound"] <= whole.certificate["loss"] <= proof["loss"]
    assert "stopped at its limit" in answer.message[0]


def test_a_gap_asked_of_all_is_the_gap_of_the_whole(model, tmp_path):
    q = question(model, {"minimize": "a"})
    ((answer, _),) = shared("certified", [q], {**CERTIFIED, "gap": 3.0}, 3, tmp_path)
    assert answer.certificate["loss"] - answer.certificate["bound"] <= 3.0


def test_near_the_data_there_may_be_nothing(model, tmp_path):
    forest, X, Y = model
    q = question((forest, np.full_like(X, 9.0), Y), {"minimize": "a"})
    q.space = q.space.fix({"x0": -9.0})
    options = {**CERTIFIED, "distance": 0.1}
    assert (
        rows(shared("certified", [q], options, 2, tmp_path))[0][2:4] == rows(alone("certified", [q], options))[0][2:4]
    )


def test_a_part_whose_starts_all_fail_is_not_refused_but_the_whole_is(model, tmp_path):
    def broken(X):
        raise ValueError("broken")

    q = question(model, {"minimize": "a"}, broken)
    message = refusal(shared, "multistart", [q], MULTISTART, 2, tmp_path)
    assert "every start failed" in message and "broken" in message


def test_a_killed_part_goes_on_where_it_was(model, tmp_path):
    q, rng = question(model, HARD), np.random.default_rng
    options = inverter("certified", CERTIFIED)
    whole = certified.invert(q, options, SearchContext(rng(1), part=(1, 2)))
    state = tmp_path / "state"

    class KillError(Exception):
        pass

    saved = certified.Search.save

    def save_and_die(search, path):
        saved(search, path)
        raise KillError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("preimage.support.checkpoints.SAVE_EVERY_SECONDS", -1.0)
        patch.setattr(certified.Search, "save", save_and_die)
        with pytest.raises(KillError):
            certified.invert(q, options, SearchContext(rng(1), state, part=(1, 2)))
    again = certified.invert(q, options, SearchContext(rng(1), state, part=(1, 2)))
    assert np.array_equal(again.X, whole.X) and again.certificate == whole.certificate


def test_more_parts_than_starts_are_refused(study_file):
    text = (
        "study: s\nproblem: {simulator: paraboloid}\nobjectives: {o: {minimize: y}}\n"
        "inverters: {m: {kind: multistart, starts: 3, scatter: 4}}\n"
    )
    message = refusal(study.load, study_file(text))
    assert "key 'inverters.m.scatter': found 4, expected at most its 3 starts" in message
    assert study.parts(study.load(study_file(text.replace("scatter: 4", "scatter: 3"))), "m") == 3


@pytest.mark.parametrize(("problem", "told"), [
    ("{simulator: paraboloid, samples: 20, scatter: 21}", "found 21, expected at most its 20 samples"),
    ("{table: {file: a.csv, outputs: [y]}, simulator: paraboloid, scatter: 2}", "has a table, or fits series"),
])  # fmt: skip
def test_simulations_that_can_not_be_shared_are_refused(study_file, problem, told):
    text = f"study: s\nproblem: {problem}\nobjectives: {{o: {{minimize: y}}}}\n"
    message = refusal(study.load, study_file(text))
    assert "key 'problem.scatter'" in message and told in message


@pytest.mark.parametrize("rest", [
    "problem: {simulator: paraboloid, batch: 2}\nobjectives: {o: {minimize: y}}",
    "problem: {table: {file: a.csv, outputs: [y]}, batch: 2}\nobjectives: {o: {minimize: y}}",
    "problem: {simulator: poisson, batch: 2}\nobservations: {simulate: 2, size: 5}\ninference: {exact: {kind: grid}}",
])  # fmt: skip
def test_batches_are_for_a_simulator_of_ones_own(study_file, rest):
    message = refusal(study.load, study_file(f"study: s\n{rest}\n"))
    assert "key 'problem.batch': valid only for your own simulator" in message


def test_how_rows_are_shared_is_no_part_of_the_problem(study_file):
    text = "study: s\nproblem: {simulator: paraboloid, samples: 20, scatter: 4}\nobjectives: {o: {minimize: y}}\n"
    found = study.load(study_file(text))
    assert study.simulation_parts(found) == 4 and "scatter" not in found["problem"]
