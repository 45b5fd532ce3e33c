"""preimage: name the output you want, get the inputs that give it, with evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preimage.certification.proof import Proof
    from preimage.results import Results

# The one place that says so: the package, its tags and the records of runs take it from here.
__version__ = "0.2.0"


def open(folder: str | Path) -> Results:
    """Return the finished results of a study, from its folder: "results/my".

    Raises StudyError where there are none.
    """
    from preimage.results import read  # it takes a second, and reading a Snakefile needs none of it

    return read(folder)


def certify(
    model: Any,
    space: Mapping[str, Any],
    objective: Mapping[str, Any],
    *,
    constraints: Sequence[Mapping[str, Any]] = (),
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    boxes: int = 100_000,
    seconds: float | None = None,
    gap: float = 0.0,
) -> Proof:
    """Prove the best input of one model, or that none meets an objective, outside any study.

    Args:
        model: the file of a model (`.json`, `.ubj`, `.txt`, `.skops`, `.keras`), its MLflow address, or a model of
            finished results, `preimage.open("results/my").models["forest"]`.
        space: `(low, high)` by input, or what a study says of one (`{"low": 0, "high": 9, "integer": True}`,
            `{"categories": ["a", "b"]}`, `{"fixed": 3}`), in the model's order where its file names no inputs. A model
            of results has its training rows' range where an input is left out.
        objective: as in a study: `{"maximize": "y"}`, `{"target": {"y": 60}, "tolerance": 1}`,
            `{"within": {"y": [55, 65]}}`, with `subject_to` and `fixed`.
        constraints: a study's list, such as `[{"expression": "a + b <= 3"}]`.
        inputs: those that the model takes, in its order, where that is not the order of `space`.
        outputs: all of the model's, in its order; those that the objective names where they are left out.
        boxes: most boxes to search; work alone, so the answer does not depend on the machine.
        seconds: most seconds to search; an answer that they cut short is not reproducible.
        gap: stop when the loss is proven to lie so near to the optimum.

    Raises StudyError for bad input, and models that cannot be searched exactly.
    """
    from preimage.certification.certify import certify as prove

    limits = {"boxes": boxes, "gap": gap, **({} if seconds is None else {"seconds": seconds})}
    return prove(model, space, objective, constraints, inputs, outputs, limits)
