"""Files that must agree with each other."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from ..running import ROOT

sys.path.insert(0, str(ROOT / "envs"))
LOCKS = [ROOT / f"requirements{part}.lock" for part in ("", "-dev", "-uv")]


def test_the_environment_of_the_rules_equals_the_lock():
    import from_lock

    assert from_lock.TARGET.read_text(encoding="utf-8") == from_lock.environment()


def test_the_lock_of_the_tools_has_what_the_other_has_not():
    import from_lock

    assert from_lock.DEV_LOCK.read_text(encoding="utf-8") == from_lock.only_dev()
    names = {lock: {re.split("[ =]", pin)[0] for pin in from_lock.pins(lock)} for lock in LOCKS}
    assert {"pytest", "mypy", "ruff"} <= names[from_lock.DEV_LOCK] and not names[from_lock.LOCK] & names[
        from_lock.DEV_LOCK
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for lock, asked in (
        (from_lock.LOCK, project["dependencies"]),
        (from_lock.DEV_LOCK, project["optional-dependencies"]["dev"]),
    ):
        assert {re.match("[A-Za-z0-9_-]+", one).group().lower() for one in asked} <= names[lock]


def test_containers_install_the_lock_on_the_python_of_the_environment():
    """They were not built here; that they follow the lock, and name nothing that is not there, is held."""
    environment = yaml.safe_load((ROOT / "envs/preimage.yaml").read_text(encoding="utf-8"))
    (python,) = (d.partition("=")[2] for d in environment["dependencies"] if str(d).startswith("python="))
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("Containerfile", "preimage.def")}
    for name, text in texts.items():
        assert re.findall(r"(?m)^(?:FROM|From:) \S*\bpython:([\d.]+)-slim", text) == [python], name
        assert re.findall(r"pip install (.*)", text) == [
            "--no-cache-dir --require-hashes -r /opt/preimage/requirements.lock"
        ], name
        assert "/opt/preimage/Snakefile" in text
    assert (ROOT / ".containerignore").read_text() == (ROOT / ".dockerignore").read_text()


def test_the_tracking_server_in_containers_is_as_documented(tmp_path):
    """It was not started here; that it runs the lock's MLflow, for this machine alone, with the passwords that the docs
    tell how to make, is held."""
    import from_lock

    text = (ROOT / "contrib/tracking-server/compose.yaml").read_text(encoding="utf-8")
    docs = (ROOT / "docs/tracking-server.md").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    assert services["mlflow"]["image"].endswith(f":v{from_lock.pinned('mlflow')}-full")
    assert all(re.search(r":v?\d+[.\w-]*$", s["image"]) and s["healthcheck"]["test"] for s in services.values())
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:${PORT:-5000}:5000"]
    (make,) = re.findall(r"(?ms)^\(umask 077; .*?passwords\.env\)$", docs)
    subprocess.run(make, shell=True, cwd=tmp_path, check=True)
    made = tmp_path / "passwords.env"
    assert made.stat().st_mode & 0o777 == 0o600
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert sorted(line.partition("=")[0] for line in made.read_text().split()) == sorted(required)
    assert all(len(line.partition("=")[2]) == 48 for line in made.read_text().split())
    documented = dict(re.findall(r"(?m)^\| `(\w+)` \| `?(.*?)`? \|", docs.partition("## With containers")[2]))
    defaults = dict(re.findall(r"\$\{(\w+):-(.*?)\}", text))
    assert documented == {**dict.fromkeys(required, "required"), **defaults}


def test_every_rule_names_that_environment():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        for rule in re.split(r"(?m)^rule ", text)[1:]:
            assert "script:" not in rule or "ENVIRONMENT" in rule, rule.split(":")[0]


@pytest.mark.parametrize("lock, least", [(LOCKS[0], 100), (LOCKS[1], 20), (LOCKS[2], 1)], ids=lambda v: str(v))
def test_each_lock_is_hashed_and_names_no_host(lock, least):
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--find" not in text
    pins = [block for block in re.split(r"(?m)^(?=\S)", text) if block.strip()]
    assert len(pins) >= least
    assert all("--hash=sha256:" in pin for pin in pins)


@pytest.mark.parametrize("path", sorted((ROOT / "config/studies").rglob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_studies_are_valid(path, monkeypatch, tmp_path):
    from preimage import study
    from preimage.running import invocation

    monkeypatch.chdir(ROOT)
    if path.stem == "covid":  # it reads a user's copy of files that are not shipped
        data = os.environ.get("PREIMAGE_TEST_DATA")
        if not data:
            pytest.skip("PREIMAGE_TEST_DATA names no folder of real data")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "data").mkdir()
        (tmp_path / "data/covid").symlink_to(Path(data) / "covid")
    if path.stem == "inference_benchmark":  # a user's copy of files that are not shipped; small ones in their place
        monkeypatch.chdir(tmp_path)
        folder = tmp_path / "two_moons/files/num_observation_1"
        folder.mkdir(parents=True)
        for name in ("observation.csv", "true_parameters.csv", "reference_posterior_samples.csv"):
            (folder / name).write_text("a,b\n0.1,0.2\n")
    studies = study.load_all([path])
    assert {found.get("family", name) for name, found in studies.items()} == {path.stem}
    # One study asks on purpose for what nobody has measured, and for less water than many mixes have; the counts of
    # another are corrected here and there; no digit reaches some corners of the picture.
    expected = {
        "concrete": ["objective 'beyond' asks for compressive_strength", "rows violate the constraints"],
        "covid": ["policy: lift"],
        "digits": ["is constant"],
    }
    mine = expected.get(path.stem, [])
    warnings = invocation.check(studies)
    assert [w for w in warnings if not any(e in w for e in mine)] == [] and bool(warnings) == bool(mine)


def test_every_script_has_a_rule_and_the_other_way_round():
    rules = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "workflow/rules").glob("*.smk"))
    named = set(re.findall(r'"\.\./scripts/(\w+)\.py"', rules))
    assert named == {p.stem for p in (ROOT / "workflow/scripts").glob("*.py")}


def test_profiles_are_yaml():
    for path in (ROOT / "workflow/profiles").glob("*/config.yaml"):
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
