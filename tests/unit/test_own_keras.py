"""A user's own Keras models: as Keras predicts, in double precision, and refused where they could run code."""

import json
import zipfile

import jax
import numpy as np
import pytest

from preimage.study import user_models
from preimage.surrogates import model
from preimage.surrogates.brought import keras_file

from ..conftest import refusal
from ..own_models import INPUTS, X, dense, keras, named, trained


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


def test_an_input_of_whole_numbers_takes_no_fractions(saved):
    """A cast would cut 2.9999 to 2."""
    whole = keras.Input((1,), dtype="int32")
    path = saved(keras.Model(whole, keras.layers.Dense(1)(keras.layers.CategoryEncoding(5, "one_hot")(whole))))
    own = keras_file.read(path)
    np.testing.assert_array_equal(own.predict(np.array([[2.9999999]])), own.predict(np.array([[3.0]])))
    assert "takes whole numbers as its input 1, found 2.9999" in refusal(own.predict, np.array([[2.9999]]))
    spec = user_models.completed({"kind": "model", "path": str(path)})
    said = refusal(model.check, spec, ["n"], ["y"], np.array([[1.0], [2.5]]))
    assert "takes whole numbers only as 'n', found 2.5; say `integer: true` under problem.inputs" in said


def test_noise_that_a_layer_adds_in_training_is_off_whatever_the_file_says(saved, tmp_path):
    x, last = keras.Input((3,)), keras.layers.Dense(2)
    made = keras.Model(
        x, last(keras.layers.Dropout(0.5)(keras.layers.GaussianNoise(0.1)(x, training=True), training=True))
    )
    back, _ = trained(saved(made), tmp_path / "model")
    np.testing.assert_allclose(back.predict(X), X @ last.kernel.numpy() + last.bias.numpy(), rtol=1e-5, atol=1e-6)
