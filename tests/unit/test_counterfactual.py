"""The nearest change of a recipe that gives what is wanted: against linear programs and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from preimage import study
from preimage.core import candidates, objective
from preimage.core.formulas import NONE
from preimage.core.objective import reference
from preimage.core.space import Input, Linear, Space
from preimage.evidence import assess, recipes
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.inversion.table import frame
from preimage.reporting import proofs, words
from preimage.study import data_checks
from preimage.support import digits
from preimage.support.jax_setup import enable_double

from ..conftest import inverter, refusal

enable_double()

NAMES, OUTPUTS = ["a", "b", "c", "d"], ["line", "bowl"]
SLOPES, TODAY = np.array([1.0, 0.8, -0.5, 0.2]), np.array([0.2, 0.3, 0.6, 0.5])
SPACE = Space(tuple(Input(n, 0.0, 1.0) for n in NAMES))


def at(parameters, x):
    """Return the outputs of a point (4,) whose inputs are `low + width * u`, in another order."""
    low, width, back = parameters
    u = ((x - low) / width)[back]
    return jnp.stack([u @ SLOPES, ((u - 0.4) ** 2).sum()])


GRADIENT = jax.jit(jax.vmap(jax.jacfwd(at, 1), (None, 0)))


def question(entry, space=SPACE, low=0.0, width=1.0, order=(0, 1, 2, 3)):
    order = np.array(order)
    low, width = np.broadcast_to(low, 4), np.broadcast_to(width, 4)
    parameters = (low, width, np.argsort(order))
    inputs = (Input(space.names[j], low[k], low[k] + width[k]) for k, j in enumerate(order))
    space = Space(tuple(inputs), space.constraints)

    def predict(X):
        U = ((X - low) / width)[:, parameters[2]]
        return np.column_stack([U @ SLOPES, ((U - 0.4) ** 2).sum(axis=1)])

    X = low + width * np.random.default_rng(0).random((150, 4))[:, order]
    Y = predict(X)
    today = dict(zip(space.names, (low + width * TODAY[order]).tolist(), strict=True))
    wanted = asked(entry, space, today, OUTPUTS, Y)
    return Question(
        wanted.allowed(space), wanted, predict, X, Y, np.arange(150), traceable=(at, parameters),
        gradient=lambda X: (predict(X), np.asarray(GRADIENT(parameters, X))),
    )  # fmt: skip


def asked(entry, space, today, outputs, Y):
    """Return the objective of an entry whose reference is `today`."""
    entry = {"closest_to": {"row": 7}, **entry}
    wanted = objective.build("change", entry, outputs, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    return wanted.nearest_to(reference.build("objectives.change", entry, space, {"7": today}), np.ptp(Y, axis=0))


def ask(kind, q, **options):
    answer, Y = asking.ask(inverter(kind, options), [q], np.random.default_rng(1))[0]
    violation, distance = q.objective.violation(Y), q.objective.near.distance(answer.X)
    return answer, Y, np.lexsort((distance, violation))[0]


SEARCHES = [
    ("multistart", {"starts": 6}), ("multistart", {"starts": 4, "gradient": "3-point"}),
    ("multistart", {"starts": 8, "engine": "batched"}), ("hyperopt", {"evaluations": 60}),
    ("evolution", {"evaluations": 1000}), ("cmaes", {"evaluations": 1500}), ("random", {"evaluations": 200}),
]  # fmt: skip


def nearest_by_program(least, held=()):
    """Return the smallest distance at which the linear output reaches a value: the solution of a linear program."""
    free = np.array([n not in held for n in NAMES])
    bounds = [(0.0, room) for room in np.concatenate([(1 - TODAY) * free, TODAY * free])]
    gain = np.concatenate([SLOPES, -SLOPES])
    return linprog(np.ones(8), A_ub=-gain[None], b_ub=[TODAY @ SLOPES - least], bounds=bounds).fun


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("kind", "options", "least", "keep"),
    [*((*search, 1.0, ()) for search in SEARCHES), (*SEARCHES[0], 1.3, ()), (*SEARCHES[0], 0.9, ("a",))],
)
def test_the_nearest_change_of_a_linear_model_is_that_of_a_linear_program(kind, options, least, keep):
    entry = {"within": {"line": {"at_least": least}}, **({"keep": list(keep)} if keep else {})}
    q = question(entry)
    answer, Y, k = ask(kind, q, **options)
    expected = nearest_by_program(least, keep)
    assert Y[k, 0] >= least
    found = q.objective.near.distance(answer.X)[k]
    assert expected - 1e-9 <= found <= expected + (1e-6 if kind == "multistart" else 0.03)
    if kind == "multistart":
        # A vertex of the program: no more is changed than it needs, and what is kept is kept to the bit.
        assert q.objective.near.changed(answer.X[k : k + 1]).sum() == {1.0: 1, 1.3: 2, 0.9: 2}[least]


@pytest.mark.parametrize(("kind", "options"), [SEARCHES[0], SEARCHES[4], SEARCHES[6]])
def test_no_change_of_an_answer_is_needless(kind, options):
    q = question({"target": {"line": 0.9}, "tolerance": 0.02})
    answer, Y, _ = ask(kind, q, **options)
    near = q.objective.near
    met = np.flatnonzero(q.objective.met(Y))[:20]
    assert len(met)
    for x in answer.X[met]:
        for j in np.flatnonzero(near.changed(x[None])[0]):
            trial = x.copy()
            trial[j] = near.values[j]
            assert not q.objective.met(q.predict(trial[None]))[0]


def test_a_bent_output_is_met_as_near_as_on_a_fine_grid():
    q = question({"within": {"bowl": {"at_most": 0.02}}})
    answer, Y, k = ask("multistart", q, starts=6)
    grid = np.array(list(itertools.product(*[np.linspace(0.2, 0.6, 21)] * 4)))
    met = q.objective.met(q.predict(grid))
    assert q.objective.met(Y)[k]
    assert q.objective.near.distance(answer.X)[k] <= q.objective.near.distance(grid[met]).min()


@pytest.mark.parametrize("changed", [{"low": -5.0, "width": 1e6}, {"low": 2.0, "width": [1e-3, 1, 7, 1e4]}])
def test_units_of_inputs_have_no_part_in_the_answer(changed):
    entry = {"within": {"line": {"at_least": 1.3}}}
    q = question(entry, **changed)
    answer, _, k = ask("multistart", q, starts=6)
    assert q.objective.near.distance(answer.X)[k] == pytest.approx(nearest_by_program(1.3), abs=1e-6)


def test_the_order_of_inputs_has_no_part_in_the_answer():
    entry = {"within": {"line": {"at_least": 1.3}}, "change_at_most": 2}
    q = question(entry, order=(2, 0, 3, 1))
    answer, _, k = ask("evolution", q, evaluations=1000)
    assert q.objective.near.distance(answer.X)[k] == pytest.approx(nearest_by_program(1.3), abs=0.02)


@pytest.mark.parametrize(("kind", "options"), [SEARCHES[0], SEARCHES[3], SEARCHES[4]])
def test_no_more_inputs_change_than_may(kind, options):
    q = question({"within": {"line": {"at_least": 0.9}}, "change_at_most": 1})
    answer, Y, k = ask(kind, q, **options)
    assert (q.objective.near.changed(answer.X).sum(axis=1) <= 1).all()
    # Of one input alone, the first has the steepest slope.
    assert Y[k, 0] >= 0.9 and answer.X[k] == pytest.approx([0.2 + 0.9 - TODAY @ SLOPES, *TODAY[1:]], abs=1e-6)


def test_a_recipe_that_already_does_is_not_changed():
    q = question({"within": {"line": {"at_least": 0.1}}})
    answer, _, k = ask("random", q, evaluations=20)
    assert answer.X[k].tolist() == TODAY.tolist() and "changes 0 of 4 inputs" in answer.message[k]


def test_changes_of_a_mixture_still_add_up():
    space = Space(SPACE.inputs, (Linear(tuple((n, 1.0) for n in NAMES), 1.6, 1.6),))
    q = question({"within": {"line": {"at_least": 0.9}}}, space)
    # What a has more, c or d have less: the best is a up and c down, at equal parts.
    expected = 2 * (0.9 - TODAY @ SLOPES) / (SLOPES[0] - SLOPES[2])
    for kind, options in (("multistart", {"starts": 6}), ("evolution", {"evaluations": 2000})):
        answer, Y, k = ask(kind, q, **options)
        assert Y[k, 0] >= 0.9 and q.space.contains(answer.X[k : k + 1])[0]
        found = q.objective.near.distance(answer.X)[k]
        assert expected - 1e-6 <= found <= expected * (1.001 if kind == "multistart" else 1.2)


# -- numbers, whole numbers and categories together --------------------------------------------------------------------

MIXED = Space(
    (Input("count", 0, 4, integer=True), Input("kind", 0, 2, categories=("x", "y", "z")), Input("t", 0.0, 2.0))
)
EVERY = np.array(list(itertools.product(range(5), range(3), np.linspace(0, 2, 41))))


def steps(X):
    """Return an output that jumps with the count and differs by the kind."""
    bonus = np.array([0.0, 1.5, 0.4])[X[:, 1].astype(int)]
    return (X[:, 0] * 0.5 + bonus + 0.3 * np.floor(X[:, 2] * 4) / 4)[:, None]


@pytest.mark.parametrize(("least", "most"), [(1.0, None), (2.2, None), (2.2, 2), (3.6, None)])
def test_whole_numbers_and_categories_change_as_by_brute_force(least, most):
    X = np.random.default_rng(0).permutation(EVERY)[:100]
    Y = steps(X)
    entry = {"within": {"y": {"at_least": least}}, **({"change_at_most": most} if most else {})}
    wanted = asked(entry, MIXED, {"count": 1, "kind": "x", "t": 0.5}, ["y"], Y)
    q = Question(wanted.allowed(MIXED), wanted, steps, X, Y, np.arange(100))
    good = q.space.contains(EVERY) & wanted.met(steps(EVERY))
    expected = wanted.near.distance(EVERY[good]).min()
    found = []
    for kind, options in (("evolution", {"evaluations": 1500}), ("hyperopt", {"evaluations": 100})):
        answer, Y_found, k = ask(kind, q, **options)
        assert wanted.met(Y_found)[k]
        found.append(wanted.near.distance(answer.X)[k])
    # Neither is sure to find the best combination of steps; both together do.
    assert min(found) == pytest.approx(expected, abs=1e-6) and max(found) <= expected + 0.5


def test_distances_count_categories_once_and_numbers_by_their_range():
    wanted = asked(
        {"within": {"y": {"at_least": 1}}}, MIXED, {"count": 1, "kind": "z", "t": 0.5}, ["y"], np.ones((2, 1))
    )
    X = np.array([[1, 2, 0.5], [3, 0, 0.5], [0, 1, 1.5], [1, 2, 0.5 + 1e-10]])
    near = wanted.near
    assert near.distance(X[:3]).tolist() == [0.0, 0.5 + 1, 0.25 + 1 + 0.5]
    assert near.changed(X).sum(axis=1).tolist() == [0, 2, 3, 1]
    assert near.snapped(X)[3].tolist() == [1, 2, 0.5]
    fixed = Space((*MIXED.inputs, Input("u", 3.0, 3.0)))
    same = reference.build("o", {"closest_to": {"row": 1}}, fixed, {"1": {"count": 1, "kind": "z", "t": 1, "u": 900.0}})
    # Of a number that never varies any other value is one change, whatever its unit.
    assert same.distance(np.array([[1, 2, 1.0, 3.0]])).tolist() == [1.0]


# -- tables and words --------------------------------------------------------------------------------------------------


def test_tables_rank_by_what_is_met_then_by_distance_and_say_what_changes():
    q = question({"within": {"line": {"at_least": 1.0}}})
    answer, Y, k = ask("random", q, evaluations=50)
    table = frame(answer, Y, q, OUTPUTS).assign(problem="p", round=0, seed=0, surrogate="gp", inverter="random")
    table = table.assign(domain_score=0.5, in_domain=True)
    wanted = q.objective
    # In truth the line is lower: what is met by prediction may not be.
    table = assess.resimulate(table, q.space, lambda X: q.predict(X) - [0.01, 0.0], {"change": wanted}, OUTPUTS)
    table = candidates.typed(table, NAMES, OUTPUTS)
    candidates.schema(dict.fromkeys(NAMES, False), OUTPUTS, candidates.further_of(table)).validate(table)
    assert table["rank"].tolist().index(1) == k and table["changed"][k] == 1
    assert table["distance"][k] == table["predicted_loss"][k] == table["simulated_loss"][k]
    assert table["violation"][k] == 0 < table["simulated_violation"][k]
    (row,) = summarise(table, q.space, {"change": wanted}, OUTPUTS).to_dict("records")
    assert (row["feasible"], row["changed"], row["optimizer_regret"]) == ("yes", 1, 0.0)
    solved = distinct_solutions(table, q.space, {"change": wanted}, OUTPUTS)
    said = words.answer({**solved.iloc[0], "interval_low.line": np.nan}, wanted, {"a": "kg"})
    assert said[0] == "Change a from 0.2 to 0.9601 kg; the other 3 inputs stay as in row 7 (distance 0.76)."
    assert "In truth, line misses the wanted at least 1 by 0.01." in said


def test_small_changes_show_in_words():
    q = question({"within": {"line": {"at_least": 1.0}}, "keep": ["b"], "change_at_most": 2})
    row = {"x.a": 0.2 + 1e-5, "x.b": 0.3, "x.c": 0.6, "x.d": 0.4, "distance": 0.1, "solves": True}
    said = words.change(row, q.objective.near, {})
    assert (
        said
        == "Change a from 0.2 to 0.20001 and d from 0.5 to 0.4; the other 2 inputs stay as in row 7 (distance 0.1)."
    )
    assert words.change({**row, "solves": False}, q.objective.near, {}).startswith("These change a from 0.2 to")
    assert words.change({"x.a": 0.2, "x.b": 0.3, "x.c": 0.6, "x.d": 0.5}, q.objective.near, {}) == (
        "Nothing needs to change: row 7 meets this objective as it is, by prediction."
    )
    assert q.objective.words() == (
        "line at least 1, as near to row 7 as possible, changing at most 2 inputs, keeping b"
    )
    # Nearer to the reference the target is missed: what is shown is no nearer.
    units = digits.Units({}, {"a": 1e-3, "d": 1e-3})
    assert words.moved(0.70001, 0.2, "a", units) == ("0.2", "0.7001")
    assert words.moved(0.26999, 0.5, "d", units) == ("0.5", "0.2699")
    assert words.moved(0.25, 0.5, "d", units) == ("0.5", "0.25")


def test_what_is_proven_and_what_the_study_itself_does_not_allow_show_in_words():
    wanted = question({"within": {"line": {"at_least": 1.0}}}).objective
    row = {"surrogate": "forest", "certified_bound": 0.76, "gap": 0.0, "feasible": "yes"}
    assert proofs.proof(row, wanted, {}) == (
        "Proven for the model forest: no inputs that meet this objective are nearer to row 7."
    )
    assert "none that meet this objective are nearer than 0.5; the nearest found are 0.26 farther" in (
        proofs.proof({**row, "certified_bound": 0.5, "gap": 0.26}, wanted, {})
    )
    assert proofs.proof({**row, "certified_bound": np.nan, "gap": np.nan, "feasible": "no"}, wanted, {}) == (
        "Proven for the model forest: no inputs within the bounds and constraints meet this objective."
    )
    assert wanted.near.broken(SPACE) == []
    limited = Space(
        (Input("a", 0.0, 1.0, values=(0.0, 0.5, 1.0)), *SPACE.inputs[1:]), (Linear((("b", 1.0), ("c", 1.0)), 1.0),)
    )
    assert wanted.near.broken(limited) == ["a 0.2", "1 <= 1 b + 1 c"]


class _Steps:
    """A model whose output is enough from one place to another."""

    def __init__(self, least, most=1.0):
        self.least, self.most = least, most

    def predict(self, X):
        return ((X[:, :1] >= self.least) & (X[:, :1] <= self.most)).astype(float)


def test_a_recipe_that_can_be_weighed_keeps_what_is_not_changed_and_rounds_changes_to_the_other_side():
    wanted = asked(
        {"within": {"y": {"at_least": 0.5}}}, SPACE, dict(zip(NAMES, TODAY + 1e-5, strict=True)), ["y"], np.ones((2, 1))
    )
    same = wanted.near.values[1:]
    for least, shown in ((0.8304, 0.84), (0.83, 0.83), (0.99995, 1.0)):
        x = recipes._rounded(wanted, SPACE, np.array([[least, *same]]), _Steps(least), NONE)
        assert x[0].tolist() == [shown, *same]
    # Finer where there is little room.
    x = recipes._rounded(wanted, SPACE, np.array([[0.83041, *same]]), _Steps(0.83041, 0.8308), NONE)
    assert x[0].tolist() == [0.8305, *same]


# -- bad input ---------------------------------------------------------------------------------------------------------

STUDY = """
study: s
problem: {table: {file: mixes.csv, outputs: [strength]}, inputs: INPUTS}
surrogates: {f: {kind: random_forest}}
objectives: {o: {WISH}}
"""
NEAR = "target: {strength: 60}, closest_to: "


@pytest.fixture
def check(here, study_file):
    k = np.arange(20)
    pd.DataFrame({"cement": 100 + 5.0 * k, "kind": ["a", "b"] * 10, "strength": 50.0 + k}).to_csv(
        "mixes.csv", index=False
    )

    def call(wish, inputs="{kind: {categories: [a, b]}}", more=""):
        path = study_file(STUDY.replace("WISH", wish).replace("INPUTS", inputs) + more)
        return data_checks.check(study.load(path))

    return call


def test_a_reference_that_the_data_or_the_study_has_nothing_of_is_warned_of(check):
    far = check(NEAR + "{inputs: {cement: 900, kind: a}}")
    assert far == [
        "objective 'o': found cement 900 (data 100 to 195) in the given inputs, outside the data; models "
        "extrapolate there"
    ]
    warned = check(NEAR + "{row: 3}", "{kind: {categories: [a, b]}, cement: {low: 100, high: 195, step: 20}}")
    assert "objective 'o': row 3 must change in any case, as the study does not allow it (cement 110)" in warned


@pytest.mark.parametrize(
    "wish", ["{row: 20}", "{row: 1}, keep: [kind], change_at_most: 1", "{inputs: {cement: 120, kind: b}}"]
)
def test_a_good_wish_is_accepted(check, wish):
    assert check(NEAR + wish) == []


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (NEAR + "{row: 21}", "objectives.o.closest_to.row: found 21, expected a row of the data, numbered up to 20"),
        (NEAR + "{row: 0}", "closest_to.row': found 0, expected at least 1"),
        (NEAR + "{}", "closest_to': found keys none; expected exactly one of row | inputs"),
        (NEAR + "{row: 1, inputs: {cement: 1}}", "expected exactly one of row | inputs"),
        (NEAR + "{inputs: {cemnt: 120, kind: a}}", "closest_to.inputs: unknown input 'cemnt'; did you mean 'cement'?"),
        (NEAR + "{inputs: {cement: 120}}", "missing input 'kind'; expected every input that is not fixed"),
        (NEAR + "{inputs: {cement: x, kind: a}}", "input 'cement': found 'x', expected a number"),
        (NEAR + "{inputs: {cement: 120, kind: c}}", "input 'kind': 'c' is no category"),
        (NEAR + "{row: 1}, keep: [knd]", "objectives.o.keep: unknown input 'knd'; did you mean 'kind'?"),
        (
            NEAR + "{row: 1}, keep: [cement, kind]",
            "keep: found every input; expected at least one that may",
        ),
        (NEAR + "{row: 1}, keep: [kind], fixed: {kind: a}", "keep: 'kind' is also under fixed; expected it under one"),
        (NEAR + "{row: 1}, keep: []", "keep': [] should be non-empty"),
        (NEAR + "{row: 1}, change_at_most: 0", "change_at_most': found 0, expected at least 1"),
        (NEAR + "{row: 1}, tolerance: 0", "tolerance': found 0, expected more: no search meets a value exactly"),
        (NEAR + "{row: 1}, committee: true", "committee': found beside closest_to, which it does not support"),
        (NEAR + "{row: 1}, preimage: true", "preimage': found beside closest_to, which it does not support"),
        (
            "maximize: strength, closest_to: {row: 1}",
            "closest_to': expected values to meet, a target or within; for the",
        ),
        ("target: {strength: 60}, keep: [kind]", "keep': found without closest_to; expected the recipe that it is of"),
        ("target: {strength: 60}, change_at_most: 2", "change_at_most': found without closest_to"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(check, wish, said):
    assert said in refusal(check, wish)


def test_a_kept_input_that_is_fixed_otherwise_or_out_of_bounds_is_refused(check):
    wish = NEAR + "{row: 3}, keep: [cement]"
    kind = "kind: {categories: [a, b]}"
    fixed = f"{{{kind}, cement: {{fixed: 150}}}}"
    assert "keep: 'cement' is fixed at another value under problem.inputs" in refusal(check, wish, fixed)
    message = refusal(check, wish, f"{{{kind}, cement: {{low: 120}}}}")
    assert "objectives.o.keep: 'cement' is 110.0 in row 3, which problem.inputs does not allow; leave it out" in message


def test_more_changes_than_may_be_are_needed_and_that_is_proven(check):
    wish = NEAR + "{row: 3}, change_at_most: 1, fixed: {kind: b}"
    # Row 3 is of kind a and has less cement than is allowed: both must change.
    inputs = "{kind: {categories: [a, b]}, cement: {low: 120}}"
    assert "objectives.o: constraints: no point" in refusal(check, wish, inputs)


def test_of_the_exact_searches_certified_takes_what_is_to_be_near(check):
    assert check(NEAR + "{row: 1}", more="inverters: {proof: {kind: certified}}\n") == []
    message = refusal(check, NEAR + "{row: 1}", more="inverters: {lines: {kind: coordinate}}\n")
    assert "'inverters.lines': coordinate does not support 'closest_to' of objective 'o'; certified proves" in message
