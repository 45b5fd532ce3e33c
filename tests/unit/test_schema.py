"""Reading YAML as people mean it, and saying what is wrong with it, and where."""

import importlib.util
import sys

import pytest
import yaml
from jsonschema import Draft202012Validator

from preimage.core import objective, polytope
from preimage.core.space import Input, Space
from preimage.inference.simulators import loading as stochastic
from preimage.inversion.base import Inverter
from preimage.problems import loading
from preimage.problems.built_in import BUILT_IN
from preimage.study import documentation, messages, yaml_file
from preimage.study.sections import Config, StudyFile
from preimage.support.frozen import json_schema
from preimage.surrogates.base import SurrogateKind

from ..conftest import refusal
from ..running import ROOT


def read(study_file, text):
    return yaml_file.read(study_file(text))


def branches(part):
    return {b["title"]: b for b in part["oneOf"]}


SCHEMAS = {"study": json_schema(StudyFile), "config": json_schema(Config)}
STUDY = SCHEMAS["study"]["properties"]
SURROGATES = STUDY["surrogates"]["additionalProperties"]
INVERTERS = STUDY["inverters"]["additionalProperties"]
OBJECTIVES = STUDY["objectives"]["additionalProperties"]


# -- YAML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("-0", 0),
        ("+7", 7),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("null", None),
        ("2020-01-01", "2020-01-01"),
        ("2001-99-99", "2001-99-99"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("08", "08"),
        ("1_000", "1_000"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("'12'", "12"),
        ("[no, 1, 1e2]", ["no", 1, 100.0]),
    ],
)
def test_scalars_are_what_they_look_like(study_file, text, value):
    found = read(study_file, f"key: {text}\n")["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("key", ["on", "no", "1", "1.50", "true", "null", "~", "2020-01-01", "=", "<<"])
def test_keys_are_text_as_written(study_file, key):
    assert read(study_file, f"{key}: 1\n") == {key: 1}


def test_a_byte_order_mark_is_nothing(study_file):
    assert read(study_file, "\ufeffstudy: é\n") == {"study": "é"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, key 'a': duplicate key (first defined on line 1)"),
        ("a:\n  b: 1\n  'b': 2\n", "line 3, key 'b': duplicate key (first defined on line 2)"),
        ("a: {b: 1, b: 1}\n", "line 1, key 'b': duplicate key (first defined on line 1)"),
        ("a: &x [1]\nb: *x\n", "line 2: YAML aliases (*x) are not supported"),
        ("a: &x\n  b: *x\n", "line 2: YAML aliases (*x) are not supported"),
        ("a: 1\n{{ x }}: 2\n", "line 2: found a list or mapping as a key, expected text"),
        ("? [a]\n: 1\n", "line 1: found a list or mapping as a key, expected text"),
        ("", "found nothing, expected a mapping of keys"),
        ("# only a remark\n", "found nothing, expected a mapping of keys"),
        ("- a\n- b\n", "found a list, expected a mapping of keys"),
        ("study\n", "found text 'study', expected a mapping of keys"),
        ("3\n", "found the number 3, expected a mapping of keys"),
        ("a: [1\n", "not YAML: "),
        ("a: 1\n\tb: 2\n", "not YAML: "),
        ("a: 1\n---\nb: 2\n", "not YAML: "),
        ("a: \x00\n", "not YAML: "),
        ("a: !!python/object/apply:os.system [ls]\n", "not YAML: "),
        ("a: !!int abc\n", "can't be read: "),
        ("a: 1" + "0" * 5000 + "\n", "can't be read: "),
        ("a: " + "[" * 3000, "can't be read: "),
        (b"a: \xe9\n", "found bytes that are not UTF-8 text, expected YAML"),
        ("a: " + "x" * yaml_file.LARGEST, f"expected at most {yaml_file.LARGEST}"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_mapping_of_keys_is_refused(study_file, text, said):
    path = study_file(text)
    message = refusal(yaml_file.read, path)
    assert message.startswith(f"{path}: ") and said in message


def test_missing_files_and_directories_are_refused(study_file, tmp_path):
    study_file("a: 1\n", "concrete.yaml")
    assert refusal(yaml_file.read, tmp_path / "concret.yaml").endswith(
        "concret.yaml: no such file; did you mean 'concrete.yaml'?"
    )
    assert refusal(yaml_file.read, tmp_path / "no" / "a.yaml").endswith("a.yaml: no such file")
    assert refusal(yaml_file.read, tmp_path) == f"{tmp_path}: found a directory, expected a YAML file"


def test_a_file_that_may_not_be_read_is_refused(study_file, monkeypatch):
    path = study_file("a: 1\n")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", denied)
    assert refusal(yaml_file.read, path) == f"{path}: Permission denied"


# -- messages ----------------------------------------------------------------------------------------------------------


def test_where_the_value_has_no_file_the_message_has_no_line():
    assert refusal(messages.checked, {"studies": 3}, Config, "nowhere.yaml") == (
        "nowhere.yaml, key 'studies': found the number 3, expected a list or text"
    )


def test_lines_are_found_in_a_file_that_is_otherwise_odd(study_file):
    path = study_file("a: &x 1\nstudies: 3\nb: *x\n")
    assert refusal(messages.checked, {"studies": 3}, Config, path) == (
        f"{path}, line 2, key 'studies': found the number 3, expected a list or text"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "c.yaml: missing key 'studies'"),
        ({"studies": []}, "key 'studies': [] should be non-empty"),
        ({"studies": ["a", "a"]}, "key 'studies': found ['a', 'a'], expected no entry twice"),
        ({"studies": [1]}, "key 'studies.0': found the number 1, expected text"),
        ({"studies": ["a"], "studeis": 1}, "key 'studeis': unknown key; did you mean 'studies'?"),
        (
            {"studies": ["a"], 3: 1},
            "key '3': unknown key; valid: allow, extensions, memory, reason, run, seed, studies,",
        ),
        ({"studies": float("nan")}, "key 'studies': found nan, expected a finite number"),
        ({"studies": [{"a": [float("inf")]}]}, "key 'studies.0.a.0': found inf, expected a finite number"),
        ({"studies": 10**400}, "key 'studies': found a whole number of over 100 digits, expected 0 or a number of"),
        ({"studies": -1e101}, "key 'studies': found -1e+101, expected 0 or a number of 1e-100 to 1e+100 in size"),
        ({"studies": 5e-324}, "key 'studies': found 5e-324, expected 0 or a number of 1e-100 to 1e+100 in size"),
        ({"studies": 0.0}, "key 'studies': found the number 0.0, expected a list or text"),
        ({"studies": True}, "key 'studies': found true or false, expected a list or text"),
        ({"studies": None}, "key 'studies': found nothing, expected a list or text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_config_that_is_none_is_refused(value, said):
    message = refusal(messages.checked, value, Config, "c.yaml")
    assert message.startswith("c.yaml") and said in message


def test_long_values_are_cut_in_messages():
    message = refusal(messages.checked, {"studies": ["x" * 100_000 + "\n"] * 2}, Config, "c.yaml")
    assert len(message) < 200


def test_checking_copies(study_file):
    value = {"studies": ["a.yaml"]}
    messages.checked(value, Config, "c.yaml").plain()["studies"].append("b.yaml")
    assert value == {"studies": ["a.yaml"]}


def test_defaults_are_not_shared_between_studies():
    text = {"study": "a", "problem": {"simulator": "paraboloid"}, "objectives": {"o": {"minimize": "y"}}}
    first, second = (messages.checked(text, StudyFile, "s.yaml").plain() for _ in range(2))
    first["inverters"]["mine"] = 1
    first["problem"]["constraints"].append(1)
    assert second["inverters"] == {} and second["problem"]["constraints"] == []


# -- the schemas themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["study", "config"])
def test_a_schema_is_one(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


def parts(node, where="study"):
    """Yield every part of a schema that describes a value, with its place."""
    yield where, node
    for key, part in node.get("properties", {}).items():
        yield from parts(part, f"{where}.{key}")
    for key in ("additionalProperties", "items"):
        if isinstance(node.get(key), dict):
            yield from parts(node[key], f"{where}.<{key}>")
    for branch in node.get("oneOf", []):
        if "title" in branch:
            yield from parts(branch, f"{where}({branch['title']})")


EVERY = [(w, p) for name in ("study", "config") for w, p in parts(SCHEMAS[name], name)]


def test_every_mapping_is_closed():
    for where, part in EVERY:
        kinds = part.get("type", [])
        if "object" in (kinds if isinstance(kinds, list) else [kinds]) and "discriminator" not in part:
            closed = part.get("additionalProperties")
            assert closed is False or isinstance(closed, dict), where


def test_every_key_is_described_and_typed():
    named = [(w, p) for w, p in EVERY if not w.endswith(">") and "(" not in w.rpartition(".")[2]]
    assert len(named) > 50
    for where, part in named:
        assert part.get("description"), where
        assert "type" in part or "enum" in part or "const" in part, where


def test_every_default_is_valid_by_its_own_schema():
    defaults = [(w, p) for w, p in EVERY if "default" in p]
    assert len(defaults) > 15
    for where, part in defaults:
        assert Draft202012Validator(part).is_valid(part["default"]), where


def test_branches_are_told_apart_by_their_kind():
    for part in (SURROGATES, INVERTERS):
        for title, branch in branches(part).items():
            assert branch["properties"]["kind"]["const"] == title
            assert branch["additionalProperties"] is False and branch["description"]


# -- the schema and the code -------------------------------------------------------------------------------------------


def test_surrogates_are_those_of_the_code():
    assert set(branches(SURROGATES)) == set(SurrogateKind.registry)
    for kind in SurrogateKind.registry:
        assert importlib.util.find_spec(f"preimage.surrogates.{kind}")


def test_inverters_are_those_of_the_code():
    assert set(branches(INVERTERS)) == set(Inverter.registry)
    for kind in Inverter.registry.values():
        module = kind.computing()
        assert hasattr(module, "invert") or hasattr(module, "invert_many")
        assert hasattr(module, "together") == ("scatter" in kind.model_fields)


def test_objectives_are_those_of_the_code():
    known = {*objective.Objective.kinds, *objective.TABLES}
    assert {key for branch in OBJECTIVES["oneOf"] for key in branch["required"]} == known
    for kind in known - {*objective.TABLES, "fit"}:
        wishes = {"target": {"y": 1}, "within": {"y": [0, 1]}, "pareto": {"minimize": ["y", "z"]}}
        assert objective.build("o", {kind: wishes.get(kind, "y")}, ["y", "z"]).kind == kind


def test_sampling_schemes_are_those_of_the_code():
    import numpy as np

    space = Space((Input("x", 0, 1),))
    starts = set(branches(INVERTERS)["multistart"]["properties"]["start_from"]["enum"]) - {"best_rows"}
    samplings = set(STUDY["problem"]["properties"]["sampling"]["enum"]) - {"natural"}
    assert starts < samplings == {"uniform", "latin_hypercube", "clustered"}
    for scheme in samplings:
        assert polytope.sample(space, 3, np.random.default_rng(0), scheme).shape == (3, 1)


def test_built_in_problems_load_by_name():
    for name in BUILT_IN:
        assert loading.load({"simulator": name}).name
    assert {p.stem for p in (ROOT / "workflow/preimage/problems").glob("built_in/*.py")} >= set(BUILT_IN)


def test_a_key_at_the_wrong_level_is_told_where_it_stands(study_file):
    path = study_file("study: s\nproblem: {simulator: paraboloid, rounds: 8}\n")
    said = refusal(messages.checked, yaml_file.read(path), StudyFile, path)
    assert "line 2, key 'problem.rounds': unknown key here; 'rounds' belongs at the top level, beside 'problem'" in said


# -- documentation -----------------------------------------------------------------------------------------------------


def test_generated_files_are_those_of_the_classes():
    for file, text in documentation.files().items():
        assert file.read_text(encoding="utf-8") == text, "run `make docs`"


def test_the_documentation_has_every_key_in_tables_that_hold_together():
    text = documentation.documentation()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows)
    for key in ("seeds", "problem.table.ignore", "split.test_fraction", "problem.inputs.<name>.fixed"):
        assert sum(line.startswith(f"| `{key}` |") for line in rows) == 1
    for part, name in ((SURROGATES, "surrogates"), (INVERTERS, "inverters")):
        for title, branch in branches(part).items():
            for key in set(branch["properties"]) - {"kind"}:
                assert sum(line.startswith(f"| `{name}.<name> ({title}).{key}` |") for line in rows) == 1
    assert "| number, > 0, < 1 | `0.3` |" in text


def test_every_built_in_simulator_is_documented():
    text = documentation.documentation()
    for name in (*BUILT_IN, *stochastic.BUILT_IN):
        assert f"| `{name}` | `" in text
    assert "| `collider` | `energy`, `fermi` | `cos_angle` |" in text and "`cases`, `deaths`" in text


def test_documented_defaults_read_back():
    for _, _, default, _ in documentation.keys(SCHEMAS["study"]):
        if default and default != "required":
            assert yaml.safe_load(default.strip("`")) is not None


def test_reading_a_study_imports_no_heavy_module():
    import subprocess

    code = "import sys, glob; from preimage import study; "
    code += "[study.load_each(path) for path in glob.glob('config/studies/*.yaml')]; "
    code += "print([m for m in HEAVY if m in sys.modules])"
    heavy = ["numpy", "pandas", "pyarrow", "scipy", "sklearn", "hyperopt", "jax", "keras", "mlflow", "pandera", "numba"]
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {heavy}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "workflow")},
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"
