"""Stochastic simulators: the built-in ones, one module each in `built_in/`, and those of a user's own code."""
