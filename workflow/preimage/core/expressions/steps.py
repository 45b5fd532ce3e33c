"""An expression as steps of a calculation: each one's arguments are results of earlier steps.

Whatever is asked of an expression is one pass over its steps, so that nothing recurses, however long it is.
"""

from __future__ import annotations

from dataclasses import dataclass

NUMBER, NAME = "number", "name"


@dataclass(frozen=True)
class Step:
    """A number, a named column, or an operation on earlier results.

    Attributes:
        operation: a key of OPERATIONS, NUMBER or NAME.
        arguments: positions of the steps that it takes.
        span: where it stands in the text, for messages.
    """

    operation: str
    arguments: tuple[int, ...] = ()
    number: float = 0.0
    name: str = ""
    span: tuple[int, int] = (0, 0)
