"""Built-in problems, one a module; each has `build(...)`, which returns a `preimage.problem.Problem`."""

BUILT_IN = ("paraboloid",)
