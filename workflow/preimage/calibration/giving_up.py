"""How solvers of equations say that they have no solution."""


class NoSolutionError(ArithmeticError):
    """A solver that gave up at these parameters."""


class TooLongError(NoSolutionError):
    """A solver that was stopped after so many calls of the rates, as those of stiff equations are."""
