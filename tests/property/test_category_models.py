"""Models that split categories by sets predict as their libraries do, to the last bit, whatever order a study lists the
categories in; and what is proven of them is what every combination of values says."""

import itertools

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.surrogates.brought import lightgbm_file, xgboost_file
from preimage.surrogates.brought.categories import Column

from ..conftest import examples, inverter, refusal
from .test_forest import around
from .test_forest_certificates import CERTIFIED

SEEDS = st.integers(0, 2**32 - 1)
LIBRARIES = ["xgboost", "lightgbm"]


def table(rng, n=120):
    """Rows of two categories, one of numbers and one of text, of which one may be in order, and of two numbers."""
    few = [f"k {v}" for v in range(int(rng.integers(2, 9)))]
    grades = rng.choice(1000, int(rng.integers(2, 60)), replace=False).tolist()
    frame = pd.DataFrame({
        "a": rng.normal(size=n),
        "kind": pd.Categorical(rng.choice(few, n), categories=list(rng.permutation(few)), ordered=rng.random() < 0.3),
        "b": np.round(rng.normal(size=n), 1),
        "grade": pd.Categorical(rng.choice(grades, n), categories=grades),
    })  # fmt: skip
    frame = frame[list(rng.permutation(frame.columns))]
    effect = {c: dict(zip(frame[c].cat.categories, rng.normal(size=99), strict=False)) for c in ("kind", "grade")}
    y = frame["a"] + sum(frame[c].map(effect[c]).astype(float) for c in effect) * rng.uniform(0, 4)
    return frame, y.to_numpy() + 0.1 * rng.normal(size=n)


def fitted(rng, library, path, frame, y, trees=8):
    """Return a model's file as read, and the library's own predictions of frames."""
    trees = int(rng.integers(1, trees + 1))
    if library == "xgboost":
        one_hot = int(rng.choice([1, 4, 100]))
        model = xgboost.XGBRegressor(
            n_estimators=trees, max_depth=4, max_cat_to_onehot=one_hot, enable_categorical=True, tree_method="hist",
            n_jobs=1, learning_rate=0.7, random_state=int(rng.integers(99)),
        ).fit(frame, y)  # fmt: skip
        model.save_model(path := path / f"model.{rng.choice(['json', 'ubj'])}")
        return xgboost_file.read(path), lambda P: model.predict(P).astype(float)
    settings = {"num_leaves": 9, "min_data_in_leaf": 1, "min_data_in_bin": 1, "verbosity": -1, "num_threads": 1}
    settings |= {"max_cat_to_onehot": int(rng.choice([1, 4, 100])), "min_data_per_group": 1, "cat_smooth": 1}
    model = lightgbm.train(settings, lightgbm.Dataset(frame, y), trees)
    model.save_model(path := path / "model.txt")
    return lightgbm_file.read(path), lightgbm.Booster(model_file=str(path)).predict


def listed(rng, frame):
    """Return the columns as a study has them, their categories in any order."""
    return [
        Column(name, tuple(map(str, rng.permutation(frame[name].cat.categories))) if name in CATEGORIES else ())
        for name in frame.columns
    ]


CATEGORIES = ("kind", "grade")


def given_by(columns, frame):
    """Return a frame's rows as points: categories by their positions in the study's lists."""
    coded = [
        [c.categories.index(str(v)) for v in frame[c.name]] if c.categories else frame[c.name].to_numpy()
        for c in columns
    ]
    return np.column_stack(coded).astype(float)


def everywhere(rng, frame, forest, columns):
    """Rows with numbers on and around the thresholds of the arrays, and every category."""
    place = {c.name: j for j, c in enumerate(columns)}
    out = frame.loc[rng.integers(0, len(frame), 400)].reset_index(drop=True)
    for name in ("a", "b"):
        own = np.unique(forest.threshold[forest.feature == place[name]])
        out[name] = rng.choice(np.array([v for t in own for v in around(float(t))] or [0.0]), len(out))
    for name in CATEGORIES:
        known = frame[name].cat
        out[name] = pd.Categorical(rng.choice(known.categories, len(out)), known.categories, known.ordered)
    return out


@pytest.mark.some(2)
@pytest.mark.parametrize("library", LIBRARIES)
@given(SEEDS)
@examples(20)
def test_a_model_of_categories_predicts_what_its_library_predicts(library, tmp_path, seed):
    rng = np.random.default_rng(seed)
    frame, y = table(rng)
    read, own = fitted(rng, library, tmp_path, frame, y)
    columns = listed(rng, frame)
    model = read.labelled(columns)
    P = everywhere(rng, frame, model.trees, columns)
    assert np.array_equal(model.predict(given_by(columns, P))[:, 0], own(P))
    assert not model.unknown


@pytest.mark.long
@pytest.mark.parametrize("library", LIBRARIES)
@given(SEEDS)
@examples(10)
def test_what_is_proven_of_categories_is_what_every_combination_says(library, tmp_path, seed):
    rng = np.random.default_rng(seed)
    frame, y = table(rng)
    read, own = fitted(rng, library, tmp_path, frame, y, trees=3)
    columns = listed(rng, frame)
    forest = read.labelled(columns).trees
    inputs = [
        Input(c.name, 0, len(c.categories) - 1, categories=c.categories)
        if c.categories
        else Input(c.name, *map(float, (frame[c.name].min(), frame[c.name].max())))
        for c in columns
    ]
    space = Space(tuple(inputs))
    axes = []
    for j, i in enumerate(inputs):
        cuts = np.unique(forest.threshold[forest.feature == j]).astype(float)
        inside = [v for t in cuts for v in around(t) if i.low <= v <= i.high]
        axes.append(np.arange(i.high + 1) if i.categories else np.unique([i.low, i.high, *inside]))
    cells = np.array(list(itertools.product(*axes)))
    wanted = objective.build("o", {str(rng.choice(["minimize", "maximize"])): "y"}, ["y"], [1.0], [1.0])
    X = given_by(columns, frame)
    question = Question(space, wanted, forest.predict, X, y[:, None], np.arange(len(X)), trees=forest)
    ((answer, predicted),) = asking.ask(inverter("certified", CERTIFIED), [question], np.random.default_rng(0))
    best = wanted.loss(forest.predict(cells)).min()
    assert answer.certificate["closed"] and wanted.loss(predicted)[0] == answer.certificate["bound"] == best
    chosen = pd.DataFrame({
        c.name: pd.Categorical(
            [dict(zip(map(str, known := frame[c.name].cat.categories), known, strict=True))[c.categories[int(v)]]],
            frame[c.name].cat.categories, frame[c.name].cat.ordered,
        ) if c.categories else [v]
        for c, v in zip(columns, answer.X[0], strict=True)
    })  # fmt: skip
    assert own(chosen)[0] == predicted[0, 0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_categories_without_labels_are_their_positions(library, tmp_path):
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(0, 7, 200), rng.normal(size=200)]).astype(float)
    y = np.isin(X[:, 0], [1, 4, 5]) * 5.0 + X[:, 1] ** 2
    if library == "xgboost":
        matrix = xgboost.DMatrix(X, y, feature_types=["c", "q"], enable_categorical=True)
        model = xgboost.train({"max_depth": 3, "nthread": 1}, matrix, 4)
        model.save_model(tmp_path / "m.json")
        read, own = xgboost_file.read(tmp_path / "m.json"), model.predict(matrix).astype(float)
    else:
        settings = {"min_data_in_leaf": 1, "min_data_per_group": 1, "cat_smooth": 0, "verbosity": -1, "num_threads": 1}
        model = lightgbm.train(settings, lightgbm.Dataset(X, y, categorical_feature=[0]), 4)
        model.save_model(tmp_path / "m.txt")
        read, own = lightgbm_file.read(tmp_path / "m.txt"), model.predict(X)
    assert any(tree.sets for tree in read.parts)
    assert np.array_equal(read.labelled([Column("g", tuple("abcdefg")), Column("v")]).predict(X)[:, 0], own)
    said = refusal(read.labelled, [Column("g"), Column("v")])
    assert said == "input 'g' is a category to the model: say its `categories` under problem.inputs"


def test_categories_that_are_not_the_models_are_refused_or_warned_of(tmp_path):
    rng = np.random.default_rng(2)
    frame, y = table(rng)
    frame["kind"] = pd.Categorical(frame["kind"].astype(str))
    read = {library: fitted(rng, library, tmp_path, frame, y)[0] for library in LIBRARIES}
    columns = listed(rng, frame)
    k = [c.name for c in columns].index("kind")

    def with_kinds(*labels):
        return [*columns[:k], Column("kind", labels), *columns[k + 1 :]]

    few = columns[k].categories[:-1]
    for model in read.values():
        assert "found the categories oak, ash, the model knows k 0, k 1" in refusal(
            model.labelled, with_kinds("oak", "ash")
        )
        said = refusal(model.labelled, with_kinds())
        assert "categor" in said and "say its `categories` under problem.inputs" in said
        assert model.labelled(with_kinds(*few)).predict(np.zeros((1, 4))).shape == (1, 1)
    said = refusal(read["xgboost"].labelled, with_kinds(*few, "k 99"))
    assert said.startswith("input 'kind': the model does not know the category 'k 99'") and "it knows k 0" in said
    odd = read["lightgbm"].labelled(with_kinds(*few, "k 99"))
    assert odd.unknown == {"kind": ["k 99"]}
    # As LightGBM has it, which takes what it does not know for missing.
    point = frame.iloc[[0]].copy()
    point["kind"] = pd.Categorical(["k 99"])
    coded = given_by(with_kinds(*few, "k 99"), point)
    own = lightgbm.Booster(model_file=str(tmp_path / "model.txt")).predict(point)
    assert odd.predict(coded)[0, 0] == own[0]


@pytest.mark.parametrize("kind", ["json", "ubj", "txt"])
def test_damaged_files_of_category_models_are_one_message(kind, tmp_path):
    rng = np.random.default_rng(3)
    frame, y = table(rng)
    if kind == "txt":
        fitted(rng, "lightgbm", tmp_path, frame, y)
        path, read = tmp_path / "model.txt", lightgbm_file.read
    else:
        xgboost.XGBRegressor(n_estimators=3, enable_categorical=True, n_jobs=1).fit(frame, y).save_model(
            path := tmp_path / f"m.{kind}"
        )
        read = xgboost_file.read
    columns, whole = listed(rng, frame), path.read_bytes()
    points = given_by(columns, frame)
    for _ in range(150):
        cut = int(rng.integers(0, len(whole) - 1))
        path.write_bytes(whole[:cut] + rng.bytes(2) + whole[cut + 4 :])
        try:
            model = read(path).labelled(columns)
        except Exception as error:
            assert type(error).__name__ == "StudyError" and "\n" not in str(error)
        else:
            model.trees.predict(points)  # what is read can be asked, and ends
