"""Proving one answer of one model: the model is read, the question made, and the search of `certified` asked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preimage.certification.asked import objective_of, outputs_in, space_of
from preimage.certification.models import source_of, with_categories
from preimage.certification.proof import INFEASIBLE, OPEN, PROVEN, Proof
from preimage.core import polytope
from preimage.core.certificates import Certificate
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.question import Answer, Question
from preimage.study.messages import checked
from preimage.support.errors import StudyError

# Points of the space at which the model is tried: searches begin at the best, and what outputs span there is the range
# that a proof of a smooth model stops at a millionth of.
POINTS = 1000


def certify(
    model: Any,
    space: Mapping[str, Any],
    objective: Mapping[str, Any],
    constraints: Sequence[Mapping[str, Any]],
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    limits: Mapping[str, Any],
) -> Proof:
    """Return what is proven (see `preimage.certify`)."""
    began = time.perf_counter()
    source = source_of(model, inputs, outputs)
    where = space_of(with_categories(source, space), constraints, source.known).fix(objective.get("fixed") or {})
    search = _search(limits)
    named = list(outputs or outputs_in(objective))
    try:
        polytope.check_feasible(where)
    except StudyError as error:
        asked = objective_of(objective, named, np.zeros((1, len(named)))).words()
        return _nothing(INFEASIBLE, asked, str(error).removeprefix("constraints: "), time.perf_counter() - began, 0)
    rng = np.random.default_rng(0)
    X = polytope.sample(where, POINTS, rng)
    found, names = source.of(where, named, X)
    question = _question(found, names, where, objective, X)
    ((answer, Y),) = asking.ask(search, [question], rng)
    return _Told(question, names, answer, Y).proof(time.perf_counter() - began)


def _search(limits: Mapping[str, Any]) -> Inverter:
    return checked(dict(limits), Certified, "limits")


def _question(model: Any, names: Sequence[str], space: Space, entry: Mapping[str, Any], X: np.ndarray) -> Question:
    """Return the question that an entry asks of a model, with points of the space for rows of data."""
    Y = np.asarray(model.predict(X), float)
    return Question(
        space,
        objective_of(entry, names, Y),
        model.predict,
        X,
        Y,
        np.arange(len(X)),
        gradient=getattr(model, "gradient", None),
        traceable=getattr(model, "traceable", lambda: None)(),
        resolution=getattr(model, "resolution", np.finfo(float).eps),
        cancellation=getattr(model, "cancellation", 0.0),
        **_searched(model),
    )


def _searched(model: Any) -> dict[str, Any]:
    """Return the arrays that a search takes, of trees or of another form. Raises StudyError where there are none."""
    if (trees := getattr(model, "trees", None)) is not None:
        return {"trees": trees}
    if (form := getattr(model, "exact_form", lambda: None)()) is not None:
        return {"form": form}
    raise StudyError(
        "model: it can't be searched exactly; expected trees, dense layers, a Gaussian process or a linear model"
    )


@dataclass(frozen=True)
class _Told:
    """A question and its answer."""

    question: Question
    names: Sequence[str]
    answer: Answer
    Y: np.ndarray

    def proof(self, seconds: float) -> Proof:
        proven, wanted = self.answer.certificate, self.question.objective
        if np.isnan(self.answer.X[0]).any() or proven is None:
            return self._without(proven, seconds)
        # Of several outputs the point that meets all of them may be another than that of least loss.
        met = wanted.met(self.Y) if wanted.bounded else np.zeros(len(self.Y), bool)
        k = int(np.argmax(met)) if met.any() else 0
        value, bound = (_value(wanted, loss) for loss in (proven["loss"], min(proven["bound"], proven["loss"])))
        x = self.question.space.decode(self.answer.X[[k]])
        return Proof(
            _status(wanted, proven, bool(met.any())),
            wanted.words(),
            {name: _plain(column[0]) for name, column in x.items()},
            dict(zip(self.names, self.Y[k].tolist(), strict=True)),
            "distance" if wanted.bounded else "optimum",
            value,
            bound,
            abs(value - bound),
            seconds,
            proven["boxes"],
            self.answer.message[k],
        )

    def _without(self, proven: Certificate | None, seconds: float) -> Proof:
        said, boxes = self.answer.message[0], self.answer.evaluations[0]
        status = INFEASIBLE if proven is not None and proven["feasible"] == "no" else OPEN
        return _nothing(status, self.question.objective.words(), said, seconds, boxes)


def _status(wanted: Objective, proven: Certificate, met: bool) -> str:
    if wanted.bounded:
        return {"yes": PROVEN, "no": INFEASIBLE}.get("yes" if met else proven["feasible"], OPEN)
    return PROVEN if proven["closed"] or proven["stopped"] == "gap" else OPEN


def _value(wanted: Objective, loss: float) -> float:
    """Return a loss as a person thinks of it: the value that is optimised, or the distance from values to meet."""
    return float(np.sqrt(max(loss, 0.0))) if wanted.bounded else float(wanted.sign * loss)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _nothing(status: str, asked: str, said: str, seconds: float, boxes: int) -> Proof:
    return Proof(status, asked, None, None, "", np.nan, np.nan, np.nan, seconds, boxes, said)
