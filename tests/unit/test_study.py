"""A study read from its file: what it becomes, and what is refused before any data is looked at."""

import pytest

from preimage import study
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


# -- what a study becomes ----------------------------------------------------------------------------------------------


def test_defaults_are_filled_in(load):
    found = load(MIXES)
    assert found["seeds"] == [0]
    assert found["split"] == {"folds": 5, "repeats": 2, "test_fraction": 0.3}
    assert found["problem"]["table"]["ignore"] == [] and found["problem"]["constraints"] == []
    forest = found["surrogates"]["forest"]
    assert (forest["trees"], forest["min_samples_leaf"], forest["max_features"], forest["folds"]) == (100, 1, 1, 5)
    assert "tune" not in forest and "max_depth" not in forest
    assert found["objectives"]["sixty"] == {"target": {"strength": 60}}
    assert found["inverters"]["tpe"].plain() == {"kind": "hyperopt", "evaluations": 500, "on": ["forest"]}


def test_what_is_said_wins_over_the_defaults(load):
    found = load(MIXES.replace("{kind: random_forest}", "{kind: random_forest, trees: 7, tune: {}}"))
    assert found["surrogates"]["forest"]["trees"] == 7
    assert found["surrogates"]["forest"]["tune"] == {"evaluations": 30}


def test_lookup_is_always_there_and_only_once(load):
    assert load(MIXES)["inverters"]["lookup"].plain() == {"kind": "lookup", "rows": 1, "on": ["forest"]}
    named = load(MIXES + "  baseline: {kind: lookup}\n")
    assert list(named["inverters"]) == ["tpe", "baseline"]
    # A method of another kind may have the name that the baseline would have.
    other = load(MIXES.replace("tpe:", "lookup:"))
    assert study.baselines(other) == ["lookup_2"] and other["inverters"]["lookup"].kind == "hyperopt"
    assert list(load(BOWL)["inverters"]) == ["lookup"]


def test_one_seed_is_short_for_a_list(load):
    assert load(BOWL + "seed: 7\n")["seeds"] == [7]
    assert load(BOWL + "seeds: [3, 1, 2.0]\n")["seeds"] == [3, 1, 2]
    assert all(type(s) is int for s in load(BOWL + "seeds: [3, 1, 2.0]\n")["seeds"])
    assert "seed" not in load(BOWL + "seed: 7\n")


def test_a_simulator_is_worked_on_where_there_is_no_surrogate_or_where_it_is_named(load):
    assert load(BOWL)["inverters"]["lookup"].on == ["simulator"]
    text = BOWL + "surrogates: {f: {kind: random_forest}}\n"
    text += "inverters: {a: {kind: random}, b: {kind: random, on: [simulator, f]}}\n"
    inverters = load(text)["inverters"]
    assert inverters["a"].on == ["f"] and inverters["b"].on == ["simulator", "f"]


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
            ", line 6, key 'objectives.sixty': found keys minimize, target; expected exactly one of fit | max",
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
            ": key 'inverters.tpe.on': multistart does not support 'forest' (random_forest): it has no exact gradient",
        ),
        ("kind: hyperopt", "kind: multistart, gradient: exact", ": key 'inverters.tpe': multistart supports no model"),
        (
            "kind: hyperopt",
            "kind: multistart, gradient: 4-point",
            ", line 8, key 'inverters.tpe.gradient': found '4-point', expected one of",
        ),
        ("forest:", "simulator:", ": key 'surrogates.simulator': this name is reserved for the simulator"),
        (
            "forest:",
            "a/b:",
            ": key 'surrogates.a/b': expected a name of letters, digits, '_' and '-', starting with a letter",
        ),
        (
            "forest:",
            "1:",
            ": key 'surrogates.1': expected a name of letters, digits, '_' and '-', starting with a letter",
        ),
        ("forest:", "..:", ": key 'surrogates...': expected a name of letters"),
        ("sixty:", "a b:", ": key 'objectives.a b': expected a name of letters"),
        ("sixty:", "é:", ": key 'objectives.é': expected a name of letters"),
        ("tpe:", "'':", ": key 'inverters.': expected a name of letters"),
        ("tpe:", "x" * 101 + ":", ": expected a name of letters"),
    ],
    ids=lambda value: value[:50],
)
def test_a_study_that_cannot_be_is_refused_with_file_line_and_key(refused, old, new, said):
    assert MIXES.count(old) == 1
    assert said in refused(MIXES.replace(old, new))


@pytest.mark.parametrize("value", ["true", "{trees: 50}"])
def test_a_key_of_earlier_versions_is_refused_with_its_present_name(refused, load, value):
    text = MIXES.replace("sixty: {", f"sixty: {{robust: {value}, ")
    assert refused(text) == (
        ", line 6, key 'objectives.sixty.robust': unknown key; it is named 'committee' now (ranking by a committee of "
        "models)"
    )
    assert load(text.replace("robust", "committee"))["objectives"]["sixty"]["committee"]


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
        (
            "{x1: {categories: [a, b], low: 0}}",
            "key 'problem.inputs.x1': found low, high or integer beside categories, expected categories alone",
        ),
        (
            "{x1: {categories: [a, b], integer: true}}",
            "found low, high or integer beside categories, expected categories alone",
        ),
        ("{x1: {categories: [1, '1']}}", "key 'problem.inputs.x1.categories': duplicate category '1'"),
        ("{x1: {categories: [a, a]}}", "'problem.inputs.x1.categories': found ['a', 'a'], expected no entry twice"),
        ("{x1: {categories: [true]}}", "key 'problem.inputs.x1.categories.0': found true or false, expected"),
        ("{x1: {lower: 3}}", "key 'problem.inputs.x1.lower': unknown key; did you mean 'low'?"),
        ("{x1: {fixed: true}}", "key 'problem.inputs.x1.fixed': found true or false, expected a number or text"),
        ("{x1: 3}", "key 'problem.inputs.x1': found the number 3, expected a mapping"),
        ("{x1: {step: 0}}", "key 'problem.inputs.x1.step': found 0, expected more than 0"),
        ("{x1: {step: 1}}", "key 'problem.inputs.x1.step': missing key 'low', from which steps count"),
        ("{x1: {zero_or: -2}}", "key 'problem.inputs.x1.zero_or': found -2, expected more than 0"),
        ("{x1: {values: []}}", "key 'problem.inputs.x1.values': [] should be non-empty"),
        ("{x1: {values: [1, 2, 1]}}", "expected no entry twice"),
        ("{x1: {values: [1, 2], low: 1}}", "key 'problem.inputs.x1': found low beside values, expected one of them"),
        ("{x1: {values: [1, 2], integer: true}}", "found integer beside values, expected one of them"),
        ("{x1: {zero_or: 2, categories: [a, b]}}", "found categories beside zero_or, expected one of them"),
    ],
)
def test_inputs_that_contradict_are_refused(refused, inputs, said):
    assert said in refused(BOWL.replace("{simulator: paraboloid}", f"{{simulator: paraboloid, inputs: {inputs}}}"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{linear: {x1: 1}}", "key 'problem.constraints.0': found keys linear; expected exactly one of"),
        ("{linear: {x1: 1}, at_most: 1, at_least: 0}", "expected exactly one of at_most | at_least | equals"),
        ("{at_most: 1}", "found keys at_most; expected exactly one of linear | expression | of | exclude"),
        ("{linear: {x1: 1}, expression: x1, at_most: 1}", "expected exactly one of linear | expression | of | exclude"),
        ("{expression: x1 * x2}", "found keys expression; expected at least one of at_most | at_least | equals"),
        ("{expression: x1, equals: 1, at_most: 1}", "expected at least one of at_most | at_least | equals"),
        ("{at_most_nonzero: 1}", "key 'problem.constraints.0': found at_most_nonzero without 'of'"),
        ("{of: [x1, x2]}", "expected at least one of at_most_nonzero | at_least_nonzero"),
        ("{of: [x1, x2], at_most: 1}", "expected at least one of at_most_nonzero | at_least_nonzero"),
        ("{of: [x1, x1], at_most_nonzero: 1}", "expected no entry twice"),
        ("{of: [x1, x2], at_most_nonzero: 0}", "found 0, expected at least 1"),
        ("{of: [x1, x2], at_most_nonzero: 1.5}", "found the number 1.5, expected a whole number"),
        ("{exclude: {}}", "key 'problem.constraints.0.exclude': {} should be non-empty"),
        ("{exclude: {x1: {}}}", "found keys none; expected at least one of at_least | at_most"),
        ("{exclude: {x1: {above: 3}}}", "unknown key; valid: at_least, at_most"),
        ("{exclude: {x1: 1}, at_most: 3}", "found keys exclude, at_most; expected at least one of none"),
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
        ": key 'problem.dimension': valid only for a built-in simulator"
    )


def test_a_table_without_a_surrogate_has_nothing_to_work_on(refused):
    assert "nothing to work on; add a surrogate" in refused(
        BOWL.replace("{simulator: paraboloid}", "{table: {file: a.csv, outputs: [y]}}")
    )


def test_an_unknown_built_in_is_refused_with_the_nearest(refused):
    assert "unknown built-in problem 'parabolid'; did you mean 'paraboloid'?" in refused(
        BOWL.replace("paraboloid", "parabolid")
    )


@pytest.mark.parametrize(("key", "value"), [("noise", "{sd: 1}"), ("sampling", "uniform")])
def test_settings_of_simulated_data_are_refused_beside_a_table(study_file, key, value):
    text = f"study: s\nproblem: {{table: {{file: a.csv, outputs: [y]}}, {key}: {value}}}\n"
    rest = "objectives: {o: {minimize: y}}\nsurrogates: {f: {kind: random_forest}}\n"
    message = refusal(study.load, study_file(text + rest))
    assert f"key 'problem.{key}': valid only for simulated data" in message


# -- inputs that vary --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("variation: {x1: -2}", ", line 4, key 'objectives.lowest.variation.x1': found -2, expected more than 0"),
        ("variation: {x1: 0}", "key 'objectives.lowest.variation.x1': found 0, expected more than 0"),
        ("variation: {}", "key 'objectives.lowest.variation': {} should be non-empty"),
        ("variation: 2", "key 'objectives.lowest.variation': found the number 2, expected a mapping"),
        ("variation: {x1: [2]}", "key 'objectives.lowest.variation.x1': found a list, expected"),
        (
            "variation: {x1: {sd: 1, half_width: 2}}",
            "found keys sd, half_width; expected exactly one of sd | half",
        ),
        ("variation: {x1: {width: 2}}", "key 'objectives.lowest.variation.x1.width': unknown key"),
        ("variation: {x1: 2 per cent}", "objectives.lowest.variation.x1: found '2 per cent', expected a number, or a"),
        ("variation: {x1: 2}, committee: true", "key 'objectives.lowest.variation': found beside 'committee'"),
    ],
)
def test_variation_that_cannot_be_is_refused(refused, entry, said):
    assert said in refused(BOWL.replace("lowest: {minimize: y", f"lowest: {{minimize: y, {entry}"))


def test_exact_searches_refuse_variation(refused, load):
    text = MIXES.replace("sixty: {", "sixty: {variation: {cement: 2}, ")
    assert load(text)["objectives"]["sixty"]["variation"] == {"cement": 2}
    for kind in ("certified", "coordinate"):
        assert refused(text.replace("hyperopt", kind)) == (
            f": key 'inverters.tpe': {kind} searches outputs of single points exactly, and does not support "
            "'variation' of objective 'sixty'; use another inverter, or a study of its own for one of them"
        )
    assert refused(text.replace("variation:", "preimage: true, variation:")) == (
        ": key 'objectives.sixty.variation': found beside 'preimage', a set of single points; expected one of them"
    )
