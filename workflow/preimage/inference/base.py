"""What every method of inference is: an entry of a study with options, and how it spends its simulations."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.registry import Entry, Registry


class InferenceMethod(Entry):
    """A method that infers the parameters of a stochastic simulator."""

    registry: ClassVar[Registry[InferenceMethod]] = Registry("inference method", "preimage.inference.kinds")
