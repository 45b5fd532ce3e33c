"""The one run of all studies that tests read: it comes first, as it takes longest, and ends with nothing left to do."""

from ..finished import SAID_AGAIN


def test_a_dry_run_after_all_studies_finds_nothing_to_do(all_finished):
    assert "Nothing to be done" in (all_finished / SAID_AGAIN).read_text(encoding="utf-8")
