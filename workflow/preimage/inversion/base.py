"""What every inverter is: an entry of a study with options, and what it can work on."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.frozen import Distinct, Maybe, Text, option
from preimage.support.registry import Entry, Registry


class Inverter(Entry):
    """A method that looks for inputs with the wanted outputs.

    Attributes:
        needs_trees: it works on models made of trees alone.
        needs_gradient: it works on models with a gradient of their own alone.
        population: its rows are the members of one population, rather than starts that each went their own way.
        baseline: it does not search, but looks up.
        on: surrogates that it works on.
    """

    registry: ClassVar[Registry[Inverter]] = Registry("inverter", "preimage.inversion.kinds")
    needs_trees: ClassVar[bool] = False
    needs_gradient: ClassVar[bool] = False
    population: ClassVar[bool] = False
    baseline: ClassVar[bool] = False

    on: Maybe[Distinct[Text]] = option(
        None,
        "Surrogates to work on, or `simulator`. Default: all that the method can work on (the simulator where there "
        "is no surrogate).",
        min_length=1,
    )
