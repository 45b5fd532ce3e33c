"""Which records wait to be sent: a receipt says that a record, as it is now, has been sent to an address."""

from __future__ import annotations

import re
from pathlib import Path

from preimage.support.files import sha256
from preimage.tracking.store import shown_uri

RESULTS = Path("results")


def pending() -> list[Path]:
    """Return the records that this address has not been sent, oldest first, invocations last."""
    found = []
    for path in RESULTS.glob("*/tracking/**/*.json"):
        if "sent" not in path.parts and not path.name.startswith(".") and not receipt(path).exists():
            found.append(path)
    return sorted(found, key=lambda p: (p.name.startswith("invocation-"), p.stat().st_mtime_ns, str(p)))


def receipt(path: Path) -> Path:
    """Return the file that says a record, as it is now, has been sent to this address."""
    folder = path
    while folder.name != "tracking":
        folder = folder.parent
    address = re.sub(r"[^A-Za-z0-9]+", "_", shown_uri())[-80:]
    return folder / "sent" / address / f"{record_key(path)}.json"


def record_key(path: Path) -> str:
    """Return the tag that the run of a record, as it is now, carries."""
    return f"{path.stem}.{sha256(path)[:16]}"
