"""Bad input, told in one message that a user can act on."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote


class StudyError(ValueError):
    """Input that can't be used: says which file, key or column and row, what was found, what was expected.

    In one line: names may have line ends in them, or what a terminal would obey.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the valid name nearest to `name`, or the list of valid names."""
    names = sorted(str(v) for v in valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid: {', '.join(names)}" if names else ""


# Of the environment's variables, those whose values are nobody's business.
SECRET = re.compile("PASSWORD|PASSWD|TOKEN|SECRET|_KEY$")
ADDRESS = re.compile(r"(?<=://)[^\s/?#]*@")


def without_secrets(text: str) -> str:
    """Return text without user and password of any address in it, and without the secrets of the environment."""
    # Shorter ones are a part of half of all words.
    for secret in sorted((s for s in _secrets() if len(s) > 3), key=len, reverse=True):
        text = text.replace(secret, "***")
    return ADDRESS.sub("", text)


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if name.endswith("_URI"):
            address, _, query = value.partition("?")
            if password := re.search(r"://[^\s:@]*:(\S*)@", address):
                yield from (password[1], unquote(password[1]))
            yield from (
                v for key, _, v in (part.partition("=") for part in query.split("&")) if SECRET.search(key.upper())
            )
        elif SECRET.search(name):
            yield value
