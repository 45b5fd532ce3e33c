"""`make venv`: what uv is told of pip's configuration, and that a set-up which has not ended never looks complete."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from ..running import ROOT, environment

sys.path.insert(0, str(ROOT / "envs"))

# Stands for uv: writes down how it was run, and fails where it is told to.
STUB = """
import json, os, sys
with open(os.environ["SEEN"], "w") as file:
    json.dump([sys.argv[1:], {k: v for k, v in os.environ.items() if k.startswith("UV_")}], file)
sys.exit(int(os.environ.get("UV_FAILS", 0)))
"""


def wheel(folder, name, files):
    """Make a wheel of these files; return its line in a lock."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    about["WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    about["RECORD"] = ""
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, **{f"{name}-1.0.dist-info/{k}": v for k, v in about.items()}}.items():
            archive.writestr(file, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python whose `-m venv` copies an environment that is made once."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    stub = folder / "python"
    stub.write_text(
        f'#!/bin/sh\nif [ "$2" = venv ]; then cp -RT {folder}/venv "$3"; else exec {sys.executable} "$@"; fi\n'
    )
    stub.chmod(0o755)
    return stub


@pytest.fixture
def project(tmp_path, python):
    """A checkout whose lock has one package, with a folder of wheels that pip looks into, and no index."""
    for name in ("Makefile", "envs/uv_like_pip.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "requirements.lock").write_text(wheel(wheels, "bowls", {"bowls.py": "depth = 3\n"}))
    (tmp_path / "requirements-uv.lock").write_text(wheel(wheels, "uv", {"uv/__main__.py": STUB}))
    (tmp_path / "python").symlink_to(python)
    return tmp_path


def make_venv(project, **more):
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    kept = {k: v for k, v in environment().items() if not k.startswith(("UV_", "PIP_", "MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "venv", "PYTHON=./python"],
        cwd=project, env={**kept, **own, "SEEN": str(project / "seen.json"), **more}, capture_output=True, text=True,
    )  # fmt: skip


def is_complete(project):
    stamp = project / ".venv/.installed.lock"
    return stamp.exists() and stamp.read_bytes() == (project / "requirements.lock").read_bytes()


def depth(project):
    return subprocess.run([project / ".venv/bin/python", "-c", "import bowls; print(bowls.depth)"], capture_output=True)


@pytest.mark.long
def test_uv_installs_the_lock_and_looks_where_pip_looks(project):
    done = make_venv(project, UV_HTTP_TIMEOUT="7")
    assert done.returncode == 0, done.stderr
    arguments, variables = json.loads((project / "seen.json").read_text())
    assert arguments[:2] == ["pip", "install"] and arguments[-2:] == ["-r", "requirements.lock"]
    assert {"--require-hashes", "--no-deps"} <= set(arguments)
    assert variables["UV_FIND_LINKS"] == str(project / "wheels") and variables["UV_NO_INDEX"] == "1"
    assert variables["UV_HTTP_TIMEOUT"] == "7"
    assert is_complete(project)
    (project / "seen.json").unlink()
    assert make_venv(project).stdout == "" and not (project / "seen.json").exists()


@pytest.mark.long
@pytest.mark.parametrize("missing", [True, False], ids=["no uv to be had", "uv fails"])
def test_pip_installs_where_uv_cannot(project, missing):
    if missing:
        (project / "wheels/uv-1.0-py3-none-any.whl").unlink()
    done = make_venv(project, UV_FAILS="2")
    assert done.returncode == 0, done.stderr
    assert "pip does" in done.stdout and depth(project).stdout == b"3\n" and is_complete(project)


@pytest.mark.long
def test_a_set_up_that_fails_does_not_look_complete_and_one_that_is_outdated_is_renewed(project):
    lock = project / "requirements.lock"
    good = lock.read_text()
    lock.write_text(good.replace("sha256:", "sha256:0")[: len(good) - 1] + "\n")
    assert make_venv(project, UV_FAILS="2").returncode != 0
    assert not (project / ".venv/.installed.lock").exists() and depth(project).returncode != 0
    lock.write_text(good)
    assert make_venv(project, UV_FAILS="2").returncode == 0 and is_complete(project)
    lock.write_text(f"# another\n{good}")
    assert not is_complete(project)
    assert make_venv(project).returncode == 0 and is_complete(project)


def test_pips_settings_become_uvs(tmp_path, monkeypatch):
    import uv_like_pip

    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://a.example/simple\ncert = ca.pem\nfind-links =\n  one\n  two\ntimeout = 9\n"
        "[install]\nextra-index-url = https://b.example/simple https://c.example/simple\n"
    )
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://d.example/simple")
    found = uv_like_pip.uv_variables(uv_like_pip.pip_settings())
    # Other configuration files of this machine may add to it.
    assert (
        found.items()
        >= {
            "UV_DEFAULT_INDEX": "https://d.example/simple",
            "UV_INDEX": "https://b.example/simple https://c.example/simple",
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_FIND_LINKS": "one,two",
            "SSL_CERT_FILE": "ca.pem",
        }.items()
    )
