"""What MLflow has of ours by name: tags, files, and names that it takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata

RECORD_TAG = "preimage.tracking.record"
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
    """Return the tag of a step's run that holds the sha256 of a file."""
    return escaped(f"sha256.{name}")
