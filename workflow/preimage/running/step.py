"""What every script does around its work: log, progress, resume state, clear errors, and the record.

`main(snakemake)` of a script is:

    with step(snakemake) as run:
        ... read inputs, call the library, write outputs, run.metric(...)
"""

from __future__ import annotations

import errno
import fcntl
import logging
import math
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preimage.running import system_metrics
from preimage.support import kept_calls, limits, masking, spending, stopping
from preimage.support.errors import StudyError
from preimage.support.files import digest, remove
from preimage.support.rng import generator
from preimage.tracking import record

if TYPE_CHECKING:
    import numpy as np

# Held (shared) by every step while it runs; the launcher waits for it before it unlocks a folder.
JOBS_LOCK = Path("results/.locks/jobs")
SHOW_EVERY_SECONDS = 0.2
# What a full, read-only or closed disk says: nothing in the code is to blame, so no traceback.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


def resume_folder(study: str) -> Path:
    """Return the folder of what a study's steps keep for their next attempt."""
    return Path("results") / study / ".resume"


class Step:
    """A running step: its parameters, and what it has to say for its record."""

    def __init__(self, snakemake: Any) -> None:
        self.snakemake = snakemake
        self.params: dict[str, Any] = dict(snakemake.params)
        wildcards = {k: str(v) for k, v in snakemake.wildcards.items()}
        self.record = record.Record(
            study=wildcards.get("study", ""),
            rule=snakemake.rule,
            name=_name(snakemake),
            wildcards=wildcards,
            invocation=record.invocation(),
            started=record.now(),
            params=record.flat({k: v for k, v in self.params.items() if k != "code"}),
            tags=record.environment(),
        )
        self.inputs = record.digests(snakemake.input)
        self._state: Path | None = None

    @property
    def rng(self) -> np.random.Generator:
        """The step's own generator, from the study's seed and the step's name: fresh at every call."""
        return self.rng_of(self.record.rule)

    def rng_of(self, rule: str, **others: str) -> np.random.Generator:
        """The generator of a rule's step with these wildcards, but for `others`: that which all parts of a scattered
        step share, or that of a step to compare with."""
        wildcards = {**self.record.wildcards, **others}
        own = [v for k, v in sorted(wildcards.items()) if k not in ("study", "seed", "scatteritem")]
        return generator(int(wildcards.get("seed", 0)), "/".join([rule, *own]))

    def shared_rng(self, what: str) -> np.random.Generator:
        """The generator that every step of a seed shares for what they must draw alike."""
        return generator(int(self.record.wildcards.get("seed", 0)), what)

    @property
    def part(self) -> tuple[int, int]:
        """Which part of a step that is scattered this is, from 0, and of how many: "1-of-2" is (0, 2)."""
        part, parts = self.record.wildcards["scatteritem"].split("-of-")
        return int(part) - 1, int(parts)

    @property
    def state(self) -> Path:
        """Where this step may keep what it needs to go on after a kill, as a file or as a folder: named by inputs,
        params and code."""
        if self._state is None:
            self._state = self._kept(".json")
        return self._state

    @property
    def calls(self) -> Path:
        """Where the calls of a user's simulator are kept: like `state`, but until Snakemake has taken the whole run
        for done. A step that ends as Snakemake is killed runs again."""
        return self._kept(kept_calls.SUFFIX)

    def _kept(self, suffix: str) -> Path:
        """Return the file of this step's inputs, params and code, and remove those of others."""
        stem = ".".join([self.record.rule, *(v for k, v in self.record.wildcards.items() if k != "study")])
        found = resume_folder(self.record.study) / f"{stem}.{digest([self.inputs, self.params])[:16]}{suffix}"
        for other in found.parent.glob(f"{stem}.*{suffix}"):
            if other != found:
                remove(other)
        return found

    def metric(self, name: str, value: float | None, at: int = 0) -> None:
        """Record a number; what is missing or not finite is left out."""
        if value is not None and math.isfinite(value):
            self.record.metrics.append([name, float(value), at])

    def metric_of(self, step: str, name: str, value: float | None) -> None:
        """Record a number that belongs to a step before, of the same round and seed, whose record has this name."""
        if value is not None and math.isfinite(value):
            path = Path(str(self.snakemake.output.record)).with_name(f"{step}.json")
            self.record.others.setdefault(str(path), []).append([name, float(value), 0])

    def param(self, name: str, value: Any) -> None:
        self.record.params[name] = value

    def artifact(self, *paths: str) -> None:
        self.record.artifacts += [str(p) for p in paths]

    def progress(self, total: int | None) -> Callable[..., None]:
        """Return a function of what is done, the best loss if there is one, and other numbers by name: it draws a bar,
        and logs now and then.

        `total` is None where it isn't known how much there is to do.
        """
        from tqdm import tqdm

        bar = tqdm(total=total, desc=self.record.name, leave=False, disable=None, mininterval=SHOW_EVERY_SECONDS)
        said = time.monotonic()

        def report(done: int, best: float | None = None, **more: float) -> None:
            nonlocal said
            bar.update(done - bar.n)
            loss = {} if best is None else {"best": best}
            bar.set_postfix({k: f"{v:.4g}" for k, v in {**loss, **more}.items()}, refresh=False)
            ended = total is not None and done >= total
            if time.monotonic() - said > 5 or ended:
                found = "" if best is None else f", best loss {best:.6g}"
                logging.info("%d%s done%s", done, "" if total is None else f" of {total}", found)
                said = time.monotonic()
            if ended:
                bar.close()

        return report

    def finish(self, started: float) -> None:
        """Write the record; the resume state has done its work."""
        if self._state is not None:
            remove(self._state)
        own, children = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        self.record.timing = {
            "wall_seconds": time.time() - started,
            "cpu_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
            "peak_memory_mb": max(limits.peak() / 1024, children.ru_maxrss) / 1024,
            **self.record.timing,
        }
        self.record.imported = [name for name in record.SLOW_TO_IMPORT if name in sys.modules]
        self.record.ended = record.now()
        self.record.inputs = self.inputs
        path = str(self.snakemake.output.record)
        self.record.outputs = record.digests(o for o in self.snakemake.output if str(o) != path)
        self.record.write(path)


def _name(snakemake: Any) -> str:
    own = [str(v) for k, v in snakemake.wildcards.items() if k not in ("study", "round", "seed")]
    return " ".join([snakemake.rule, *own])


@contextmanager
def step(snakemake: Any) -> Iterator[Step]:
    """Run a script's work. Bad input ends it with one line; anything else leaves its traceback in the log."""
    import psutil

    started = psutil.Process(os.getpid()).create_time()
    log = Path(str(snakemake.log[0]))
    log.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w")
    handler.setFormatter(masking.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    stopping.listen()
    limits.end_first()
    with running(), secretive():
        try:
            run = Step(snakemake)
            failures = Path("results") / run.record.study / spending.FILE if run.record.study else None
            with (
                kept_calls.keeping_at(lambda: run.calls),
                spending.opened(run.params.get("calls"), failures) as account,
                system_metrics.measured(getattr(snakemake, "config", {}).get(system_metrics.KEY)) as used,
            ):
                yield run
            run.record.system = used
            run.record.calls = {"asked": account.asked, "failed": dict(account.reasons)} if account.asked else {}
            run.finish(started)
            logging.info("done in %.1f s", run.record.timing["wall_seconds"])
        except StudyError as error:
            logging.error("%s", error)
            print(f"preimage: {error}", file=sys.stderr)
            sys.exit(1)
        except MemoryError:
            logging.error("%s", traceback.format_exc())
            print(f"preimage: {_name(snakemake)}: memory ran out: {limits.remedy()}", file=sys.stderr)
            sys.exit(1)
        except SystemExit:
            logging.error("asked to end: what could be saved is saved")
            stopping.leave()
            raise
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            told = f"{error.filename or 'results/'}: can't be written: {error.strerror or error}"
            logging.error("%s", told)
            print(f"preimage: {told}", file=sys.stderr)
            sys.exit(1)
        except BaseException:
            logging.error("%s", traceback.format_exc())
            raise


@contextmanager
def secretive() -> Iterator[None]:
    """Keep secrets out of what a step prints, the user's code and a last traceback too: a cluster keeps it in files."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = masking.Stream(sys.stdout), masking.Stream(sys.stderr)
    try:
        yield
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def running() -> Iterator[None]:
    """Hold the lock that says a step is at work in this folder."""
    with ExitStack() as held:
        try:
            JOBS_LOCK.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context(JOBS_LOCK.open("a")), fcntl.LOCK_SH)
        except OSError as error:
            logging.info("%s: no lock (%s): `make run` can't tell whether a step is at work", JOBS_LOCK, error.strerror)
        yield
