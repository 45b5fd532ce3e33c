"""The documentation builds without a warning, and what it shows of studies is taken."""

import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from preimage.study import reading
from preimage.support.files import read_json

from ..running import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SCHEMA = read_json(ROOT / "config/study.schema.json")
# What a part of a study is completed with.
WHOLE = {"study": "s", "problem": {"simulator": "paraboloid"}, "objectives": {"o": {"minimize": "y"}}}
INFERENCE = {"study": "s", "problem": {"simulator": "poisson"}, "observations": {"simulate": 1, "size": 5}}


def blocks(kind):
    found = []
    for page in PAGES:
        if "_build" not in page.parts:
            parts = re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
            found += [pytest.param(text, id=f"{page.stem}-{k}") for k, text in enumerate(parts)]
    return found


@pytest.mark.parametrize("text", blocks("yaml"))
def test_what_is_shown_of_a_study_has_keys_that_exist(text):
    value = yaml.safe_load(text)
    if "services" in value:
        return  # a compose file
    whole = {**(INFERENCE if "inference" in value else WHOLE), **value}
    jsonschema.validate(whole, SCHEMA)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_whole_study_of_a_page_is_read(page, tmp_path):
    for text in re.findall(r"^```yaml\n(study: .*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        path = tmp_path / "study.yaml"
        path.write_text(text, encoding="utf-8")
        assert reading.load(path)["study"]


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_site_builds_without_a_warning_and_without_a_network(tmp_path):
    away = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=away, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in PAGES:
        if page.parent != ROOT and "_build" not in page.parts:
            made = (tmp_path / "site" / page.relative_to(ROOT / "docs")).with_suffix(".html")
            assert made.exists() and not re.search(r'(src|href)="https?://[^"]*\.(js|css)"', made.read_text())
