"""What a model of one's own is refused for by its answers: none, too few, no numbers, or two for one point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.data.rows import Rows
from preimage.support.errors import StudyError
from preimage.surrogates.brought.matched import Brought
from preimage.surrogates.brought.signature import fractions
from preimage.surrogates.brought.source import Source
from preimage.surrogates.reordered import Order


def try_at(model: Brought, X: np.ndarray, source: Source, inputs: Sequence[str], outputs: Sequence[str]) -> None:
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


def check_answers(Y: np.ndarray, rows: Rows, source: Source) -> None:
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
