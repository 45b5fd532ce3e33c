"""Names that inverters share with those who only read of them: apart, so that reading a study imports none."""

MODULES = {
    "hyperopt": "tpe_search",
    "multistart": "multistart",
    "random": "random_search",
    "lookup": "lookup",
}

# How the message of a start that stayed where it began starts.
UNMOVED = "did not move"
