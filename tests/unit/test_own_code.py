"""Which code a study may name, without any of it being imported; and what is told of code that can't be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from preimage import study
from preimage.problems import loading, user_code, user_import
from preimage.running import user_trial

from ..conftest import refusal

OWN = "def bake(X):\n    return X[:, 0]\n"
STUDY = """
study: s
problem: {{simulator: "{name}", inputs: {{a: {{low: 0, high: 1}}}}, outputs: {{y: }}}}
objectives: {{o: {{minimize: y}}}}
inverters: {{r: {{kind: random}}}}
"""


@pytest.fixture(autouse=True)
def nothing_is_allowed(monkeypatch):
    monkeypatch.setenv(user_code.ALLOWED, "")


@pytest.fixture
def read(own_file):
    """Return a function that reads a study with this simulator, from a folder."""

    def call(name, folder="."):
        own_file(STUDY.format(name=name), f"{folder}/s.yaml")
        return study.load(f"{folder}/s.yaml")["problem"]["simulator"]

    return call


@pytest.mark.parametrize(
    "name",
    ["pickle:loads", "os:system", "builtins:exec", "shutil:rmtree", "os.path:join", "subprocess:run", "sys:exit"],
)
def test_the_standard_library_is_refused_with_the_remedy(read, name):
    said = refusal(read, name)
    assert f"'{name}'" in said and "part of Python" in said and "--config allow=" in said
    assert "beside the study or below the working directory" in said


@pytest.mark.parametrize(
    "name", ["numpy:load", "yaml:unsafe_load", "scipy.optimize:minimize", "preimage.support.files:remove"]
)
def test_installed_packages_and_this_workflow_are_refused_with_the_remedy(read, name):
    said = refusal(read, name)
    assert "an installed package, not one of your files" in said and "--config allow=" in said


@pytest.mark.parametrize(
    "name",
    [
        "own", "own:", ":bake", "own:bake.sub", "own:os.system", "own:bake()", "own:bake:bake", "../own:bake",
        "/own:bake", "own..x:bake", ".own:bake", "own:__import__('os')", "own/x:bake", "own:ba ke", "own:bake\n",
        "1own:bake",
    ],
)  # fmt: skip
def test_what_is_no_module_and_function_is_refused(own_file, name):
    own_file(OWN)
    entry = {"simulator": name, "inputs": {"a": {"low": 0, "high": 1}}, "outputs": {"y": {}}}
    refusal(lambda: loading.load({**entry, "simulator": user_code.located(name, ".")}))


def test_a_file_in_the_working_directory_or_beside_the_study_is_found_and_not_imported(read, own_file):
    for path in ("own.py", "lab/deep/own.py", "beside/other.py"):
        own_file("raise SystemExit('imported')\n" + OWN, path)
    assert read("own:bake") == "own:bake"
    assert read("lab.deep.own:bake") == "lab.deep.own:bake"
    assert read("other:bake", "beside") == "beside/other:bake"
    assert "no such file as other.py" in refusal(read, "other:bake")
    assert "own" not in sys.modules and "lab" not in sys.modules


def test_the_file_beside_the_study_comes_first_and_is_what_runs(read, own_file):
    own_file("def bake(X):\n    return X[:, 0] * 0\n", "double.py")
    own_file("from helper_beside import factor\n\n\ndef bake(X):\n    return X[:, 0] * factor\n", "there/double.py")
    own_file("factor = 2\n", "there/helper_beside.py")
    name = read("double:bake", "there")
    assert set(user_code.files(name)) == {"double", "helper_beside"}
    found = study.load("there/s.yaml")["problem"]
    import numpy as np

    assert loading.load(found).simulate(np.array([[3.0]])).tolist() == [[6.0]]


def test_an_absolute_folder_elsewhere_is_one_too(own_file, tmp_path_factory, monkeypatch):
    away = tmp_path_factory.mktemp("away")
    (away / "far.py").write_text(OWN)
    (away / "s.yaml").write_text(STUDY.format(name="far:bake"))
    assert study.load(away / "s.yaml")["problem"]["simulator"] == f"{away}/far:bake"


@pytest.mark.parametrize("name", ["os", "random", "builtins", "json.tool", "sys"])
def test_a_file_with_the_name_of_pythons_own_is_refused(read, own_file, name):
    own_file(OWN.replace("bake", "system"), f"{name.replace('.', '/')}.py")
    assert "name of a standard library module; rename it" in refusal(read, f"{name}:system")
    own_file(OWN.replace("bake", "system"), f"{name.replace('.', '/')}/__init__.py")
    assert "name of a standard library module; rename it" in refusal(read, f"{name}:system")


def test_links_that_lead_out_of_the_folder_are_refused(read, here, tmp_path_factory):
    (here / "linked.py").symlink_to(os.__file__)
    (here / "folder").symlink_to(Path(os.__file__).parent)
    away = tmp_path_factory.mktemp("away")
    (away / "far.py").write_text(OWN)
    (here / "far.py").symlink_to(away / "far.py")
    for name in ("linked:system", "folder.os:system", "folder.shutil:rmtree", "far:bake"):
        assert "is a link to" in refusal(read, name)
    (here / "near.py").write_text(OWN)
    (here / "alias.py").symlink_to("near.py")
    assert read("alias:bake") == "alias:bake"


def test_packages_installed_below_the_working_directory_are_no_files_of_the_users(here, own_file, monkeypatch):
    (here / "lib/site-packages").mkdir(parents=True)
    own_file(OWN, "lib/site-packages/tool.py")
    (here / "inner").symlink_to("lib/site-packages")
    assert "belongs to an installed package" in refusal(user_code.find, "inner.tool:bake")
    monkeypatch.chdir("lib/site-packages")
    assert "belongs to an installed package" in refusal(user_code.find, "tool:bake")


@pytest.mark.parametrize(
    "text",
    [
        "from os import system\n",
        "from os import system as bake, getcwd as system\n",
        "try:\n    from posix import system\nexcept ImportError:\n    pass\n",
        "if True:\n    from os import *\n",
        "from relay import system\n",
        "import os\nsystem = os\n",
    ],
)
def test_a_function_that_a_file_has_of_others_is_refused(own_file, text):
    own_file(text)
    own_file("from os import system\n", "relay.py")
    said = refusal(user_import.load, "own:system")
    assert "imports 'system' from" in said or "is not defined in own.py" in said or "found module" in said


def test_a_function_that_a_package_takes_from_its_own_files_is_fine(own_file):
    own_file("from .parts import bake as cook\nfrom .stars import *\n", "kitchen/__init__.py")
    own_file(OWN, "kitchen/parts.py")
    own_file(OWN.replace("bake", "fry"), "kitchen/stars.py")
    assert callable(user_import.load("kitchen:cook")) and callable(user_import.load("kitchen:fry"))


def test_a_name_that_another_module_has_taken_is_refused(own_file):
    own_file(OWN, "yaml.py")
    assert "has the same name" in refusal(user_import.load, "yaml:bake")


def test_an_installed_package_that_the_user_allows_is_taken(read, own_file):
    user_code.allow("scipy, math")
    assert read("scipy.optimize:rosen") == "scipy.optimize:rosen"
    assert callable(user_import.load("scipy.optimize:rosen"))
    assert "--config allow=numpy" in refusal(read, "numpy:load")
    user_code.allow(["scipy.special"])
    assert "--config allow=scipy" in refusal(read, "scipy.optimize:rosen")


def test_a_function_that_ends_python_is_one_that_fails(own_file):
    own_file("import sys\n\n\ndef bake(X):\n    sys.exit(0)\n")
    with pytest.raises(RuntimeError, match=r"it called sys.exit\(0\)"):
        user_import.load("own:bake")(1)


# -- code that can't be imported ---------------------------------------------------------------------------------------

BROKEN = {
    "def bake(X)\n    return X\n": "own.py, line 1: SyntaxError: expected ':'",
    "x = 1\n\x00": "own.py",
    "import math\n\nwarm(3)\n" + OWN: "own.py, line 3: NameError: name 'warm' is not defined",
    "import sys\nsys.exit(3)\n" + OWN: "own.py, line 2: SystemExit: 3",
    "import nowhere_at_all\n" + OWN: "own.py, line 1: ModuleNotFoundError: No module named 'nowhere_at_all'",
    "from inner import x\n" + OWN: "inner.py, line 2: ZeroDivisionError: division by zero",
    "from worse import x\n" + OWN: "worse.py, line 2: SyntaxError",
    "raise ValueError('two\\nlines')\n": "own.py, line 1: ValueError: two lines",
    "class E(Exception):\n    def __str__(self):\n        raise E\nraise E\n": "own.py, line 4: E",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_fails_on_import_is_told_in_one_line_with_its_place(own_file, text):
    own_file(text)
    own_file("y = 0\nx = 1 / y\n", "inner.py")
    own_file("y = 0\nx = = 1\n", "worse.py")
    said = refusal(user_import.load, "own:bake")
    assert said.startswith("problem.simulator 'own:bake': ") and BROKEN[text] in said


def completed(name):
    """A study as it is read."""
    inputs = {"a": {"low": 0, "high": 1}}
    entry = {"simulator": name, "inputs": inputs, "outputs": {"y": {}}, "constraints": []}
    return {"problem": entry, "surrogates": {}, "objectives": {"o": {"minimize": "y"}}, "inverters": {}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print('a' * 100000)\n" + OWN, ""),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n" + OWN, ""),
        ("import os\nos._exit(7)\n", "ended Python (status 7)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "ended Python (status -9)"),
        ("while True:\n    pass\n", "within 3 s"),
        ("warm(3)\n", "own.py, line 1: NameError"),
    ],
)
def test_code_is_tried_in_a_process_apart(own_file, monkeypatch, text, words):
    monkeypatch.setenv("PYTHONPATH", str(user_code.WORKFLOW))
    monkeypatch.setattr(user_trial, "SECONDS", 3.0 if "while" in text else 100.0)
    own_file(text)
    studies = {"s": completed("own:bake")}
    if words:
        assert words in refusal(user_trial.check, studies)
    else:
        user_trial.check(studies)
    assert "own" not in sys.modules


def test_two_studies_may_have_files_of_one_name(own_file, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(user_code.WORKFLOW))
    own_file(OWN, "one/own.py")
    own_file("warm(3)\n", "two/own.py")
    user_trial.check({"a": completed("one/own:bake")})
    said = refusal(user_trial.check, {"a": completed("one/own:bake"), "b": completed("two/own:bake")})
    assert said.startswith("study 'b': problem.simulator 'two/own:bake': two/own.py, line 1: NameError")


def test_reading_a_study_imports_nothing_of_the_users_whatever_its_kind(own_file):
    """Not even by way of the packages around a module, which Python's own finder would import."""
    own_file("open('imported', 'w').close()\n", "lab/__init__.py")
    own_file("open('imported', 'w').close()\n\n\ndef f(*_):\n    pass\n", "lab/own.py")
    own_file("dose,response\n" + "".join(f"{k},{k}\n" for k in range(20)), "data.csv")
    inputs = "inputs: {k: {low: 0, high: 1}}"
    fit = "objectives: {o: {fit: {data: data.csv, loss: mse}}}\ninverters: {m: {kind: multistart, engine: batched}}\n"
    texts = [
        STUDY.format(name="lab.own:f"),
        f"study: c\nproblem: {{simulator: 'lab.own:f', curve: {{at: [dose]}}, {inputs}, outputs: {{response: }}}}\n"
        + fit,
        f"study: i\nproblem: {{simulator: 'lab.own:f', {inputs}, outputs: {{x: }}}}\n"
        "observations: {simulate: 1, size: 4}\ninference: {r: {kind: abc_rejection, simulations: 1000}}\n",
    ]
    code = (
        "import sys\nfrom preimage import study\nfrom preimage.running import invocation, reproduction\n"
        "found = study.load_all(sys.argv[1:])\ninvocation.check(found)\n"
        "for path, one in zip(sys.argv[1:], found.values()):\n    reproduction.origin(one, path)\n"
    )
    for k, text in enumerate(texts):
        own_file(text, f"s{k}.yaml")
    done = subprocess.run(
        [sys.executable, "-c", code, "s0.yaml", "s1.yaml", "s2.yaml"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(user_code.WORKFLOW)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not Path("imported").exists()
