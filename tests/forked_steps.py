"""Steps of Snakemake that are forked from a Python which has loaded their libraries before.

Each step is a Python of its own, which loads pandas, scikit-learn and the like for two seconds before it works for
half of one. Where tests run a hundred steps, one process loads these libraries once, and is copied for each step. Of
preimage itself it loads nothing: a step still imports all that it names, in its own order, and its record says which
slow packages it would have loaded (see `seen_imports`).

Snakemake starts `sys.executable`: here a script that hands the step to that process, and any other program to Python.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import contextmanager
from pathlib import Path

from . import seen_imports
from .running import ROOT, environment

LIBRARIES = (
    *("pandas", "pyarrow.parquet", "pyarrow.csv", "pandera.pandas", "sklearn.ensemble", "sklearn.model_selection"),
    *("scipy.stats", "scipy.optimize", "scipy.spatial", "jax.numpy", "numba", "hyperopt", "matplotlib.pyplot"),
    *("skops.io", "snakemake.logging", "snakemake.iocontainers", "psutil", "tqdm", "jinja2", "yaml", "mlflow"),
)
# What the script does without libraries: hands over its program and files, and ends as the step did.
CLIENT = """
import os, socket, sys
if not sys.argv[2].endswith(".py"):
    os.execv(sys.argv[1], [sys.argv[1], *sys.argv[2:]])
import json
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    told = json.dumps([sys.argv[2], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
    status = server.recv(1)
sys.exit(status[0] if status else "the step was killed")
"""


@contextmanager
def python(slow):
    """Yield the path of a program that runs steps so, and all else as this Python does.

    Args:
        slow: the modules that a step finds only where it has imported them.
    """
    with tempfile.TemporaryDirectory(prefix="preimage-steps-") as name:
        folder = Path(name)
        client, program, path = folder / "client.py", folder / "python", folder / "socket"
        client.write_text(CLIENT.format(path=str(path)), encoding="utf-8")
        own = shlex.quote(sys.executable)
        program.write_text(f'#!/bin/sh\nexec {own} -I -S {shlex.quote(str(client))} {own} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        loading = environment(KERAS_BACKEND="jax", MPLBACKEND="agg")
        with subprocess.Popen(
            [sys.executable, "-m", __name__, path, *slow],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=loading,
            cwd=ROOT,
        ) as server:
            try:
                assert server.stdout.readline() == b"ready\n"
                yield program
            finally:
                server.stdin.close()


def serve(path, *slow):
    """Load the libraries; run each step that is handed over in a copy of this process, until standard input ends.

    Args:
        slow: as for `python`.
    """
    seen_imports.noted()
    for library in LIBRARIES:
        importlib.import_module(library)
    assert threading.active_count() == 1, "a process with threads can't be copied"
    gc.freeze()  # a copy that collects garbage would write to all of this memory, and so copy it
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)
        steps = []
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            steps.append(os.fork())
            if steps[-1] == 0:
                listening.close()
                seen_imports.hidden(slow)
                answer(connection)
            connection.close()
        for step in steps:
            os.waitpid(step, 0)


def answer(connection):
    """Be the step that a connection hands over; end this process."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += connection.recv(1 << 16)
    program, folder, environment = json.loads(told)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program]
    sys.path[0] = str(Path(program).parent)
    sys.path[1:1] = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    status = run(program)
    connection.sendall(bytes([status]))
    os._exit(status)


def run(program):
    """Run a program as Python does; return its exit status."""
    status = 0
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:  # as libraries may leave them
            stream.flush()
    return status & 255


if __name__ == "__main__":
    serve(*sys.argv[1:])
