"""What MLflow has of ours by name: tags, files, and names that it takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

RECORD_TAG = "preimage.tracking.record"
OUTPUTS_TAG = "preimage.outputs"
INVOCATION_TAG = "preimage.running.invocation"
ORIGIN = "origin.json"
LONGEST = 250
# A letter of another alphabet by its own name: ALPHA of "GREEK SMALL LETTER ALPHA".
LETTER = re.compile(r"(?:SMALL|CAPITAL) LETTER (\w+)")


def escaped(name: str) -> str:
    """Return a name that MLflow takes, another for another name.

    Letters lose their accents, those of other alphabets are spelt out, and what MLflow refuses becomes an underscore. A
    name that had to change ends with a digest of what it was.
    """
    if re.fullmatch(rf"[A-Za-z0-9_\-. /:]{{1,{LONGEST}}}", name):
        return name
    spelt = "".join(_spelt(c) for c in unicodedata.normalize("NFKD", name))
    plain = re.sub(r"[^A-Za-z0-9_\-. /:]+", "_", spelt).strip("_ ")
    return f"{plain[: LONGEST - 7]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _spelt(character: str) -> str:
    if unicodedata.combining(character):
        return ""
    if character.isascii() or not character.isalpha():
        return character
    found = LETTER.search(unicodedata.name(character, ""))
    return found[1].lower() if found else "_"


def changed(names: list[str]) -> dict[str, str]:
    """Return the names that MLflow does not take as they are, by those that they get."""
    return {safe: name for name in names if (safe := escaped(name)) != name}


def digest_tag(name: str) -> str:
    """Return the tag that held the sha256 of a file on runs of version 1.0 and before."""
    return escaped(f"sha256.{name}")


def signed(name: str, sha256: str) -> str:
    """Return how the tag of a step's outputs names one of them."""
    return f"{name}={sha256}"


def outputs_tag(outputs: Mapping[str, str], longest: int) -> str:
    """Return the tag of a step's outputs, sha256 by path: tables first, and as many as it can hold."""
    found, length = [], 0
    for path in sorted(outputs, key=lambda p: (not p.endswith((".parquet", ".csv")), p)):
        one = signed(path.rpartition("/")[2], outputs[path])
        length += len(one) + 1
        if length <= longest:
            found.append(one)
    return " ".join(found)
