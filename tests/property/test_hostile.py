"""Files of bad will or none: studies, tables and models with anything in them are taken, or refused with one message,
and nothing is written but in the test's own folder.

A few examples of each here; with `-m long` a hundred thousand of studies, of tables of each kind, and of models.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from preimage import study
from preimage.core import candidates
from preimage.data import tables
from preimage.running import invocation
from preimage.study import user_models, yaml_file
from preimage.support.errors import StudyError
from preimage.surrogates import model
from preimage.surrogates.brought import source

from ..conftest import BOWL, examples, refusal
from ..running import ROOT
from . import test_any_study as studies

MANY = int(os.environ.get("PREIMAGE_FUZZ", 100_000))
INPUTS, OUTPUTS = ["cement", "water"], ["strength"]
X = np.random.default_rng(0).uniform(-1, 1, (30, 2))
Y = X[:, 0] - X[:, 1] ** 2
ODD = st.sampled_from(
    [b"", b"\x00", b"\xff" * 4, b"=1+1", b'"', b"\n", b",,,", b"1e999", b"-", b"9" * 20, b"nan", b"NULL"]
)
SPOILS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 12), ODD | st.binary(max_size=8)), max_size=4)
# What a document may say where it says something else.
WORDS = st.sampled_from(["", "x", "builtins.eval", "Lambda", "os", "../../a", "__lambda__", "-1", "float32", "a" * 500])
NUMBERS = st.sampled_from([0, -1, 1, 2, 7, 2**31, 2**63, 10**18, -(10**18), 1e308, -0.5, 10**400])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), ANYTHING), min_size=1, max_size=3)


def spoilt(content, spoils):
    """Return bytes with pieces replaced: (where, how many, by what) each."""
    for at, count, new in spoils:
        at %= len(content) + 1
        content = content[:at] + new + content[at + count :]
    return content


def changed(value, changes):
    """Return a document with values replaced: (which of all, by what) each."""
    for which, new in changes:
        places = sorted(studies.places(value), key=str)
        value = studies.changed(value, places[which % len(places)], new, False)
    return value


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_opened = []


def _listen(event, arguments):
    """Note each file that Python opens for writing. Hooks can't be taken away again: one for all tests."""
    if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int) and arguments[2] & WRITES:
        _opened.append(arguments[0])


@pytest.fixture(scope="module")
def listening():
    sys.addaudithook(_listen)


@pytest.fixture(autouse=True)
def nothing_is_written_elsewhere(listening, tmp_path):
    """Files for the time of a call, and what Python, JAX and hypothesis keep, may be; nothing else."""
    _opened.clear()
    yield
    own = (str(tmp_path), str(Path(tempfile.gettempdir(), tempfile.gettempprefix())), os.devnull)
    kept = ("/__pycache__/", "/preimage/jax/", "/.hypothesis/")
    found = {os.path.realpath(path) for path in _opened}
    assert {path for path in found if not path.startswith(own) and not any(k in path for k in kept)} == set()


# -- tables ------------------------------------------------------------------------------------------------------------


@cache
def table_bytes(kind):
    frame = pd.DataFrame({"cement": X[:, 0], "grade": np.where(Y > 0, "a", "=b"), "strength": Y})
    return frame.to_csv(index=False).encode() if kind == "csv" else frame.to_parquet()


def table_is_read_or_refused(folder, kind, spoils):
    path = folder / f"table.{kind}"
    path.write_bytes(spoilt(table_bytes(kind), spoils))
    try:
        found, inputs, outputs, _ = tables.import_table(
            {"file": str(path), "outputs": ["strength"]}, {"grade": {"categories": ["a", "=b"]}}
        )
    except StudyError as error:
        assert str(error) and "\n" not in str(error)
        return
    assert outputs == ["strength"] and "grade" in inputs
    assert all(np.isfinite(found[n].to_numpy()).all() for n in found.column_names if n != "grade")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@given(spoils=SPOILS)
@examples(50)
def test_a_spoilt_table_is_read_or_refused(tmp_path, kind, spoils):
    table_is_read_or_refused(tmp_path, kind, spoils)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@given(spoils=SPOILS)
@settings(max_examples=MANY)
def test_many_spoilt_tables(tmp_path, kind, spoils):
    table_is_read_or_refused(tmp_path, kind, spoils)


# -- models ------------------------------------------------------------------------------------------------------------


@cache
def model_bytes(name):
    """Return a small model of a format, as its library writes it."""
    import tempfile

    path = Path(tempfile.mkdtemp()) / name
    if name.endswith((".json", ".ubj")):
        import xgboost

        xgboost.XGBRegressor(n_estimators=2, max_depth=2).fit(X, Y).save_model(path)
    elif name.endswith(".txt"):
        import lightgbm

        found = lightgbm.LGBMRegressor(n_estimators=2, min_child_samples=2, verbose=-1).fit(X, Y)
        found.booster_.save_model(path)
    elif name.endswith(".skops"):
        import skops.io
        from sklearn.ensemble import RandomForestRegressor

        skops.io.dump(RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, Y), path)
    elif name.endswith(".onnx"):
        from onnx import TensorProto, helper, numpy_helper
        from onnx import save_model as save_onnx

        weights = numpy_helper.from_array(np.ones((2, 1), np.float32), "w")
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, k]) for n, k in (("x", 2), ("y", 1))]
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights])
        save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    else:
        from preimage.surrogates.keras_files import keras_on_jax

        keras = keras_on_jax()
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]).save(path)
    return path.read_bytes()


def model_is_taken_or_refused(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    try:
        model.check(user_models.completed({"kind": "model", "path": str(path)}), INPUTS, OUTPUTS, X[:2])
    except StudyError as error:
        assert str(error) and "\n" not in str(error)


def rezipped(name, part, changes):
    """Return a model's archive with its document changed."""
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model_bytes(name))) as archive, zipfile.ZipFile(out, "w") as made:
        for item in archive.namelist():
            content = archive.read(item)
            made.writestr(item, json.dumps(changed(json.loads(content), changes)) if item == part else content)
    return out.getvalue()


BYTES = ["a.json", "a.ubj", "a.txt", "a.skops", "a.onnx", "a.keras"]
DOCUMENTS = [("a.skops", "schema.json"), ("a.keras", "config.json")]
MANY_EACH = MANY // (len(BYTES) + len(DOCUMENTS))


@pytest.mark.parametrize("name", BYTES)
@given(spoils=SPOILS)
@examples(6)
def test_a_spoilt_model_is_taken_or_refused(tmp_path, name, spoils):
    model_is_taken_or_refused(tmp_path, name, spoilt(model_bytes(name), spoils))


@pytest.mark.parametrize(("name", "part"), DOCUMENTS)
@given(changes=CHANGES)
@examples(6)
def test_a_model_that_says_anything_is_taken_or_refused(tmp_path, name, part, changes):
    model_is_taken_or_refused(tmp_path, name, rezipped(name, part, changes))


@pytest.mark.long
@pytest.mark.parametrize("name", BYTES)
@given(spoils=SPOILS)
@settings(max_examples=MANY_EACH)
def test_many_spoilt_models(tmp_path, name, spoils):
    model_is_taken_or_refused(tmp_path, name, spoilt(model_bytes(name), spoils))


@pytest.mark.long
@pytest.mark.parametrize(("name", "part"), DOCUMENTS)
@given(changes=CHANGES)
@settings(max_examples=MANY_EACH)
def test_many_models_that_say_anything(tmp_path, name, part, changes):
    model_is_taken_or_refused(tmp_path, name, rezipped(name, part, changes))


@given(changes=CHANGES)
@examples(20)
def test_an_xgboost_model_that_says_anything_is_taken_or_refused(tmp_path, changes):
    content = json.dumps(changed(json.loads(model_bytes("a.json")), changes)).encode()
    model_is_taken_or_refused(tmp_path, "a.json", content)


def test_arrays_beyond_any_model_are_refused_before_they_are_made(tmp_path):
    """Three thousand million weights in a file of some kilobytes."""

    def larger(item, content):
        return content.replace(b'"units": 3,', b'"units": 3000000000,') if item == "config.json" else content

    with zipfile.ZipFile(tmp_path / "big.keras", "w") as made:
        (tmp_path / "small.keras").write_bytes(model_bytes("a.keras"))
        with zipfile.ZipFile(tmp_path / "small.keras") as archive:
            for item in archive.namelist():
                made.writestr(item, larger(item, archive.read(item)))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (12 * 2**30, hard))
    try:
        spec = user_models.completed({"kind": "model", "path": str(tmp_path / "big.keras")})
        message = refusal(model.check, spec, INPUTS, OUTPUTS, X[:2])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert "weights, expected at most" in message or "Keras can't load it" in message


ADDRESS = "models:/a/1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MLmodel", "flavors: {onnx: {data: ../../outside.onnx}}"),
        ("MLmodel", "flavors: {sklearn: {serialization_format: skops, pickled_model: /etc/passwd}}"),
        ("MLmodel", "flavors: {sklearn: {serialization_format: skops, pickled_model: link.skops}}"),
        ("MLmodel", "flavors: {keras: {data: ../..}}"),
        ("MLmodel", "flavors: {onnx: {}}"),
        ("MLmodel", "flavors: []"),
        ("MLmodel", "flavors: {onnx: 1}"),
        ("MLmodel", "{{{"),
        ("MLmodel", "!!python/object/apply:os.system ['touch /tmp/preimage-was-here']"),
        ("MLmodel", "signature: {inputs: '{'}\nflavors: {}"),
        ("model.json", "[]"),
        ("model.json", "{"),
        ("model.json", '{"format": "../os", "file": "a", "inputs": [], "outputs": []}'),
        ("model.json", '{"format": "onnx", "file": "../a.onnx", "inputs": [], "outputs": []}'),
    ],
)
def test_what_stands_beside_a_model_leads_nowhere_else(tmp_path, name, text):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.skops").write_bytes(b"")
    (folder / "link.skops").symlink_to(tmp_path / "outside.skops")
    (folder / name).write_text(text)
    assert ADDRESS in refusal(source.in_folder, folder, ADDRESS)
    assert not Path("/tmp/preimage-was-here").exists()


# -- studies -----------------------------------------------------------------------------------------------------------


@cache
def documents():
    """Return studies of every kind: one of many keys, and those shipped that need no other files."""
    found = {path.stem: yaml_file.read(path) for path in sorted((ROOT / "config/studies").glob("*.yaml"))}
    return {"": studies.WHOLE, **{name: value for name, value in found.items() if name not in NEED_FILES}}


NEED_FILES = {"covid", "inference_benchmark"}
PLACES = [(name, place) for name, value in documents().items() for place in sorted(studies.places(value), key=str)]


def test_the_studies_that_are_changed_below_are_valid(study_file, monkeypatch):
    monkeypatch.chdir(ROOT)  # where their tables are
    for value in documents().values():
        study.load_each(study_file(written(value)))


def written(value):
    return yaml.dump(value, allow_unicode=True, Dumper=yaml.CSafeDumper)


@pytest.mark.long
@given(st.sampled_from(PLACES), studies.ANYTHING, st.booleans())
@settings(max_examples=MANY)
def test_many_studies_with_anything_anywhere(study_file, place, new, drop):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        value = studies.changed(documents()[place[0]], place[1], new, drop)
        studies.taken_or_refused(study_file(written(value)))


def test_a_message_is_one_line_whatever_a_name_holds(study_file, tmp_path):
    assert "key 'a\\n\\x1b[1mb': unknown" in refusal(study.load, study_file(BOWL + '"a\\n\\e[1mb": 1\n'))
    (tmp_path / "t.csv").write_text('"a\nb",c\n1,2\n')
    assert "a\\nb" in refusal(tables.import_table, {"file": str(tmp_path / "t.csv"), "outputs": ["y"]})


def bombs(size):
    """Texts of about that many bytes, by name."""
    return {
        "aliases": "a: &a [x, x]\n"
        + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)),
        "depth": "study: " + "[" * size,
        "mappings": "study: " + "{a: " * (size // 4),
        "keys": "".join(f"k{k}: 1\n" for k in range(size // 11)),
        "numbers": "seeds: [" + "1, " * (size // 3) + "1]",
        "digits": "seed: " + "9" * size,
        "text": "study: " + "a" * size,
        "merge": "a: {<<: {<<: {}}}\nb: 1",
        "object": "study: !!python/object/apply:os.system ['touch /tmp/preimage-was-here']",
    }


READ = """
import resource, sys
from preimage import study
from preimage.support.errors import StudyError
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for path in sys.argv[1:]:
    try:
        study.load(path)
        print("taken", path)
    except StudyError as error:
        assert len(str(error)) < 500 and "\\n" not in str(error)
"""


@pytest.mark.parametrize("size", [30_000, pytest.param(900_000, marks=pytest.mark.long)])
def test_bombs_are_refused_within_a_gibibyte(tmp_path, size):
    """In a process that has no more than that; a pipe and a device without end among them."""
    for name, text in bombs(size).items():
        (tmp_path / f"{name}.yaml").write_text(text)
    os.mkfifo(tmp_path / "pipe.yaml")
    paths = [*sorted(map(str, tmp_path.glob("*.yaml"))), "/dev/zero"]
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths], capture_output=True, text=True, timeout=900,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr[-2000:]
    assert not Path("/tmp/preimage-was-here").exists()


def test_a_table_without_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in ("/dev/zero", str(tmp_path / "pipe.csv")):
        assert "not a regular file" in refusal(tables.import_table, {"file": path, "outputs": ["y"]})


@pytest.mark.parametrize("name", ["../up", "a/b", "/etc", "a\\n", "", ".", "..", "~", "a b", "x" * 200])
def test_names_that_lead_elsewhere_are_refused(study_file, name):
    refusal(study.load, study_file(BOWL.replace("study: bowl", f"study: {json.dumps(name)}")))
    refusal(study.load, study_file(BOWL.replace("lowest", json.dumps(name))))


def test_a_results_folder_that_is_a_link_out_of_the_tree_is_refused(study_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = study.load_all([study_file(BOWL)])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/bowl").symlink_to(tmp_path / "elsewhere")
    assert "results/bowl is a link to" in refusal(invocation.check, found)
    (tmp_path / "results/bowl").unlink()
    (tmp_path / "results").rmdir()
    (tmp_path / "results").symlink_to(tmp_path / "elsewhere")  # a scratch disk, say
    assert invocation.check(found) == []


# -- what is written ---------------------------------------------------------------------------------------------------


def test_texts_that_spreadsheets_would_run_are_made_plain():
    cells = ["=1+1", "+a", "-2", "-2.5e3", "+.5", "@sum(a)", "\tx", "steel", "", None, "-", "=", "a=b", "- 2"]
    plain = ["'=1+1", "'+a", "-2", "-2.5e3", "+.5", "'@sum(a)", "'\tx", "steel", "", None, "'-", "'=", "a=b", "'- 2"]
    frame = pd.DataFrame({"x.grade": cells, "y": np.arange(len(cells))})
    found = candidates.without_formulas(frame)
    assert found["x.grade"].astype(object).where(found["x.grade"].notna(), None).tolist() == plain
    pd.testing.assert_frame_equal(candidates.without_formulas(found), found)
    pd.testing.assert_series_equal(found["y"], frame["y"])
    whole = pd.DataFrame({"a": pd.array([True, None], "boolean"), "b": pd.array([1, None], "Int64")})
    pd.testing.assert_frame_equal(candidates.without_formulas(whole), whole)
