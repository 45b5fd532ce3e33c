"""Models of a user's own: each format against its own library, matched by name, refused where it could run code."""

import json
import zipfile
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper, numpy_helper
from onnx import save_model as save_onnx
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from preimage import inversion, objective, own_models
from preimage.data.rows import Rows
from preimage.inversion.gradients import Line
from preimage.space import Input, Space
from preimage.surrogates import gaussian_process, model
from preimage.surrogates.brought import keras_file, onnx_file, skops_file
from preimage.surrogates.brought.signature import names_in_order
from preimage.surrogates.brought.source import in_folder
from preimage.surrogates.keras_files import keras_on_jax

from ..conftest import refusal

keras = keras_on_jax()
INPUTS, OUTPUTS = ["cement", "water", "age"], ["strength", "slump"]
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (40, 3))
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] * X[:, 2], X[:, 0] - X[:, 2] ** 2])


def dense(activation="tanh", outputs=2):
    """One tensor of all columns in, one of all outputs out."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, activation), keras.layers.BatchNormalization(), keras.layers.Dense(outputs)]
    return keras.Sequential([keras.Input((3,)), *layers])


def named(inputs=("age", "cement", "water"), outputs=("slump", "strength"), structure=list):
    """One scalar input a column and one output each, by name, in another order than the table's."""
    keras.utils.set_random_seed(2)
    ends = {name: keras.Input((1,), name=name) for name in inputs}
    hidden = keras.layers.Dense(8, "selu")(keras.layers.Concatenate()(list(ends.values())))
    last = {name: keras.layers.Dense(1, name=name)(hidden) for name in outputs}
    return keras.Model(*((part if structure is dict else list(part.values())) for part in (ends, last)))


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a Keras model and returns its path."""

    def call(made, name="own.keras"):
        made.save(tmp_path / name)
        return tmp_path / name

    return call


def trained(path, folder, inputs=INPUTS, outputs=OUTPUTS, **more):
    """Take a file through the steps of a study: entry, check, train, save, load."""
    spec = own_models.completed({"kind": "model", "path": str(path), **more})
    model.check(spec, inputs, outputs, X[:2])
    rows = replace(Rows.plain(X, Y[:, : len(outputs)]), inputs=inputs, outputs=outputs)
    found = model.train(rows, spec, np.random.default_rng(0))
    folder.mkdir()
    found.save(folder)
    back = model.load(folder)
    np.testing.assert_array_equal(back.predict(X), found.surrogate.predict(X))
    return back, found


# -- Keras -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "selu", "relu", "gelu", "sigmoid"])
def test_a_keras_model_predicts_as_keras_does_and_in_double_precision(saved, tmp_path, activation):
    made = dense(activation)
    back, found = trained(saved(made), tmp_path / "model")
    np.testing.assert_allclose(back.predict(X), made.predict(X, verbose=0), rtol=2e-5, atol=2e-6)
    assert found.parameters["precision"] == "double" and back.resolution == np.finfo(float).eps
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")


def test_its_gradient_equals_central_differences(saved, tmp_path):
    back, _ = trained(saved(dense()), tmp_path / "model")
    values, slopes = back.gradient(X)
    np.testing.assert_allclose(values, back.predict(X), rtol=1e-13, atol=1e-14)
    steps = 1e-5 * np.eye(3)
    central = np.stack([(back.predict(X + h) - back.predict(X - h)) / 2e-5 for h in steps], axis=-1)
    np.testing.assert_allclose(slopes, central, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("structure", [list, dict])
def test_named_inputs_and_outputs_are_put_in_the_tables_order(saved, tmp_path, structure):
    made = named(structure=structure)
    back, found = trained(saved(made), tmp_path / "model")
    columns = {name: X[:, [INPUTS.index(name)]] for name in ("age", "cement", "water")}
    slump, strength = keras.tree.flatten(
        made.predict(columns if structure is dict else list(columns.values()), verbose=0)
    )
    np.testing.assert_allclose(back.predict(X), np.column_stack([strength, slump]), rtol=2e-5, atol=2e-6)
    assert found.parameters["inputs"] == ["age", "cement", "water"]
    steps = 1e-5 * np.eye(3)
    central = np.stack([(back.predict(X + h) - back.predict(X - h)) / 2e-5 for h in steps], axis=-1)
    np.testing.assert_allclose(back.gradient(X)[1], central, rtol=1e-7, atol=1e-9)


def test_the_traceable_function_is_the_prediction_and_is_shared_by_models_of_one_architecture(saved, tmp_path):
    back, _ = trained(saved(named()), tmp_path / "model")
    function, parameters = back.traceable()
    np.testing.assert_allclose(jax.jit(function)(parameters, X[3]), back.predict(X[3:4])[0], rtol=1e-13)
    again = model.load(tmp_path / "model").traceable()[0]
    assert function == again and hash(function) == hash(again)


def test_a_layer_that_computes_in_single_precision_only_says_so(saved, tmp_path):
    layers = [keras.Input((3,)), keras.layers.Dense(4, dtype="mixed_float16"), keras.layers.Dense(2)]
    back, found = trained(saved(keras.Sequential(layers)), tmp_path / "model")
    assert found.parameters["precision"] == "as saved" and back.resolution > 1e-4


def test_many_rows_are_predicted_in_blocks(saved, monkeypatch):
    whole = keras_file.read(saved(dense()))
    expected = whole.predict(X)
    monkeypatch.setattr(keras_file, "ROWS_AT_A_TIME", 7)
    np.testing.assert_allclose(whole.predict(X), expected, rtol=1e-13)
    assert whole.predict(X[:0]).shape == (0, 2)


def rewritten(path, change):
    """Change a .keras file's configuration as an attacker would."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**parts, "config.json": json.dumps(config)}.items():
            archive.writestr(name, content)
    return path


def test_a_lambda_layer_is_refused(saved):
    made = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2, name="twice")])
    assert "could run code: found a Lambda layer 'twice'" in refusal(keras_file.read, saved(made))


@keras.saving.register_keras_serializable("mine")
class Scaled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_a_layer_that_is_not_keras_own_is_refused_even_where_it_is_registered(saved):
    path = saved(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), Scaled()]))
    assert "could run code: found the class" in refusal(keras_file.read, path)


ATTACKS = [
    {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
    {"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"},
    {"class_name": "function", "module": "builtins", "config": "relu", "registered_name": "mine>relu"},
    {"class_name": "Popen", "module": "subprocess", "config": {"args": "true"}},
    {"class_name": "get_file", "module": "keras.utils", "config": {}},
    {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
    {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "x"}},
    {"class_name": "Dense", "module": None, "config": {}, "registered_name": "mine>Dense"},
    {"class_name": "Anything", "config": {}},
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a["class_name"])
def test_an_object_slipped_into_the_configuration_is_refused_before_keras_sees_it(saved, attack, monkeypatch):
    path = rewritten(saved(dense()), lambda layers: layers[1]["config"].update(kernel_regularizer=attack))
    monkeypatch.setattr(keras.saving, "load_model", None)
    assert "could run code" in refusal(keras_file.read, path)


def test_a_damaged_keras_file_is_refused(tmp_path):
    (tmp_path / "own.keras").write_bytes(b"not an archive")
    assert "own.keras: damaged, or no .keras file" in refusal(keras_file.read, tmp_path / "own.keras")


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

W1, W2 = RNG.normal(size=(3, 6)), RNG.normal(size=(6, 2))


def onnx_file_of(path, kind=TensorProto.FLOAT, rows=None, columns=None, **save):
    """Write tanh(x W1) W2 as ONNX: of one tensor, or of one a column."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    tensors = [numpy_helper.from_array(w.astype(dtype), n) for w, n in ((W1, "W1"), (W2, "W2"))]
    nodes = [helper.make_node("MatMul", ["x", "W1"], ["h"]), helper.make_node("Tanh", ["h"], ["t"])]
    inputs = [helper.make_tensor_value_info("x", kind, [rows, 3])]
    outputs = [helper.make_tensor_value_info("y", kind, [rows, 2])]
    nodes.append(helper.make_node("MatMul", ["t", "W2"], ["y"]))
    if columns:
        inputs = [helper.make_tensor_value_info(name, kind, [rows, 1]) for name in columns]
        nodes.insert(0, helper.make_node("Concat", columns, ["x"], axis=1))
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path, **save)
    return path


def by_hand(points):
    return np.tanh(points @ W1) @ W2


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
    spec = own_models.completed({"kind": "model", "path": str(kept)})
    message = refusal(model.check, spec, INPUTS, OUTPUTS, X[:2])
    assert "weights.data" in message and "from MLflow only" in message


# -- inputs and outputs ------------------------------------------------------------------------------------------------


def test_both_lists_are_named_where_inputs_dont_match(saved):
    def check(made, inputs=INPUTS, outputs=OUTPUTS, stated=None):
        entry = {"kind": "model", "path": str(saved(made)), **({"inputs": stated} if stated else {})}
        spec = own_models.completed(entry)
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
    spec = own_models.completed({"kind": "model", "path": str(saved(made)), **other})
    rows = replace(Rows.plain(X, Y), inputs=INPUTS, outputs=OUTPUTS)
    found = model.train(rows, spec, np.random.default_rng(0)).surrogate
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
        return refusal(own_models.completed, {"kind": "model", **spec})

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


def test_a_gaussian_process_of_this_project_comes_back_with_its_gradient_and_spread(tmp_path):
    spec = {"kernel": "rbf", "rows": 40, "hyperparameter_rows": 40, "restarts": 1, "folds": 2}
    fitted = gaussian_process.train(Rows.plain(X, Y), spec, np.random.default_rng(0))
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


# -- inverting a coarse model ------------------------------------------------------------------------------------------


def coarse_question(resolution):
    """A smooth function in the arithmetic of float32."""
    space = Space(tuple(Input(n, -1.0, 1.0) for n in INPUTS))
    wanted = objective.build("o", {"target": {"strength": 0.3, "slump": -0.4}}, OUTPUTS)

    def predict(points):
        return (np.tanh(points.astype(np.float32) @ W1.astype(np.float32)) @ W2.astype(np.float32)).astype(float)

    return inversion.Question(space, wanted, predict, X, by_hand(X), np.arange(40), resolution=resolution)


@pytest.mark.parametrize(("gradient", "error"), [("2-point", 2e-2), ("3-point", 2e-3)])
def test_finite_differences_of_a_float32_model_are_taken_above_its_rounding(gradient, error):
    question = coarse_question(float(np.finfo(np.float32).eps))
    exact = coarse_question(float(np.finfo(float).eps))
    exact.predict = by_hand
    for x in (X[0], np.array([-1.0, 1.0, 0.0])):
        line, reference = Line(question, x), Line(exact, x)
        function, has_slope = line.for_scipy(gradient)
        value, slope = function(line.start)
        h = 1e-6
        inner = np.clip(reference.start, h, 1 - h)
        central = [(reference.loss(inner + d) - reference.loss(inner - d)) / (2 * h) for d in h * np.eye(3)]
        assert has_slope is True and abs(value - line.loss(line.start)) == 0
        np.testing.assert_allclose(slope, central, rtol=error, atol=error)
        assert line.evaluations == 1 + (len(slope) + 1 if gradient == "2-point" else 2 * len(slope) + 1)


def test_multistart_on_a_float32_model_goes_down_to_its_rounding_where_scipys_steps_see_noise():
    def median_loss(gradient, dtype):
        question = coarse_question(float(np.finfo(dtype).eps))
        options = {"starts": 10, "gradient": gradient}
        ((_, outputs),) = inversion.ask("multistart", [question], options, np.random.default_rng(0))
        return np.median(((outputs - [0.3, -0.4]) ** 2).mean(axis=1))

    assert median_loss("3-point", np.float32) < 1e-12
    assert median_loss("2-point", np.float32) < 1e-10
    assert median_loss("2-point", np.float64) > 1e-6
