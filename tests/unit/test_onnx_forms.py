"""Networks in ONNX files as exact searches bound them, against what ONNX Runtime computes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx import load_model as load_onnx
from onnx import save_model as save_onnx

import preimage
from preimage.core.space import Input, Space
from preimage.exact import bounding
from preimage.exact.forms import Network, Planes
from preimage.study import user_models
from preimage.surrogates.brought import onnx_file, onnx_graph, onnx_layers, supported

from .. import soundness
from ..conftest import refusal
from ..own_models import by_hand, onnx_file_of

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
# Far from 0, as temperatures in kelvin are, and of different sizes.
LOW, HIGH = np.array([300.0, -0.02, 0.0]), np.array([340.0, 0.03, 5e4])
SPACE = Space(tuple(Input(n, low, high) for n, low, high in zip("abc", LOW, HIGH, strict=True)))
ML = [helper.make_opsetid("ai.onnx.ml", 1)]


class Builder:
    """A graph of nodes one behind another, with constants."""

    def __init__(self, kind=FLOAT, seed=0):
        self.kind, self.dtype, self.rng = kind, helper.tensor_dtype_to_np_dtype(kind), np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, array):
        array = np.asarray(array)
        name = f"c{len(self.constants)}"
        array = array if array.dtype.kind in "ib" else array.astype(self.dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def __call__(self, operation, *inputs, outputs=1, **attributes):
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"t{len(self.nodes)}.{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(operation, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def scaled(self, x="x"):
        """Return inputs near [-1, 1], as a scaler makes them."""
        return self("Div", self("Sub", x, (LOW + HIGH) / 2), (HIGH - LOW) / 2)

    def dense(self, x, before, width):
        """Return a layer as PyTorch writes it."""
        W, b = self.rng.normal(size=(width, before)) * 1.5 / np.sqrt(before), self.rng.normal(size=width)
        return self("Gemm", x, W, b, transB=1)

    def saved(self, path, outputs, inputs=("x",), opset=17, rows=None, width=None, **save):
        """Write the graph of outputs by name with their widths."""
        ends = [helper.make_tensor_value_info(n, self.kind, [rows, 3 if len(inputs) == 1 else 1]) for n in inputs]
        given = [helper.make_tensor_value_info(n, self.kind, [rows, w]) for n, w in outputs.items()]
        graph = helper.make_graph(self.nodes, "g", ends, given, self.constants)
        opsets = [helper.make_opsetid("", opset), *ML]
        save_onnx(helper.make_model(graph, opset_imports=opsets, ir_version=9), path, **save)
        return path


def plain(path, kind=FLOAT):
    b = Builder(kind)
    x = b("Relu", b.dense(b.scaled(), 3, 8))
    return b.saved(path, {b.dense(b("Tanh", b.dense(x, 8, 5)), 5, 2): 2})


def activations(path, kind=FLOAT):
    """Three neurons behind each activation, as nodes or as the products that PyTorch writes; in double precision those
    that ONNX Runtime has."""
    b, root = Builder(kind, 1), np.array(np.sqrt(2))
    x = b.scaled()
    makers = [
        lambda h: b("Sigmoid", h),
        lambda h: b("Abs", h),
        lambda h: b("Mul", h, b("Sigmoid", h)),
        lambda h: b("Clip", h, np.array(-0.5), np.array(1.5)),
        lambda h: b("Clip", h, np.array(-0.5)),
        lambda h: b("Min", b("Max", h, np.array([[-1.0, 0.0, 0.2]])), np.array(1.0)),
        lambda h: b("Max", b("Neg", h), b("Tanh", h)),
        lambda h: b("Swish", h, alpha=1.5),
    ]
    if kind == FLOAT:
        names = ("Selu", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Gelu")
        makers += [lambda h, name=name: b(name, h) for name in names]
        makers += [
            lambda h: b("Mish", h),
            lambda h: b("LeakyRelu", h, alpha=0.2),
            lambda h: b("PRelu", h, np.array([0.1, -0.3, 1.4])),
            lambda h: b("Elu", h, alpha=0.7),
            lambda h: b("Celu", h, alpha=1.5),
            lambda h: b("Gelu", h, approximate="tanh"),
            lambda h: b("Mul", b("Mul", h, b("Add", b("Erf", b("Div", h, root)), np.array(1.0))), np.array(0.5)),
            lambda h: b("Mul", b("Mul", np.array(0.5), h), b("Add", b("Erf", b("Div", h, root)), np.array(1.0))),
            lambda h: b("Mul", b("Tanh", b("Softplus", h)), h),
            lambda h: b("Mul", h, b("HardSigmoid", h, alpha=1 / 6, beta=0.5)),
        ]
    many = [make(b("Mul", b.dense(x, 3, 3), np.array(2.0))) for make in makers]
    return b.saved(path, {b.dense(b("Concat", *many, axis=1), 3 * len(many), 2): 2}, opset=24)


def shapes(path, kind=FLOAT):
    """All that gives numbers another shape, or takes some of them; branches, of which one leads around the others."""
    b = Builder(kind, 2)
    x = b("Identity", b("Cast", b.scaled(), to=kind))
    first, second = b("Split", b("Tanh", b.dense(x, 3, 6)), np.array([2, 4]), outputs=2, axis=1)
    some = b("Slice", second, np.array([3]), np.array([-10]), np.array([1]), np.array([-2]))  # the last, and 2 before
    one = b("Unsqueeze", b("Squeeze", b("Gather", x, np.array([2]), axis=1), np.array([1])), np.array([1]))
    flat = b("Unsqueeze", b("Gather", x, np.array(-1), axis=1), np.array([1]))
    joined = b("Concat", b("Reshape", first, np.array([-1, 2])), b("Flatten", some), one, flat, axis=-1)
    W = b("Transpose", b.rng.normal(size=(4, 6)), perm=[1, 0])
    inner = b("Relu", b("Add", b("MatMul", joined, W), b.rng.normal(size=(1, 4))))
    around = b("Sum", b("Dropout", b("Neg", inner)), second, b("Sub", np.array(2.0), second))
    normal = b("BatchNormalization", around, *np.abs(b.rng.normal(size=(4, 4))) + 0.1)
    mean = b("Mean", normal, one)
    return b.saved(path, {b.dense(mean, 4, 1): 1, b("Reshape", b.dense(x, 3, 1), np.array([0, -1])): 1})


def by_column(path, kind=FLOAT):
    """As skl2onnx writes a pipeline of named inputs, a scaler and a network."""
    b = Builder(kind, 3)
    x = b("Concat", *"abc", axis=1)
    centre, scale = ((LOW + HIGH) / 2).tolist(), (2 / (HIGH - LOW)).tolist()
    b.nodes.append(helper.make_node("Scaler", [x], ["s"], domain="ai.onnx.ml", offset=centre, scale=scale))
    hidden = b("Relu", b("Add", b("MatMul", "s", b.rng.normal(size=(3, 6))), b.rng.normal(size=(1, 6))))
    return b.saved(path, {b("MatMul", hidden, b.rng.normal(size=(6, 2))): 2}, inputs="abc")


def plane(path, kind=FLOAT):
    b = Builder(kind, 4)
    own = {"coefficients": [0.1, 20.0, -1e-4, 1.0, 2.0, 3e-5], "intercepts": [3.0, -1.0], "targets": 2}
    b.nodes.append(helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", **own))
    return b.saved(path, {"y": 2})


def checked(path, seed=0, **more):
    model = onnx_file.read(path)
    return soundness.check(model.exact_form(), model.predict, SPACE, np.random.default_rng(seed), **more)


MODELS = {f.__name__: f for f in (plain, activations, shapes, by_column, plane)}
CASES = [*((name, FLOAT) for name in MODELS), *((name, DOUBLE) for name in ("plain", "activations"))]


@pytest.mark.parametrize("name, kind", CASES)
def test_nothing_that_a_model_predicts_is_beyond_its_bounds(name, kind, tmp_path):
    assert checked(MODELS[name](tmp_path / "m.onnx", kind)) > 3000


@pytest.mark.long
def test_nothing_is_beyond_the_bounds_of_many_graphs(tmp_path):
    compared = 0
    for seed in range(40):
        b = Builder((FLOAT, DOUBLE)[seed % 2], seed)
        x, width = b.scaled(), 3
        for operation in b.rng.choice(
            ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Softplus", "Elu", "Selu"][: 7 - 4 * (seed % 2)], 3
        ):
            wide = int(b.rng.integers(2, 20))
            x, width = b(str(operation), b.dense(x, width, wide)), wide
        path = b.saved(tmp_path / f"{seed}.onnx", {b.dense(x, width, 2): 2})
        compared += checked(path, seed, boxes=40, each=80, rounds=6)
    assert compared > 500_000


def test_bounds_come_near_what_is_predicted_in_small_boxes(tmp_path):
    """Rounding in single precision is all that is left, which is little beside the outputs."""
    for name, kind, most in (("activations", FLOAT, 1e-2), ("activations", DOUBLE, 1e-9), ("plain", FLOAT, 1e-3)):
        model = onnx_file.read(MODELS[name](tmp_path / f"{name}{kind}.onnx", kind))
        ends = soundness.ends_of(2)
        bounded = bounding.box_model(model.exact_form(), SPACE, ends, model.predict)
        assert (
            bounded.margin <= most * np.ptp(model.predict(np.random.default_rng(0).uniform(LOW, HIGH, (200, 3))))
        ).all()


def test_the_optimum_of_a_file_is_proven(tmp_path):
    path = plain(tmp_path / "m.onnx")
    space = {"a": (LOW[0], HIGH[0]), "b": {"fixed": 0.01}, "c": (LOW[2], HIGH[2])}
    proof = preimage.certify(path, space, {"minimize": "y"}, inputs=list("abc"), outputs=["y", "z"])
    a, c = np.meshgrid(np.linspace(LOW[0], HIGH[0], 161), np.linspace(LOW[2], HIGH[2], 161))
    y = onnx_file.read(path).predict(np.column_stack([a.ravel(), np.full(a.size, 0.01), c.ravel()]))[:, 0]
    assert proof.status == "proven"
    assert proof.bound <= y.min() and y.min() - 0.01 * np.ptp(y) <= proof.value <= y.min() + 1e-6 * np.ptp(y)


def test_a_graph_is_read_as_the_library_reads_it(tmp_path):
    """Constants as bytes, as lists of numbers, and in a file beside."""
    own = onnx_graph.read(plain(tmp_path / "a.onnx"))
    b = Builder(FLOAT)
    W = b.rng.normal(size=(3, 2)).astype(np.float32)
    b.constants.append(helper.make_tensor("w", FLOAT, [3, 2], W.ravel().tolist()))
    path = b.saved(tmp_path / "b.onnx", {b("MatMul", "x", "w"): 2})
    np.testing.assert_array_equal(onnx_graph.read(path).constants["w"], W)
    beside = onnx_file_of(tmp_path / "c.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    inside = onnx_graph.read(onnx_file_of(tmp_path / "d.onnx"))
    for name, constant in onnx_graph.read(beside).constants.items():
        np.testing.assert_array_equal(constant, inside.constants[name])
    assert own.inputs == ("x",) and len(own.outputs) == 1
    assert isinstance(onnx_file.read(plane(tmp_path / "e.onnx")).exact_form(), Planes)
    assert isinstance(onnx_file.read(tmp_path / "a.onnx").exact_form(), Network)
    P = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    np.testing.assert_allclose(onnx_file.read(tmp_path / "d.onnx").predict(P), by_hand(P), atol=1e-5)


def _ended(*operations):
    def make(path):
        b = Builder()
        x = b.dense(b.scaled(), 3, 2)
        for operation, *more in operations:
            x = b(operation, x, *more)
        return b.saved(path, {x: 2})

    return make


def _product(path):
    b = Builder()
    x = b.dense(b.scaled(), 3, 2)
    return b.saved(path, {b("Mul", x, b("Sigmoid", b.dense(x, 2, 2))): 2})


@pytest.mark.parametrize(
    "make, said",
    [
        (_ended(("Exp",)), "node 't3.0' (Exp): no proven bounds; supported: Gemm, MatMul"),
        (_ended(("Softmax",)), "(Softmax): no proven bounds"),
        (_ended(("Erf",)), "erf by itself has no proven bounds"),
        (_ended(("Erf",), ("Relu",)), "node 't4.0' (Relu): erf by itself has no proven bounds"),
        (_ended(("Transpose",), ("Transpose",)), "(Transpose): rows in place of columns"),
        (_product, "(Mul): a product of values that depend on inputs"),
    ],
)
def test_what_has_no_bounds_is_refused_by_name(make, said, tmp_path):
    path = make(tmp_path / "m.onnx")
    assert said in refusal(onnx_file.read(path).exact_form)
    space = {n: (low, high) for n, low, high in zip("abc", LOW, HIGH, strict=True)}
    assert said in refusal(preimage.certify, path, space, {"minimize": "y"}, outputs=["y", "z"])


def test_a_file_that_says_what_an_operation_is_itself_is_refused(tmp_path):
    """A function of its own may have the name of an operation of ONNX."""
    b = Builder()
    x = b.dense(b.scaled(), 3, 2)
    path = b.saved(tmp_path / "m.onnx", {b("Relu", x): 2})
    own = load_onnx(path)
    body = [helper.make_node("Neg", ["X"], ["Y"])]
    own.functions.append(helper.make_function("own", "Relu", ["X"], ["Y"], body, [helper.make_opsetid("", 17)]))
    path.write_bytes(own.SerializeToString())
    with pytest.raises(ValueError, match="functions of its own"):
        onnx_graph.read(path)


def test_whole_numbers_are_not_divided_as_others_are(tmp_path):
    ends = [helper.make_tensor_value_info(n, TensorProto.INT64, [None, 2]) for n in "xy"]
    own = [helper.make_node("Div", ["x", "two"], ["y"])]
    two = numpy_helper.from_array(np.array([2]), "two")
    graph = helper.make_graph(own, "g", ends[:1], ends[1:], [two])
    save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    assert "a quotient of whole numbers" in refusal(onnx_file.read(tmp_path / "m.onnx").exact_form)


def test_a_layer_too_wide_for_bounds_is_refused_before_it_takes_memory(tmp_path):
    b = Builder()
    x = b.dense(b.scaled(), 3, 2)
    path = b.saved(tmp_path / "m.onnx", {b("Relu", b("MatMul", x, np.ones((2, 100_000)))): 100_000})
    assert "a layer of 100000 units has no proven bounds" in refusal(onnx_file.read(path).exact_form)


def test_a_study_knows_what_a_file_is_to_exact_searches(tmp_path):
    known = user_models.completed({"kind": "model", "path": str(plain(tmp_path / "a.onnx"))})
    assert known["form"] == "network"
    other = user_models.completed({"kind": "model", "path": str(_ended(("Exp",))(tmp_path / "b.onnx"))})
    assert other["unbounded"].startswith("node 't3.0' (Exp) has no proven bounds; supported: Gemm")
    assert set(supported.ONNX_OPERATIONS) == set(onnx_layers.OPERATIONS)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_gives_an_error_of_its_own(seed, tmp_path):
    rng = np.random.default_rng(seed)
    data = bytearray(plain(tmp_path / "m.onnx").read_bytes())
    for at in rng.integers(0, len(data), 6):
        data[at] = rng.integers(0, 256)
    (tmp_path / "m.onnx").write_bytes(data[: rng.integers(len(data) // 2, len(data) + 1)])
    try:
        onnx_graph.read(tmp_path / "m.onnx")
    except (ValueError, ArithmeticError, LookupError):
        return
