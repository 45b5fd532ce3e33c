"""A study read from its file: what it becomes, and what is refused before any data is looked at."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from preimage import study
from preimage.data import checks
from preimage.errors import StudyError
from preimage.inversion_kinds import MODULES
from preimage.study import Case

from ..conftest import BOWL, refusal

MIXES = """study: mixes
problem: {table: {file: mixes.csv, outputs: [strength]}}
surrogates:
  forest: {kind: random_forest}
objectives:
  sixty: {target: {strength: 60}}
inverters:
  tpe: {kind: hyperopt}
"""


@pytest.fixture
def load(study_file):
    """Return a function that writes a study and reads it."""
    return lambda text: study.load(study_file(text))


@pytest.fixture
def refused(study_file):
    """Return a function that writes a study, expects that it is refused, and returns the message after the path."""

    def call(text):
        path = study_file(text)
        message = refusal(study.load, path)
        assert message.startswith(str(path))
        return message.removeprefix(str(path))

    return call


# -- what a study becomes ----------------------------------------------------------------------------------------------


def test_defaults_are_filled_in(load):
    found = load(MIXES)
    assert found["seeds"] == [0]
    assert found["split"] == {"test_fraction": 0.3}
    assert found["problem"]["table"]["ignore"] == [] and found["problem"]["constraints"] == []
    forest = found["surrogates"]["forest"]
    assert (forest["trees"], forest["min_samples_leaf"], forest["max_features"], forest["folds"]) == (100, 1, 1, 5)
    assert "tune" not in forest and "max_depth" not in forest
    assert found["objectives"]["sixty"] == {"target": {"strength": 60}, "scaled": False}
    assert found["inverters"]["tpe"] == {"kind": "hyperopt", "evaluations": 500, "on": ["forest"]}


def test_what_is_said_wins_over_the_defaults(load):
    found = load(MIXES.replace("{kind: random_forest}", "{kind: random_forest, trees: 7, tune: {}}"))
    assert found["surrogates"]["forest"]["trees"] == 7
    assert found["surrogates"]["forest"]["tune"] == {"evaluations": 30}


def test_lookup_is_always_there_and_only_once(load):
    assert load(MIXES)["inverters"]["lookup"] == {"kind": "lookup", "on": ["forest"]}
    named = load(MIXES + "  baseline: {kind: lookup}\n")
    assert list(named["inverters"]) == ["tpe", "baseline"]
    assert list(load(BOWL)["inverters"]) == ["lookup"]


def test_one_seed_is_short_for_a_list(load):
    assert load(BOWL + "seed: 7\n")["seeds"] == [7]
    assert load(BOWL + "seeds: [3, 1, 2.0]\n")["seeds"] == [3, 1, 2]
    assert all(type(s) is int for s in load(BOWL + "seeds: [3, 1, 2.0]\n")["seeds"])
    assert "seed" not in load(BOWL + "seed: 7\n")


def test_a_simulator_is_worked_on_where_there_is_no_surrogate_or_where_it_is_named(load):
    assert load(BOWL)["inverters"]["lookup"]["on"] == ["simulator"]
    text = BOWL + "surrogates: {f: {kind: random_forest}}\n"
    text += "inverters: {a: {kind: random}, b: {kind: random, on: [simulator, f]}}\n"
    inverters = load(text)["inverters"]
    assert inverters["a"]["on"] == ["f"] and inverters["b"]["on"] == ["simulator", "f"]


def test_the_cases_are_every_pair_that_works_together(load):
    text = BOWL.replace("{lowest: {minimize: y}}", "{lowest: {minimize: y}, ring: {target: {y: 3}}}")
    text += "surrogates: {f: {kind: random_forest}, g: {kind: random_forest}}\n"
    text += "inverters: {a: {kind: random, on: [g]}, b: {kind: random, on: [simulator]}, lookup: {kind: lookup}}\n"
    found = study.cases(load(text))
    assert len(found) == len(set(found))
    assert set(found) == {
        Case(surrogate, wish, inverter)
        for wish in ("lowest", "ring")
        for surrogate, inverter in [("f", "lookup"), ("g", "lookup"), ("g", "a"), ("simulator", "b")]
    }


def test_a_search_depends_on_the_space_and_not_on_where_the_rows_are_from():
    problem = {
        "table": {"file": "a.csv"},
        "simulator": "s",
        "dimension": 2,
        "inputs": {},
        "constraints": [],
        "noise": {},
    }
    assert study.space_part(problem, "forest") == {"inputs": {}, "constraints": []}
    assert study.space_part(problem, "simulator") == {
        "inputs": {},
        "constraints": [],
        "simulator": "s",
        "dimension": 2,
    }


# -- what is refused, with its place -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("study: mixes", "studdy: mixes", ", line 1, key 'studdy': unknown key; did you mean 'study'?"),
        ("study: mixes\n", "", ": missing key 'study'"),
        ("study: mixes", "study: 12", ", line 1, key 'study': found the number 12, expected text"),
        ("study: mixes", "study:", ", line 1, key 'study': found nothing, expected text"),
        ("problem:", "problems:", ", line 2, key 'problems': unknown key; did you mean 'problem'?"),
        ("outputs:", "output:", ", line 2, key 'problem.table.output': unknown key; did you mean 'outputs'?"),
        ("{table: {file: mixes.csv, outputs: [strength]}}", "{}", ", line 2, key 'problem': found keys none; expected"),
        ("outputs: [strength]", "outputs: strength", ", line 2, key 'problem.table.outputs': found text 'strength'"),
        ("outputs: [strength]", "outputs: []", ", line 2, key 'problem.table.outputs': [] should be non-empty"),
        (", outputs: [strength]", "", ", line 2, key 'problem.table': found keys file; expected exactly one of"),
        (
            "file: mixes.csv,",
            "file: mixes.csv, features: x.csv,",
            ", line 2, key 'problem.table': found keys file, features, outputs; expected exactly one of",
        ),
        ("kind: random_forest", "kind: random_forrest", ", line 4, key 'surrogates.forest.kind': unknown kind"),
        ("kind: random_forest", "kind: random_forrest", "; did you mean 'random_forest'?"),
        ("kind: random_forest", "trees: 3", ", line 4, key 'surrogates.forest': missing key 'kind'"),
        ("kind: random_forest", "kind: [random_forest]", ", line 4, key 'surrogates.forest.kind': found a list"),
        ("{kind: random_forest}", "random_forest", ", line 4, key 'surrogates.forest': found text 'random_forest'"),
        (
            "kind: random_forest",
            "kind: random_forest, treees: 3",
            ", line 4, key 'surrogates.forest.treees': unknown key; did you mean 'trees'?",
        ),
        (
            "kind: random_forest",
            "kind: random_forest, trees: 0",
            ", line 4, key 'surrogates.forest.trees': found 0, expected at least 1",
        ),
        (
            "kind: random_forest",
            "kind: random_forest, trees: 0x" + "f" * 5000,
            ", line 4, key 'surrogates.forest.trees': found a whole number of over 100 digits",
        ),
        (
            "kind: random_forest",
            "kind: random_forest, trees: 2.5",
            ", line 4, key 'surrogates.forest.trees': found the number 2.5, expected a whole number",
        ),
        (
            "kind: random_forest",
            "kind: random_forest, trees: '100'",
            ", line 4, key 'surrogates.forest.trees': found text '100', expected a whole number",
        ),
        (
            "kind: random_forest",
            "kind: random_forest, max_features: 1.5",
            ", line 4, key 'surrogates.forest.max_features': found 1.5, expected at most 1",
        ),
        ("sixty: {target: {strength: 60}}", "sixty: {}", ", line 6, key 'objectives.sixty': found keys none; expected"),
        (
            "sixty: {target",
            "sixty: {minimize: strength, target",
            ", line 6, key 'objectives.sixty': found keys minimize, target; expected exactly one of minimize | max",
        ),
        ("target: {strength: 60}", "target: {}", ", line 6, key 'objectives.sixty.target': {} should be non-empty"),
        ("strength: 60}", "strength: .nan}", ", line 6, key 'objectives.sixty.target.strength': found nan, expected"),
        ("strength: 60}", "strength: -.inf}", ", line 6, key 'objectives.sixty.target.strength': found -inf, expected"),
        ("strength: 60}", "strength: 1e999}", ", line 6, key 'objectives.sixty.target.strength': found inf, expected"),
        ("strength: 60}", "strength: high}", ", line 6, key 'objectives.sixty.target.strength': found text 'high'"),
        ("strength: 60}", "strength: true}", ", line 6, key 'objectives.sixty.target.strength': found true or false"),
        (
            "target: {strength: 60}",
            "within: {strength: [1]}",
            "key 'objectives.sixty.within.strength': [1] is too short",
        ),
        ("{target: {strength: 60}}", "{target: {strength: 60}, tolerance: -1}", "found -1, expected at least 0"),
        ("  sixty: {target: {strength: 60}}\n", "", ", line 5, key 'objectives': found nothing, expected a mapping"),
        ("kind: hyperopt", "kind: hyperop", ", line 8, key 'inverters.tpe.kind': unknown kind 'hyperop'; did you mean"),
        ("kind: hyperopt", "kind: hyperopt, on: [foresst]", ": key 'inverters.tpe.on': unknown surrogate 'foresst'"),
        ("kind: hyperopt", "kind: hyperopt, on: [foresst]", "; did you mean 'forest'?"),
        ("kind: hyperopt", "kind: hyperopt, on: []", ", line 8, key 'inverters.tpe.on': [] should be non-empty"),
        (
            "kind: hyperopt",
            "kind: hyperopt, on: [simulator]",
            ": key 'inverters.tpe.on': found 'simulator', but the problem has none",
        ),
        (
            "kind: hyperopt",
            "kind: multistart, gradient: exact, on: [forest]",
            ": key 'inverters.tpe.on': multistart can't work on 'forest' (random_forest): it has no gradient",
        ),
        ("kind: hyperopt", "kind: multistart, gradient: exact", ": key 'inverters.tpe': multistart can't work on"),
        (
            "kind: hyperopt",
            "kind: multistart, gradient: 4-point",
            ", line 8, key 'inverters.tpe.gradient': found '4-point', expected one of",
        ),
        (
            "tpe: {kind: hyperopt}",
            "lookup: {kind: hyperopt}",
            ": key 'inverters.lookup': this name is kept for the kind",
        ),
        ("forest:", "simulator:", ": key 'surrogates.simulator': this name is kept for the simulator itself"),
        ("forest:", "a/b:", ": key 'surrogates.a/b': a name has letters, digits, '_' and '-', a letter first"),
        ("forest:", "1:", ": key 'surrogates.1': a name has letters, digits, '_' and '-', a letter first"),
        ("forest:", "..:", ": key 'surrogates...': a name has letters"),
        ("sixty:", "a b:", ": key 'objectives.a b': a name has letters"),
        ("sixty:", "é:", ": key 'objectives.é': a name has letters"),
        ("tpe:", "'':", ": key 'inverters.': a name has letters"),
        ("tpe:", "x" * 101 + ":", ": a name has letters"),
    ],
    ids=lambda value: value[:50],
)
def test_a_study_that_cannot_be_is_refused_with_file_line_and_key(refused, old, new, said):
    assert MIXES.count(old) == 1
    assert said in refused(MIXES.replace(old, new))


def test_an_unknown_key_is_told_before_what_is_missing(refused):
    text = MIXES.replace("kind: random_forest", "kind: random_forest, treees: 3").replace("study: mixes\n", "")
    assert refused(text).startswith(", line 3, key 'surrogates.forest.treees': unknown key")


@pytest.mark.parametrize(
    "name", ["a/b", "..", ".", "a b", "", "-a", "_a", "é", "a\\n", "a.b", "/abs", "x" * 101, "con:"]
)
def test_names_that_are_no_folder_are_refused(refused, name):
    assert refused(BOWL.replace("study: bowl", f'study: "{name}"')).startswith(", line 2, key 'study': ")


@pytest.mark.parametrize("name", ["a", "A-1_b", "7", "2020-01-01", "no", "1e3x", "x" * 100])
def test_names_that_are_a_folder_are_taken(load, name):
    quoted = f"'{name}'" if name == "7" else name
    assert load(BOWL.replace("study: bowl", f"study: {quoted}"))["study"] == name


@pytest.mark.parametrize("fraction", ["0", "1", "-0.1", "1.5", ".nan", "half"])
def test_a_test_fraction_leaves_rows_on_both_sides(refused, fraction):
    assert refused(BOWL + f"split: {{test_fraction: {fraction}}}\n").startswith(", line 5, key 'split.test_fraction': ")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("{x1: {low: 3, high: 2}}", "key 'problem.inputs.x1': low 3 is above high 2"),
        ("{x1: {categories: [a, b], low: 0}}", "key 'problem.inputs.x1': categories have no low, high or integer"),
        ("{x1: {categories: [a, b], integer: true}}", "categories have no low, high or integer"),
        ("{x1: {categories: [1, '1']}}", "key 'problem.inputs.x1.categories': '1' is there twice"),
        ("{x1: {categories: [a, a]}}", "'problem.inputs.x1.categories': found ['a', 'a'], expected no entry twice"),
        ("{x1: {categories: [true]}}", "key 'problem.inputs.x1.categories.0': found true or false, expected"),
        ("{x1: {lower: 3}}", "key 'problem.inputs.x1.lower': unknown key; did you mean 'low'?"),
        ("{x1: {fixed: true}}", "key 'problem.inputs.x1.fixed': found true or false, expected a number or text"),
        ("{x1: 3}", "key 'problem.inputs.x1': found the number 3, expected a mapping"),
    ],
)
def test_inputs_that_contradict_are_refused(refused, inputs, said):
    assert said in refused(BOWL.replace("{simulator: paraboloid}", f"{{simulator: paraboloid, inputs: {inputs}}}"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{linear: {x1: 1}}", "key 'problem.constraints.0': found keys linear; expected exactly one of"),
        ("{linear: {x1: 1}, at_most: 1, at_least: 0}", "expected exactly one of at_most | at_least | equals"),
        ("{at_most: 1}", "key 'problem.constraints.0': missing key 'linear'"),
        ("{linear: {}, at_most: 1}", "key 'problem.constraints.0.linear': {} should be non-empty"),
        ("{linear: {x1: one}, at_most: 1}", "key 'problem.constraints.0.linear.x1': found text 'one'"),
    ],
)
def test_constraints_that_say_nothing_are_refused(refused, row, said):
    assert said in refused(BOWL.replace("paraboloid}", f"paraboloid, constraints: [{row}]}}"))


def test_lines_are_those_of_the_entry_in_a_list(refused):
    text = BOWL + "inverters:\n  a: {kind: random}\n  b:\n    kind: random\n    on:\n      - simulator\n      - 3\n"
    assert refused(text).startswith(", line 11, key 'inverters.b.on.1': found the number 3, expected text")


def test_seed_and_seeds_together_are_refused(refused):
    assert refused(BOWL + "seed: 1\nseeds: [1]\n") == ": key 'seed': found beside 'seeds', expected one of them"


@pytest.mark.parametrize("seeds", ["[]", "[1, 1]", "[-1]", "[4294967296]", "[0.5]", "0"])
def test_seeds_are_distinct_whole_numbers(refused, seeds):
    assert ", line 5, key 'seeds" in refused(BOWL + f"seeds: {seeds}\n")


def test_a_dimension_is_for_built_in_problems(refused):
    table = "{table: {file: a.csv, outputs: [y]}, dimension: 3}"
    assert refused(BOWL.replace("{simulator: paraboloid}", table) + "surrogates: {f: {kind: random_forest}}\n") == (
        ": key 'problem.dimension': only for a built-in simulator"
    )


def test_a_table_without_a_surrogate_has_nothing_to_work_on(refused):
    assert "nothing to work on: name a surrogate" in refused(
        BOWL.replace("{simulator: paraboloid}", "{table: {file: a.csv, outputs: [y]}}")
    )


def test_an_unknown_built_in_is_refused_with_the_nearest(refused):
    assert "'parabolid' is no built-in problem; did you mean 'paraboloid'?" in refused(
        BOWL.replace("paraboloid", "parabolid")
    )


# -- several studies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["bowl", "Bowl", "BOWL"])
def test_two_studies_of_one_name_are_refused_whatever_their_case(study_file, other):
    first, second = study_file(BOWL, "a.yaml"), study_file(BOWL.replace("study: bowl", f"study: {other}"), "b.yaml")
    message = refusal(study.load_all, [first, second])
    assert message == f"{second}: study '{other}': {first} has that name too"


def test_studies_come_by_name_in_their_order(study_file):
    paths = [study_file(BOWL.replace("study: bowl", f"study: {n}"), f"{n}.yaml") for n in ("b", "a")]
    assert list(study.load_all(paths)) == ["b", "a"]
    assert list(study.load_configured({"studies": [str(p) for p in paths]}, "config.yaml")) == ["b", "a"]


def test_the_study_that_is_wrong_is_named(study_file):
    good, bad = study_file(BOWL, "good.yaml"), study_file(BOWL.replace("study: bowl", "study: 1"), "bad.yaml")
    assert refusal(study.load_all, [good, bad]).startswith(f"{bad}, line 2, key 'study'")


def test_a_folder_stands_for_the_studies_in_it(study_file, tmp_path):
    for name in ("b", "a"):
        study_file(BOWL.replace("study: bowl", f"study: {name}"), f"{name}.yaml")
    assert list(study.load_all([tmp_path])) == ["a", "b"]
    (tmp_path / "none").mkdir()
    message = refusal(study.load_all, [tmp_path / "none"])
    assert message == f"{tmp_path / 'none'}: found a folder without studies (*.yaml)"


def test_a_file_that_varies_is_a_study_for_each_combination(study_file):
    path = study_file(BOWL + "vary: {dimension: [2, 5], samples: [20, 30]}\n")
    found = study.load_all([path])
    names = [f"bowl_dimension{d}_samples{n}" for d in (2, 5) for n in (20, 30)]
    assert list(found) == names and study.families(found) == {"bowl": names}
    assert found[names[2]]["problem"]["dimension"] == 5 and found[names[2]]["problem"]["samples"] == 20
    assert "4 studies, expected one" in refusal(study.load, path)


def test_what_varies_is_not_said_twice_and_its_names_are_free(study_file):
    twice = study_file(BOWL.replace("paraboloid", "paraboloid, samples: 50") + "vary: {samples: [20, 30]}\n")
    assert "key 'vary.samples': found beside 'problem.samples'" in refusal(study.load_all, [twice])
    family = study_file(BOWL + "vary: {samples: [20, 30]}\n", "family.yaml")
    same = study_file(BOWL, "same.yaml")
    assert f"study 'bowl': {family} has that name too" in refusal(study.load_all, [family, same])


# -- anything at all ---------------------------------------------------------------------------------------------------

WHOLE = {
    "study": "bowl",
    "seeds": [0, 1],
    "problem": {
        "simulator": "paraboloid",
        "dimension": 2,
        "samples": 100,
        "noise": {"sd": 0.1},
        "sampling": "uniform",
        "inputs": {"x1": {"low": -5, "high": 5, "unit": "m"}, "x2": {"integer": True, "fixed": 3}},
        "outputs": {"y": {"unit": "m2"}},
        "constraints": [{"linear": {"x1": 1, "x2": 2}, "at_most": 12}],
    },
    "split": {"test_fraction": 0.3},
    "surrogates": {"f": {"kind": "random_forest", "trees": 5, "tune": {"evaluations": 3}}},
    "objectives": {
        "a": {"minimize": "y", "tolerance": 1},
        "b": {"target": {"y": 3}, "scaled": True, "fixed": {"x1": 1}},
        "c": {"within": {"y": [1, 2]}},
        "d": {"maximize": {"y": 2}},
    },
    "inverters": {
        "t": {"kind": "hyperopt", "evaluations": 3, "on": ["f"]},
        "s": {"kind": "multistart", "starts": 3, "gradient": "3-point", "on": ["f", "simulator"]},
    },
}
KEYS = (
    "study kind random_forest on f simulator x1 x2 y low minimize target within equals linear fixed categories "
    "integer paraboloid tune lookup exact cs 1 a/b dimension samples batched table file outputs"
)
WORDS = st.sampled_from(KEYS.split()) | st.sampled_from(sorted(MODULES)) | st.text(max_size=5)
NUMBERS = st.integers(-3, 200) | st.sampled_from([10**400, 2**64, 1e308, 1e100, -1e100, 1e-100, 5e-324]) | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


def places(value, path=()):
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def changed(value, path, new, drop):
    """Return a copy with another value at a path, or without it."""
    if not path:
        return new
    if isinstance(value, dict):
        rest = {k: changed(v, path[1:], new, drop) if k == path[0] else v for k, v in value.items()}
        return {k: v for k, v in rest.items() if not (drop and len(path) == 1 and k == path[0])}
    return [changed(v, path[1:], new, drop) if k == path[0] else v for k, v in enumerate(value)]


def taken_or_refused(path):
    """Read and check a study; whatever it is, it is valid or a StudyError. Return whether it was taken."""
    try:
        every = study.load_each(path)
        warnings = [w for found in every for w in checks.check(found)]
    except StudyError as error:
        assert str(error) and "\n" not in str(error)
        return False
    assert all(study.infers(found) or study.cases(found) for found in every)
    assert all(isinstance(w, str) for w in warnings)
    return True


def test_the_study_that_is_changed_below_is_valid(study_file):
    assert taken_or_refused(study_file(yaml.safe_dump(WHOLE)))


@given(st.sampled_from(sorted(places(WHOLE), key=str)), ANYTHING, st.booleans())
@settings(max_examples=150)
def test_a_study_with_anything_anywhere_is_taken_or_refused(study_file, place, new, drop):
    taken_or_refused(study_file(yaml.safe_dump(changed(WHOLE, place, new, drop), allow_unicode=True)))


@given(st.dictionaries(WORDS, ANYTHING, max_size=5) | ANYTHING)
def test_any_yaml_is_a_study_or_refused(study_file, value):
    taken_or_refused(study_file(yaml.safe_dump(value, allow_unicode=True)))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text("{}[]:,-&*!|>'\"%@`#? \n\t\x00aé", max_size=6))
@settings(max_examples=200)
def test_a_spoilt_file_is_a_study_or_refused(study_file, start, end, inserted):
    text = yaml.safe_dump(WHOLE)
    start, end = sorted((start % len(text), end % len(text)))
    end = min(end, start + 20)
    taken_or_refused(study_file(text[:start] + inserted + text[end:]))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(study_file, content):
    refusal(study.load, study_file(content))


@pytest.mark.parametrize(("key", "value"), [("noise", "{sd: 1}"), ("sampling", "uniform")])
def test_settings_of_simulated_data_are_refused_beside_a_table(study_file, key, value):
    text = f"study: s\nproblem: {{table: {{file: a.csv, outputs: [y]}}, {key}: {value}}}\n"
    rest = "objectives: {o: {minimize: y}}\nsurrogates: {f: {kind: random_forest}}\n"
    message = refusal(study.load, study_file(text + rest))
    assert f"key 'problem.{key}': only for simulated data" in message


# -- models of the user's own ------------------------------------------------------------------------------------------

OWN = """
study: bowl
problem: {simulator: paraboloid}
surrogates: {mine: {kind: model, path: PATH}}
objectives: {lowest: {minimize: y}}
inverters:
"""


@pytest.fixture
def own(tmp_path):
    """Return a function that gives the text of a study with a model of the user's own, whose file is empty."""

    def call(name, *inverters):
        (tmp_path / name).touch()
        return OWN.replace("PATH", str(tmp_path / name)) + "".join(f"  {line}\n" for line in inverters)

    return call


def test_a_keras_file_takes_every_gradient_but_the_complex_step(own, load, refused):
    exact = ["a: {kind: multistart, gradient: exact, on: [mine]}", "b: {kind: multistart, engine: batched}"]
    found = load(own("m.keras", *exact, "c: {kind: neural_adjoint}"))
    assert found["surrogates"]["mine"]["format"] == "keras"
    assert all(inverter["on"] == ["mine"] for inverter in found["inverters"].values())
    assert "can't work on 'mine' (model, keras): it is not known to compute with complex numbers" in refused(
        own("m.keras", "a: {kind: multistart, gradient: cs, on: [mine]}")
    )


@pytest.mark.parametrize("name", ["m.onnx", "m.skops"])
def test_a_file_without_derivatives_is_refused_where_they_are_asked_for(own, load, refused, name):
    for inverter in ("{kind: multistart, gradient: exact, on: [mine]}", "{kind: neural_adjoint, on: [mine]}"):
        message = refused(own(name, f"a: {inverter}"))
        assert f"can't work on 'mine' (model, {name[2:]})" in message and "gradient of its own" in message
    assert load(own(name, "a: {kind: multistart}"))["inverters"]["a"]["on"] == ["mine"]


def test_a_model_is_a_file_or_an_address_that_there_is(refused):
    assert "expected exactly one of path | uri" in refused(
        OWN.replace("path: PATH", "outputs: [y]").replace("inverters:\n", "")
    )
    assert "key 'surrogates.mine': path 'nothing.keras': no such file" in refused(
        OWN.replace("PATH", "nothing.keras").replace("inverters:\n", "")
    )


def test_a_model_that_could_run_code_is_refused_before_any_job(own, load):
    from preimage import invocation

    found = load(own("m.keras", "a: {kind: random}"))
    message = refusal(invocation.check, {"bowl": found})
    assert message.startswith("study 'bowl': key 'surrogates.mine': ") and "damaged, or no .keras file" in message
