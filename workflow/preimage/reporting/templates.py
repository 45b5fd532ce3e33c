"""The templates of all pages, which stand beside this module."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from preimage.reporting import words


def environment() -> Environment:
    """Return the templates: every value is escaped, and a name that is missing is an error."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters.update(number=words.number, label=words.label, percent=words.share)
    return found
