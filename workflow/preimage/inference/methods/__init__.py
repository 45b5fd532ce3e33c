"""Methods of inference, one kind a module (see `preimage.inference.answer.Method`)."""

from __future__ import annotations

import importlib
from typing import cast

from preimage.inference.answer import Method

KINDS = (
    "alfi",
    "one_shot",
    "nes",
    "avo",
    "maximum_likelihood",
    "grid",
    "abc_rejection",
    "abc_smc",
    "npe",
)


def method(kind: str) -> Method:
    """Return the module of a kind."""
    return cast(Method, importlib.import_module(f"preimage.inference.methods.{kind}"))
