"""Calls of a simulator of points: counted, checked, and each point that fails costs its own row alone.

A point of a user's function fails where the function raises, returns a number that is not finite, or takes too long
(`preimage.problems.timed`). Its outputs are NaN then, with a message (`preimage.support.spending`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

from preimage.problems import user_code, user_import
from preimage.support import kept_calls, spending
from preimage.support.errors import StudyError
from preimage.support.spending import Simulator

NO_NUMBER = "no finite number"


class CallError(RuntimeError):
    """A call that gave no answer, for a reason that is no exception of the user's."""


class Attempt(NamedTuple):
    """Outputs (n, m) of points, NaN where one failed, and for each point why, "" where it did not."""

    Y: np.ndarray
    why: list[str]


def attempt(simulate: Simulator, X: np.ndarray) -> Attempt:
    """Simulate points (n, d), of which some may fail."""
    import numpy as np

    Y = np.array(simulate(X), float)
    bad = ~np.isfinite(Y).all(axis=1)
    Y[bad] = np.nan
    account = spending.account()
    return Attempt(Y, [(account.why(x) or NO_NUMBER) if b else "" for x, b in zip(X, bad, strict=True)])


def metered(simulate: Simulator) -> Simulator:
    """Return a simulator whose points are counted, and held to the share of a budget that the step has."""
    return lambda X: spending.account().asks(X, simulate)


class Own:
    """A user's function of points (n, d) with its answer checked: float64 of shape (n, m).

    A call of several points that raised is made again for each of them, to find out which failed. Under a budget, which
    counts calls, it costs all of its points.

    Args:
        call: the function.
        batch: most points in one call, each of which is kept as it returns; all at once where it is None.
        code: what tells this function from others, by which failures are known again.
    """

    def __init__(
        self, call: Callable[[np.ndarray], Any], name: str, inputs: Sequence[str], outputs: Sequence[str],
        batch: int | None = None, code: str = "",
    ) -> None:  # fmt: skip
        self.call, self.name, self.inputs, self.outputs = call, name, list(inputs), list(outputs)
        self.batch, self.code = batch, code

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m), NaN where a point failed. Raises StudyError for an answer of another shape."""
        import numpy as np

        account = spending.account()
        Y = np.full((len(X), len(self.outputs)), np.nan)
        new = [not account.fails_again(self._key(x), x) for x in X] if account.noted else np.ones(len(X), bool)
        rest, size = np.flatnonzero(new), self.batch or max(len(X), 1)
        for k in range(0, len(rest), size):
            at = rest[k : k + size]
            Y[at] = self._answers(X[at])
        return Y

    def _answers(self, X: np.ndarray) -> np.ndarray:
        import numpy as np

        try:
            Y = self._called(X)
        except (StudyError, MemoryError):
            raise
        except Exception as error:
            if len(X) > 1 and spending.account().limit is None:
                return np.concatenate([self._answers(x[None]) for x in X])
            together = f" (in a call of {len(X)} points)" if len(X) > 1 else ""
            message = str(error) if isinstance(error, CallError) else user_import.said(error)
            for x in X:
                self._fail(x, message + together)
            return np.full((len(X), len(self.outputs)), np.nan)
        finite = np.isfinite(Y)
        for x, each in zip(X, finite, strict=True):
            if not each.all():
                names = ", ".join(o for o, good in zip(self.outputs, each, strict=True) if not good)
                self._fail(x, f"{NO_NUMBER} for {names}")
        return np.where(finite.all(axis=1, keepdims=True), Y, np.nan)

    def _called(self, X: np.ndarray) -> np.ndarray:
        import numpy as np

        # A copy: what the function does to its points must not show in ours, which a kept answer leaves as they are.
        Y = np.asarray(kept_calls.kept([X], lambda: self.call(X.copy())), float)
        if Y.ndim == 1 and len(self.outputs) == 1:
            Y = Y[:, None]
        if Y.shape != (len(X), len(self.outputs)):
            raise StudyError(
                f"simulator '{self.name}': {len(X)} points of {X.shape[1]} inputs returned an array of shape "
                f"{Y.shape}, expected {(len(X), len(self.outputs))}"
            )
        return Y

    def _fail(self, x: np.ndarray, message: str) -> None:
        point = dict(zip(self.inputs, x.tolist(), strict=True))
        spending.account().fail(self._key(x), x, point, message)

    def _key(self, x: np.ndarray) -> str:
        return hashlib.sha256(self.code.encode() + b"\0" + x.tobytes()).hexdigest()


def code_of(name: str, seconds: float | None) -> str:
    """Return a digest of the files that a user's function is made of, and of the limit of its time."""
    whole = hashlib.sha256(f"{name}\0{seconds}".encode())
    for module, file in sorted(user_code.files(name).items()):
        whole.update(f"{module}\0".encode() + file.read_bytes())
    return whole.hexdigest()
