"""A study as plain values: read, checked as far as possible without its data, and cut into cases."""

from preimage.study.cases import (
    LOOKUP,
    SIMULATOR,
    Case,
    Study,
    baselines,
    cases,
    fits,
    infers,
    parts,
    preimages,
    searched_exactly,
    space_part,
)
from preimage.study.reading import (
    configured,
    families,
    load,
    load_all,
    load_configured,
    load_each,
    load_located,
    written,
)

__all__ = [
    "LOOKUP",
    "SIMULATOR",
    "Case",
    "Study",
    "baselines",
    "cases",
    "configured",
    "families",
    "fits",
    "infers",
    "load",
    "load_all",
    "load_configured",
    "load_each",
    "load_located",
    "parts",
    "preimages",
    "searched_exactly",
    "space_part",
    "written",
]
