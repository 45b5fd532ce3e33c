"""Several studies at once: files, folders and families, by name."""

import pytest

from preimage import study

from ..conftest import BOWL, refusal


@pytest.mark.parametrize("other", ["bowl", "Bowl", "BOWL"])
def test_two_studies_of_one_name_are_refused_whatever_their_case(study_file, other):
    first, second = study_file(BOWL, "a.yaml"), study_file(BOWL.replace("study: bowl", f"study: {other}"), "b.yaml")
    message = refusal(study.load_all, [first, second])
    assert message == f"{second}: study '{other}': {first} has that name too"


def test_studies_come_by_name_in_their_order(study_file):
    paths = [study_file(BOWL.replace("study: bowl", f"study: {n}"), f"{n}.yaml") for n in ("b", "a")]
    assert list(study.load_all(paths)) == ["b", "a"]
    assert list(study.load_configured({"studies": [str(p) for p in paths]}, "config.yaml")) == ["b", "a"]
    assert list(study.load_configured({"studies": str(paths[0])}, "config.yaml")) == ["b"]


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
