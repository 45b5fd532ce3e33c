"""PEtab problems as studies: against a published likelihood, and a closed form of one with several conditions."""

import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from preimage.calibration import building, engine
from preimage.commands import new
from preimage.core.space import Input, Space
from preimage.inversion.logarithmic import Logarithms
from preimage.study import reading
from preimage.study.petab import formulas, sbml, tables
from preimage.study.petab.sbml import Network

from ..conftest import refusal

DATA = Path(__file__).parents[1] / "data" / "boehm"
EPO = "1.25e-7 * exp(-1 * Epo_degradation_BaF3 * time)"
REACTIONS = {
    "v1": ("BaF3_Epo * STAT5A^2 * k_phos", {"STAT5A": -2, "pApA": 1}, "cyt"),
    "v2": ("BaF3_Epo * STAT5A * STAT5B * k_phos", {"STAT5A": -1, "STAT5B": -1, "pApB": 1}, "cyt"),
    "v3": ("BaF3_Epo * pow(STAT5B, 2) * k_phos", {"STAT5B": -2, "pBpB": 1}, "cyt"),
    "v4": ("k_imp_homo * pApA", {"pApA": -1, "nucpApA": 1}, "cyt"),
    "v5": ("k_imp_hetero * pApB", {"pApB": -1, "nucpApB": 1}, "cyt"),
    "v6": ("k_imp_homo * pBpB", {"pBpB": -1, "nucpBpB": 1}, "cyt"),
    "v7": ("k_exp_homo * nucpApA", {"nucpApA": -1, "STAT5A": 2}, "nuc"),
    "v8": ("k_exp_hetero * nucpApB", {"nucpApB": -1, "STAT5A": 1, "STAT5B": 1}, "nuc"),
    "v9": ("k_exp_homo * nucpBpB", {"nucpBpB": -1, "STAT5B": 2}, "nuc"),
}
SPECIES = {"STAT5A": "cyt", "STAT5B": "cyt", "pApB": "cyt", "pApA": "cyt", "pBpB": "cyt", "nucpApA": "nuc",
           "nucpApB": "nuc", "nucpBpB": "nuc"}  # fmt: skip
BEGINS = {"STAT5A": "207.6 * ratio", "STAT5B": "207.6 - 207.6 * ratio"}
SIZES = {"cyt": 1.4, "nuc": 0.45}


# Problems of the public collection: how many conditions and starts, and the best known negative log-likelihood.
PUBLISHED = [("bruno", 6, 20, -46.688182), ("brannmark", 8, 1, 141.889204)]

Asked = namedtuple("Asked", "fit space")


def stat5():
    """The equations of Boehm et al. 2014."""
    parts = {
        name: " + ".join(f"{many[name]} * {place} * ({law})" for law, many, place in REACTIONS.values() if name in many)
        for name in SPECIES
    }
    derivatives = {name: f"({text}) / {SPECIES[name]}" for name, text in parts.items()}
    return Network({n: BEGINS.get(n, "0.0") for n in SPECIES}, derivatives, SIZES, {"BaF3_Epo": EPO})


def studied(folder, name, network, monkeypatch):
    """The fit of the study that is written of a problem, and its inputs."""
    if network is not None:
        monkeypatch.setattr(sbml, "read", lambda path: network)
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, f"{name}_model", raising=False)
    study = reading.load(new.write(f"{name}.yaml"))
    problem = {**study["problem"], "solver": {"method": "implicit"}}  # nothing to try first
    return building.build(problem, study["objectives"]["fit"]["fit"]), study


def boehm(tmp_path):
    for file in DATA.iterdir():
        shutil.copy(file, tmp_path)
    rows = tables.read(str(tmp_path / "boehm.yaml")).parameters
    return dict(zip(rows["parameterId"], rows["nominalValue"].astype(float), strict=True))


def test_a_published_problem_has_its_published_likelihood(tmp_path, monkeypatch):
    nominal = boehm(tmp_path)
    found, study = studied(tmp_path, "boehm", stat5(), monkeypatch)
    x = np.array([nominal[name] for name in found.names])
    assert "conditions" not in study["objectives"]["fit"]["fit"]
    assert study["problem"]["inputs"]["k_phos"].items() >= {"low": 1e-5, "high": 1e5, "scale": "log"}.items()
    # The collection's value of the objective at the nominal parameters.
    assert found.negative_log_likelihood(found.by_scipy(x, method="BDF")) == pytest.approx(138.22199, abs=1e-4)
    assert "is there already" in refusal(new.write, "boehm.yaml")


def ends_of(found, study, n, seed):
    """The negative log-likelihoods at which so many starts end."""
    inputs = study["problem"]["inputs"]
    ends = [[inputs[n].get("fixed", inputs[n].get(k)) for k in ("low", "high")] for n in found.names]
    space = Space(tuple(Input(n, *map(float, pair)) for n, pair in zip(found.names, ends, strict=True)))
    logs = Logarithms.of(found.logarithmic, space)
    found, space = found.by_logarithms(logs.mask), logs.bounds()
    X, _ = engine.starts(Asked(found, space), n, np.arange(n), 1, np.random.default_rng(seed))
    loss = engine.search(found, space, X, space.free, 1).loss
    return np.array([found.negative_log_likelihood(v) for v in loss])


@pytest.mark.long
def test_a_fifth_of_the_starts_come_to_the_best_known_likelihood(tmp_path, monkeypatch):
    boehm(tmp_path)
    found, study = studied(tmp_path, "boehm", stat5(), monkeypatch)
    assert (ends_of(found, study, 100, 0) < 138.222 + 0.001).mean() >= 0.2


@pytest.mark.long
@pytest.mark.parametrize(("name", "conditions", "starts", "best"), PUBLISHED)
def test_other_published_problems_have_their_likelihood_and_a_fit_from_scratch_finds_it(
    tmp_path, monkeypatch, name, conditions, starts, best
):
    pytest.importorskip("libsbml")
    source = Path(os.environ.get("PREIMAGE_TEST_DATA", "data")) / "petab" / name
    if not source.exists():
        pytest.skip("PREIMAGE_TEST_DATA names no folder with this problem")
    for file in source.iterdir():
        if file.suffix in (".tsv", ".xml") or file.name == f"{name}.yaml":
            shutil.copy(file, tmp_path)
    found, study = studied(tmp_path, name, None, monkeypatch)
    assert len(found.series.conditions.names) == conditions
    rows = tables.read(str(tmp_path / f"{name}.yaml")).parameters
    nominal = dict(zip(rows["parameterId"], rows["nominalValue"].astype(float), strict=True))
    x = np.array([nominal.get(n, study["problem"]["inputs"][n].get("fixed")) for n in found.names], float)
    assert found.negative_log_likelihood(found.by_scipy(x)) == pytest.approx(best, abs=1e-4)
    assert ends_of(found, study, starts, 0).min() < best + 0.001


def libsbml_model(path):
    """Write the same equations as a network of reactions."""
    libsbml = pytest.importorskip("libsbml")
    document = libsbml.SBMLDocument(2, 4)
    model = document.createModel()
    for name, size in SIZES.items():
        part = model.createCompartment()
        part.setId(name), part.setSize(size)
    for name, place in SPECIES.items():
        part = model.createSpecies()
        part.setId(name), part.setCompartment(place), part.setInitialConcentration(0)
    for name in ["BaF3_Epo", *(n for n in tables.read(str(DATA / "boehm.yaml")).parameters["parameterId"])]:
        part = model.createParameter()
        part.setId(name), part.setValue(1), part.setConstant(name != "BaF3_Epo")
    rule = model.createAssignmentRule()
    rule.setVariable("BaF3_Epo"), rule.setMath(libsbml.parseL3Formula(EPO))
    for name, text in BEGINS.items():
        part = model.createInitialAssignment()
        part.setSymbol(name), part.setMath(libsbml.parseL3Formula(text))
    for name, (law, many, place) in REACTIONS.items():
        reaction = model.createReaction()
        reaction.setId(name), reaction.setReversible(False)
        for species, n in many.items():
            part = reaction.createReactant() if n < 0 else reaction.createProduct()
            part.setSpecies(species), part.setStoichiometry(abs(n))
        reaction.createKineticLaw().setMath(libsbml.parseL3Formula(f"{place} * {law}"))
    libsbml.writeSBMLToFile(document, str(path))


def test_a_network_of_reactions_gives_the_same_equations(tmp_path, monkeypatch):
    libsbml_model(tmp_path / "model.xml")
    nominal = boehm(tmp_path)
    found, _ = studied(tmp_path, "boehm", None, monkeypatch)
    x = np.array([nominal[name] for name in found.names])
    assert found.negative_log_likelihood(found.by_scipy(x, method="BDF")) == pytest.approx(138.22199, abs=1e-4)


def test_without_libsbml_it_is_said_what_to_install(tmp_path, monkeypatch):
    boehm(tmp_path)
    monkeypatch.setitem(sys.modules, "libsbml", None)
    assert "pip install 'preimage[petab]'" in refusal(new.write, str(tmp_path / "boehm.yaml"))


# -- several conditions ------------------------------------------------------------------------------------------------

DECAY = Network({"A": "10.0"}, {"A": "-k * A * heat"}, {"k": 1.0, "heat": 1.0}, {})
FILES = {
    "decay.yaml": (DATA / "boehm.yaml").read_text(),
    "parameters.tsv": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
    "k\tlog10\t0.01\t10\t0.5\t1\nscale_a\tlin\t0.1\t10\t2\t1\nscale_b\tlin\t0.1\t10\t3\t1\nsd_b\tlin\t0.01\t1\t0.2\t1\n",
    "conditions.tsv": "conditionId\theat\tA\ncold\t1\t\nwarm\t2\t5\n",
    "observables.tsv": "observableId\tobservableFormula\tnoiseFormula\nsignal\tobservableParameter1_signal * A\t"
    "noiseParameter1_signal\n",
    "measurements.tsv": "observableId\tsimulationConditionId\tmeasurement\ttime\tobservableParameters\t"
    "noiseParameters\nsignal\tcold\t19\t0\tscale_a\t0.1\nsignal\tcold\t12\t1\tscale_a\t0.1\nsignal\tcold\t11\t2\tscale_b\tsd_b\n"
    "signal\twarm\t6\t1\tscale_b\tsd_b\nsignal\twarm\t5.5\t1\tscale_b\tsd_b\n",
}


def decay(folder, **changed):
    for name, text in {**FILES, **{k.replace("_", "."): v for k, v in changed.items()}}.items():
        (folder / name).write_text(text)


def test_conditions_and_parameters_of_single_measurements_are_those_of_the_closed_form(tmp_path, monkeypatch):
    decay(tmp_path)
    found, study = studied(tmp_path, "decay", DECAY, monkeypatch)
    p = {"k": 0.7, "scale_a": 1.9, "scale_b": 2.8, "sd_b": 0.3}
    x = np.array([p.get(name, study["problem"]["inputs"][name].get("fixed")) for name in found.names], float)
    k, a, b = p["k"], p["scale_a"], p["scale_b"]
    mean = [10 * a, 10 * a * np.exp(-k), 10 * b * np.exp(-2 * k), *[5 * b * np.exp(-2 * k)] * 2]
    right = -stats.norm.logpdf([19, 12, 11, 6, 5.5], mean, [0.1, 0.1, 0.3, 0.3, 0.3]).sum()
    assert found.negative_log_likelihood(found.by_scipy(x)) == pytest.approx(right, rel=1e-6)


def test_noise_that_differs_by_measurement_is_a_column_of_the_data(tmp_path, monkeypatch):
    head, *rows = FILES["measurements.tsv"].strip().split("\n")
    noise = [0.1, 0.2, 0.4, 0.3, 0.5]
    cells = ["\t".join([*row.split("\t")[:4], "scale_a", str(sd)]) for row, sd in zip(rows, noise, strict=True)]
    decay(tmp_path, measurements_tsv="\n".join([head, *cells]))
    found, study = studied(tmp_path, "decay", DECAY, monkeypatch)
    assert study["objectives"]["fit"]["fit"]["noise"] == {"signal": {"column": "signal_noise"}}
    assert found.series.conditions.names == ("cold", "warm")
    p = {"k": 0.7, "scale_a": 1.9, "scale_b": 2.8, "sd_b": 0.3}
    x = np.array([p.get(name, study["problem"]["inputs"][name].get("fixed")) for name in found.names], float)
    mean = 1.9 * np.array([10, 10 * np.exp(-0.7), 10 * np.exp(-1.4), *[5 * np.exp(-1.4)] * 2])
    right = -stats.norm.logpdf([19, 12, 11, 6, 5.5], mean, noise).sum()
    assert found.negative_log_likelihood(found.by_scipy(x)) == pytest.approx(right, rel=1e-6)


def test_experiments_begin_at_rest_under_the_conditions_that_they_name(tmp_path, monkeypatch):
    rows = "observableId\tsimulationConditionId\tpreequilibrationConditionId\tmeasurement\ttime\n"
    rows += "signal\twarm\tcold\t3\t0\nsignal\twarm\tcold\t2\t1\nsignal\tcold\twarm\t2\t1\n"
    decay(
        tmp_path,
        conditions_tsv="conditionId\theat\ncold\t1\nwarm\t2\n",
        observables_tsv="observableId\tobservableFormula\tnoiseFormula\nsignal\tscale_a * A\t0.1\n",
        measurements_tsv=rows,
    )
    supplied = Network({"A": "10.0"}, {"A": "1.5 - k * A * heat"}, {"k": 1.0, "heat": 1.0}, {})
    found, study = studied(tmp_path, "decay", supplied, monkeypatch)
    p = {"k": 0.7, "scale_a": 1.9}
    x = np.array([p.get(n, study["problem"]["inputs"][n].get("fixed", 0.2)) for n in found.names], float)
    cold, warm = 1.5 / 0.7, 1.5 / 1.4
    mean = 1.9 * np.array([cold, warm + (cold - warm) * np.exp(-1.4), cold + (warm - cold) * np.exp(-0.7)])
    right = -stats.norm.logpdf([3, 2, 2], mean, 0.1).sum()
    assert found.negative_log_likelihood(found.by_scipy(x)) == pytest.approx(right, rel=1e-6)


def test_one_noise_of_logarithms_to_base_10_for_all_is_scaled_too(tmp_path, monkeypatch):
    text = FILES["observables.tsv"].replace("noiseFormula\n", "noiseFormula\tobservableTransformation\n").strip()
    rows = FILES["measurements.tsv"].replace("\t0.1\n", "\tsd_b\n")
    decay(tmp_path, observables_tsv=f"{text}\tlog10\n", measurements_tsv=rows)
    monkeypatch.setattr(sbml, "read", lambda path: DECAY)
    study = reading.load(new.write(str(tmp_path / "decay.yaml")))
    assert study["objectives"]["fit"]["fit"]["noise"] == {"signal": "sd_b"}
    assert study["problem"]["inputs"]["sd_b"]["high"] == pytest.approx(np.log(10))
    (tmp_path / "again").mkdir()
    decay(tmp_path / "again", observables_tsv=f"{text.replace('* A', '* A + sd_b')}\tlog10\n", measurements_tsv=rows)
    said = refusal(new.write, str(tmp_path / "again" / "decay.yaml"))
    assert "found 'sd_b' as the noise of logarithms to base 10 and elsewhere" in said


def test_noise_of_logarithms_to_base_10_is_that_of_natural_ones(tmp_path, monkeypatch):
    text = FILES["observables.tsv"].replace("noiseFormula\n", "noiseFormula\tobservableTransformation\n").strip()
    decay(tmp_path, observables_tsv=f"{text}\tlog10\n")
    found, study = studied(tmp_path, "decay", DECAY, monkeypatch)
    assert study["problem"]["inputs"]["sd_b"]["high"] == pytest.approx(np.log(10))
    p = {"k": 0.7, "scale_a": 1.9, "scale_b": 2.8, "sd_b": 0.3 * np.log(10)}
    x = np.array([p.get(name, study["problem"]["inputs"][name].get("fixed")) for name in found.names], float)
    mean = np.array([19, 19 * np.exp(-0.7), 28 * np.exp(-1.4), *[14 * np.exp(-1.4)] * 2])
    y, sd = np.array([19, 12, 11, 6, 5.5]), np.array([0.1, 0.1, 0.3, 0.3, 0.3])
    right = -(stats.norm.logpdf(np.log10(y), np.log10(mean), sd) - np.log(y * np.log(10))).sum()
    assert found.negative_log_likelihood(found.by_scipy(x)) == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"decay_yaml": "format_version: 2\nparameter_file: parameters.tsv\n"}, "found 2, expected PEtab 1"),
        (
            {"observables_tsv": "observableId\tobservableFormula\tnoiseFormula\nsignal\tA\t0.1 + 0.1 * A\n"},
            "the noise '0.1 + 0.1 * A' of 'signal', expected a number or a parameter",
        ),
        (
            {"observables_tsv": "observableId\tobservableFormula\tnoiseFormula\nsignal\tA * B\t1\n"},
            "the formula of 'signal': found 'B'",
        ),
        (
            {"observables_tsv": "observableId\tobservableFormula\tnoiseFormula\nsignal\t__import__('os')\t1\n"},
            "the formula of 'signal': found '__import__', which is nothing",
        ),
        (
            {
                "measurements_tsv": "observableId\tsimulationConditionId\tpreequilibrationConditionId\tmeasurement\t"
                "time\nsignal\tcold\twarm\t1\t2\nsignal\tcold\t\t1\t2\n"
            },
            "found rows with pre-equilibration and rows without",
        ),
        (
            {
                "measurements_tsv": "observableId\tsimulationConditionId\tpreequilibrationConditionId\tmeasurement\t"
                "time\nsignal\tcold\twarm\t1\t2\n"
            },
            "column 'A': a state that a condition sets after pre-equilibration",
        ),
        (
            {"measurements_tsv": "observableId\tsimulationConditionId\tmeasurement\ttime\nsignal\tcold\t1\tinf\n"},
            "found the time 'inf', expected numbers",
        ),
    ],
)
def test_what_a_study_has_no_key_for_is_refused_by_name(tmp_path, monkeypatch, changed, said):
    decay(tmp_path, **changed)
    monkeypatch.setattr(sbml, "read", lambda path: DECAY)
    assert said in refusal(new.write, str(tmp_path / "decay.yaml"))


def test_formulas_become_python_and_nothing_else_does():
    assert formulas.python("2*k^3/ln(lambda)", "f") == "2 * k ** 3 / jnp.log(lambda_)"
    assert formulas.python("piecewise(1, time < 2 && a > 0, 0)", "f") == "jnp.where((t < 2) & (a > 0), 1, 0)"
    for text in ("a.b", "a[0]", "[a]", "lambda: 1", "'a'", "f(x)", "exp(1, 2)"):
        assert "f: " in refusal(formulas.python, text, "f")
