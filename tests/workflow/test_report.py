"""The page: what it says, that it stands alone, and that a browser opens it without complaint."""

import re
import shutil
import subprocess

import pandas as pd
import pytest

from ..running import assert_documented

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tiny):
    return (tiny / "results/tiny/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["candidates.parquet", "summary.csv", "diagnosis.csv", "best_of.csv", "timings.csv"])
def test_the_columns_of_the_tables_are_documented(tiny, name):
    path = tiny / "results/tiny" / name
    assert_documented(pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path), name)


def test_the_columns_of_a_preimage_are_documented(tiny):
    (boxes,) = (tiny / "results/tiny/round0/seed0/preimage").rglob("*.parquet")
    assert_documented(pd.read_parquet(boxes), "preimage/")


def test_it_leads_with_the_answer_then_evidence_figures_and_how_it_was_made(page):
    places = [page.index(f'<h2 id="{name}">') for name in ("answer", "evidence", "figures", "made")]
    assert places == sorted(places)


def test_it_loads_nothing_from_elsewhere(page):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "<script" not in page and "@import" not in page and "url(http" not in page


def test_every_method_stands_in_every_table_with_the_baseline(page, tiny):
    summary = pd.read_csv(tiny / "results/tiny/summary.csv")
    for _, part in summary.groupby(["objective", "surrogate"]):
        for name in part["inverter"].unique():
            assert page.count(f"<td>{name.replace('_', ' ')}") >= 1
    assert page.count("(baseline)") == 3  # one an objective: on the forest


def test_it_says_that_local_search_does_not_move_on_a_forest(page):
    assert re.search(r"starts on forest: \d+ of \d+ starts did not move", page)


def test_it_tells_how_far_the_true_minimum_is(page):
    assert "The true minimum is 0 at (0, 0)" in page


def test_it_names_seeds_versions_and_digests(page):
    assert "Seeds" in page and "Workflow commit" in page and "scikit-learn" in page
    assert len(re.findall(r"<code>[0-9a-f]{64}</code>", page)) >= 2


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("size", ["1200,2000", "390,844"])
def test_a_browser_opens_it_from_a_file_without_console_errors(tiny, tmp_path, size):
    done = subprocess.run(
        [
            CHROMIUM, *QUIET, f"--user-data-dir={tmp_path}", "--enable-logging=stderr", f"--window-size={size}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--dump-dom",
            f"file://{tiny}/results/tiny/report.html",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "The answer" in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
