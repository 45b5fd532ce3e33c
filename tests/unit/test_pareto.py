"""Trade-offs: the objective, what inverters answer for it, and what is judged of their fronts."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.core import candidates, fronts, objective
from preimage.core.conditions import Condition, Count, Exclusion
from preimage.core.objective import Pareto
from preimage.core.space import Input, Linear, Space
from preimage.evidence import answer_findings
from preimage.evidence import fronts as evidence
from preimage.evidence.assess import resimulate
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.inversion.table import frame
from preimage.problems.loading import Problem
from preimage.support.jax_setup import enable_double

from ..conftest import inverter, refusal

enable_double()

OUTPUTS = ["good", "price", "waste"]
TWO = {"pareto": {"maximize": ["good"], "minimize": ["price"]}}
THREE = {"pareto": {"maximize": ["good"], "minimize": ["price", "waste"]}}
ROWS = np.array([[0.0, 10.0, 3.0], [4.0, 20.0, 1.0], [2.0, 30.0, 2.0]])


def built(entry, rows=ROWS, outputs=OUTPUTS):
    return objective.build("trade", entry, outputs, rows.std(axis=0), np.ptp(rows, axis=0), rows)


# -- the objective -----------------------------------------------------------------------------------------------------


def test_outputs_count_as_shares_of_the_rows_range_from_best_to_worst():
    wanted = built(TWO)
    assert isinstance(wanted, Pareto) and wanted.outputs == ("good", "price")
    assert wanted.shares(ROWS).tolist() == [[1.0, 0.0], [0.0, 0.5], [0.5, 1.0]]
    assert wanted.loss(ROWS).tolist() == pytest.approx([1.005, 0.5025, 1.0075])
    assert wanted.words() == "trade-off of largest good and smallest price"


def test_no_output_that_is_dominated_has_the_smaller_loss():
    rng = np.random.default_rng(0)
    Y = rng.integers(6, size=(80, 3)).astype(float)
    wanted = built(THREE)
    F, loss = wanted.shares(Y), wanted.loss(Y)
    for i, j in np.ndindex(80, 80):
        if (F[i] <= F[j]).all() and (F[i] < F[j]).any():
            assert loss[i] < loss[j]


def test_the_slope_is_the_derivative_of_the_loss():
    wanted, Y, step = built(THREE), np.array([[1.0, 18.0, 2.2], [3.0, 12.0, 1.1]]), 1e-6
    for k in range(3):
        moved = Y + step * np.eye(3)[k]
        assert (wanted.loss(moved) - wanted.loss(Y)) / step == pytest.approx(wanted.slope(Y)[:, k], abs=1e-6)


def test_ranks_begin_with_the_compromise_and_span_the_front():
    front = np.stack([np.linspace(0, 4, 9), np.linspace(10, 30, 9), np.zeros(9)], axis=1)
    behind = front + np.array([0.0, 1.0, 0.0])
    order = np.argsort(built(TWO).ranking(np.concatenate([behind, front])))
    assert order[0] == 9 + 4 and set(order[1:3]) == {9, 17} and set(order[3:5]) == {11, 15}
    assert set(order[:9]) == set(range(9, 18))
    ranks = built(TWO).ranking(np.array([[np.nan, 1.0, 1.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(ranks[0]) and ranks[1] == 0


def test_what_misses_a_limit_is_on_no_front_and_ranks_last():
    wanted = built({**TWO, "subject_to": {"waste": {"at_most": 2}}})
    Y = np.array([[4.0, 10.0, 2.1], [4.0, 10.0, 3.0], [1.0, 25.0, 2.0], [0.0, 30.0, 0.0]])
    assert wanted.best(Y).tolist() == [False, False, True, False]
    assert np.argsort(wanted.ranking(Y)).tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize(("scale", "shift"), [(1e9, 0.0), (1e-9, 1.0), (1.0, 1e3)])
def test_units_and_the_order_of_names_change_no_rank(scale, shift):
    Y = np.random.default_rng(3).random((40, 3)) * [4, 20, 2]
    plain = built(THREE).ranking(Y)
    moved = built(THREE, (ROWS + shift) * scale).ranking((Y + shift) * scale)
    assert np.array_equal(plain, moved)
    turned = {"pareto": {"minimize": ["waste", "price"], "maximize": ["good"]}}
    assert np.array_equal(plain, built(turned).ranking(Y))
    order = [2, 0, 1]
    other = objective.build("o", THREE, [OUTPUTS[k] for k in order], None, None, ROWS[:, order])
    assert np.array_equal(plain, other.ranking(Y[:, order]))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"pareto": {"maximize": ["good"]}}, "pareto: found 1 output, expected 2 or 3; for one output use maximize"),
        ({"pareto": {}}, "pareto: found 0 outputs, expected 2 or 3"),
        ({"pareto": {"maximize": [], "minimize": []}}, "found 0 outputs"),
        ({"pareto": {"maximize": ["good"], "minimize": ["good"]}}, "'good' is under maximize and under minimize"),
        ({"pareto": {"maximize": ["good"], "minimize": ["prise"]}}, "unknown output 'prise'; did you mean 'price'"),
        ({"pareto": {"minimize": ["good", "price", "waste", "d"]}}, "found 4 outputs, expected 2 or 3"),
        ({**TWO, "tolerance": {"good": 1}}, "tolerance: found one by output, expected a number"),
        ({**TWO, "committee": True}, "committee: not supported for a trade-off; leave it out"),
        ({**TWO, "scaled": True}, "scaled: not supported for a trade-off; leave it out"),
        ({**TWO, "subject_to": {"wast": {"at_most": 1}}}, "unknown output 'wast'; did you mean 'waste'"),
    ],
)
def test_an_entry_without_a_trade_off_is_refused(entry, said):
    message = refusal(built, entry)
    assert message.startswith("objectives.trade.") and said in message


# -- studies -----------------------------------------------------------------------------------------------------------

STUDY = """
study: s
problem: {{simulator: robot_arm}}
objectives: {objectives}
inverters: {inverters}
"""
ARM = "{pareto: {maximize: [x], minimize: [y]}}"


def loaded(tmp_path, objectives, inverters):
    (tmp_path / "s.yaml").write_text(STUDY.format(objectives=objectives, inverters=inverters))
    return study.load(tmp_path / "s.yaml")


def test_fronts_are_for_the_methods_that_find_them_and_points_for_the_others(tmp_path):
    found = loaded(
        tmp_path,
        "{trade: " + ARM + ", high: {maximize: y}}",
        "{tpe: {kind: hyperopt}, nsga2: {kind: nsga2}, random: {kind: random}}",
    )
    pairs = {(case.objective, case.inverter) for case in study.cases(found)}
    assert pairs == {
        ("trade", "nsga2"), ("trade", "random"), ("trade", "lookup"), ("high", "tpe"), ("high", "random"),
        ("high", "lookup"),
    }  # fmt: skip
    assert {(case.objective, case.inverter) for case in study.fronts(found)} == {p for p in pairs if p[0] == "trade"}


@pytest.mark.parametrize(
    ("objectives", "inverters", "said"),
    [
        (
            "{trade: " + ARM + "}",
            "{tpe: {kind: hyperopt}}",
            "key 'objectives.trade': no inverter of this study",
        ),
        (
            "{high: {maximize: y}}",
            "{n: {kind: nsga2}}",
            "key 'objectives.high': no inverter of this study",
        ),
        (
            "{high: {maximize: y}}",
            "{n: {kind: nsga2}, r: {kind: random}}",
            "key 'inverters.n': nsga2 finds a front (pareto), which no objective asks for",
        ),
        ("{trade: {pareto: {maximise: [y]}}}", "{n: {kind: nsga2}}", "maximise"),
        ("{trade: {pareto: [x, y]}}", "{n: {kind: nsga2}}", "expected a mapping"),
        ("{trade: {pareto: {minimize: [x, x]}}}", "{n: {kind: nsga2}}", "expected no entry twice"),
        ("{trade: {pareto: {minimize: x}}}", "{n: {kind: nsga2}}", "expected a list"),
        (
            "{trade: " + ARM + "}",
            "{m: {kind: multistart, method: L-BFGS-B}}",
            "L-BFGS-B supports neither constraints nor",
        ),
        ("{trade: " + ARM[:-1] + ", preimage: true}}", "{n: {kind: nsga2}}", "a preimage needs target values"),
    ],
)
def test_a_study_that_can_find_no_front_is_refused(tmp_path, objectives, inverters, said):
    assert said in refusal(loaded, tmp_path, objectives, inverters)


# -- inverters ---------------------------------------------------------------------------------------------------------


def asked(space, predict, entry, outputs, kind="nsga2", rows=None, smooth=None, **options):
    rng = np.random.default_rng(5)
    X = space.low + rng.random((60, len(space.inputs))) * (space.high - space.low) if rows is None else rows
    X = space.rounded(X)
    Y = predict(X)
    question = Question(space, built(entry, Y, outputs), predict, X, Y, np.arange(len(X)))
    if smooth is not None:
        slopes = jax.jit(jax.vmap(jax.jacfwd(smooth)))
        question = replace(
            question, gradient=lambda X: (predict(X), np.asarray(slopes(X))), traceable=(lambda _, x: smooth(x), ())
        )
    ((answer, found),) = asking.ask(inverter(kind, options), [question], np.random.default_rng(0))
    return question, answer, found


def bowls(X):
    """Squared distances to two centres: the front is the segment between them, sqrt(f) + sqrt(g) their distance."""
    a, b = np.array([-1.0, 0.5]), np.array([1.0, -0.5])
    return np.stack([((X[:, :2] - c) ** 2).sum(axis=1) for c in (a, b)], axis=1)


BOX = (Input("a", -3, 3), Input("b", -3, 3))
BOTH = {"pareto": {"minimize": ["f", "g"]}}


def test_nsga2_finds_the_segment_between_two_bowls():
    spent = []

    def counted(X):
        spent.append(len(X))
        return bowls(X)

    question, answer, Y = asked(Space(BOX), counted, BOTH, ["f", "g"], evaluations=3000, members=60)
    assert sum(spent[1:-1]) == sum(answer.evaluations) == 3000  # `ask` looks at each row once more
    shares = question.objective.shares
    ideal = fronts.hypervolume(shares(bowls(np.linspace([-1.0, 0.5], [1.0, -0.5], 2001))))
    assert 0.995 * ideal < fronts.hypervolume(shares(Y)) <= ideal
    assert np.diff(np.sort(np.sqrt(Y[:, 0]))).max() < 0.15


def test_nsga2_finds_the_front_of_zdt1():
    """The front is g = 1 - sqrt(f), at 0 in all inputs but the first (Zitzler, Deb, Thiele 2000)."""

    def zdt1(X):
        g = 1 + 9 * X[:, 1:].mean(axis=1)
        return np.stack([X[:, 0], g * (1 - np.sqrt(X[:, 0] / g))], axis=1)

    space = Space(tuple(Input(f"x{j}", 0, 1) for j in range(8)))
    question, _, Y = asked(space, zdt1, BOTH, ["f", "g"], evaluations=6000, members=60)
    f = np.linspace(0, 1, 2001)
    ideal = question.objective.shares(np.stack([f, 1 - np.sqrt(f)], axis=1))
    assert fronts.hypervolume(question.objective.shares(Y)) > 0.99 * fronts.hypervolume(ideal)


SPACES = {
    "box": Space(BOX),
    "whole numbers": Space((Input("a", -3, 3, integer=True), Input("b", -3, 3, integer=True))),
    "category": Space((*BOX, Input("c", 0, 2, categories=("u", "v", "w")))),
    "fixed": Space((Input("a", -3, 3, fixed=1.0), Input("b", -3, 3))),
    "inequality": Space(BOX, (Linear((("a", 1.0), ("b", 1.0)), low=1.0),)),
    "equality": Space(BOX, (Linear((("a", 1.0), ("b", 2.0)), 1.0, 1.0),)),
    "steps and gaps": Space((Input("a", -3, 3, values=(-3.0, -1.0, 0.5, 2.0)), Input("b", 0, 3, zero_or=1.0))),
    "counted": Space(BOX, counts=(Count(("a", "b"), 0, 1, (0.0, 0.0)),)),
    "excluded": Space(BOX, exclusions=(Exclusion((Condition("a", low=0.0), Condition("b", low=-1.0))),)),
    "one point": Space((Input("a", -3, 3, fixed=1.0), Input("b", -3, 3, fixed=0.0))),
}


@pytest.mark.parametrize("kind", ["nsga2", "random", "multistart", "lookup"])
@pytest.mark.parametrize("space", SPACES)
def test_every_candidate_is_valid_and_the_same_each_time(space, kind):
    more = {"lookup": {}, "multistart": {"starts": 2, "points": 4}}.get(kind, {"evaluations": 100})
    question, answer, _ = asked(SPACES[space], bowls, BOTH, ["f", "g"], kind, **more)
    valid = ~np.isnan(answer.X).any(axis=1)
    assert question.space.contains(answer.X[valid]).all() and (valid.all() or kind == "lookup")
    again = asked(SPACES[space], bowls, BOTH, ["f", "g"], kind, **more)[1]
    assert np.array_equal(answer.X, again.X, equal_nan=True)
    assert set(answer.status) <= set(candidates.STATUSES)


def test_nsga2_finds_every_point_of_a_small_front():
    """All 7 x 7 x 3 points are tried by brute force; a category shifts one output and costs in the other."""
    space = Space((*SPACES["whole numbers"].inputs, Input("c", 0, 2, categories=("u", "v", "w"))))

    def predict(X):
        return bowls(X) + np.stack([-0.3 * X[:, 2], 0.2 * X[:, 2] ** 2], axis=1)

    grid = np.array(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4), np.arange(3))).reshape(3, -1).T.astype(float)
    F = predict(grid)
    best = {tuple(f) for f in F[fronts.undominated(F)]}
    _, _, Y = asked(space, predict, BOTH, ["f", "g"], evaluations=147, members=40)
    assert {tuple(f) for f in Y[fronts.undominated(Y)]} == best


def test_nsga2_finds_the_front_of_a_mixture_of_few_parts():
    """Of five parts that sum to 1 at most two are there, each 0 or at least 0.3: by brute force over grids of pairs."""
    rng = np.random.default_rng(2)
    gains = rng.random((5, 2))

    def predict(X):
        return X @ gains + 0.2 * (X**2).sum(axis=1, keepdims=True)

    names = tuple("abcde")
    space = Space(
        tuple(Input(n, 0, 1, zero_or=0.3) for n in names),
        (Linear(tuple((n, 1.0) for n in names), 1.0, 1.0),),
        counts=(Count(names, 0, 2, (0.0,) * 5),),
    )
    share = np.append(np.linspace(0.3, 0.7, 201), 1.0)
    grid = [share[:, None] * np.eye(5)[i] + (1 - share)[:, None] * np.eye(5)[j] for i in range(5) for j in range(5)]
    question, _, Y = asked(space, predict, BOTH, ["f", "g"], evaluations=600, members=30, rows=grid[7][::40])
    ideal = fronts.hypervolume(question.objective.shares(predict(np.concatenate(grid))))
    assert 0.99 * ideal < fronts.hypervolume(question.objective.shares(Y)) <= ideal * 1.0001


def test_nsga2_keeps_limits():
    """Where the first input is at least 0.25, the front is the rest of the segment, and from its end the way along the
    limit to where it is nearest to the first centre."""

    def predict(X):
        return np.column_stack([bowls(X), X[:, 0]])

    entry = {**BOTH, "subject_to": {"h": {"at_least": 0.25}}}
    question, _, Y = asked(Space(BOX), predict, entry, ["f", "g", "h"], evaluations=2000, members=40)
    assert (question.objective.violation(Y) == 0).all()
    along = np.linspace(0.625, 1, 500)[:, None] * [2.0, -1.0] + [-1.0, 0.5]
    limit = np.column_stack([np.full(500, 0.25), np.linspace(-0.125, 0.5, 500)])
    shares = question.objective.shares
    ideal = fronts.hypervolume(shares(predict(np.concatenate([along, limit]))))
    assert 0.99 * ideal < fronts.hypervolume(shares(Y)) <= ideal


def circle(x):
    """Two outputs whose front is a quarter of a circle, curved inwards: weighted sums are best at its ends alone."""
    g = 1 + ((x[1:] - 0.5) ** 2).sum()
    return g * jnp.stack([jnp.cos(x[0] * jnp.pi / 2), jnp.sin(x[0] * jnp.pi / 2)])


def sphere(x):
    g, a, b = 1 + (x[2] - 0.5) ** 2, x[0] * jnp.pi / 2, x[1] * jnp.pi / 2
    return g * jnp.stack([jnp.cos(a) * jnp.cos(b), jnp.cos(a) * jnp.sin(b), jnp.sin(a)])


CIRCLE, SPHERE = (jax.jit(jax.vmap(f)) for f in (circle, sphere))
UNIT = Space(tuple(Input(n, 0, 1) for n in "abc"))


@pytest.mark.parametrize("gradient", ["exact", "3-point"])
def test_multistart_finds_a_front_that_is_curved_inwards(gradient):
    def predict(X):
        return np.asarray(CIRCLE(X))

    question, answer, Y = asked(
        UNIT, predict, BOTH, ["f", "g"], "multistart", smooth=circle, starts=3, points=9, gradient=gradient
    )
    front = Y[question.objective.best(Y)]
    assert len(answer.X) == 27 and np.linalg.norm(front, axis=1) == pytest.approx(1, abs=1e-4)
    angle = np.sort(np.arctan2(front[:, 1], front[:, 0]))
    assert angle[[0, -1]] == pytest.approx([0, np.pi / 2], abs=2e-3)
    assert np.diff(angle).max() < np.pi / 2 / 4


def test_the_batched_engine_finds_the_segment_between_two_bowls():
    def both(x):
        return jnp.stack([(x[0] + 1) ** 2 + (x[1] - 0.5) ** 2, (x[0] - 1) ** 2 + (x[1] + 0.5) ** 2])

    options = {"starts": 2, "points": 5, "engine": "batched"}
    question, answer, Y = asked(Space(BOX), bowls, BOTH, ["f", "g"], "multistart", smooth=both, **options)
    root = np.sqrt(Y[question.objective.best(Y)])
    assert len(answer.X) == 10 and root.sum(axis=1) == pytest.approx(np.sqrt(5), rel=2e-3)
    assert np.diff(np.sort(root[:, 0])).max() < 0.9 and np.ptp(root[:, 0]) > 2.2


def test_multistart_finds_a_front_of_three_outputs():
    def predict(X):
        return np.asarray(SPHERE(X))

    entry = {"pareto": {"minimize": ["f", "g", "h"]}}
    question, _, Y = asked(UNIT, predict, entry, ["f", "g", "h"], "multistart", smooth=sphere, starts=4, points=12)
    front = Y[question.objective.best(Y)]
    inside = front[(front > 0.05).all(axis=1)]
    assert np.linalg.norm(front, axis=1) == pytest.approx(1, abs=1e-3) and len(inside) >= 4


def test_multistart_keeps_the_limits_of_the_trade_off_itself():
    def predict(X):
        return np.column_stack([np.asarray(CIRCLE(X)), X[:, 0]])

    def smooth(x):
        return jnp.append(circle(x), x[0])

    entry = {**BOTH, "subject_to": {"h": {"at_most": 0.5}}}
    question, _, Y = asked(UNIT, predict, entry, ["f", "g", "h"], "multistart", smooth=smooth, starts=3, points=6)
    front = Y[question.objective.best(Y)]
    assert front[:, 2].max() == pytest.approx(0.5, abs=1e-6) and (front[:, 2] <= 0.5).all()
    assert front[:, :2].min(axis=0) == pytest.approx([np.sqrt(0.5), 0.0], abs=1e-4)


def test_lookup_returns_the_front_of_the_rows():
    question, answer, _ = asked(Space(BOX), bowls, BOTH, ["f", "g"], "lookup")
    F = question.Y
    alone = F[[not any((o <= p).all() and (o < p).any() for o in F) for p in F]]
    assert sorted(map(tuple, bowls(answer.X))) == sorted(map(tuple, alone))
    assert answer.message[0].startswith("row ")


# -- evidence ----------------------------------------------------------------------------------------------------------


def judged(certificates=(), shift=0.0):
    """Candidates of two methods on one surrogate; the truth is worse in one output, by more for some."""
    space = Space((Input("a", 0, 1), Input("b", 0, 1)))
    X = {"m": np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.9, 0.9]]), "r": np.array([[0.4, 0.4], [0.3, 0.8]])}
    wanted = built(BOTH, np.array([[0.0, 0.0], [2.0, 2.0]]), ["f", "g"])
    parts = []
    for name, points in X.items():
        question = Question(space, wanted, np.copy, points, points, np.arange(len(points)))
        answer = asking.Answer(points, [1] * len(points), ["ok"] * len(points), [""] * len(points))
        parts.append(frame(answer, points, question, ["f", "g"]).assign(surrogate="s", inverter=name))
    table = pd.concat(parts, ignore_index=True).assign(round=0, seed=0, in_domain=True, domain_score=0.5)
    table = table.assign(**dict.fromkeys(candidates.CHANCE, np.nan))
    simulator = Problem("p", {"a": (0, 1), "b": (0, 1)}, ["f", "g"], lambda X: X + [[shift, 0]] * (X[:, :1] == 0.5))
    table = resimulate(table, space, simulator.simulate, {"trade": wanted}, ["f", "g"])
    return space, wanted, table, {("s", "trade"): list(certificates)}


def certificate(corners):
    return {"bound": 0.0, "loss": 0.0, "closed": True, "front": corners, "feasible": "yes", "limited": False}


def test_a_front_has_what_no_candidate_of_its_method_dominates():
    _, wanted, table, _ = judged()
    found = evidence.table(table, wanted, ["f", "g"], {})
    assert found.groupby("inverter")["x.a"].apply(sorted).to_dict() == {"m": [0.0, 0.5, 1.0], "r": [0.3, 0.4]}
    assert found.loc[found["x.a"] == 0.5, "dominated"].all() and not found.loc[found["x.a"] != 0.5, "dominated"].any()
    assert found["proven"].isna().all() and not found["truly_dominated"].any()
    assert found["rank"].iloc[0] == 1 and found["x.a"].iloc[0] == 0.5


def test_the_truth_may_leave_a_point_of_a_front_dominated():
    _, wanted, table, _ = judged(shift=0.6)
    found = evidence.table(table, wanted, ["f", "g"], {}).set_index("x.a")
    assert found["truly_dominated"].to_dict() == {0.5: True, 0.0: False, 1.0: False, 0.4: False, 0.3: False}
    assert table.loc[table["x.a"] == 0.5, "true_rank"].item() > 3


def test_a_bound_says_which_points_are_proven_and_by_how_much_others_may_be_beaten():
    bound = certificate([[0.0, 1.0], [0.4, 0.5], [0.5, 0.4], [1.0, 0.0]])
    space, wanted, table, proven = judged([bound])
    found = evidence.table(table, wanted, ["f", "g"], {"s": [bound]}).set_index("x.a")
    assert found["gap"].to_dict() == pytest.approx({0.5: 0.0, 0.0: 0.0, 1.0: 0.0, 0.4: 0.0, 0.3: 0.0})
    tight = certificate([[0.0, 0.9], [0.3, 0.3], [1.0, 0.0]])
    found = evidence.table(table, wanted, ["f", "g"], {"s": [bound, tight]}).set_index("x.a")
    assert found.loc[0.4, "gap"] == pytest.approx(0.0)  # the tightest bound counts
    found = evidence.table(table, wanted, ["f", "g"], {"s": [tight]}).set_index("x.a")
    assert found["gap"].to_dict() == pytest.approx({0.5: 0.1, 0.0: 0.0, 1.0: 0.0, 0.4: 0.05, 0.3: 0.0}, abs=1e-12)
    assert found["proven"].to_dict() == {0.5: False, 0.0: True, 1.0: True, 0.4: False, 0.3: True}
    summary = summarise(table, space, {"trade": wanted}, ["f", "g"], proven).set_index("inverter")
    # In units of the range of 2: cells dominated by hand.
    assert summary["hypervolume"].to_dict() == pytest.approx({"m": 0.8125, "r": 0.67})
    assert (summary["hypervolume_bound"] >= summary["hypervolume"]).all()
    assert summary["distinct"].to_dict() == {"m": 3, "r": 2}


def test_a_method_that_lacks_hypervolume_has_searched_poorly():
    wanted = built(TWO)
    row = {"hypervolume": 0.72, "hypervolume_bound": np.nan}
    found = answer_findings.poor_front(row, wanted, 0.8)
    assert found.verdict == "found" and found.measured == pytest.approx(0.1) and not found.details["certified"]
    assert answer_findings.poor_front(row, wanted, 0.721).verdict == "unknown"
    assert answer_findings.poor_front({**row, "hypervolume_bound": 0.9}, wanted, 0.72).measured == pytest.approx(0.2)
    assert answer_findings.poor_front({**row, "hypervolume_bound": 0.721}, wanted, 0.72).verdict == "absent"


def test_studies_without_trade_offs_have_no_volumes():
    space, _, table, _ = judged()
    plain = objective.build("trade", {"minimize": "f"}, ["f", "g"], [1, 1], [2, 2], np.array([[0.0, 0], [2, 2]]))
    assert not set(evidence.VOLUMES) & set(summarise(table, space, {"trade": plain}, ["f", "g"]))


def test_the_solutions_shown_are_of_the_front_of_all_methods():
    space, wanted, table, _ = judged()
    table.loc[table["x.a"] == 0.4, "in_domain"] = False
    shown = distinct_solutions(table, space, {"trade": wanted}, ["f", "g"])
    assert shown["x.a"].tolist()[-1] == 0.4 and set(shown["x.a"]) == {0.0, 0.3, 0.4, 1.0} and shown["solves"].all()
