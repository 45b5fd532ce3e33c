"""A process that relearns when told to; `test_registry_faults` starts two and tells both at once.

Standard input: a JSON line a relearning (folder to work in, challenger, and where to be killed: before that call of
the store's client). Standard output: `ready`, then a JSON line with what was decided.
"""

import json
import os
import signal
import sys
from pathlib import Path

import mlflow  # noqa: F401  (before `ready`: a relearning takes tenths of a second, its imports take seconds)
import numpy as np

from preimage.relearning.promotion import relearned
from preimage.tracking.registry import Registry

from .registry_faults import Faulty, challenger, gate_rows


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "kill_before" in asked:
            # In a child: the imports are paid for once. Nothing is connected yet, so a child inherits no connection.
            child = os.fork()
            found = os.waitpid(child, 0)[1] if child else relearn(**asked)
        else:
            found = relearn(**asked)
        print(json.dumps(found), flush=True)


def relearn(folder, library, name, rows, kill_before=0):
    os.chdir(folder)
    store = Registry()
    Faulty.put(store, kill_before, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return relearned(store, challenger(Path(library), name, rows), gate_rows(), {}, np.random.default_rng(0))


if __name__ == "__main__":
    main()
