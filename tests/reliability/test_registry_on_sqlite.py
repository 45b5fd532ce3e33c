"""The registry under faults on sqlite."""

import pytest

from .registry_cases import *  # noqa: F403


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
