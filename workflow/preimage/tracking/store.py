"""Where the tracking store is, a connection to it, and what is said of it."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError, without_secrets
from preimage.support.files import remove, replacing

LOCAL = "sqlite:///"
DEFAULT_URI = f"{LOCAL}results/mlflow.db"


def uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def shown_uri() -> str:
    """Return the tracking address without user and password."""
    return without_secrets(uri().partition("?")[0])


def redacted(error: Exception) -> str:
    """Return an error in one short line, without secrets."""
    return without_secrets(" ".join(str(error).split()) or type(error).__name__)[:200]


def client() -> Any:
    """Return an `mlflow.MlflowClient` of the store, which is also what `mlflow` itself works on from here."""
    # A server that is away is noticed in seconds, not minutes; the record is sent another time.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    # What MLflow prints on its own account (an address a run, a bar a download) belongs to no step's output.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would override the parent that we name
    import mlflow

    mlflow.set_tracking_uri(uri())
    if uri().startswith(LOCAL) and "?" not in uri() and not (path := Path(uri().removeprefix(LOCAL))).exists():
        _make(path)
    return mlflow.MlflowClient()


def _make(path: Path) -> None:
    """Make a local store, which has its name once it is whole: one that a kill left with half of its tables would
    refuse every record from then on."""
    import sqlalchemy
    from mlflow.store.db import utils

    for left in path.parent.glob(f".{path.name}.*.tmp-journal"):  # by one that was killed
        remove(left)
    with replacing(path) as temporary:
        engine = sqlalchemy.create_engine(f"{LOCAL}{temporary}")
        utils._initialize_tables(engine)
        engine.dispose()


def check_version() -> None:
    """Raise StudyError where the server is of an older major version than the client: half of what is sent would be
    refused, or lost."""
    if not uri().startswith("http"):
        return
    import mlflow
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    answer = http_request(get_default_host_creds(uri()), "/version", "GET", raise_on_status=False)
    found = re.match(r"(\d+)\.\d", answer.text.strip()) if answer.status_code == 200 else None
    wanted = mlflow.__version__.partition(".")[0]
    if found is not None and int(found[1]) < int(wanted):
        raise StudyError(f"the server is MLflow {answer.text.strip()[:20]}, expected {wanted}.0 or later: upgrade it")


@contextmanager
def asking(address: str) -> Iterator[Any]:
    """Give a client of the store; make what it raises one StudyError of one line, about `address`."""
    store = uri().removeprefix(LOCAL)
    if uri().startswith("sqlite:") and not Path(store).exists():
        raise StudyError(f"{address}: no tracking store at {shown_uri()}; MLFLOW_TRACKING_URI names another")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        yield client()
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{address}: tracking at {shown_uri()} says: {redacted(error)}") from None
