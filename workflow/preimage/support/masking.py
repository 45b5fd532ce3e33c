"""Passwords, keys and tokens kept out of whatever is written down: messages, logs, records."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import quote, unquote

MASK = "***"
# Names of environment variables, and of what stands before `=` in addresses and connection strings.
SECRET = re.compile(
    r"pass(?!enger|ive|es)|pwd|token(?!s|iz)|secret|credential|connection_?string|(^|[_-])sas$|(^|[_-])pat$"
    r"|(api|access|account|private|shared|signing|encryption)[_-]?key|(^|[_-])key([_-]?id)?$|(^|[_-])auth$|(^|[_-])sig(nature)?$",
    re.IGNORECASE,
)
# The folder that a shell is in, and places of files, which are no secrets themselves.
NO_SECRET = re.compile(r"^(old)?pwd$|(file|path|dir|sock|home|name)$", re.IGNORECASE)
# Shorter ones are a part of half of all words, and these are whole words.
SHORTEST, WORDS = 4, {"true", "false", "none", "null", "auto"}
# A user's name in an address is one, a token as long as that is not.
SHORTEST_ALONE = 16

ADDRESS = re.compile(r"(?<=://)[^\s/?#]*@")
PAIR = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)=(?P<quote>[\"\']?)(?P<value>[^\s\"\'&;,<>)]+)")
QUOTED = re.compile(r"(?P<name>[\"\'][\w.-]+[\"\']\s*:\s*)(?P<quote>[\"\'])(?P<value>[^\"\']+)")
# What is known by its form.
FORMS = re.compile(
    r"\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}|\bA(KI|SI)A[0-9A-Z]{16}\b"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*|(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[A-Za-z0-9+/]{8,}=*"
)


def without_secrets(text: str) -> str:
    """Return text without user and password of any address in it, without the secrets of the environment, and without
    what is a secret by its name or its form."""
    for secret in _secrets(tuple(os.environ.items())):
        text = text.replace(secret, MASK)
    text = FORMS.sub(MASK, ADDRESS.sub("", text))
    return QUOTED.sub(_masked, PAIR.sub(_masked, text))


def _masked(pair: re.Match[str]) -> str:
    name = pair["name"].strip("\"': ")
    if not _is_secret(name) or len(pair["value"]) < SHORTEST:
        return pair[0]
    return pair[0][: pair.start("value") - pair.start()] + MASK


def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None and NO_SECRET.search(name) is None


@lru_cache(maxsize=1)
def _secrets(environment: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the values of the environment that are nobody's business, the longest first."""
    return sorted(set(_found(environment)), key=len, reverse=True)


def _found(environment: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield secret values as they are, and as addresses have them."""
    for name, value in environment:
        found = [value] if _is_secret(name) else []
        if "=" in value and (found or "://" in value):
            found += [m["value"] for m in PAIR.finditer(value) if _is_secret(m["name"])]
        if inside := re.search(r"://([^\s:@/]*)(?::(\S*))?@", value):
            found += [inside[2] or "", inside[1] if len(inside[1]) >= SHORTEST_ALONE else ""]
        for secret in found:
            if len(secret) >= SHORTEST and secret.lower() not in WORDS:
                yield from (secret, unquote(secret), quote(secret, safe=""))


class Formatter(logging.Formatter):
    """Keeps secrets out of a log, tracebacks of the user's code included."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class Stream:
    """A stream of text that keeps secrets out of what is written to it; in all else the stream that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(without_secrets(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def plainly(value: Any) -> Any:
    """Return a plain value (mappings, lists, texts, numbers) without secrets in its texts; its keys stay."""
    if isinstance(value, dict):
        return {key: plainly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plainly(item) for item in value]
    return without_secrets(value) if isinstance(value, str) else value
