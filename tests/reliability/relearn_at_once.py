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

from preimage.registry import Registry
from preimage.relearning.promotion import relearned

from .registry_faults import Faulty, challenger, gate_rows


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        os.chdir(asked["folder"])
        store = Registry()
        if asked.get("kill_before"):
            Faulty.put(store, asked["kill_before"], lambda: os.kill(os.getpid(), signal.SIGKILL))
        new = challenger(Path(asked["library"]), asked["name"], asked["rows"])
        found = relearned(store, new, gate_rows(), {}, np.random.default_rng(0))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
