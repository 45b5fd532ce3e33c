"""Models of a user's own: each format against its own library, matched by name, refused where it could run code."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper
from onnx import save_model as save_onnx
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from preimage.data.rows import Rows
from preimage.study import user_models
from preimage.surrogates import model
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.brought import onnx_file, skops_file
from preimage.surrogates.brought.signature import names_in_order
from preimage.surrogates.brought.source import in_folder
from preimage.surrogates.kinds.gaussian_process import GaussianProcess

from ..conftest import refusal
from ..own_models import INPUTS, OUTPUTS, X, Y, by_hand, dense, named, onnx_file_of, trained

# -- scikit-learn ------------------------------------------------------------------------------------------------------


@pytest.fixture
def dumped(tmp_path):
    def call(made):
        skops.io.dump(made, tmp_path / "own.skops")
        return tmp_path / "own.skops"

    return call


ESTIMATORS = [
    RandomForestRegressor(5, random_state=0, n_jobs=2),
    make_pipeline(StandardScaler(), Ridge()),
    MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0),
    make_pipeline(FunctionTransformer(np.exp), Ridge()),
]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("made", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_a_skops_model_predicts_as_it_did_before(dumped, tmp_path, made):
    made.fit(X, Y)
    back, _ = trained(dumped(made), tmp_path / "model")
    np.testing.assert_allclose(back.predict(X), made.predict(X), rtol=1e-13)
    assert back.spread(X).shape == (40, 2) and not hasattr(back, "gradient") and not hasattr(back, "traceable")


def test_feature_names_put_the_columns_in_order(dumped, tmp_path):
    order = ["age", "cement", "water"]
    frame = pd.DataFrame(X, columns=INPUTS)[order]
    made = RandomForestRegressor(5, random_state=0).fit(frame, Y[:, 0])
    back, _ = trained(dumped(made), tmp_path / "model", outputs=["strength"])
    np.testing.assert_array_equal(back.predict(X)[:, 0], made.predict(frame))


class Homemade(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return X[:, 0]


def double(x):
    return 2 * x


def test_types_that_are_not_scikit_learns_are_refused_by_name(dumped):
    assert "found the types tests.unit.test_own_model.Homemade" in refusal(
        skops_file.read, dumped(Homemade().fit(X, Y))
    )
    made = make_pipeline(FunctionTransformer(double), Ridge()).fit(X, Y)
    assert "could run code: found the types tests.unit.test_own_model.double" in refusal(skops_file.read, dumped(made))


def test_a_classifier_and_a_damaged_file_are_refused(dumped, tmp_path):
    assert "found LogisticRegression, expected a regressor" in refusal(
        skops_file.read, dumped(LogisticRegression().fit(X, Y[:, 0] > 0))
    )
    (tmp_path / "own.skops").write_bytes(b"no archive")
    assert "damaged, or no skops file" in refusal(skops_file.read, tmp_path / "own.skops")


# -- ONNX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [None, 1])
def test_an_onnx_model_computes_what_its_graph_says(tmp_path, rows):
    back, _ = trained(onnx_file_of(tmp_path / "own.onnx", rows=rows), tmp_path / "model")
    np.testing.assert_allclose(back.predict(X), by_hand(X), rtol=1e-4, atol=1e-5)
    assert back.resolution == np.finfo(np.float32).eps and not hasattr(back, "gradient")


def test_an_onnx_model_in_double_precision_and_inputs_by_name(tmp_path):
    path = onnx_file_of(tmp_path / "own.onnx", TensorProto.DOUBLE, columns=["age", "cement", "water"])
    back, _ = trained(path, tmp_path / "model")
    np.testing.assert_allclose(back.predict(X), by_hand(X[:, [2, 0, 1]]), rtol=1e-12)
    assert back.resolution == np.finfo(float).eps


def test_onnx_files_that_cant_be_used_are_refused(tmp_path):
    (tmp_path / "own.onnx").write_bytes(b"nothing of the kind")
    assert "ONNX Runtime can't load it" in refusal(onnx_file.read, tmp_path / "own.onnx")
    text = helper.make_tensor_value_info("x", TensorProto.STRING, [None, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [text], [
        helper.make_tensor_value_info("y", TensorProto.STRING, [None, 1])])  # fmt: skip
    save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "t.onnx")
    assert "'x' is of type tensor(string), expected a tensor of numbers" in refusal(onnx_file.read, tmp_path / "t.onnx")
    assert "takes 4 rows at a time" in refusal(onnx_file.read, onnx_file_of(tmp_path / "r.onnx", rows=4))
    kept = onnx_file_of(tmp_path / "e.onnx", save_as_external_data=True, location="weights.data", size_threshold=0)
    spec = user_models.completed({"kind": "model", "path": str(kept)})
    message = refusal(model.check, spec, INPUTS, OUTPUTS, X[:2])
    assert "weights.data" in message and "from MLflow only" in message


def onnx_of(path, nodes, kind=TensorProto.FLOAT, width=3):
    """Write a graph from `x` to `y`, one output of each point."""
    ends = helper.make_tensor_value_info("x", kind, [None, width])
    graph = helper.make_graph(nodes, "g", [ends], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])])
    save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def whole_onnx(path, kind=TensorProto.INT64):
    """exp(n) of one whole number."""
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Exp", ["f"], ["y"])]
    return onnx_of(path, nodes, kind, 1)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
def test_an_input_of_whole_numbers_takes_no_fractions(tmp_path, kind):
    """A cast would cut 2.9999 to 2."""
    path = whole_onnx(tmp_path / "own.onnx", kind)
    own = onnx_file.read(path)
    np.testing.assert_allclose(own.predict(np.array([[3.0], [2.9999999]]))[:, 0], np.exp(3), rtol=1e-6)
    assert "takes whole numbers as its input 1, found 2.9999" in refusal(own.predict, np.array([[2.9999]]))
    spec = user_models.completed({"kind": "model", "path": str(path)})
    said = refusal(model.check, spec, ["n"], ["y"], np.array([[1.0], [2.5]]))
    assert said.startswith("own.onnx: takes whole numbers only as 'n', found 2.5; say `integer: true` under")
    model.check(spec, ["n"], ["y"], np.array([[1.0], [2.0]]))
    rows = replace(Rows.plain(np.array([[1.0], [2.9999]]), np.ones((2, 1))), inputs=["n"], outputs=["y"])
    assert "takes whole numbers only as 'n', found 2.9999" in refusal(SurrogateKind.of_study(spec).train, rows, None)


def test_a_row_for_which_a_model_gives_no_number_is_named(tmp_path):
    path = onnx_of(tmp_path / "own.onnx", [helper.make_node("Log", ["x"], ["y"])], width=1)
    spec = user_models.completed({"kind": "model", "path": str(path)})
    rows = replace(Rows.plain(np.array([[1.0], [2.0], [-1.0]]), np.ones((3, 1))), numbers=np.array([4, 7, 9]))
    assert refusal(SurrogateKind.of_study(spec).train, rows, None) == (
        "own.onnx: gives nan as 'y0' for row 9 of the table, expected a number"
    )


def test_numbers_that_an_input_cant_hold_are_refused(tmp_path):
    whole = onnx_file.read(whole_onnx(tmp_path / "own.onnx", TensorProto.INT32))
    assert "of type tensor(int32), which can't hold 3e+09" in refusal(whole.predict, np.array([[3e9]]))
    own = onnx_file.read(onnx_file_of(tmp_path / "f.onnx"))
    assert "of type tensor(float), which can't hold 1e+39" in refusal(own.predict, np.full((1, 3), 1e39))


SUM = helper.make_node("ReduceSum", ["a", "one"], ["y"])
NOISE = helper.make_node("RandomNormalLike", ["x"], ["r"], scale=1e-3)
TWO_ANSWERS = {
    "noise": [NOISE, helper.make_node("Add", ["x", "r"], ["a"]), SUM],
    "seeded noise": [
        helper.make_node("RandomNormalLike", ["x"], ["r"], seed=1.0),
        helper.make_node("Add", ["x", "r"], ["a"]),
        SUM,
    ],
    "points beside": [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]),
        helper.make_node("Sub", ["x", "m"], ["a"]),
        SUM,
    ],
}


@pytest.mark.parametrize("nodes", TWO_ANSWERS.values(), ids=TWO_ANSWERS)
def test_a_model_of_two_answers_for_one_point_is_refused(tmp_path, nodes):
    one = helper.make_node("Constant", [], ["one"], value_ints=[1])
    spec = user_models.completed({"kind": "model", "path": str(onnx_of(tmp_path / "own.onnx", [one, *nodes]))})
    said = refusal(model.check, spec, INPUTS, ["y"], X[:3])
    assert said.startswith("own.onnx: gives two answers for one point, y = ") and "save it as for prediction" in said


# -- inputs and outputs ------------------------------------------------------------------------------------------------


def test_both_lists_are_named_where_inputs_dont_match(saved):
    def check(made, inputs=INPUTS, outputs=OUTPUTS, stated=None):
        entry = {"kind": "model", "path": str(saved(made)), **({"inputs": stated} if stated else {})}
        spec = user_models.completed(entry)
        return refusal(model.check, spec, inputs, outputs, X[:2])

    message = check(named(("age", "cemment", "water")))
    assert "inputs are ['age', 'cemment', 'water'], the table's are ['cement', 'water', 'age']" in message
    assert "did you mean 'cement'?" in message
    assert "the model has 3 inputs, the table has 2: ['cement', 'water']" in check(dense(), INPUTS[:2])
    assert "the model has 2 outputs, the table has 1: ['strength']" in check(dense(), outputs=["strength"])
    message = check(dense(), stated=["cement", "water", "aeg"])
    assert "key 'inputs': found ['cement', 'water', 'aeg']" in message and "did you mean 'age'?" in message
    message = check(named(), stated=INPUTS)
    assert "but the file itself says ['age', 'cement', 'water']" in message


def test_a_study_may_say_the_order_that_a_file_does_not(saved, tmp_path):
    made = dense()
    back, _ = trained(saved(made), tmp_path / "model", inputs=["age", "cement", "water"], outputs=OUTPUTS)
    other = {"inputs": ["cement", "age", "water"], "outputs": ["slump", "strength"]}
    spec = user_models.completed({"kind": "model", "path": str(saved(made)), **other})
    rows = replace(Rows.plain(X, Y), inputs=INPUTS, outputs=OUTPUTS)
    found = SurrogateKind.of_study(spec).train(rows, np.random.default_rng(0)).surrogate
    np.testing.assert_allclose(found.predict(X), back.predict(X[:, [0, 2, 1]])[:, ::-1], rtol=1e-13)


def test_names_in_order():
    assert names_in_order("inputs", ["a", "b"], 2, [], None) == ["a", "b"]
    assert names_in_order("inputs", ["a", "b"], None, ["b", "a"], None) == ["b", "a"]
    assert names_in_order("inputs", ["a", "b"], 2, ["p", "q"], ["b", "a"]) == ["b", "a"]
    assert "the model has 3 inputs ['x', 'y', 'z']" in refusal(
        names_in_order, "inputs", ["a"], None, ["x", "y", "z"], None
    )


def test_intervals_come_with_a_warning(saved, tmp_path):
    _, found = trained(saved(dense()), tmp_path / "model")
    assert "had seen those rows" in found.warning
    np.testing.assert_array_equal(found.out_of_fold[0], found.surrogate.predict(X))
    np.testing.assert_array_equal(found.out_of_fold[1], np.ones((40, 2)))


# -- what a study names ------------------------------------------------------------------------------------------------


def test_files_that_are_not_there_or_of_no_format(tmp_path):
    def refused(**spec):
        return refusal(user_models.completed, {"kind": "model", **spec})

    (tmp_path / "mine.keras").touch()
    assert "no such file; did you mean 'mine.keras'?" in refused(path=str(tmp_path / "mime.keras"))
    assert "save it with skops.io.dump" in refused(path="model.pkl")
    assert "found '.csv', expected .keras, .skops, .onnx" in refused(path="model.csv")
    assert "expected models:/name@alias" in refused(uri="models:name")
    assert "expected models:/name@alias" in refused(uri="https://example.org/model")


def test_folders_of_mlflow_that_could_run_code_are_refused(tmp_path):
    def folder(**flavours):
        (tmp_path / "MLmodel").write_text(json.dumps({"flavors": flavours}))
        return refusal(in_folder, tmp_path, "models:/m/1")

    message = folder(sklearn={"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}, python_function={})
    assert "found the flavours python_function, sklearn (cloudpickle), which can run code when loaded" in message
    assert "found the flavours python_function, which" in folder(python_function={"python_model": "x.pkl"})
    (tmp_path / "MLmodel").unlink()
    (tmp_path / "notes.txt").touch()
    assert "found notes.txt, expected a logged model" in refusal(in_folder, tmp_path, "runs:/1/m")


def test_a_column_of_text_in_a_signature_is_refused(tmp_path):
    inputs = json.dumps([{"name": "grade", "type": "string"}])
    about = {"flavors": {"keras": {"data": "data"}}, "signature": {"inputs": inputs}}
    (tmp_path / "MLmodel").write_text(json.dumps(about))
    assert "input 'grade' is of type string, expected numbers" in refusal(in_folder, tmp_path, "models:/m/1")
    # A pipeline may have an encoder for it.
    sklearn = {"pickled_model": "model.skops", "serialization_format": "skops"}
    (tmp_path / "MLmodel").write_text(json.dumps({**about, "flavors": {"sklearn": sklearn}}))
    assert in_folder(tmp_path, "models:/m/1").inputs == ("grade",)


def test_a_gaussian_process_of_this_project_comes_back_with_its_gradient_and_spread(tmp_path):
    spec = {"kernel": "rbf", "rows": 40, "hyperparameter_rows": 40, "restarts": 1, "folds": 2}
    fitted = GaussianProcess(**spec).train(Rows.plain(X, Y), np.random.default_rng(0))
    fitted.save(tmp_path)
    found = in_folder(tmp_path, "runs:/1/model")
    loaded = model._wrapped(found.format, model._read(found.format, found.file, False), model.Order((2, 0, 1), (1, 0)))
    turned = np.empty_like(X)
    turned[:, [2, 0, 1]] = X
    np.testing.assert_array_equal(loaded.predict(turned), fitted.surrogate.predict(X)[:, ::-1])
    np.testing.assert_array_equal(loaded.spread(turned), fitted.surrogate.spread(X)[:, ::-1])
    np.testing.assert_array_equal(loaded.gradient(turned)[1], fitted.surrogate.gradient(X)[1][:, ::-1][:, :, [1, 2, 0]])
    function, parameters = loaded.traceable()
    np.testing.assert_allclose(function(parameters, turned[0]), loaded.predict(turned[:1])[0], rtol=1e-5)
