"""The module of each kind of inverter; apart from them, so that reading a study imports none."""

MODULES = {
    "hyperopt": "tpe_search",
    "multistart": "multistart",
    "random": "random_search",
    "lookup": "lookup",
}
