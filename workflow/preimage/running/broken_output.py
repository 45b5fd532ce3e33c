"""A run whose standard output breaks goes on: what would be written there goes nowhere.

Where whatever read it has ended (`make run | tee log`, a launcher killed by the system), Snakemake's log handler raises
BrokenPipeError. In the thread that reports a failed job this ends the report, and Snakemake waits for the job for ever,
with the folder's lock held.
"""

from __future__ import annotations

import os
import select
import threading

STANDARD = (1, 2)


def outlive_readers() -> None:
    """Watch standard output and error; what has no reader any more is led to where nothing is kept.

    Processes that are started later inherit this. Does nothing where the system has no `poll`.
    """
    if hasattr(select, "poll"):
        threading.Thread(target=_watch, name="broken output", daemon=True).start()


def _watch() -> None:
    watched, left = select.poll(), set(STANDARD)
    for descriptor in STANDARD:
        watched.register(descriptor, 0)  # an error or a hang-up is told without being asked for
    while left:
        for descriptor, _ in watched.poll():
            watched.unregister(descriptor)
            left.discard(descriptor)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
