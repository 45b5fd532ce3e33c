"""How JAX is set up, in one place: double precision, and compiled programs kept between runs."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from pathlib import Path


def enable_double() -> None:
    """Let JAX have float64; without this it makes float32 of every array, and a descent stalls at 1e-7."""
    import jax

    jax.config.update("jax_enable_x64", True)


def use_one_thread() -> None:
    """Let JAX compute on one thread; to be called before its first computation, and without effect after that.

    Sharing the small matrices of a network out among threads costs more than it saves: two threads took the same time
    and twice the CPU. XLA reads the size of its thread pool from NPROC (`DefaultThreadPoolSize` in xla/pjrt/utils.cc).
    """
    os.environ["NPROC"] = "1"


@cache
def cache_compiled_programs() -> None:
    """Keep compiled programs in the user's cache folder; where that can't be written, do without.

    What is kept decides how long a step takes, never what it computes: the entry of a program is its own machine code.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    # The small programs of an inversion are worth keeping too: each takes 0.1 s to compile, 0.01 s to read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_folder() -> Path:
    """Return a folder of this kind of processor's own: nodes of a cluster may share a home, but not machine code."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "preimage" / "jax" / hashlib.sha256(_processor().encode()).hexdigest()[:12]


def _processor() -> str:
    """Return what is known of the processor: its instruction sets on Linux, its name elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
