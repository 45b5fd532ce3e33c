"""A user's own stochastic simulator, "package.module:function".

The function takes parameters (k, d), how many samples of each are wanted, and a NumPy random generator, and returns the
samples (k, size, D). What may go wrong in it, and what comes of that:

- it raises for some parameters: these have samples of NaN, which stay in every table as failed simulations. The batch
  is run again row by row to find out which, each row with a generator of its own;
- it raises for every parameter drawn from the prior: an error, with what it said (`Simulator.refuse_if_broken`);
- samples that are no finite number: the sample is NaN;
- an array of another shape: an error;
- it takes longer for a batch than `problem.seconds`: an error. The function runs in a thread, so that code that neither
  returns nor ever lets the interpreter go can't be interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from preimage.inference.prior import Prior, margin
from preimage.inference.simulator import Simulator
from preimage.problems import user_import
from preimage.support import kept_calls
from preimage.support.errors import StudyError

SECONDS = 600.0
Call = Callable[[np.ndarray, int, np.random.Generator], Any]


def wrapped(name: str, spec: Mapping[str, Any], run: bool = True) -> Simulator:
    """Return the simulator of a user's function, with the priors of `inputs` and the coordinates of `outputs`.

    Raises StudyError where it can't be imported, or priors or coordinates are missing.
    """
    from preimage.inference.callback import traceable

    call: Call = user_import.load(name) if run else user_import.not_imported
    margins = {key: margin(entry or {}) for key, entry in (spec.get("inputs") or {}).items()}
    if not margins:
        raise StudyError(f"problem.inputs: name the parameters of the simulator '{name}', each with its prior")
    for key, found in margins.items():
        if found is None:
            raise StudyError(f"problem.inputs.{key}: no prior; expected low and high, normal, or log_normal")
    coordinates = tuple(spec.get("outputs") or {})
    if not coordinates:
        raise StudyError(f"problem.outputs: name the coordinates of a sample of the simulator '{name}'")
    seconds = float(spec.get("seconds", SECONDS))
    guarded = Guarded(call, name, len(coordinates), seconds, spec.get("batch"))
    prior = Prior({key: found for key, found in margins.items() if found is not None})
    simulate = traceable(guarded, len(coordinates))
    return Simulator(name, prior, coordinates, simulate, complaint=lambda: guarded.complaint)


class Guarded:
    """A user's function with its answer checked, and a limit on the time of a batch; `complaint` is what it raised
    last.

    Args:
        batch: most parameters in one call, each with a generator of its own; all at once where it is None.
    """

    def __init__(self, call: Call, name: str, coordinates: int, seconds: float, batch: int | None = None) -> None:
        self.call, self.name, self.coordinates, self.seconds, self.batch = call, name, coordinates, seconds, batch
        self.complaint = ""

    def __call__(self, theta: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return samples (k, size, D) of parameters (k, d), NaN where the function failed. Raises StudyError."""
        n = self.batch or len(theta)
        parts = [theta[k : k + n] for k in range(0, len(theta), n)] if len(theta) > n else [theta]
        own = rng.spawn(len(parts)) if len(parts) > 1 else [rng]
        answers = [self._limited(partial(self._batch, p, size, r), len(p)) for p, r in zip(parts, own, strict=True)]
        found = np.concatenate(answers)
        return np.where(np.isfinite(found).all(axis=-1, keepdims=True), found, np.nan)

    def _batch(self, theta: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        try:
            return self._checked(self._called(theta, size, rng), (len(theta), size, self.coordinates))
        except StudyError:
            raise
        except Exception as error:
            self.complaint = user_import.said(error)
            return self._by_row(theta, size, rng.spawn(len(theta)))

    def _called(self, theta: np.ndarray, size: int, rng: np.random.Generator) -> Any:
        asked = [theta, size, rng.bit_generator.state]
        return kept_calls.kept(asked, lambda: self.call(theta.copy(), size, rng))

    def _by_row(self, theta: np.ndarray, size: int, rows: list[np.random.Generator]) -> np.ndarray:
        shape = (size, self.coordinates)
        found = np.full((len(theta), *shape), np.nan)
        for k, (one, rng) in enumerate(zip(theta, rows, strict=True)):
            try:
                found[k] = self._checked(self._called(one[None], size, rng), (1, *shape))[0]
            except StudyError:
                raise
            except Exception as error:
                self.complaint = user_import.said(error)
        return found

    def _checked(self, answer: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            found = np.asarray(answer, dtype=float)
        except (TypeError, ValueError) as error:
            raise StudyError(f"simulator '{self.name}': found {type(answer).__name__}, expected an array") from error
        if found.shape != shape:
            raise StudyError(
                f"simulator '{self.name}': {shape[0]} parameters and {shape[1]} samples of each returned an array of "
                f"shape {found.shape}, expected {shape}"
            )
        return found

    def _limited(self, work: Callable[[], np.ndarray], rows: int) -> np.ndarray:
        """Return what `work` returns; raise what it raises, or StudyError where it takes too long."""
        done: list[np.ndarray] = []
        wrong: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:
                wrong.append(error)

        # A daemon: it doesn't keep the process from ending.
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self.seconds)
        if wrong:
            raise wrong[0]
        if not done:
            raise StudyError(
                f"simulator '{self.name}': no answer for {rows} parameters within {self.seconds:g} s (problem.seconds)"
            )
        return done[0]
