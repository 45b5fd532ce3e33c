"""`preimage open my`: the report of a study in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from preimage.support.errors import StudyError, did_you_mean

RESULTS, REPORT = Path("results"), "report.html"


def report(study: str, in_browser: bool = False) -> Path:
    """Return the report of a study by its name, its file or its folder of results, and open it where a browser is.

    Raises StudyError where there is none.
    """
    named = Path(study)
    folders = [named, RESULTS / study, RESULTS / named.stem]
    page = next((folder / REPORT for folder in folders if (folder / REPORT).is_file()), None)
    if page is None:
        finished = [p.parent.name for p in RESULTS.glob(f"*/{REPORT}")]
        raise StudyError(f"{RESULTS / named.stem / REPORT}: no such report{did_you_mean(named.stem, finished)}")
    if in_browser:
        webbrowser.open(page.resolve().as_uri())
    return page
