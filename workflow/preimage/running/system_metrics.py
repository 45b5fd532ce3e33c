"""Use of the machine while a step runs, on request: `--config system_metrics=5` measures every 5 seconds.

Named as MLflow names its own system metrics, so that its pages show them in their place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEY = "system_metrics"
MB = 1e6
# A step that takes days keeps a curve, not a table.
MOST = 5000

Measured = dict[str, list[list[Any]]]


@contextmanager
def measured(every: float | None) -> Iterator[Measured]:
    """Give what is measured meanwhile: milliseconds since 1970 and value, by name; nothing where `every` is None."""
    found: Measured = {}
    if every is None:
        yield found
        return
    stop = threading.Event()
    thread = threading.Thread(target=_measure, args=(found, every, stop), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _measure(found: Measured, every: float, stop: threading.Event) -> None:
    import psutil

    start = psutil.net_io_counters()
    psutil.cpu_percent()  # says 0 the first time
    ended = False
    while not ended:
        ended = stop.wait(every)
        if len(next(iter(found.values()), [])) == MOST:
            continue
        at = int(time.time() * 1000)
        for name, value in _now(psutil, start).items():
            found.setdefault(f"system/{name}", []).append([at, float(value)])


def _now(psutil: Any, start: Any) -> dict[str, float]:
    """Return the use of the whole machine: of its network since `start`."""
    memory, disk, net = psutil.virtual_memory(), psutil.disk_usage("."), psutil.net_io_counters()
    found = {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / MB,
        "system_memory_usage_percentage": memory.percent,
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / MB,
        "disk_available_megabytes": disk.free / MB,
    }
    if net is not None and start is not None:
        found["network_receive_megabytes"] = (net.bytes_recv - start.bytes_recv) / MB
        found["network_transmit_megabytes"] = (net.bytes_sent - start.bytes_sent) / MB
    return found
