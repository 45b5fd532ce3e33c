"""Use of the machine is measured on request, as MLflow names it, until the step ends."""

import threading
import time

import pytest

from preimage.running import system_metrics
from preimage.study.reading import configured
from preimage.support.errors import StudyError


def test_nothing_is_measured_unless_asked_for():
    before = threading.active_count()
    with system_metrics.measured(None) as found:
        assert threading.active_count() == before
    assert found == {}


def test_what_is_measured_has_times_and_the_last_is_of_the_end():
    started = int(time.time() * 1000)
    with system_metrics.measured(60) as found:  # far from being over when the step ends
        pass
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(found)
    for points in found.values():
        ((at, value),) = points
        assert started <= at <= time.time() * 1000 and value >= 0


@pytest.mark.parametrize("asked", [0, -1, True, "often", float("nan")])
def test_what_is_no_number_of_seconds_is_refused(asked):
    with pytest.raises(StudyError, match="system_metrics"):
        configured({"studies": "a.yaml", "system_metrics": asked}, "config.yaml")
