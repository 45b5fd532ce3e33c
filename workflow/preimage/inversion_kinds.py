"""Names that inverters share with those who only read of them: apart, so that reading a study imports none."""

MODULES = {
    "hyperopt": "tpe_search",
    "multistart": "multistart",
    "random": "random_search",
    "evolution": "evolution",
    "neural_adjoint": "neural_adjoint",
    "coordinate": "coordinate",
    "certified": "certified",
    "lookup": "lookup",
}

# scipy's methods that hold linear constraints, and those that take no gradient.
HOLDS_CONSTRAINTS = frozenset({"SLSQP", "trust-constr"})
NO_GRADIENT = frozenset({"Nelder-Mead", "Powell"})
# Kinds of surrogate with an exact derivative.
DIFFERENTIABLE = frozenset({"neural_network", "gaussian_process"})
# Kinds of surrogate that are trees, and the inverters that work on nothing else.
TREES = frozenset({"random_forest"})
NEEDS_TREES = frozenset({"coordinate", "certified"})

# How the message of a start that stayed where it began starts.
UNMOVED = "did not move"
