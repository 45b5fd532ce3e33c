"""What every method of inference is: an entry of a study with options, and how it spends its simulations."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.registry import Entry, Registry


class InferenceMethod(Entry):
    """A method that infers the parameters of a stochastic simulator.

    Attributes:
        banked: it takes its simulations from the bank made once for all methods.
        amortised: it is trained once for all observations; the others work anew for each.
        searching: it simulates for each observation, at great cost.
    """

    registry: ClassVar[Registry[InferenceMethod]] = Registry(
        "inference method", "preimage.inference.kinds", "preimage.inference.methods"
    )
    banked: ClassVar[bool] = False
    amortised: ClassVar[bool] = False
    searching: ClassVar[bool] = False
