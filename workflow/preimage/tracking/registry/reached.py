"""What a registry that is away says, and what a database does that two processes write to at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from preimage.support.errors import StudyError
from preimage.tracking.store import redacted, shown_uri

# What MLflow's errors say where the server is away or won't have us.
AWAY = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "UNAUTHENTICATED", "PERMISSION_DENIED")


@contextmanager
def reached() -> Iterator[None]:
    """Say in one sentence that the server is away: nothing was promoted, and the next run goes on from here."""
    import mlflow
    import requests

    try:
        yield
    except (requests.RequestException, ConnectionError, mlflow.MlflowException) as error:
        if not is_away(error):
            raise  # MLflow understood, and refused: that is a fault of ours
        raise StudyError(
            f"the model registry at {shown_uri()} can't be used ({redacted(error)}); nothing was "
            "promoted, and the next run goes on from here"
        ) from None


def is_away(error: Exception) -> bool:
    """Whether an error says that the server is away, and not that what was asked for is missing."""
    import mlflow
    import requests

    if isinstance(error, mlflow.MlflowException):
        return error.error_code in AWAY
    if getattr(getattr(error, "response", None), "status_code", None) == 404:
        return False
    return isinstance(error, (requests.RequestException, ConnectionError))


def written(call: Callable[..., None], *arguments: str) -> None:
    """Set a tag or an alias. MLflow looks whether it is there and then inserts it: of two that do so at the same moment
    the database refuses one, which finds the other's at the second try."""
    import mlflow

    try:
        call(*arguments)
    except mlflow.MlflowException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        call(*arguments)
