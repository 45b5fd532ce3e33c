"""Simulators of a user's own that take long: each call is noted as it begins, so that it shows which were repeated."""

from collections import Counter

NOTES = "calls.txt"
SOURCE = '''
import hashlib
import os
import secrets
import time

import numpy as np

PROCESS = secrets.token_hex(8)


def note(*asked):
    """Note a call, by this process and all that was asked, on the disk before anything is simulated."""
    whole = hashlib.sha256()
    for part in asked:
        whole.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    at = os.open("calls.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(at, f"{PROCESS} {whole.hexdigest()}\\n".encode())
    os.fsync(at)
    os.close(at)
    time.sleep(0.1)


def bake(X):
    note(X)
    return (X[:, 0] - 0.3) ** 2 + np.sin(3 * X[:, 1])


def burn(X):
    note(X)
    if X[0, 0] > 0.9:
        raise ValueError("too hot")
    return np.where(X[:, 1] < 0.1, np.nan, (X[:, 0] - 0.8) ** 2 + np.sin(3 * X[:, 1]))


def fish(theta, size, rng):
    note(theta, size, rng.bit_generator.state)
    return theta[:, :1, None] + rng.standard_normal((len(theta), size, 1))
'''


def notes(folder):
    """Return every call that began, in order, as its process and a digest of what it was asked."""
    path = folder / NOTES
    return [tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def assert_only_interrupted_calls_repeated(whole, folder):
    """Assert that beyond the calls of a run that nothing broke, there are but those that a process was in as it ended:
    its last one. Of the others none is repeated, and none is left out."""
    found, undisturbed = notes(folder), Counter(asked for _, asked in notes(whole))
    every = Counter(asked for _, asked in found)
    last = Counter(dict(found).values())
    assert every - undisturbed <= last, f"repeated: {(every - undisturbed - last).total()} finished calls"
    assert undisturbed <= every, f"never made: {(undisturbed - every).total()} calls"
