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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core.portable import Portable
from preimage.data.rows import Rows
from preimage.exact.forms import Form
from preimage.support.errors import StudyError
from preimage.support.files import read_json, write_json
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates import reordered
from preimage.surrogates.base import differentiable, kept
from preimage.surrogates.brought.categories import Column, columns_of, listed
from preimage.surrogates.brought.signature import Signature, fractions, names_in_order
from preimage.surrogates.brought.source import ABOUT, Source, find
from preimage.surrogates.kinds.model import Model as Options
from preimage.surrogates.protocol import Trained
from preimage.surrogates.reordered import Order, Reordered
from preimage.trees.forest import Forest

WARNING = (
    "This model was brought, not trained here. Its intervals come from its errors on the training rows, its scores "
    "from the test rows: where it had seen those rows before, both are better than it is on new ones."
)
# Double precision is used where it changes predictions by no more than this share of the largest.
SAME = 1e-3
ROWS_COMPARED = 256


@dataclass(frozen=True)
class Brought:
    """A model of any format, with points and outputs in the table's order; it may take some of the inputs alone."""

    model: Any
    order: Order

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        found: np.ndarray = self.model.predict(np.asarray(X, float)[:, self.order.inputs])
        if found.shape != (len(X), len(self.order.outputs)):
            raise StudyError(
                f"the model returned an array of shape {found.shape} for {len(X)} points, "
                f"expected {(len(X), len(self.order.outputs))}"
            )
        return found[:, self.order.outputs]

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the model's own spread (n, m), 1 where it has none: its intervals are then of one width."""
        if not hasattr(self.model, "spread"):
            return np.ones((len(X), len(self.order.outputs)))
        own: np.ndarray = self.model.spread(np.asarray(X, float)[:, self.order.inputs])
        return own[:, self.order.outputs]

    @property
    def trees(self) -> Forest | None:
        """The model's arrays with the table's inputs and outputs, where it is made of trees; None where it is not."""
        try:
            own: Forest | None = getattr(self.model, "trees", None)
        except StudyError:
            return None
        return None if own is None else reordered.trees(own, self.order)

    def exact_form(self) -> Form | None:
        """Return the model's arrays that exact searches bound, with the table's inputs and outputs, where it is made of
        none of trees but of others; None where it is not."""
        try:
            return None if self.trees is not None else self.bounded()
        except StudyError:
            return None

    def bounded(self) -> Form:
        """Do what `exact_form` does. Raises StudyError, by name, for what has no bounds."""
        if not hasattr(self.model, "exact_form"):
            raise StudyError(f"a {type(self.model).__name__} has no proven bounds")
        own: Form = self.model.exact_form()
        own.check()
        return own.of_inputs(self.order.inputs).of_outputs(self.order.outputs)

    def refuse_unsearched(self, smooth: bool) -> None:
        """Raise StudyError, by name, where exact searches can't take the model.

        Args:
            smooth: whether it is to have another form than trees.
        """
        if smooth or (self.trees is None and not hasattr(type(self.model), "trees")):
            self.bounded()
        elif self.trees is None:
            _ = self.model.trees  # raises what stands against it

    def portable(self) -> Portable | None:
        """Return the model as arrays, where it is made of trees or of a kind that is trained here; None where not."""
        if (own := self.trees) is not None:
            found = own.portable()
            spread = {} if hasattr(self.model, "spread") else {"spread": "one"}
            return replace(found, settings={**found.settings, **spread})
        if not hasattr(self.model, "portable"):
            return None
        found = self.model.portable()
        order = {"inputs": list(self.order.inputs), "outputs": list(self.order.outputs)}
        return replace(found, settings={**found.settings, **order})

    @property
    def takes(self) -> tuple[int, ...]:
        """The positions of the inputs that have an influence."""
        return self.order.inputs

    @property
    def resolution(self) -> float:
        """The rounding of the model's numbers, which says how small a finite difference can be."""
        return float(getattr(self.model, "resolution", np.finfo(float).eps))


class BroughtDifferentiable(Brought):
    """One with derivatives of its own."""

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their exact derivatives by the inputs (n, m, d) at points (n, d)."""
        X = np.asarray(X, float)
        Y, own = self.model.gradient(X[:, self.order.inputs])
        slopes = np.zeros((*Y.shape, X.shape[1]))
        slopes[:, :, self.order.inputs] = own
        return Y[:, self.order.outputs], slopes[:, self.order.outputs]

    def traceable(self) -> tuple[Callable[[Any, Any], Any], Any]:
        """Return the prediction as a function of (parameters, one point (d,)), and the parameters."""
        function, parameters = self.model.traceable()
        return Reordered(function, self.order), parameters


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
    _try(model, X, source, [c.name for c in columns], outputs)
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
        _try(model, X, self.source, [c.name for c in columns], outputs)
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
    _try(model, X[:ROWS_COMPARED], source, rows.inputs, outputs)
    _check_answers(model.predict(X), rows, source)
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


def _try(model: Brought, X: np.ndarray, source: Source, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise StudyError where the model takes whole numbers only and points (n, d) have fractions, where it gives no
    numbers there, or not one for each output, or two answers for one point."""
    own = np.asarray(X, float)[:, model.order.inputs]
    if (wrong := fractions(own, getattr(model.model, "whole", np.zeros(1, bool)))).any():
        row, column = np.argwhere(wrong)[0]
        name = inputs[model.order.inputs[column]]
        raise StudyError(
            f"{source.file.name}: takes whole numbers only as '{name}', found {own[row, column]:g}; say `integer: "
            "true` under problem.inputs, or save the model with an input of floating-point numbers"
        )
    try:
        found = model.model.predict(own)
        again = model.model.predict(own)
        reversed_order = model.model.predict(own[::-1])[::-1]
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise StudyError(
            f"{source.file.name}: can't be asked for {len(X)} points of {X.shape[1]} inputs ({said})"
        ) from None
    if found.shape[1] != len(outputs):
        raise StudyError(
            f"{source.file.name}: the model has {found.shape[1]} outputs, the table has {len(outputs)}: {list(outputs)}"
        )
    alone = np.concatenate([model.model.predict(own[[0]]), found[1:]])
    eps = model.resolution
    for other, tolerance in ((again, 16 * eps), (reversed_order, eps**0.5), (alone, eps**0.5)):
        _same_answers(found, other, tolerance, model.order, source, outputs)


def _check_answers(Y: np.ndarray, rows: Rows, source: Source) -> None:
    """Raise StudyError naming the first row for which a model gives no number, outputs (n, m)."""
    if (wrong := ~np.isfinite(Y)).any():
        row, column = np.argwhere(wrong)[0]
        raise StudyError(
            f"{source.file.name}: gives {Y[row, column]} as '{rows.outputs[column]}' for row {rows.numbers[row]} of "
            "the table, expected a number"
        )


def _same_answers(
    found: np.ndarray, again: np.ndarray, tolerance: float, order: Order, source: Source, outputs: Sequence[str]
) -> None:
    """Raise StudyError where outputs (n, m) at the same points differ by more than this share of the largest: in a
    model with random numbers in it (dropout as in training), or one whose answers depend on the points beside."""
    differ = np.abs(found - again) > tolerance * np.maximum(np.abs(found), np.abs(again)).max(axis=0)
    if differ.any():
        row, column = np.argwhere(differ)[0]
        name = outputs[list(order.outputs).index(column)]
        raise StudyError(
            f"{source.file.name}: gives two answers for one point, {name} = {float(found[row, column])!r} and "
            f"{float(again[row, column])!r}: it has random numbers in it, or depends on the points beside (dropout, "
            "noise or batch normalisation as in training); save it as for prediction"
        )


def _copied(source: Source, folder: Path) -> Path:
    for file in source.beside:
        shutil.copyfile(file, folder / file.name)
    copy = shutil.copytree if source.file.is_dir() else shutil.copyfile
    return Path(copy(source.file, folder / _name(source)))


def _name(source: Source) -> str:
    return f"model.{source.format}"


def _shown(spec: Mapping[str, Any]) -> str:
    return f"path '{spec['path']}'" if "path" in spec else f"uri '{spec['uri']}'"
