"""Studies of inference: what they are completed to, and what is refused before any job, with its place."""

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.inference import observations, observed
from preimage.inference.base import InferenceMethod
from preimage.inference.simulators import loading
from preimage.study import inference

from ..conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

GOOD = """
study: counts
problem: {simulator: poisson}
observations: {simulate: 3, size: 50}
inference:
  exact: {kind: grid}
  rejection: {kind: abc_rejection, simulations: 100000}
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counts.yaml").write_text(GOOD)
    return tmp_path / "counts.yaml"


def load(path, old, new):
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    return study.load(path)


def poisson():
    return loading.load({"simulator": "poisson"})


# -- what a study is completed to --------------------------------------------------------------------------------------


def test_defaults_are_filled_in_and_nothing_of_other_studies_is_left(path):
    found = study.load(path)
    assert study.infers(found) and study.cases(found) == []
    assert found["checks"] == {
        "sets": 300, "searches": 20, "draws": 200, "use_of_simulations": True, "predictive": 300
    }  # fmt: skip
    assert found["bank"] == {"jobs": 2} and found["observations"]["draws"] == 2000
    assert inference.has_bank(found) and inference.bank_simulations(found) == [100000]


def test_an_ordinary_study_knows_nothing_of_inference(path):
    path.write_text("study: bowl\nproblem: {simulator: paraboloid}\nobjectives: {lowest: {minimize: y}}\n")
    found = study.load(path)
    assert not study.infers(found) and not {"checks", "bank", "inference", "observations"} & set(found)


def test_what_simulates_as_it_infers_is_also_trained_blind(path):
    found = load(path, "exact: {kind: grid}", "loop: {kind: alfi, steps: 3}")["inference"]
    assert found["loop_blind"] == {**found["loop"], "simulated": False} and found["loop"]["simulated"]
    off = load(path, "  exact: {kind: grid}", "  loop: {kind: alfi}")
    path.write_text(path.read_text() + "checks: {use_of_simulations: false}\n")
    assert list(study.load(path)["inference"]) == ["loop", "rejection"] and "loop_blind" in off["inference"]


def test_an_ablation_is_a_field_and_takes_a_name_that_is_free(path):
    """A method of one's own may end as ablations do, or have the very name of one."""
    found = load(path, "exact: {kind: grid}", "loop: {kind: alfi, steps: 3}\n  loop_blind: {kind: grid}")
    assert found["inference"]["loop_blind"] == {"kind": "grid", **found["inference"]["loop_blind"]}
    assert found["ablations"] == {"loop_blind_2": "loop"} and not found["inference"]["loop_blind_2"]["simulated"]
    assert load(path, "exact: {kind: grid}", "double_blind: {kind: grid}")["ablations"] == {}


def test_searches_are_checked_on_fewer_sets_and_fresh_ones_are_enough_for_all(path):
    found = load(path, "exact: {kind: grid}", "search: {kind: nes}")
    assert inference.checked_sets(found, "search") == 20 and inference.checked_sets(found, "rejection") == 300
    assert inference.fresh_sets(found) == 300


def test_a_stated_prior_replaces_the_built_in_one():
    entry = {"simulator": "poisson", "inputs": {"log_rate": {"normal": {"mean": 3, "sd": 0.5}}}}
    drawn = loading.load(entry).prior.sample(np.random.default_rng(0), 20_000)
    assert drawn.mean() == pytest.approx(3, abs=0.02) and drawn.std() == pytest.approx(0.5, abs=0.02)


def test_kinds_of_the_schema_are_those_of_the_code():
    for kind in InferenceMethod.registry:
        assert {"train", "restored"} <= set(dir(InferenceMethod.registry[kind].computing()))


# -- what is refused as it is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: grid", "kind: gird", "key 'inference.exact.kind': unknown kind 'gird'; did you mean 'grid'?"),
        ("kind: grid", "kind: grid, cells: 3", "key 'inference.exact.cells': unknown key"),
        ("simulations: 100000", "simulation: 1", "unknown key; did you mean 'simulations'?"),
        ("exact:", "2nd:", "key 'inference.2nd': expected a name of letters"),
        ("simulate: 3, size: 50", "simulate: 3", "key 'observations': missing key 'size'"),
        ("simulate: 3, size: 50", "table: x.csv, size: 50", "key 'observations.size': valid only beside 'simulate'"),
        (
            "simulate: 3, size: 50",
            "simulate: 3, size: 9, table: x.csv",
            "expected exactly one of simulate | table | refer",
        ),
        ("simulate: 3, size: 50", "simulate: 3, size: 0", "found 0, expected at least 1"),
        ("observations: {simulate: 3, size: 50}\n", "", "missing key 'observations'"),
        ("inference:", "objectives: {a: {minimize: y}}\ninference:", "key 'objectives': found beside 'inference'"),
        ("inference:", "inverters: {a: {kind: random}}\ninference:", "key 'inverters': found beside 'inference'"),
        ("inference:", "surrogates: {a: {kind: random_forest}}\ninference:", "key 'surrogates': found beside"),
        ("inference:", "rounds: 2\ninference:", "key 'rounds': found beside 'inference'"),
        ("poisson}", "poisson, samples: 100}", "key 'problem.samples': found beside 'inference'"),
        ("poisson}", "poisson, inputs: {log_rate: {low: 3, high: 3}}}", "low 3 is not below high 3"),
        ("poisson}", "poisson, inputs: {log_rate: {low: 3}}}", "expected one prior: low and high, normal, or"),
        ("poisson}", "poisson, inputs: {log_rate: {normal: {mean: 0, sd: 0}}}}", "found 0, expected more than 0"),
    ],
)
def test_what_can_not_be_is_refused_by_key(path, old, new, said):
    assert said in refusal(load, path, old, new)


@pytest.mark.parametrize("part", ["observations: {simulate: 1, size: 1}", "checks: {sets: 20}", "bank: {jobs: 1}"])
def test_keys_of_inference_are_refused_elsewhere(path, part):
    path.write_text(f"study: bowl\nproblem: {{simulator: paraboloid}}\nobjectives: {{low: {{minimize: y}}}}\n{part}\n")
    assert f"key '{part.partition(':')[0]}': valid only in a study with 'inference'" in refusal(study.load, path)


def test_a_study_that_wants_nothing_is_told_both_ways(path):
    path.write_text("study: bowl\nproblem: {simulator: paraboloid}\n")
    assert "missing key 'objectives' (or, for a stochastic simulator, 'inference'" in refusal(study.load, path)


# -- what is refused by simulator and files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "simulator: poisson",
            "simulator: poison",
            "unknown built-in stochastic simulator 'poison'; did you mean 'poisson'?",
        ),
        ("poisson}", "poisson, inputs: {log_rat: {low: 1, high: 2}}}", "no such parameter; did you mean 'log_rate'?"),
        (
            "simulations: 100000",
            "simulations: 49",
            "key 'inference.rejection': simulations: found 49, expected at least",
        ),
        (
            "exact: {kind: grid}",
            "a: {kind: one_shot, simulations: 15999}",
            "found 15,999, expected at least 16,000: 256 sets for scales, one batch of 64 sets",
        ),
        ("exact: {kind: grid}", "a: {kind: one_shot, simulations: 16000}", None),
        ("exact: {kind: grid}", "a: {kind: alfi, simulations: 132693}", "found 132,693, expected at least 132,694"),
        ("exact: {kind: grid}", "a: {kind: alfi, simulations: 132694}", None),
        (
            "exact: {kind: grid}",
            "a: {kind: npe, simulations: 39999, rounds: 4}",
            "expected at least 40,000: 200 sets of 50 samples in each of 4 rounds",
        ),
        ("simulator: poisson", "simulator: collider", None),
    ],
)
def test_simulator_prior_and_budgets_are_checked_before_any_job(path, old, new, said):
    found = load(path, old, new)
    if said is None:
        assert inference.check(found) == []
    else:
        assert said in refusal(inference.check, found)


def table(text, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    return {"table": str(tmp_path / "x.csv")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.csv: the file is empty"),
        ("count\n", "x.csv: found no rows"),
        ("count\n3\n\n5\n", "x.csv, column 'count', row 2 (line 3): found no value, expected a number"),
        ("count\n3\nnan\n", "column 'count', row 2 (line 3): found"),
        ("count\n3\nmany\n", "column 'count', row 2 (line 3): found 'many', expected a number"),
        ("count,energy\n3,4\n", "found 2 columns (count, energy), expected 1, the coordinates of a sample (count)"),
        ("cuont\n3\n", "no column 'count'; did you mean 'cuont'?"),
        ("observation,count\n1,3\n1,4\n2,5\n", "observation '2' has 1 rows and '1' has 2: expected sets of one size"),
        ("observation,count\n1,3\n,4\n", "column 'observation', row 2 (line 3): found no value"),
    ],
)
def test_a_table_of_observations_is_refused_by_file_column_and_row(tmp_path, text, said):
    assert said in refusal(observations.read, table(text, tmp_path), poisson())


def test_a_table_holds_one_set_or_several(tmp_path):
    found = observations.read(table("count\n3\n4\n5\n", tmp_path), poisson())
    assert found.names == [0] and found.x.shape == (1, 3, 1) and found.theta is None
    found = observations.read(table("observation,count\nb,3\na,4\nb,5\na,6\n", tmp_path), poisson())
    assert found.names == ["b", "a"] and found.x[:, :, 0].tolist() == [[3, 5], [4, 6]]
    assert observations.read(table("observation,count\n-1,3\n0,4\n", tmp_path), poisson()).names == [-1, 0]
    file = tmp_path / "x.parquet"
    pd.DataFrame({"observation": ["01", "1"], "count": [3, 4]}).to_parquet(file)
    assert observations.read({"table": str(file)}, poisson()).names == ["01", "1"]


def test_true_parameters_lie_in_the_prior_and_are_one_row_a_set(tmp_path):
    spec = table("observation,count\n1,3\n2,4\n", tmp_path) | {"parameters": str(tmp_path / "t.csv")}
    for text, said in (
        ("log_rate\n1\n9\n", "t.csv, column 'log_rate', row 2 (line 3): found 9, outside the prior (0.2 to 7)"),
        ("log_rate\n1\n", "t.csv: found 1 rows, expected 2, one per set"),
        ("rate\n1\n2\n", "t.csv: no column 'log_rate'; did you mean 'rate'?"),
    ):
        (tmp_path / "t.csv").write_text(text)
        assert said in refusal(observations.read, spec, poisson())
    (tmp_path / "t.csv").write_text("log_rate\n1\n2\n")
    assert observations.read(spec, poisson()).theta.tolist() == [[1], [2]]


def test_the_files_of_the_public_benchmark_are_read_and_named_when_they_do_not_fit(tmp_path):
    rng = np.random.default_rng(0)
    for k in (10, 2):
        folder = tmp_path / f"files/num_observation_{k}"
        folder.mkdir(parents=True)
        pd.DataFrame([[k, k + 1]], columns=["data_1", "data_2"]).to_csv(folder / "observation.csv", index=False)
        pd.DataFrame({"parameter_1": [3.0]}).to_csv(folder / "true_parameters.csv", index=False)
        draws = pd.DataFrame({"parameter_1": rng.normal(size=20)})
        draws.to_csv(folder / "reference_posterior_samples.csv.bz2", index=False)
    found = observations.read({"reference": str(tmp_path)}, poisson())
    assert found.names == [2, 10] and found.x[:, :, 0].tolist() == [[2, 3], [10, 11]]
    assert found.theta.tolist() == [[3], [3]] and np.allclose(found.references[0][:, 0], draws["parameter_1"])
    again = observed.restored(found.names, found.arrays())
    assert np.array_equal(again.references[0], found.references[0])
    (folder / "true_parameters.csv").write_text("a,b\n1,2\n")
    said = refusal(observations.read, {"reference": str(tmp_path)}, poisson())
    assert "num_observation_2/true_parameters.csv: found 2 columns, expected 1" in said
    assert "no such folder" in refusal(observations.read, {"reference": str(tmp_path / "no")}, poisson())


def test_a_simulator_of_ones_own_takes_priors_and_coordinates_from_the_study(path, monkeypatch):
    monkeypatch.syspath_prepend(str(path.parent))
    (path.parent / "my_rays.py").write_text("def rays(theta, size, rng):\n    raise NotImplementedError\n")
    inputs, outputs = "{{a: {}, b: {{log_normal: {{mean: 0, sd: 1}}}}}}", "{{x: {{unit: m}}, y: }}"
    own = f"simulator: my_rays:rays, inputs: {inputs}, outputs: {outputs}"
    found = load(path, "simulator: poisson", own.format("{low: 0, high: 2}"))
    made = loading.load(inference.simulated_part(found["problem"]))
    assert made.coordinates == ("x", "y") and made.prior.margins["b"].kind == "log_normal"
    assert "grid: the likelihood" in refusal(inference.check, found)
    found = load(path, "simulator: poisson", own.format("{unit: m}"))
    assert "problem.inputs.a: no prior; expected low and high" in refusal(inference.check, found)
