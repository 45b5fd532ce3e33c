"""Small models of a user's own in every format, and their way through the steps of a study."""

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx import save_model as save_onnx

from preimage.data.rows import Rows
from preimage.study import user_models
from preimage.surrogates import model
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.keras_files import keras_on_jax

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


def trained(path, folder, inputs=INPUTS, outputs=OUTPUTS, **more):
    """Take a file through the steps of a study: entry, check, train, save, load."""
    spec = user_models.completed({"kind": "model", "path": str(path), **more})
    model.check(spec, inputs, outputs, X[:2])
    rows = replace(Rows.plain(X, Y[:, : len(outputs)]), inputs=inputs, outputs=outputs)
    found = SurrogateKind.of_study(spec).train(rows, np.random.default_rng(0))
    folder.mkdir()
    found.save(folder)
    back = model.load(folder)
    np.testing.assert_array_equal(back.predict(X), found.surrogate.predict(X))
    return back, found


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
