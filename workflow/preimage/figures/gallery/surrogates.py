"""How good the surrogates are, and how they were trained."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from matplotlib.figure import Figure

from preimage.figures.gallery.material import Material
from preimage.figures.predicted_against_truth import predicted_against_truth
from preimage.figures.shown import Shown
from preimage.figures.training_curves import training_curves
from preimage.surrogates.intervals import LEVEL


def plan(m: Material) -> Iterator[Shown]:
    """Yield what shows each surrogate on rows that it never saw, and the course of its training."""
    truth_is = "measured" if m.measured else "simulated"
    for name in m.tests:
        for k, output in enumerate(m.trained):
            part, words = ("", "") if len(m.trained) == 1 else (f".{output}", f", {output.replace('_', ' ')}")
            yield Shown(
                f"predicted_against_truth.{name}{part}.svg",
                f"{name}: predicted against {truth_is}{words}",
                "Held-out rows: points on the diagonal are predicted exactly. Bars are prediction intervals.",
                None,
                partial(_predicted, m, name, k, truth_is),
            )
        if name in m.curves and len(m.curves[name]):
            losses = (m.curves[name][key].to_numpy(float) for key in ("training_loss", "validation_loss"))
            yield Shown(
                f"training_curves.{name}.svg",
                f"{name}: the training of its first network",
                "Loss by epoch. If the validation loss still falls at the end, more epochs would help; if it rises "
                "while the "
                "training loss falls, the network overfits, and the weights from before that are kept.",
                None,
                partial(training_curves, *losses),
            )


def _predicted(m: Material, surrogate: str, k: int, truth_is: str) -> Figure | None:
    table, output = m.tests[surrogate], m.outputs[k]
    predicted, low, high = (
        table[f"{part}.{output}"].to_numpy(float) for part in ("predicted", "interval_low", "interval_high")
    )
    return predicted_against_truth(m.test[1][:, k], predicted, low, high, m.output_labels[k], truth_is, LEVEL)
