"""Objective `pareto`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Distinct, Frozen, Maybe, Text, option


class TradeOff(Frozen):
    """Outputs to make large and outputs to make small, two or three of them together; the answer is a front: inputs of
    which no others are predicted to be better in every output at once. Tables, figures and hypervolumes count outputs
    as shares of the training rows' range.
    """

    maximize: Maybe[Distinct[Text]] = option(None, "Outputs to maximise.")
    minimize: Maybe[Distinct[Text]] = option(None, "Outputs to minimise.")


class ParetoEntry(ObjectiveEntry):
    """The trade-off of two or three outputs."""

    kind: ClassVar[str] = "pareto"
    front: ClassVar[bool] = True

    pareto: TradeOff = option(...)
