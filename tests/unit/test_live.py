"""What a page computes while inputs are moved, in a browser, against the models and conditions themselves."""

import io
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor

from preimage.core import formulas, objective
from preimage.core.candidates import without_formulas
from preimage.core.domain import Domain
from preimage.core.objective.reference import Reference
from preimage.core.portable import Portable, pack
from preimage.core.space import Input, Space
from preimage.data.rows import Rows
from preimage.evidence import chance, live
from preimage.reporting.live import candidates, page, study
from preimage.surrogates import intervals, linear, predictive
from preimage.surrogates.brought.matched import Brought
from preimage.surrogates.ensembles import from_estimator
from preimage.surrogates.kinds.gaussian_process import GaussianProcess
from preimage.surrogates.neural_network import ACTIVATIONS, Form, Network, Parameters
from preimage.surrogates.reordered import Order

from ..browser import floats, needs_chromium, result
from ..spaces import random_space

POINTS, TESTED = 1000, 25
LEVELS = np.array([0, 3, 0, 0])
NUMBERS = np.r_[np.linspace(-30, 30, 241), np.linspace(-1, 1, 41)]
CANDIDATES = pd.DataFrame(
    {
        "round": 0, "seed": 0, "surrogate": "plane", "objective": "o", "inverter": "tpe", "rank": [1, 2, 3, None],
        "x.grade": ["=1+1", 'a "b", c', "ü\n", "left out"], "predicted.y": [0.1, np.nan, -1e300, 4.0],
        "message": ["=cmd", "-1.5", "", ""], "in_domain": [True, False, None, True],
    }
).astype({"rank": "Int64", "in_domain": "boolean"})  # fmt: skip
CODE = """
const bytes = (rows) => {
  const all = new Uint8Array(Float64Array.from(rows.flatMap((r) => Array.from(r))).buffer);
  let text = "";
  for (const b of all) text += String.fromCharCode(b);
  return btoa(text);
};
"""


def rows(n=120, seed=0):
    """Rows with a category and columns of other sizes; the outputs are far from 0 and of different spread."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(5, 2, n), rng.integers(0, 3, n), rng.uniform(0, 1e6, n), np.round(rng.uniform(0, 1e-3, n), 4)]
    )
    y = 1e4 + 3 * X[:, 0] + (X[:, 1] == 1) * 7 + np.sin(X[:, 2] / 1e5) + rng.normal(0, 0.1, n)
    Y = np.column_stack([y, 1e3 * X[:, 3] * X[:, 0]])
    return Rows(X, Y, np.arange(n), ["a", "c", "b", "d"], ["u", "v"], LEVELS)


def network(activation, seed=0):
    """An ensemble of networks of random weights, whose numbers a float32 does not hold."""
    rng = np.random.default_rng(seed)
    sizes = [6, 5, 4, 2]
    kernels = [rng.normal(0, 1, (3, i, o)) for i, o in pairwise(sizes)]
    biases = [rng.normal(0, 1, (3, o)) for o in sizes[1:]]
    x = np.array([5.0, 0.0, 5e5, 5e-4]), np.array([2.0, 1.0, 3e5, 3e-4])
    return Network(
        Form(activation, tuple(LEVELS.tolist())),
        Parameters(*x, np.array([1e4, 3.0]), np.array([5.0, 2.0]), kernels, biases),
    )


@cache
def models():
    """A model of each form, and of what differs within one."""
    known, rng = rows(), np.random.default_rng(0)
    one = replace(known, Y=known.Y[:, :1])
    plain = known.X, known.Y[:, 0]
    forest = from_estimator(RandomForestRegressor(20, random_state=0).fit(known.X, known.Y))
    boosted = from_estimator(GradientBoostingRegressor(n_estimators=40, random_state=0).fit(*plain))
    histogram = from_estimator(HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(*plain))
    turned = linear.fit(Rows.plain(known.X[:, ::-1], known.Y[:, ::-1]), 0.1)
    spec = {"rows": 100, "hyperparameter_rows": 60, "restarts": 1, "folds": 3}
    return {
        "forest": forest,
        "boosted": boosted,
        "boosted by histograms": histogram,
        "boosted in single precision": replace(boosted, start=boosted.start.astype(np.float32)),
        "linear": linear.fit(known, 0.1),
        "brought": Brought(turned, Order((3, 2, 1, 0), (1, 0))),
        **{
            f"process {kernel}": GaussianProcess(**{**spec, "kernel": kernel}).train(one, rng).surrogate
            for kernel in ("rbf", "matern52")
        },
        "network": network("selu"),
    }


# -- a whole study ----------------------------------------------------------------------------------------------------

INPUTS = (
    Input("a", 0, 10, unit="g", stated=(True, False)),
    Input("c", 0, 2, categories=("x", "y", "z")),
    Input("b", 0, 1e6),
    Input("d", 0, 1e-3),
)
FORMULAS = {
    "cost": {"expression": "a * 2 + b / 1e5 + max(d, 1e-4) ** 2", "unit": "EUR"},
    "ratio": {"expression": "(u - 9000) / (1 + cost)"},
    "twice": {"expression": "v * v"},
}
OBJECTIVES = {
    "high": {"maximize": "u"},
    "cheap": {"minimize": "cost", "subject_to": {"u": {"at_least": 10010}, "v": {"at_most": 4}}},
    "both": {"pareto": {"maximize": ["u"], "minimize": ["cost"]}, "subject_to": {"v": {"at_most": 5}}},
    "met": {"target": {"u": 10015}, "tolerance": 4},
    "fixed": {"maximize": "u", "fixed": {"a": 5, "c": "z"}},
    "band": {"within": {"ratio": [10, 300], "v": {"at_least": 1}}},
}


@dataclass(frozen=True)
class Case:
    """A model whose errors are known, with what follows of it at points."""

    space: Space
    found: formulas.Formulas
    known: Rows
    outlook: chance.Outlook
    wanted: dict
    ends: intervals.Intervals


@cache
def case():
    space, known = Space(INPUTS), rows()
    found = formulas.build(FORMULAS, space, known.outputs)
    model = linear.fit(known, 0.0)
    rng = np.random.default_rng(0)
    held = known.Y + rng.normal(0, [2.0, 0.5], known.Y.shape)
    out_of_fold = held, model.spread(known.X)
    fitted = predictive.fit(known.X, known.levels, known.Y, out_of_fold, model, rng)
    whole = known.with_formulas(found)
    outlook = chance.Outlook(model, fitted, found, whole.X, whole.Y)
    spread, reach = whole.Y.std(axis=0).tolist(), np.ptp(whole.Y, axis=0).tolist()
    wanted = {name: objective.build(name, spec, whole.outputs, spread, reach) for name, spec in OBJECTIVES.items()}
    # Outside the rows' range of `a`, which gives way; one more input may change, and `d` may not.
    reference = Reference(
        space.names, (12.0, 1.0, 5e5, 5e-4), (10.0, 1.0, 1e6, 1e-3), (False, True, False, False),
        (12.0, "y", 5e5, 5e-4), most=1, keep=("d",),
    )  # fmt: skip
    wanted["near"] = replace(wanted["met"].nearest_to(reference, reach), name="near")
    return Case(space, found, whole, outlook, wanted, intervals.fit(known.Y, *out_of_fold))


def page_of(c):
    """The data of a page of a case, as the report makes it."""
    x = {"a": 5.0, "c": "y", "b": 5e5, "d": 5e-4}
    recipes = [{"surrogate": "plane", "objective": name, "x": x} for name in c.wanted]
    made = live.of_answers(recipes, {"plane": c.outlook.model}, {"plane": c.outlook}, c.space, c.wanted, c.known)
    names = c.known.outputs
    return {
        "inputs": study.inputs(c.space, made["data"]["density"]),
        "outputs": study.outputs(names, {}, made["data"]["reach"]),
        "formulas": study.formulas(c.found),
        "conditions": study.conditions(c.space),
        "objectives": [study.objective(w, c.space, names, made["best"].get(n)) for n, w in c.wanted.items()],
        "intervals": {"plane": c.ends.to_dict()},
        **{key: made[key] for key in ("models", "errors", "data")},
    }


@cache
def spaces():
    """Random spaces with points in and around them."""
    found = []
    for seed in range(30):
        rng, (space, x) = np.random.default_rng(seed), random_space(seed)
        X = x + rng.normal(0, 0.3, (40, len(x))) * space.width * (rng.random((40, len(x))) < 0.3)
        found.append((space, np.vstack([x, space.rounded(X), np.where(space.categorical, space.rounded(X), X)])))
    return found


def space_of(space, points):
    density = dict.fromkeys(space.names, ())
    inputs = study.inputs(space, density)
    return {"conditions": study.conditions(space), "inputs": inputs, "names": space.names, "X": points.tolist()}


def around():
    """Points of the study in and around its space, many of them at values that objectives fix or refer to."""
    rng = np.random.default_rng(3)
    at = np.array([[5.0, 2.0, 5e5, 5e-4], [12.0, 1.0, 5e5, 5e-4], [11.0, 0.0, 4e5, 1e-4]])
    return np.column_stack([column[rng.integers(0, 3, 200)] for column in at.T])


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """All that the browser is asked in this module, in one start of it."""
    X, c = rows(POINTS, 1).X, case()
    data = {
        "X": X.tolist(),
        "models": {name: model.portable().packed() for name, model in models().items()},
        "page": page_of(c),
        "numbers": NUMBERS.tolist(),
        "around": around().tolist(),
        "table": candidates.table(CANDIDATES),
        "spaces": [space_of(s, P) for s, P in spaces()],
        "profile": live.profile(c.outlook.model, c.space, np.array([5.0, 1.0, 5e5, 5e-4])),
    }
    code = f"""
    {page.code()}
    {CODE}
    const X = data.X, some = X.slice(0, {TESTED}), found = {{}};
    for (const [name, packed] of Object.entries(data.models)) {{
      const model = modelOf(packed);
      found[name] = [bytes(X.map(model.predict)), bytes(X.slice(0, 50).map(model.spread))];
    }}
    const study = studyOf(data.page);
    const chances = study.page.objectives.map((o) => some.map((x) => study.chance("plane", o, x)));
    const intervals = some.map((x) => study.interval("plane", "high", x));
    const outputs = some.map((x) => study.predict("plane", "high", x));
    const scores = X.map((x) => study.domain(x));
    const kept = data.spaces.map(({{ conditions, names, X }}) => X.map((x) =>
      conditions.every((c) => CONDITIONS[c.kind](c, x, (name) => x[names.indexOf(name)]))));
    const allowed = study.page.objectives.map((o) => data.around.map((x) => !study.broken(o, x).length));
    const profile = data.profile, own = profileModel(profile), base = Array.from(own.single);
    const moves = base.flatMap((_, j) => gridOf(study.page.inputs[j]).map((v) => base.with(j, v)));
    const profiles = [moves.map((x) => [x, Array.from(own.predict(x))]), own.predict(base.map((v) => v + 1))];
    const grids = data.spaces.map(({{ inputs }}) => inputs.map(gridOf));
    const sum = {{ kind: "linear", low: 100, high: 100, at: [0, 1, 2, 3], coefficients: [1, 1, 1, 1] }};
    const mix = {{ conditions: [sum], inputs: Array(4).fill({{ fixed: null }}) }}, mixed = [40, 40, 20, 0];
    const mixture = [mixed, moved(mix, mixed, 0, 50, true)];
    const table = csv(columnsOf(data.table));
    const active = Object.entries(ACTIVATIONS).map(([name, f]) => [name, data.numbers.map(f)]);
    return {{ found, chances, intervals, outputs, scores, kept, active, allowed, table, profiles, grids, mixture }};
    """
    return {**result(code, data, tmp_path_factory.mktemp("live")), "X": X, "case": c}


@needs_chromium
@pytest.mark.parametrize("name", list(models()))
def test_a_page_predicts_as_the_model_does(computed, name):
    model, X = models()[name], computed["X"]
    expected, spread = model.predict(X), model.spread(X[:50])
    predicted, wide = (floats(text, -1, expected.shape[1]) for text in computed["found"][name])
    assert len(predicted) == POINTS
    assert (np.abs(predicted - expected) <= 1e-6 * np.ptp(expected, axis=0)).all()
    assert np.allclose(wide, spread, rtol=1e-6, atol=1e-9 * spread.max())


@needs_chromium
def test_trees_are_evaluated_to_the_last_bit(computed):
    forest = models()["forest"]
    assert np.array_equal(floats(computed["found"]["forest"][0], -1, 2), forest.predict(computed["X"]))


@needs_chromium
def test_activations_are_those_of_the_networks(computed):
    found = dict(computed["active"])
    assert set(found) == set(ACTIVATIONS)
    for name, activate in ACTIVATIONS.items():
        expected = np.asarray(activate(NUMBERS))
        assert np.allclose(found[name], expected, rtol=1e-9, atol=1e-12), name


@needs_chromium
def test_chances_and_intervals_are_those_of_the_tables(computed):
    c, X = computed["case"], computed["X"][:TESTED]
    assert list(c.wanted) == [*OBJECTIVES, "near"]
    for wanted, found in zip(c.wanted.values(), computed["chances"], strict=True):
        expected = chance.of_points(X, c.outlook, wanted, c.space)[:, 0]
        # There is none where no row tells what a direction has to beat.
        assert np.allclose(np.array(found, float), expected, rtol=0, atol=1 / c.outlook.rows + 1e-9, equal_nan=True)
    told = np.array(computed["chances"], float)
    assert 0 < np.nanmean(told) < 1 and 0 < np.isnan(told).mean() < 0.5
    Y = c.outlook.model.predict(X)
    assert np.allclose(computed["outputs"], c.found.extended(X, Y), rtol=1e-9)
    low, high = c.found.intervals(X, *c.ends.at(Y, c.outlook.model.spread(X)))
    for k, ends in enumerate(zip(*computed["intervals"], strict=True)):
        if c.known.outputs[k] == "twice":  # one whose name stands twice has none here
            assert set(ends) == {None}
        else:
            assert np.allclose(np.array(ends), np.column_stack([low[:, k], high[:, k]]), rtol=1e-9)


@needs_chromium
def test_a_point_is_as_far_from_the_data_as_the_tables_say(computed):
    c = computed["case"]
    domain = Domain(c.space.coordinates(c.known.X), c.space.one_hot)
    expected = domain.score(c.space.coordinates(computed["X"]))
    assert 0 < expected.mean() < 1 and np.array_equal(computed["scores"], expected)


@needs_chromium
def test_a_page_allows_what_the_space_contains(computed):
    expected = [space.contains(X).tolist() for space, X in spaces()]
    assert {v for part in expected for v in part} == {True, False}
    assert computed["kept"] == expected


@needs_chromium
def test_candidates_come_out_as_they_went_in_but_for_formulas(computed):
    found = pd.read_csv(io.StringIO(computed["table"]), keep_default_na=False, dtype=str)
    expected = without_formulas(CANDIDATES.dropna(subset="rank"))
    expected = pd.read_csv(io.StringIO(expected.to_csv(index=False)), keep_default_na=False, dtype=str)
    for name in ("x.grade", "message", "in_domain"):
        assert found[name].tolist() == expected[name].tolist()
    assert [float(v) if v else v for v in found["predicted.y"]] == [
        float(v) if v else v for v in expected["predicted.y"]
    ]
    assert found["message"].str.startswith("'=").any() and "-1.5" in set(found["message"])


@needs_chromium
def test_an_objective_adds_what_it_fixes_and_gives_way_to_what_it_is_near_to(computed):
    c = computed["case"]
    for wanted, found in zip(c.wanted.values(), computed["allowed"], strict=True):
        expected = wanted.allowed(c.space).contains(around()).tolist()
        assert found == expected and (wanted.name not in ("fixed", "near") or 0 < sum(expected) < 200), wanted.name


@needs_chromium
def test_profiles_are_the_model_along_each_input_and_nothing_elsewhere(computed):
    c = computed["case"]
    along, apart = computed["profiles"]
    points = np.array([p for p, _ in along])
    assert np.allclose([y for _, y in along], c.outlook.model.predict(points), rtol=1e-9)
    assert len(along) > 100 and apart is None


@needs_chromium
def test_values_of_sliders_are_those_that_an_input_may_take(computed):
    for (space, _), grids in zip(spaces(), computed["grids"], strict=True):
        for i, grid in zip(space.inputs, grids, strict=True):
            assert len(grid) and all(i.allows(v) for v in grid), i


@needs_chromium
def test_a_sum_that_is_kept_takes_the_others_along(computed):
    before, after = (np.array(x) for x in computed["mixture"])
    assert after[0] == 50 and after.sum() == pytest.approx(100) and after[3] == 0
    assert after[1] / after[2] == pytest.approx(before[1] / before[2])


# -- without a browser ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.arange(300), "uint16"),
        (np.array([-1, 3]), "int8"),
        (np.array([0.5, np.nan, np.inf]), "float32"),
        (np.array([0.1, 1e300]), "float64"),
        (np.array([True, False]), "uint8"),
    ],
)
def test_arrays_are_packed_in_the_smallest_type_without_loss(array, kind):
    assert pack(array)["type"] == kind


def test_repeated_numbers_are_packed_once():
    packed = pack(np.repeat([0.1, 0.2, 0.3], 1000))
    assert packed["type"] == "uint8" and packed["table"]["type"] == "float64"


def test_models_too_large_for_a_page_come_as_profiles_through_their_answers(monkeypatch):
    c = case()
    monkeypatch.setattr(live, "MOST", 0)
    recipes = [{"surrogate": "plane", "objective": "high", "x": {"a": 5.0, "c": "y", "b": 5e5, "d": 5e-4}}]
    made = live.of_answers(recipes, {"plane": c.outlook.model}, {}, c.space, c.wanted, c.known)
    (profile,) = made["models"]["plane"]["profiles"].values()
    assert set(profile) == {"x", "values", "ends", "predicted", "spread"}
    assert profile["predicted"]["shape"] == [profile["values"]["shape"][0], 2]


def test_a_study_without_answers_of_models_has_no_live_part():
    c = case()
    assert live.of_answers([], {"plane": c.outlook.model}, {}, c.space, c.wanted, c.known) == {}


def test_a_form_that_a_page_lacks_is_told_by_name():
    forms = {m.portable().form for m in models().values()}
    assert all(f"FORMS.{form} =" in page.code() for form in forms) and Portable("other", {}).form not in forms
