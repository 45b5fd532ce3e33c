"""Rows of scattered work: how much of two cores two jobs make use of, on the proof of the bowl's minimum in 10 inputs.

Each job is a process of its own with one thread, as on a cluster. Efficiency is the time of one job over twice the time
that the slower of two takes; on a machine with other work, the processor seconds of both say the same.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from preimage.benchmarks.certified import OPTIONS, bowl
from preimage.benchmarks.timing import row
from preimage.inversion import certified
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.question import SearchContext
from preimage.trees import threads

REPEATS = 5


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this table."""
    runs = [(_jobs(1), _jobs(2)) for _ in range(REPEATS)]
    whole, halves = ([run[k] for run in runs] for k in range(2))
    boxes = [sum(job["boxes"] for job in jobs) for jobs in (whole[0], halves[0])]
    proven = all(job["closed"] for run in runs for jobs in run for job in jobs)
    for name, over in (("wall", max), ("processor", lambda seconds: sum(seconds) / len(seconds))):
        one, two = (float(np.median([over([job[name] for job in jobs]) for jobs in c])) for c in (whole, halves))
        what = f"proof of the bowl's minimum, d = 10: {name} seconds a job, of two that share it ({boxes[1]} boxes)"
        good = proven and one / (2 * two) >= 0.8
        made = row(what, two, one, f"one job ({boxes[0]} boxes)", "s", "0.8 of both cores, proven", good)
        yield {**made, "ratio": one / (2 * two)}


def _jobs(count: int) -> list[dict[str, Any]]:
    """Return what each of that many jobs at once has taken and done."""
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(count), context.SimpleQueue()
    jobs = [context.Process(target=_job, args=(k, count, ready, answers)) for k in range(count)]
    for job in jobs:
        job.start()
    found = [answers.get() for _ in jobs]
    for job in jobs:
        job.join()
    return found


def _job(part: int, parts: int, ready: Any, answers: Any) -> None:
    threads.use_at_most(1)
    _, question = bowl(10)
    _, small = bowl(2, 100, 5)
    options, context = Certified.model_validate(OPTIONS), SearchContext(np.random.default_rng(0), part=(part, parts))
    certified.invert(small, options, context)  # compiles
    ready.wait()
    wall, processor = time.perf_counter(), time.process_time()
    context = SearchContext(np.random.default_rng(0), part=(part, parts))
    proof = certified.invert(question, options, context).certificate
    took = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    answers.put({**took, "boxes": proof["boxes"], "closed": proof["closed"]})
