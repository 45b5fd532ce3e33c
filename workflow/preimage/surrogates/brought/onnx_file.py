"""A model in ONNX format, run by ONNX Runtime on the processor, in one thread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preimage.exact.forms import Columns, Form
from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought import joined, onnx_graph, onnx_layers, onnx_wire
from preimage.surrogates.brought.layered import Neurons
from preimage.surrogates.brought.signature import Signature, rounded

TYPES: dict[str, Any] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
# What Protocol Buffers can hold.
MOST_BYTES = 2**31 - 1


class OnnxModel:
    """A session, with one input tensor (n, d), or one (n,) or (n, 1) a column."""

    def __init__(self, session: Any, path: Path) -> None:
        self.session, self.path = session, path
        self.inputs, self.outputs = session.get_inputs(), session.get_outputs()
        for node in (*self.inputs, *self.outputs):
            if node.type not in TYPES:
                raise StudyError(f"{path}: '{node.name}' is of type {node.type}, expected a tensor of numbers")
        widths = [_width(node.shape) for node in self.inputs]
        if len(self.inputs) > 1 and any(w not in (1, None) for w in widths):
            shapes = [f"{node.name} {node.shape}" for node in self.inputs]
            raise StudyError(f"{path}: found inputs {shapes}, expected one of all columns, or one a column")
        first = {node.shape[0] for node in self.inputs if node.shape}
        fixed = [n for n in first if isinstance(n, int)]
        if fixed and fixed != [1]:
            raise StudyError(f"{path}: takes {fixed[0]} rows at a time, expected any number, or 1")
        self.rows = 1 if fixed else None
        self.signature = _signature(self.inputs, self.outputs, widths)

    @property
    def whole(self) -> np.ndarray:
        """Which inputs are of a type of whole numbers: (d,), or (1,) for all columns."""
        return np.array([np.dtype(TYPES[node.type]).kind == "i" for node in self.inputs])

    @property
    def resolution(self) -> float:
        dtypes = [np.dtype(TYPES[node.type]) for node in (*self.inputs, *self.outputs)]
        return max((float(np.finfo(d).eps) for d in dtypes if d.kind == "f"), default=float(np.finfo(float).eps))

    def exact_form(self) -> Form:
        """Return the network as arrays that exact searches bound. Raises StudyError, by name, for an operation that has
        no bounds here."""
        if (count := self.signature.inputs) is None:
            raise StudyError("the shape of its input does not say how many columns it has")
        if any(node.type == "tensor(float16)" for node in (*self.inputs, *self.outputs)):
            raise StudyError("numbers in half precision have no proven bounds")
        try:
            graph = onnx_graph.read(self.path)
        except (ValueError, ArithmeticError, LookupError) as error:
            raise StudyError(f"its graph can't be read ({error})") from None
        inputs = Neurons(count)
        columns = Columns(np.arange(count), np.zeros(count, np.int64), np.zeros(count), np.ones(count))
        found = onnx_layers.followed(graph, inputs, [len(node.shape) == 1 for node in self.inputs])
        single = onnx_layers.single(graph) or self.resolution > float(np.finfo(float).eps)
        return joined.form([found], [1.0], inputs, columns, single)

    def predict(self, X: np.ndarray) -> np.ndarray:
        if self.rows and len(X) != 1:
            return np.concatenate([self.predict(x[None]) for x in X])
        X, single = rounded(X, self.whole), len(self.inputs) == 1
        feed = {
            node.name: _cast(X if single else X[:, k] if len(node.shape) == 1 else X[:, k : k + 1], node)
            for k, node in enumerate(self.inputs)
        }
        found = [np.asarray(y, float).reshape(len(X), -1) for y in self.session.run(None, feed)]
        return np.concatenate(found, axis=1)


def _cast(X: np.ndarray, node: Any) -> np.ndarray:
    """Return numbers in the type of an input tensor. Raises StudyError for one that it can't hold."""
    dtype = np.dtype(TYPES[node.type])
    limits = np.iinfo(dtype) if dtype.kind == "i" else np.finfo(dtype)
    # The largest int64 is no float64: the next one would be one too many.
    most = np.nextafter(float(limits.max), 0) if dtype == np.int64 else float(limits.max)
    if (beyond := X[np.abs(X) > most]).size:
        raise StudyError(f"the model's input '{node.name}' is of type {node.type}, which can't hold {beyond[0]:g}")
    return X.astype(dtype)


def _width(shape: list[Any]) -> int | None:
    """Return how many columns a tensor has, None where its shape doesn't say."""
    if len(shape) == 1:
        return 1
    return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None


def _signature(inputs: Any, outputs: Any, widths: list[int | None]) -> Signature:
    several = len(inputs) > 1
    answers = [_width(node.shape) for node in outputs]
    return Signature(
        len(inputs) if several else widths[0],
        None if None in answers else sum(w for w in answers if w),
        tuple(node.name for node in inputs) if several else (),
        tuple(node.name for node in outputs) if len(outputs) > 1 and set(answers) == {1} else (),
    )


def read(path: Path, beside: Sequence[Path] | None = None) -> OnnxModel:
    """Load a model; a file names operators of ONNX only, so none of its own code can run.

    Args:
        beside: the files of weights that it may refer to, None for any in its folder.

    Raises StudyError.
    """
    import onnxruntime as ort

    _look(path, None if beside is None else {file.name for file in beside})
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise StudyError(f"{path}: ONNX Runtime can't load it ({said})") from None
    return OnnxModel(session, path)


def _look(path: Path, allowed: Collection[str] | None) -> None:
    """Raise StudyError for a file that is none of ONNX, that is larger than one can be, or refers to other files."""
    limits.check_file(path, MOST_BYTES)
    try:
        files = onnx_wire.about(path).files
    except ValueError as error:
        raise StudyError(f"{path}: ONNX Runtime can't load it: damaged, or no ONNX file ({error})") from None
    strange = sorted(file for file in files if file not in (files if allowed is None else allowed) or "/" in file)
    if strange:
        raise StudyError(
            f"{path}: keeps weights in the file '{strange[0]}'; a model of several files is taken from MLflow only: "
            "save it in one (PyTorch: torch.onnx.export(..., external_data=False))"
        )
