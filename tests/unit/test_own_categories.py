"""Models of a user's own that take categories by label, or some of the inputs alone."""

from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import check_array
from threadpoolctl import threadpool_limits

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.data.rows import Rows
from preimage.evidence.clusters import clusters, places
from preimage.evidence.recommend import distinct_solutions
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.reporting import words
from preimage.study import user_models
from preimage.surrogates import model
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.brought import skops_file
from preimage.surrogates.brought.categories import Column

from ..conftest import inverter, refusal

RNG = np.random.default_rng(0)
N = 120
FRAME = pd.DataFrame(
    {
        "heat": RNG.normal(size=N),
        "solvent": RNG.choice(["water", "ethanol", "acetone"], N),
        "speed": RNG.normal(size=N),
        "mesh": RNG.choice([10, 20, 40], N),
    }
)
Y = FRAME["heat"] + FRAME["solvent"].map({"water": 0.0, "ethanol": 3.0, "acetone": -1.0}) + FRAME["mesh"] / 20
# In another order than any library would have them in.
SPACE = Space(
    (
        Input("heat", -3, 3),
        Input("solvent", 0, 2, categories=("water", "acetone", "ethanol")),
        Input("speed", -3, 3),
        Input("mesh", 0, 2, categories=("40", "10", "20")),
    )
)
POINTS = SPACE.encode(FRAME)
COLUMNS = [Column(i.name, i.categories) for i in SPACE.inputs]
TEXT, NUMBERS = ["solvent"], ["mesh"]


def taken_over(path, columns=COLUMNS, points=POINTS, **more):
    """Take a file through the steps of a study: entry, check, train, save, load; return it as loaded, and its train."""
    spec = user_models.completed({"kind": "model", "path": str(path), **more})
    model.check(spec, columns, ["y"], points[:2])
    rows = replace(
        Rows.plain(points, Y.to_numpy()[:, None]), inputs=[c.name for c in columns], outputs=["y"],
        categories=tuple(c.categories for c in columns),
    )  # fmt: skip
    found = SurrogateKind.of_study(spec).train(rows, np.random.default_rng(0))
    (folder := path.parent / "kept").mkdir()
    found.save(folder)
    back = model.load(folder)
    np.testing.assert_array_equal(back.predict(points), found.surrogate.predict(points))
    return back, found


@pytest.fixture
def dumped(tmp_path):
    def call(made):
        skops.io.dump(made, tmp_path / "own.skops")
        return tmp_path / "own.skops"

    return call


def encoded(*encoders, last=None):
    return make_pipeline(make_column_transformer(*encoders, remainder="passthrough"), Ridge() if last is None else last)


PIPELINES = {
    "one-hot": encoded((OneHotEncoder(), TEXT + NUMBERS)),
    "ordinal": encoded((OrdinalEncoder(), TEXT), (OneHotEncoder(), NUMBERS), last=RandomForestRegressor(5, n_jobs=1)),
    "imputed": encoded((make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), TEXT)),
    "by target": encoded((TargetEncoder(), TEXT), (StandardScaler(), ["heat"])),
    "outputs too": TransformedTargetRegressor(encoded((OneHotEncoder(), TEXT)), transformer=StandardScaler()),
    "several": VotingRegressor([("a", encoded((OneHotEncoder(), TEXT))), ("b", encoded((OrdinalEncoder(), TEXT)))]),
    "histogram": HistGradientBoostingRegressor(max_iter=3, categorical_features=["solvent"]),
    # An encoder that sees columns of another step.
    "late": make_pipeline(
        make_column_transformer((FunctionTransformer(), ["solvent", "heat"]), verbose_feature_names_out=False),
        make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough"),
        VarianceThreshold(),
        Ridge(),
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_given_a_frame_with_the_labels(dumped, name):
    made = PIPELINES[name].fit(FRAME, Y)
    back, found = taken_over(dumped(made))
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], made.predict(FRAME))
    assert found.warning == model.WARNING


def test_columns_of_the_type_category_are_known_without_being_named(dumped):
    frame = FRAME.astype({"solvent": "category", "mesh": "category"})
    made = HistGradientBoostingRegressor(max_iter=5).fit(frame, Y)
    back, _ = taken_over(dumped(made))
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], made.predict(frame))


def test_a_model_fitted_to_positions_still_gets_them(dumped):
    for made in (RandomForestRegressor(3, random_state=0), make_pipeline(OrdinalEncoder(), Ridge())):
        made.fit(np.round(POINTS[:, [1, 3]]), Y)
        columns = [COLUMNS[1]._replace(name="a"), Column("b", ("u", "v", "w"))]
        own = skops_file.read(dumped(made)).labelled(columns)
        np.testing.assert_array_equal(own.predict(POINTS[:, [1, 3]])[:, 0], made.predict(POINTS[:, [1, 3]]))


def test_an_array_of_labels_without_names(dumped):
    made = encoded((OneHotEncoder(), [1])).fit(FRAME.to_numpy(object), Y)
    back, _ = taken_over(dumped(made))
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], made.predict(FRAME.to_numpy(object)))


def test_labels_that_an_encoder_does_not_know(dumped):
    def with_solvents(*labels):
        return [COLUMNS[0], Column("solvent", labels), *COLUMNS[2:]]

    def check(made, columns):
        spec = user_models.completed({"kind": "model", "path": str(dumped(made.fit(FRAME, Y)))})
        return refusal(model.check, spec, columns, ["y"], POINTS[:2])

    strict = encoded((OneHotEncoder(), TEXT + NUMBERS))
    said = check(strict, with_solvents("water", "acetone", "ethanool"))
    assert "input 'solvent': the model does not know the category 'ethanool'; did you mean 'ethanol'?" in said
    lenient = encoded((OneHotEncoder(handle_unknown="ignore"), TEXT + NUMBERS))
    assert "found the categories Wasser, Aceton, the model knows acetone, ethanol, water" in check(
        lenient, with_solvents("Wasser", "Aceton")
    )
    numbers = [*COLUMNS[:3], Column("mesh", ("coarse", "fine"))]
    assert "found the categories coarse, fine, the model knows 10, 20, 40" in check(strict, numbers)
    back, found = taken_over(dumped(lenient), with_solvents("water", "acetone", "ethanol", "toluene"))
    assert found.warning.endswith(" It does not know the categories toluene of solvent: there it predicts as if none "
                                  "were given.")  # fmt: skip
    strange = FRAME.assign(solvent="toluene")
    at = POINTS.copy()
    at[:, 1] = 3
    np.testing.assert_array_equal(back.predict(at)[:, 0], lenient.predict(strange))


def test_numbers_that_an_encoder_does_not_know_are_taken_for_none(dumped):
    made = encoded((OneHotEncoder(handle_unknown="ignore"), NUMBERS)).fit(FRAME[["heat", "mesh"]], Y)
    own = skops_file.read(dumped(made)).labelled([Column("heat"), Column("mesh", ("40", "80", "10.0"))])
    np.testing.assert_array_equal(
        own.predict(np.array([[1.0, 0], [1.0, 1], [1.0, 2]]))[:, 0],
        made.predict(pd.DataFrame({"heat": [1.0] * 3, "mesh": [40, 80, 10]})),
    )


def test_arguments_of_other_functions_are_refused(dumped):
    from functools import partial

    made = make_pipeline(FunctionTransformer(partial(np.exp, where=True)), Ridge()).fit(FRAME[["heat"]], Y)
    assert "could run code: found arguments of a function" in refusal(skops_file.read, dumped(made))
    made = make_pipeline(FunctionTransformer(partial(check_array, dtype="numeric")), Ridge()).fit(FRAME[["heat"]], Y)
    assert skops_file.read(dumped(made)).predict(np.ones((2, 1))).shape == (2, 1)


# -- some of the inputs ------------------------------------------------------------------------------------------------


def test_a_model_of_some_inputs_says_which(dumped, tmp_path):
    made = encoded((OneHotEncoder(), TEXT)).fit(FRAME[["solvent", "heat"]], Y)
    path = dumped(made)
    spec = user_models.completed({"kind": "model", "path": str(path)})
    said = refusal(model.check, spec, COLUMNS, ["y"], POINTS[:2])
    assert "the model has 2 inputs ['solvent', 'heat'], the table has 4: ['heat', 'solvent', 'speed', 'mesh']" in said
    assert said.endswith("say which of them it takes, in its order, with `inputs:`")
    back, found = taken_over(path, inputs=["solvent", "heat"])
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], made.predict(FRAME[["solvent", "heat"]]))
    assert found.parameters["inputs"] == ["solvent", "heat"]
    for stated, expected in {
        ("solvent", "heet"): "found ['solvent', 'heet'], expected some of the table's inputs",
        ("heat", "solvent"): "but the file itself says ['solvent', 'heat']",
        ("speed", "heat"): "but the file itself says ['solvent', 'heat']",
    }.items():
        spec = user_models.completed({"kind": "model", "path": str(path), "inputs": list(stated)})
        assert expected in refusal(model.check, spec, COLUMNS, ["y"], POINTS[:2])
    plain = RandomForestRegressor(2).fit(FRAME[["heat", "speed"]].to_numpy(), Y)
    spec = user_models.completed({"kind": "model", "path": str(dumped(plain)), "inputs": ["speed"]})
    assert "the model has 2 inputs, key 'inputs' names 1: ['speed']" in refusal(
        model.check, spec, COLUMNS, ["y"], POINTS[:2]
    )


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_trees_of_some_inputs_are_searched_over_all(library, tmp_path):
    frame = FRAME[["mesh", "heat"]].astype({"mesh": "category"})
    if library == "xgboost":
        made = xgboost.XGBRegressor(n_estimators=4, enable_categorical=True, n_jobs=1).fit(frame, Y)
        made.save_model(path := tmp_path / "own.json")
    else:
        made = lightgbm.LGBMRegressor(n_estimators=4, verbosity=-1, n_jobs=1).fit(frame, Y)
        made.booster_.save_model(path := tmp_path / "own.txt")
    back, _ = taken_over(path, inputs=["mesh", "heat"])
    own = made.predict(frame).astype(float)
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], own)
    np.testing.assert_array_equal(back.trees.predict(POINTS)[:, 0], own)
    assert set(back.trees.feature) <= {-1, 0, 3}


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_category_that_is_a_number_to_a_model_with_labels_of_others(library, tmp_path):
    """As the table has it: 10, 20 or 40, rather than a position in the study's list."""
    frame = FRAME.astype({"solvent": "category", "mesh": float})
    if library == "xgboost":
        made = xgboost.XGBRegressor(n_estimators=4, enable_categorical=True, n_jobs=1).fit(frame, Y)
        made.save_model(path := tmp_path / "own.json")
    else:
        made = lightgbm.LGBMRegressor(n_estimators=30, verbosity=-1, n_jobs=1).fit(frame, Y)
        made.booster_.save_model(path := tmp_path / "own.txt")
    back, _ = taken_over(path)
    assert 3 in back.trees.feature
    np.testing.assert_array_equal(back.predict(POINTS)[:, 0], made.predict(frame).astype(float))
    coarse = [*COLUMNS[:3], Column("mesh", ("coarse", "fine"))]
    spec = user_models.completed({"kind": "model", "path": str(path)})
    said = refusal(model.check, spec, coarse, ["y"], POINTS[:2])
    assert ("'mesh' is a number to the model" if library == "xgboost" else "the study has 2: solvent, mesh") in said


def test_solutions_that_differ_where_nothing_has_influence_are_one():
    X = np.column_stack([[0.5, 0.5, 2.0], np.zeros(3), [-3.0, 3.0, 0.0], np.zeros(3)])
    assert clusters(places(SPACE, X)).tolist() == [0, 1, 2]
    assert clusters(places(SPACE, X, ["speed"])).tolist() == [0, 0, 1]
    assert clusters(places(SPACE, X, ["heat", "speed"])).tolist() == [0, 0, 0]
    outputs = pd.DataFrame({"predicted.y": [1.0, 1.0, 1.0], "predicted_loss": 0.0, "inverter": "a"})
    frame = pd.concat([outputs, pd.DataFrame(SPACE.decode(X, "x."))], axis=1)
    frame = frame.assign(
        round=0, seed=0, surrogate="mine", objective="o", rank=[1, 2, 3], in_domain=True, domain_score=0.5, chance=0.5
    )
    wanted = objective.build("o", {"target": {"y": 1.0}, "tolerance": 0.1}, ["y"])
    count = {
        free: len(distinct_solutions(frame, SPACE, {"o": wanted}, ["y"], {"mine": free})) for free in ((), ("speed",))
    }
    assert count == {(): 3, ("speed",): 2}


def test_a_model_says_which_inputs_have_no_influence(dumped):
    made = encoded((OneHotEncoder(), TEXT)).fit(FRAME[["solvent", "heat"]], Y)
    _, found = taken_over(dumped(made), inputs=["solvent", "heat"])
    assert found.without_influence == ("speed", "mesh")
    assert words.without_influence(found.without_influence).startswith("Speed and mesh have no influence on this")


# -- trees behind encoders ---------------------------------------------------------------------------------------------

FOREST = RandomForestRegressor(4, random_state=0, n_jobs=1)
SCALED = (make_pipeline(SimpleImputer(), StandardScaler()), ["heat"])
TREES = {
    "one-hot": encoded((OneHotEncoder(drop="first"), TEXT + NUMBERS), SCALED, last=FOREST),
    "sparse": encoded((OneHotEncoder(min_frequency=35), TEXT), (MinMaxScaler(), ["speed", "heat"]), last=FOREST),
    "ordinal": encoded((OrdinalEncoder(), TEXT), (RobustScaler(), ["speed"]), last=ExtraTreesRegressor(4, n_jobs=1)),
    "by target": encoded((TargetEncoder(), TEXT + NUMBERS), last=GradientBoostingRegressor(n_estimators=9)),
    "several steps": make_pipeline(
        make_column_transformer((OneHotEncoder(), TEXT), ("drop", ["speed"]), remainder="passthrough"),
        StandardScaler(with_mean=False),
        MaxAbsScaler(),
        DecisionTreeRegressor(max_depth=5),
    ),
    "histogram": HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=3),
    "histogram behind": encoded(
        (OrdinalEncoder(), TEXT), last=HistGradientBoostingRegressor(max_iter=9, categorical_features=[0])
    ),
}


@pytest.mark.some(2)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("name", TREES)
def test_trees_behind_encoders_and_scalers_are_read_to_the_bit(dumped, name):
    frame = FRAME.astype({"solvent": "category", "mesh": "category"}) if name == "histogram" else FRAME
    path = dumped(TREES[name].fit(frame, Y))
    assert user_models.completed({"kind": "model", "path": str(path)})["made_of_trees"]
    own = skops_file.read(path).labelled(COLUMNS)
    trees = own.trees
    rng = np.random.default_rng(1)
    made = [
        POINTS,
        np.column_stack([rng.normal(size=60), rng.integers(0, 3, 60), rng.normal(size=60) * 9, rng.integers(0, 3, 60)]),
    ]
    for j in np.unique(trees.feature[trees.feature >= 0]):
        for t in np.unique(trees.threshold[trees.feature == j])[:40]:
            x = np.repeat(POINTS[rng.integers(N, size=1)], 3, axis=0)
            x[:, j] = [t, np.nextafter(t, np.inf), np.nextafter(t, -np.inf)] if j in (0, 2) else np.arange(3)
            made.append(x)
    P = np.concatenate(made)
    with threadpool_limits(1):
        np.testing.assert_array_equal(trees.predict(P), own.predict(P))
    assert len(np.unique(trees.predict(P))) > 5


def test_what_arrays_cannot_represent_before_trees_is_refused_by_name(dumped):
    def refused(*steps, columns=COLUMNS, frame=FRAME):
        made = skops_file.read(dumped(make_pipeline(*steps, FOREST).fit(frame, Y)))
        return refusal(lambda: made.labelled(columns).trees)

    numbers, plain = FRAME[["heat", "speed"]], [Column("heat"), Column("speed")]
    mixed = refused(PolynomialFeatures(), columns=plain, frame=numbers)
    assert "PolynomialFeatures before the trees can't be searched; expected ColumnTransformer" in mixed
    assert "FunctionTransformer computes what can't be" in refused(
        FunctionTransformer(np.sin), columns=plain, frame=numbers
    )
    number = [Column("mesh")]
    assert "OneHotEncoder encodes an input that is no category in the study" in refused(
        OneHotEncoder(), columns=number, frame=FRAME[["mesh"]]
    )


def test_a_search_leaves_inputs_without_influence_where_they_are():
    seen = []

    def predict(X):
        seen.append(len(X))
        return X[:, [0]] ** 2

    space = Space(tuple(Input(n, -3.0, 3.0) for n in ("heat", "speed", "time")))
    X = RNG.uniform(-3, 3, (30, 3))
    wanted = objective.build("o", {"minimize": "y"}, ["y"], [1.0], [9.0])
    plain = Question(space, wanted, predict, X, X[:, [0]] ** 2, np.arange(30))
    found = {}
    for names in ((), ("speed", "time")):
        seen.clear()
        asked = replace(plain, without_influence=names)
        answer, _ = asking.ask(inverter("multistart", {"starts": 3}), [asked], np.random.default_rng(0))[0]
        found[names] = (answer.X, sum(seen))
    np.testing.assert_allclose(found[()][0][:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(found["speed", "time"][0][:, 0], 0, atol=1e-3)
    assert found["speed", "time"][1] < 0.7 * found[()][1]
    # What a constraint ties to others moves with them.
    tied = replace(asked, space=Space(space.inputs, (Linear((("heat", 1.0), ("speed", 1.0)), 1.0, 1.0),)))
    assert tied.movable.all() and asked.movable.tolist() == [True, False, False]
