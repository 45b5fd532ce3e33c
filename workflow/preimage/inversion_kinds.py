"""Names that inverters share with those who only read of them: apart, so that reading a study imports none."""

MODULES = {
    "hyperopt": "tpe_search",
    "multistart": "multistart",
    "random": "random_search",
    "evolution": "evolution",
    "cmaes": "cmaes_search",
    "neural_adjoint": "neural_adjoint",
    "lookup": "lookup",
}

# scipy's methods that hold linear constraints, and those that take no gradient.
HOLDS_CONSTRAINTS = frozenset({"SLSQP", "trust-constr"})
NO_GRADIENT = frozenset({"Nelder-Mead", "Powell"})
# Kinds of surrogate with an exact derivative.
DIFFERENTIABLE = frozenset({"neural_network", "gaussian_process"})

# Kinds whose rows are the members of one population, rather than starts that each went their own way.
POPULATIONS = frozenset({"evolution"})

# How the message of a start that stayed where it began starts.
UNMOVED = "did not move"
