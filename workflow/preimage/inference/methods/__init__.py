"""Methods of inference, one kind per module (see `preimage.inference.answer.Method`)."""

from __future__ import annotations

from typing import cast

from preimage.inference.answer import Method
from preimage.inference.base import InferenceMethod


def method(kind: str) -> Method:
    """Return the module that computes a kind."""
    return cast(Method, InferenceMethod.registry[kind].computing())
