"""What MLflow has of ours by name: tags, files, and names that it takes."""

from __future__ import annotations

import re

RECORD_TAG = "preimage.tracking.record"
INVOCATION_TAG = "preimage.running.invocation"
ORIGIN = "origin.json"


def escaped(name: str) -> str:
    """Return a name that MLflow takes: what it refuses becomes an underscore."""
    return re.sub(r"[^A-Za-z0-9_\-. /:]", "_", name)[:250]


def digest_tag(name: str) -> str:
    """Return the tag of a step's run that holds the sha256 of a file."""
    return f"sha256.{escaped(name)}"[:250]
