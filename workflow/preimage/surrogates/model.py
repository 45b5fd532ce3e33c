"""Surrogate `model`: one of the user's own, trained elsewhere: a file of Keras, scikit-learn (skops), ONNX, XGBoost or
LightGBM, or one in MLflow.

Nothing is trained here: the file is copied, its inputs and outputs are matched with the table's by name, and it is
judged. A model that knows categories by label is given the labels. One that takes some of the table's inputs alone is
not influenced by the others. What it learned from is not known. Prediction intervals come from its errors on the
training rows, all of one width, and its scores from the test rows; both flatter it where it has seen those rows, which
`WARNING` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preimage.data.rows import Rows
from preimage.support.errors import StudyError
from preimage.support.files import read_json, write_json
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates.base import differentiable, kept
from preimage.surrogates.brought import answers
from preimage.surrogates.brought.categories import Column, columns_of, listed
from preimage.surrogates.brought.matched import Brought, BroughtDifferentiable
from preimage.surrogates.brought.signature import Signature, names_in_order
from preimage.surrogates.brought.source import ABOUT, Source, find
from preimage.surrogates.kinds.model import Model as Options
from preimage.surrogates.protocol import Trained
from preimage.surrogates.reordered import Order

WARNING = (
    "This model was brought, not trained here. Its intervals come from its errors on the training rows, its scores "
    "from the test rows: where it had seen those rows before, both are better than it is on new ones."
)
# Double precision is used where it changes predictions by no more than this share of the largest.
SAME = 1e-3
ROWS_COMPARED = 256


def check(
    spec: Mapping[str, Any],
    inputs: Sequence[Column | str],
    outputs: Sequence[str],
    X: np.ndarray,
    searched: bool = False,
) -> None:
    """Load the model of a study's entry and try it at points (n, d) of the space, which differ by fractions in every
    input that is no whole number.

    Args:
        inputs: the table's, by name where they are numbers.
        searched: whether a method needs it as arrays, of trees or of a form that can be bounded.

    Raises StudyError for a file that is damaged or could run code, and for inputs or outputs that are not the table's.
    """
    check_source(find(spec), spec, inputs, outputs, X, searched)


def check_source(
    source: Source,
    spec: Mapping[str, Any],
    inputs: Sequence[Column | str],
    outputs: Sequence[str],
    X: np.ndarray,
    searched: bool = False,
) -> None:
    """Do what `check` does with a source that was found."""
    columns = columns_of(inputs)
    model, _ = _matched(source, spec, columns, outputs, double=False)
    answers.try_at(model, X, source, [c.name for c in columns], outputs)
    if searched:
        model.refuse_unsearched(bool(spec.get("form")))


class Opened:
    """A model whose files were found and read, for whoever states its columns afterwards.

    Args:
        spec: path or uri, format, inputs, outputs, as a study's entry.

    Raises StudyError for a file that is damaged or could run code.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        from preimage.support.jax_setup import use_one_thread

        use_one_thread()
        self.spec, self.source = spec, find(spec)
        self._own = _read(self.source.format, self.source.file, False, self.source.beside)
        says: Signature = getattr(self._own, "signature", None) or Signature()
        self.inputs = self.source.inputs or says.input_names
        self.outputs = self.source.outputs or says.output_names

    def of(self, inputs: Sequence[Column | str], outputs: Sequence[str], X: np.ndarray) -> Brought:
        """Return the model of named columns, tried at points (n, d); a Keras network in double precision where it
        allows that. Raises StudyError where inputs or outputs are not the model's."""
        columns = columns_of(inputs)
        model, _ = _fitted(self._own, self.source, self.spec, columns, outputs)
        answers.try_at(model, X, self.source, [c.name for c in columns], outputs)
        exact = _in_double(model, self.source, X) if self.source.format == "keras" else None
        return exact or model


def train(rows: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Take the model over, and judge it on the rows; nothing is trained, so neither `rng` nor `context` is used.

    A category is given to the model by its label where the file knows labels, as its number in the study's list, from
    0, where it does not.

    Args:
        options: the study's entry (path or uri, format, inputs, outputs).
    """
    from preimage.support.jax_setup import use_one_thread

    use_one_thread()
    spec = options.plain()
    source = find(spec)
    X, outputs = rows.X, rows.outputs
    columns = list(map(Column, rows.inputs, rows.categories or [()] * len(rows.inputs)))
    model, names = _matched(source, spec, columns, outputs, double=False)
    answers.try_at(model, X[:ROWS_COMPARED], source, rows.inputs, outputs)
    answers.check_answers(model.predict(X), rows, source)
    exact = _in_double(model, source, X[:ROWS_COMPARED]) if source.format == "keras" else None
    model = exact or model
    about = {
        "format": source.format,
        "file": _name(source),
        "inputs": names[0],
        "outputs": names[1],
        "categories": [list(columns[j].categories) for j in model.order.inputs],
        "order": {"inputs": list(model.order.inputs), "outputs": list(model.order.outputs)},
        "double": exact is not None,
    }

    def save(folder: Path) -> None:
        _copied(source, folder)
        write_json(folder / ABOUT, about)

    said = {"source": spec.get("path") or spec["uri"], "format": source.format, "inputs": names[0]}
    if source.format == "keras":
        said["precision"] = "double" if exact else "as saved"
    without = tuple(c.name for c in columns if c.name not in names[0])
    warning = WARNING + _unknown(model.model)
    return Trained(model, save, (model.predict(X), model.spread(X)), said, warning=warning, without_influence=without)


def load(folder: Path) -> Brought:
    from preimage.support.jax_setup import use_one_thread

    use_one_thread()
    about = read_json(folder / ABOUT)
    order = Order(*(tuple(about["order"][key]) for key in ("inputs", "outputs")))
    columns = list(map(Column, about["inputs"], map(tuple, about["categories"])))
    own = _read(about["format"], folder / about["file"], about["double"])
    return _wrapped(about["format"], _labelled(own, columns), order)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model: as the files that the step made of it."""
    return {"flavor": "arrays", "path": str(folder), "packages": []}


def _matched(
    source: Source, spec: Mapping[str, Any], columns: Sequence[Column], outputs: Sequence[str], double: bool
) -> tuple[Brought, tuple[list[str], list[str]]]:
    """Return the model, and the table's inputs and outputs in the model's order."""
    model = _read(source.format, source.file, double, source.beside)
    return _fitted(model, source, spec, columns, outputs)


def _fitted(
    model: Any, source: Source, spec: Mapping[str, Any], columns: Sequence[Column], outputs: Sequence[str]
) -> tuple[Brought, tuple[list[str], list[str]]]:
    """Return a model that was read as one of the table's columns, and these in the model's order."""
    says: Signature = getattr(model, "signature", None) or Signature()
    inputs = [column.name for column in columns]
    try:
        names = (
            names_in_order("inputs", inputs, says.inputs, source.inputs or says.input_names, spec.get("inputs")),
            names_in_order("outputs", outputs, says.outputs, source.outputs or says.output_names, spec.get("outputs")),
        )
        order = Order(tuple(inputs.index(n) for n in names[0]), tuple(names[1].index(n) for n in outputs))
        model = _labelled(model, [columns[j] for j in order.inputs])
    except StudyError as error:
        raise StudyError(f"{_shown(spec)}: {error}") from None
    return _wrapped(source.format, model, order), names


def _labelled(model: Any, columns: Sequence[Column]) -> Any:
    """Return the model of points whose categories are positions in the study's lists (see each format's `labelled`)."""
    return model.labelled(columns) if hasattr(model, "labelled") else model


def _unknown(model: Any) -> str:
    """Return what to warn of where a study has categories that the model does not know."""
    found: Mapping[str, Sequence[str]] = getattr(model, "unknown", {})
    several = "; ".join(f"{listed(labels)} of {name}" for name, labels in found.items())
    return f" It does not know the categories {several}: there it predicts as if none were given." if several else ""


def _read(kind: str, file: Path, double: bool, beside: Sequence[Path] | None = None) -> Any:
    """Return a model of a format; `beside` are the files that it may refer to, None for any beside it."""
    if kind == "keras":
        from preimage.surrogates.brought import keras_file

        return keras_file.read(file, double)
    if kind == "skops":
        from preimage.surrogates.brought import skops_file

        return skops_file.read(file)
    if kind == "onnx":
        from preimage.surrogates.brought import onnx_file

        return onnx_file.read(file, beside)
    if kind == "xgboost":
        from preimage.surrogates.brought import xgboost_file

        return xgboost_file.read(file)
    if kind == "lightgbm":
        from preimage.surrogates.brought import lightgbm_file

        return lightgbm_file.read(file)
    return kept(kind, file, f"model of kind {kind}")


def _wrapped(kind: str, model: Any, order: Order) -> Brought:
    return (BroughtDifferentiable if differentiable({"kind": kind}) else Brought)(model, order)


def _in_double(saved: Brought, source: Source, X: np.ndarray) -> Brought | None:
    """Return a Keras model in double precision; None where a layer doesn't allow it, or computes something else then,
    at points (n, d)."""
    try:
        model = Brought(_read("keras", source.file, double=True), saved.order)
        exact, plain = model.predict(X), saved.predict(X)
    except Exception:
        return None
    same = np.abs(exact - plain) <= SAME * np.abs(plain).max(axis=0)
    return model if same.all() and model.resolution < saved.resolution else None


def _copied(source: Source, folder: Path) -> Path:
    for file in source.beside:
        shutil.copyfile(file, folder / file.name)
    copy = shutil.copytree if source.file.is_dir() else shutil.copyfile
    return Path(copy(source.file, folder / _name(source)))


def _name(source: Source) -> str:
    return f"model.{source.format}"


def _shown(spec: Mapping[str, Any]) -> str:
    return f"path '{spec['path']}'" if "path" in spec else f"uri '{spec['uri']}'"
