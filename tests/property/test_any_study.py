"""Whatever a study's file holds, it is a study or one message."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from preimage import study
from preimage.inversion.base import Inverter
from preimage.study import data_checks
from preimage.support.errors import StudyError

from ..conftest import examples, refusal

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
        "formulas": {"f": {"expression": "x1 + 2*y", "unit": "m2"}},
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
WORDS = st.sampled_from(KEYS.split()) | st.sampled_from(sorted(Inverter.registry)) | st.text(max_size=5)
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
        warnings = [w for found in every for w in data_checks.check(found)]
    except StudyError as error:
        assert str(error) and "\n" not in str(error)
        return False
    assert all(study.infers(found) or study.cases(found) for found in every)
    assert all(isinstance(w, str) for w in warnings)
    return True


def test_the_study_that_is_changed_below_is_valid(study_file):
    assert taken_or_refused(study_file(yaml.safe_dump(WHOLE)))


@given(st.sampled_from(sorted(places(WHOLE), key=str)), ANYTHING, st.booleans())
@examples(150)
def test_a_study_with_anything_anywhere_is_taken_or_refused(study_file, place, new, drop):
    taken_or_refused(study_file(yaml.safe_dump(changed(WHOLE, place, new, drop), allow_unicode=True)))


@given(st.dictionaries(WORDS, ANYTHING, max_size=5) | ANYTHING)
def test_any_yaml_is_a_study_or_refused(study_file, value):
    taken_or_refused(study_file(yaml.safe_dump(value, allow_unicode=True)))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text("{}[]:,-&*!|>'\"%@`#? \n\t\x00aé", max_size=6))
@examples(200)
def test_a_spoilt_file_is_a_study_or_refused(study_file, start, end, inserted):
    text = yaml.safe_dump(WHOLE)
    start, end = sorted((start % len(text), end % len(text)))
    end = min(end, start + 20)
    taken_or_refused(study_file(text[:start] + inserted + text[end:]))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(study_file, content):
    refusal(study.load, study_file(content))
