"""What a step's fingerprint holds: the code that it runs, and no other."""

import shutil

import pytest

from preimage.problems import user_code
from preimage.running import fingerprint
from preimage.support import places

ROOT = places.WORKFLOW


def named(script):
    return {str(p.relative_to(ROOT)) for p in fingerprint.closure(ROOT / "scripts" / script)}


def forget():
    fingerprint.closure.cache_clear()
    fingerprint._imports.cache_clear()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of the workflow, to be edited."""
    for part in ("preimage", "scripts"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "WORKFLOW", tmp_path)
    monkeypatch.setattr(fingerprint, "IMPORT_PATH", tmp_path)
    forget()
    yield tmp_path
    forget()


def edit(path):
    path.write_bytes(path.read_bytes() + b"\n# edited\n")


def test_inverting_depends_on_the_space_and_not_on_figures():
    files = named("invert.py")
    assert {
        "scripts/invert.py",
        "preimage/core/space.py",
        "preimage/core/polytope.py",
        "preimage/inversion/__init__.py",
    } <= files
    assert not any("figures" in f or "tracking" in f or "reporting" in f for f in files)


def test_figures_depend_on_figures():
    assert any(f.startswith("preimage/figures/") for f in named("figures.py"))


def test_no_step_but_reports_and_figures_depends_on_figures():
    scripts = {p.name for p in (ROOT / "scripts").glob("*.py")}
    assert {"train.py", "split.py", "evidence.py"} <= scripts
    drawing = {"figures.py", "inference_figures.py", "report.py", "inference_report.py", "relearning_page.py"}
    for script in scripts - {*drawing, "variations_page.py", "benchmark.py", "benchmark_figure.py"}:
        assert not any("figures" in f for f in named(script)), script


# Wherever a statement may stand.
NESTED = """
class Holder:
    if True:
        import preimage.f
    else:
        with open("x"):
            import preimage.g
try:
    for _ in range(3):
        import preimage.h
except ImportError:
    import preimage.i
else:
    while False:
        import preimage.j
finally:
    match 1:
        case 1:
            import preimage.k
"""


def test_imports_inside_functions_and_of_packages_count(tree):
    (tree / "scripts/s.py").write_text("def main():\n    from preimage.a.b import thing\n")
    (tree / "preimage/a").mkdir()
    (tree / "preimage/a/__init__.py").write_text("import preimage.c\n")
    (tree / "preimage/a/b.py").write_text("from preimage import d\nimport numpy\nthing = 1\n")
    (tree / "preimage/c.py").write_text("from preimage.e import *\n")
    (tree / "preimage/d.py").write_text("import preimage.a.b\n")  # a circle
    (tree / "preimage/e.py").write_text(NESTED)
    for name in "fghijk":
        (tree / f"preimage/{name}.py").write_text("import preimage.tracking.sender\n")
    names = {str(p.relative_to(tree)) for p in fingerprint.closure(tree / "scripts/s.py")}
    expected = {"scripts/s.py", *(f"preimage/{n}.py" for n in ("a/__init__", "a/b", *"cdefghijk"))}
    assert names == expected


@pytest.mark.parametrize(
    "edited",
    [
        "scripts/invert.py",
        "preimage/core/space.py",
        "preimage/support/rng.py",
        "preimage/data/__init__.py",
        "preimage/inversion/lookup.py",
    ],
)
def test_an_edit_of_code_that_runs_changes_the_digest(tree, edited):
    names = ("scripts/invert.py", "preimage.inversion.lookup")
    before = fingerprint.digest(*names)
    edit(tree / edited)
    assert fingerprint.digest(*names) != before


@pytest.mark.some(3)
@pytest.mark.parametrize(
    "edited",
    [
        "preimage/figures/style.py",
        "preimage/tracking/sender.py",
        "preimage/running/step.py",
        "preimage/tracking/record.py",
        "preimage/inversion/multistart.py",
        "preimage/surrogates/random_forest.py",
        "scripts/train.py",
    ],
)
def test_an_edit_of_other_code_does_not(tree, edited):
    names = ("scripts/invert.py", "preimage.inversion.lookup")
    before = fingerprint.digest(*names)
    edit(tree / edited)
    assert fingerprint.digest(*names) == before


def test_a_promotion_depends_on_the_registry_and_not_on_how_records_are_sent():
    files = named("promote.py")
    below = {f for f in files if f.startswith("preimage/tracking/")}
    assert "preimage/tracking/registry/succession.py" in below
    assert all(f.startswith("preimage/tracking/registry/") for f in below)


def test_a_renamed_module_is_another_digest(tree):
    (tree / "scripts/s.py").write_text("import preimage.one\n")
    (tree / "preimage/one.py").write_text("")
    before = fingerprint.digest("scripts/s.py")
    (tree / "preimage/one.py").rename(tree / "preimage/two.py")
    (tree / "scripts/s.py").write_text("import preimage.two\n")
    forget()
    assert fingerprint.digest("scripts/s.py") != before


def test_the_digest_does_not_depend_on_where_the_checkout_is(tree):
    copied = fingerprint.digest("scripts/train.py", "preimage.surrogates.random_forest")
    fingerprint.WORKFLOW = fingerprint.IMPORT_PATH = ROOT
    assert fingerprint.digest("scripts/train.py", "preimage.surrogates.random_forest") == copied
    fingerprint.WORKFLOW = fingerprint.IMPORT_PATH = tree


# -- code of a user's own ----------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a simulator, and what lies beside it."""
    monkeypatch.chdir(tmp_path)
    for file, text in {
        "lab/__init__.py": "",
        "lab/oven.py": "import math\nimport numpy\nfrom .parts import heat\n\n\ndef bake(X):\n    import table\n",
        "lab/parts/__init__.py": "from . import loss\n",
        "lab/parts/heat.py": "from lab.parts.loss import rate as r\n",
        "lab/parts/loss.py": "rate = 1\n",
        "lab/other.py": "",
        "table.py": "",
        "unused.py": "",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return tmp_path


def test_the_users_code_is_what_the_function_imports_of_it(package):
    found = user_code.files("lab.oven:bake")
    assert set(found) == {"lab", "lab.oven", "lab.parts", "lab.parts.heat", "lab.parts.loss", "table"}
    assert found["lab.parts.loss"] == package / "lab/parts/loss.py"


@pytest.mark.parametrize(("edited", "other"), [("lab/parts/loss.py", True), ("table.py", True), ("unused.py", False)])
def test_an_edit_of_the_users_code_changes_the_digest(package, edited, other):
    before = fingerprint.digest("scripts/generate.py", "lab.oven:bake")
    edit(package / edited)
    assert (fingerprint.digest("scripts/generate.py", "lab.oven:bake") != before) is other


def test_of_an_installed_package_its_own_files_alone_count(package, monkeypatch):
    site = package / "lib/site-packages"
    site.mkdir(parents=True)
    (package / "lab").rename(site / "lab")
    (package / "table.py").rename(site / "table.py")
    monkeypatch.syspath_prepend(site)
    assert set(user_code.files("lab.oven:bake")) == {"lab", "lab.oven", "lab.parts", "lab.parts.heat", "lab.parts.loss"}
    assert user_code.files("nothing.here:f") == {}
