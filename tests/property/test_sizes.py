"""Small files that ask for much: each is refused in one line with the user's path, by what is in it, in little memory,
and nothing is left of it."""

import io
import json
import os
import resource
import struct
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx import save_model as save_onnx

from preimage.data.sources import read_file
from preimage.study import user_models
from preimage.support import limits, npz, resume_state
from preimage.surrogates import model
from preimage.surrogates.brought import onnx_wire, trial, ubjson

from ..conftest import refusal
from .test_hostile import INPUTS, OUTPUTS, X, model_bytes

# What a test may take beside what the process has: less than any of the files asks for.
BYTES = 1_500_000_000
MUCH = 2_000_000_000
# How a file of each format begins.
BEGINNINGS = {
    **{"own.json": b'{"learner"', "own.ubj": b"{L", "own.txt": b"tree\n", "own.onnx": b"\x08"},
    **{"own.skops": b"PK\x03\x04", "own.keras": b"PK\x03\x04"},
}


@pytest.fixture(autouse=True, scope="module")
def models():
    """Made before anything is limited."""
    for name in (*BEGINNINGS, "a.json"):
        model_bytes(name.replace("own", "a"))


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    monkeypatch.setenv(limits.MEMORY, str(24 * 10**9))
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limits._held() + BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def said_of(path):
    """Return what is said of a model as it is tried: one line that names it as the user has."""
    message = refusal(model.check, user_models.completed({"kind": "model", "path": str(path)}), INPUTS, OUTPUTS, X[:2])
    assert message.startswith(str(path)) and "\n" not in message and len(message) < 600
    return message


# -- trees -------------------------------------------------------------------------------------------------------------


def changed_xgboost(change):
    value = json.loads(model_bytes("a.json"))
    change(value["learner"], value["learner"]["gradient_booster"]["model"]["trees"][0])
    return json.dumps(value).encode()


def targets(learner, _):
    learner["learner_model_param"]["num_target"] = "4000000000"


def vectors(learner, tree):
    """Leaves of so many values, which no tree has."""
    targets(learner, tree)
    tree["tree_param"]["size_leaf_vector"] = "4000000000"
    tree["leaf_weights"] = [0.0, 1.0]


def children(_, tree):
    tree["left_children"], tree["right_children"] = [[v, *v[1:]] for v in ([2**31] * 3, [2**40] * 3)]


def shorter(_, tree):
    tree["split_indices"] = tree["split_indices"][:1]


@pytest.mark.parametrize("change", [targets, vectors, children, shorter])
def test_numbers_that_an_xgboost_file_states_are_borne_out_by_its_trees(tmp_path, change):
    (tmp_path / "own.json").write_bytes(changed_xgboost(change))
    said = said_of(tmp_path / "own.json")
    assert "damaged, or no XGBoost model" in said
    assert ("num_target is 4000000000" in said) == (change in (targets, vectors))


def test_arrays_of_all_targets_are_measured_before_they_are_made(tmp_path, monkeypatch):
    """Each tree of one target has a column for all others: with many, a file of megabytes means terabytes."""

    def many(learner, tree):
        learner["learner_model_param"]["num_target"] = "3000"
        booster = learner["gradient_booster"]["model"]
        booster["trees"], booster["tree_info"] = [tree] * 3000, list(range(3000))

    monkeypatch.setenv(limits.MEMORY, "50000000")
    (tmp_path / "own.json").write_bytes(changed_xgboost(many))
    assert "doesn't fit into 37.5 MB, three quarters of the memory here" in said_of(tmp_path / "own.json")


DEEP = b"[" * 200_000


@pytest.mark.parametrize("content", [b'{"learner": ' + DEEP, b"{L\0\0\0\0\0\0\0\x07learner" + DEEP])
def test_depth_without_end_is_refused(tmp_path, content):
    (tmp_path / "own.json").write_bytes(content)
    assert "damaged, or no XGBoost model" in said_of(tmp_path / "own.json")


def test_constants_without_bytes_are_counted():
    """Each array of them takes ten bytes, and might state as many entries as the file has bytes."""
    some = b"[$Z#l" + struct.pack(">i", 3)
    assert ubjson.loads(b"[" + some * 2 + b"]") == [[None] * 3] * 2
    one = b"[$Z#l" + struct.pack(">i", 400_000)
    with pytest.raises(ValueError, match="an array of 400000 entries in a file of"):
        ubjson.loads(b"[" + one * 50_000 + b"]")


def test_a_lightgbm_file_with_more_leaves_than_it_has_is_refused(tmp_path):
    text = model_bytes("a.txt").decode()
    (tmp_path / "own.txt").write_text(text.replace("num_leaves=", "num_leaves=4000000000\nold="))
    assert "leaf values of 4000000000 leaves" in said_of(tmp_path / "own.txt")


# -- archives ----------------------------------------------------------------------------------------------------------


def archive(path, name, more, changes=None):
    """Write a model's archive with members more, packed, and documents changed."""
    changes = changes or {}
    with zipfile.ZipFile(io.BytesIO(model_bytes(name))) as old, zipfile.ZipFile(path, "w") as made:
        for item in old.namelist():
            made.writestr(item, changes.get(item, lambda b: b)(old.read(item)))
        for item, content in more.items():
            made.writestr(item, content, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize("suffix", ["skops", "keras"])
def test_an_archive_that_bursts_is_refused(tmp_path, suffix):
    path = archive(tmp_path / f"own.{suffix}", f"a.{suffix}", {"more": bytes(300_000_000)})
    assert path.stat().st_size < 1_000_000
    assert "the archive holds 0.3 GB in a file of" in said_of(path)
    listed = zipfile.ZipInfo("none")
    listed.extra = b"\0\0\xff\xff" + bytes(65531 - 4)
    with zipfile.ZipFile(path, "w") as made:
        for k in range(600):
            listed.filename = str(k)
            made.writestr(listed, b"")
    assert "its list of members has 39.3 MB, expected at most 32 MB" in said_of(path)


def laughs(content):
    """Twice the same part in each part, two hundred levels deep: 2**200 steps."""
    schema = json.loads(content)
    part = dict(schema["content"])
    for k in range(200):
        shared = {**schema["content"], "__id__": k, "content": {"a": part, "b": {"__id__": k - 1, "__loader__": "x"}}}
        part = shared
    return json.dumps({**schema, "content": part}).encode()


def larger_array(content):
    """The same bytes, which state an array of 10**12 numbers."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    return stream.getvalue() + content[128:]


def test_a_skops_file_that_grows_as_it_is_loaded_is_refused(tmp_path):
    with zipfile.ZipFile(io.BytesIO(model_bytes("a.skops"))) as old:
        arrays = [name for name in old.namelist() if name.endswith(".npy")]
    cases = {
        "schema.json": (laughs, "its parts hold one another"),
        arrays[0]: (larger_array, "doesn't fit"),
    }
    for name, (change, words) in cases.items():
        assert words in said_of(archive(tmp_path / "own.skops", "a.skops", {}, {name: change}))
    deep = {"schema.json": lambda _: b'{"content": ' + DEEP}
    assert "damaged, or no skops file" in said_of(archive(tmp_path / "own.skops", "a.skops", {}, deep))


def layers_of(units):
    return lambda content: content.replace(b'"units": 3,', b'"units": %d,' % units)


def larger_weights(content):
    """An array of HDF5 of which nothing is stored, and each number of which is 0."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "a") as opened:
        opened["layers"].create_dataset("more", (10**9,), "f8", chunks=True, compression="gzip")
    return stream.getvalue()


def test_a_keras_file_of_more_weights_than_fit_is_refused(tmp_path):
    wide = archive(tmp_path / "own.keras", "a.keras", {}, {"config.json": layers_of(10**9)})
    message = said_of(wide)
    assert "weights, expected at most" in message or "Keras can't load it" in message
    packed = archive(tmp_path / "own.keras", "a.keras", {}, {"model.weights.h5": larger_weights})
    assert "its file of weights holds 8 GB for a model of 13 weights" in said_of(packed)


# -- ONNX --------------------------------------------------------------------------------------------------------------


def onnx_model(path, nodes, initializers=()):
    """Write a graph from x (n, 2) to y (n, 1)."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, k]) for n, k in (("x", 2), ("y", 1))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], list(initializers))
    save_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def numbers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def loop(path, turns=()):
    """The sum of x, once; and then as it is, 2**62 times, or as often as some nodes compute."""
    value = helper.make_tensor_value_info
    inner = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["s"], ["t"])], "inner",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("s", TensorProto.FLOAT, [None, 1])],
        [value("d", TensorProto.BOOL, []), value("t", TensorProto.FLOAT, [None, 1])],
    )  # fmt: skip
    nodes = [
        helper.make_node("ReduceSum", ["x", "one"], ["z"]),
        *turns,
        helper.make_node("Loop", ["turns", "", "z"], ["y"], body=inner),
    ]
    stated = [] if turns else [numpy_helper.from_array(np.array(2**62), "turns")]
    return onnx_model(path, nodes, [numbers("one", 1), *stated])


def computed_loop(path):
    """The same, as often as x says: exp(40 + the largest square of x) times, which no look at the file can tell."""
    squared = helper.make_node("Mul", ["x", "x"], ["squares"])
    largest = helper.make_node("ReduceMax", ["squares"], ["largest"], keepdims=0)
    forty = helper.make_node("Constant", [], ["forty"], value_float=40.0)
    turns = helper.make_node("Cast", ["many"], ["turns"], to=TensorProto.INT64)
    add, exp = helper.make_node("Add", ["largest", "forty"], ["more"]), helper.make_node("Exp", ["more"], ["many"])
    return loop(path, [squared, largest, forty, add, exp, turns])


def constant(path):
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["y"])]
    return onnx_model(path, nodes, [numbers("shape", 10**6, 10**6)])


@pytest.mark.long
def test_a_model_is_tried_apart_in_bounded_time_and_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 10.0)
    monkeypatch.chdir(tmp_path)
    late = "not loaded, and asked for a few points, within 10 s"
    for make, words in ((loop, late), (computed_loop, late), (constant, "llocat")):
        spec = user_models.completed({"kind": "model", "path": make(Path("own.onnx")).name})
        said = refusal(trial.check, {"mine": spec}, INPUTS, OUTPUTS, X[:2])
        assert said.startswith("key 'surrogates.mine': own.onnx: ") and words in said
    monkeypatch.setattr(limits, "SECONDS", 100.0)
    Path("fine.onnx").write_bytes(model_bytes("a.onnx"))
    fine = user_models.completed({"kind": "model", "path": "fine.onnx"})
    trial.check({"fine": fine}, INPUTS, OUTPUTS, X[:2])
    # As much as Python itself takes, and no more.
    monkeypatch.setenv(limits.MEMORY, "50000000")
    said = refusal(trial.check, {"mine": fine}, INPUTS, OUTPUTS, X[:2])
    assert said.startswith("key 'surrogates.mine': fine.onnx: ") and "\n" not in said


def test_an_onnx_file_is_looked_through_before_it_is_built(tmp_path):
    for content in (bytes(1000), b"\x0a" * 1000, b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x08\x07"):
        (tmp_path / "own.onnx").write_bytes(content)
        assert "damaged, or no ONNX file" in said_of(tmp_path / "own.onnx")
    (tmp_path / "own.onnx").write_bytes(model_bytes("a.onnx"))
    assert onnx_wire.about(tmp_path / "own.onnx") == (frozenset(), 1)
    assert onnx_wire.about(loop(tmp_path / "loop.onnx")).nodes == 4


# -- files of any kind -------------------------------------------------------------------------------------------------


def sparse(path, content=b"", size=20 * 10**9):
    path.write_bytes(content)
    os.truncate(path, size)
    return path


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_file_of_nothing_is_not_looked_into(tmp_path, monkeypatch, name):
    assert "the file has 20 GB, expected at most" in said_of(sparse(tmp_path / name, BEGINNINGS[name]))
    # On a machine on which it would fit.
    monkeypatch.setenv(limits.MEMORY, str(200 * 10**9))
    assert said_of(sparse(tmp_path / name))


def test_a_table_of_nothing_is_not_looked_into(tmp_path):
    for name, content in (("t.csv", b"a,b\n1,2\n"), ("t.parquet", b"PAR1")):
        said = refusal(read_file, str(sparse(tmp_path / name, content)), (), ())
        assert "the file has 20 GB, expected at most 6 GB, a quarter of the memory here; use a machine" in said
        assert said.endswith("`--config memory=<GB>`")


@pytest.mark.long
def test_a_line_without_end_is_refused(tmp_path):
    for content, line in ((b"", 1), (b"a,b\n1,2\n", 3), (b"a,b\nmm,kg\n1,2\n", 4), (b'a,b\n1,2\n"', 3)):
        path = sparse(tmp_path / "t.csv", content, 3 * 10**9)
        assert refusal(read_file, str(path), (), ()).startswith(f"{path}, line {line}: longer than 1048576 characters")
    long = b"a" * 700_000 + b","
    (tmp_path / "t.csv").write_bytes(long + b"b\n" + b"1,2\n" * 20)
    assert len(read_file(str(tmp_path / "t.csv"), (), ()).table) == 20


def test_a_packed_table_is_refused(tmp_path):
    import gzip

    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    assert "found a compressed file" in refusal(read_file, str(tmp_path / "t.csv.gz"), (), ())


def text_bomb(path, dictionary):
    """Two million times one text of a million letters, in a few kilobytes."""
    kind = pa.dictionary(pa.int32(), pa.string()) if dictionary else pa.string()
    with pq.ParquetWriter(path, pa.schema([("a", kind)]), dictionary_pagesize_limit=10**8, compression="zstd") as made:
        text = pa.array(["x" * 10**6])
        cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200, np.int32)), text)
        for _ in range(20):
            made.write_table(pa.table({"a": cells if dictionary else cells.cast(pa.string())}))


def number_bomb(path):
    """A hundred million times the number 1, of which hardly a byte is stored."""
    made = pq.ParquetWriter(path, pa.schema([("a", pa.int8())]), compression="zstd")
    for _ in range(10):
        made.write_table(pa.table({"a": np.ones(10**7, np.int8)}))
    made.close()


def test_a_parquet_file_that_bursts_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(limits.MEMORY, "2000000000")
    path = tmp_path / "t.parquet"
    for dictionary in (True, False):
        text_bomb(path, dictionary)
        assert path.stat().st_size < 2_000_000
        said = refusal(read_file, str(path), (), ())
        assert said.startswith(f"{path}, column 'a': ") and "expected at most 0.5 GB, a quarter of the memory" in said
    number_bomb(path)
    assert path.stat().st_size < 500_000
    said = refusal(read_file, str(path), (), ())
    assert said.startswith(f"{path}: 100000000 rows of 1 columns take 0.8 GB, expected at most 0.5 GB")
    sparse(path, b"PAR1", 3 * 10**8)
    with path.open("ab") as stream:
        stream.write(struct.pack("<i", 290_000_000) + b"PAR1")
    assert "a footer of 0.29 GB" in refusal(read_file, str(path), (), ())


@pytest.mark.long
def test_a_table_that_may_burst_is_read_apart_first(tmp_path, monkeypatch):
    """Many columns, which take much however little they hold; and lists, whose length no header states."""
    wide, lists = tmp_path / "wide.csv", tmp_path / "lists.parquet"
    wide.write_text("\n".join(",".join(row) for row in ([f"c{k}" for k in range(20_000)], *[["1"] * 20_000] * 300)))
    pq.write_table(pa.table({"a": np.ones(4000), "l": [[1.0] * 5000] * 4000}), lists, compression="zstd")
    assert lists.stat().st_size < 1_000_000
    for memory, fits in ((300_000_000, False), (4_000_000_000, True)):
        monkeypatch.setenv(limits.MEMORY, str(memory))
        for path in (wide, lists):
            if fits:
                assert len(read_file(str(path), (), ()).table) in (300, 4000)
            else:
                said = refusal(read_file, str(path), (), ())
                assert said.startswith(f"{path}: what it asks for doesn't fit into 0.225 GB") and "GB>`" in said


def test_what_reading_takes_is_bounded_whatever_asks_for_it(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(limits.MEMORY, "400000000")
        with limits.bounded("t.csv"):
            assert len(np.ones(10**7)) == 10**7

        def much():
            with limits.bounded("t.csv"):
                np.ones(10**8)

        assert refusal(much).startswith("t.csv: what it asks for doesn't fit into 0.3 GB, three quarters of the memory")
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_the_memory_is_what_the_config_says_or_the_least_that_bounds_it(monkeypatch):
    limits.allow(2.5)
    assert (limits.memory(), limits.process_memory()) == (2_500_000_000, 1_875_000_000)
    limits.allow(None)
    assert limits.memory() == 2_500_000_000
    monkeypatch.delenv(limits.MEMORY)
    monkeypatch.setattr(limits, "_of_groups", lambda: iter([2**62, 10**9]))
    limits._found.cache_clear()
    assert limits.memory() == 10**9
    limits._found.cache_clear()


def test_texts_beside_a_model_are_short(tmp_path):
    from preimage.surrogates.brought.source import in_folder

    for name in ("MLmodel", "model.json"):
        sparse(tmp_path / name, size=11_000_000)
        assert "expected at most 10 MB" in refusal(in_folder, tmp_path, "models:/m/1")
        (tmp_path / name).unlink()


# -- what a step has kept ----------------------------------------------------------------------------------------------


def test_an_array_of_a_size_that_is_not_there_is_damaged(tmp_path):
    path = tmp_path / "state.json"
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 4))}
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    found = npz.read(path)
    assert found.keys() == arrays.keys() and all(np.array_equal(found[k], v) for k, v in arrays.items())
    for stored in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", stored) as made:
            made.writestr("a.npy", larger_array(bytes(200)) if stored == zipfile.ZIP_STORED else bytes(MUCH // 4))
        with pytest.raises(ValueError, match="damaged"):
            npz.read(path)
        assert resume_state.resumed(path, npz.read) is None and not path.exists()
