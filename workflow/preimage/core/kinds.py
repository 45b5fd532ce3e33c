"""Kinds of inverter, surrogate and inference method by capability: apart, so that reading a study imports none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODULES = {
    "hyperopt": "tpe_search",
    "multistart": "multistart",
    "random": "random_search",
    "evolution": "evolution",
    "cmaes": "cmaes_search",
    "neural_adjoint": "neural_adjoint",
    "coordinate": "coordinate",
    "certified": "certified",
    "lookup": "lookup",
}

# scipy's methods that hold linear constraints, and those that take no gradient.
HOLDS_CONSTRAINTS = frozenset({"SLSQP", "trust-constr"})
NO_GRADIENT = frozenset({"Nelder-Mead", "Powell"})
# Kinds of surrogate with an exact derivative, and formats of a model of the user's own.
DIFFERENTIABLE = frozenset({"neural_network", "gaussian_process", "latent", "latent_classes", "linear"})
DIFFERENTIABLE_FORMATS = DIFFERENTIABLE | {"keras"}

# Kinds whose rows are the members of one population, rather than starts that each went their own way.
POPULATIONS = frozenset({"evolution"})
# Kinds of surrogate that are trees, and the inverters that work on nothing else.
TREES = frozenset({"random_forest"})
NEEDS_TREES = frozenset({"coordinate", "certified"})

# Methods of inference that take their simulations from the bank made once for all of them.
BANKED = frozenset({"abc_rejection", "npe"})
# Trained once for all observations; the others work anew for each.
AMORTISED = frozenset({"alfi", "one_shot", "npe"})
# They simulate anew for each observation, at great cost.
SEARCHING = frozenset({"nes", "avo", "abc_smc"})

# What is said of a whole preimage on a plane, before any job and in one.
NO_VOLUME = (
    "a preimage is made of boxes, and an equality of inputs that are not whole numbers ({}) leaves a plane, which has "
    "no volume and holds no box; ask for the best mixes with `certified`, or widen it to at_least and at_most"
)
# How the message of a start that stayed where it began starts.
UNMOVED = "did not move"


def made_of_trees(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry is made of trees that exact searches can take."""
    return spec["kind"] in TREES or bool(spec.get("made_of_trees"))


def differentiable(spec: Mapping[str, Any]) -> bool:
    """Whether the surrogate of a study's entry has an exact derivative."""
    return spec["kind"] in DIFFERENTIABLE or spec.get("format") in DIFFERENTIABLE_FORMATS
