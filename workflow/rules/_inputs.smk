# What the steps of a study take in.
from preimage.data import remote
from preimage.study import calls


def expanded(patterns, wildcards, seeds=slice(None), rounds=slice(None)):
    """Patterns filled in for one study, its rounds and its seeds."""
    found = [
        path
        for pattern in patterns
        for path in expand(
            pattern,
            study=wildcards.study,
            round=range(of(wildcards)["rounds"] + 1)[rounds],
            seed=of(wildcards)["seeds"][seeds],
        )
    ]
    return list(dict.fromkeys(found))


def by_seed(file):
    """The files of that name of every round and seed of a study."""
    return lambda w: expanded([f"{SEED}/{file}"], w)


LATEST = slice(-1, None)


def latest(file):
    """The files of that name of every seed in the last round."""
    return lambda w: expanded([f"{SEED}/{file}"], w, rounds=LATEST)


def first_seed(file):
    """The file of that name of the first seed in the last round, which figures and recipes show."""
    return lambda w: expanded([f"{SEED}/{file}"], w, slice(1), LATEST)[0]


def first_models(file):
    """The file of that name of every surrogate of the first seed."""
    return lambda w: expanded(
        [f"{SEED}/surrogates/{s}/{file}" for s in of(w)["surrogates"]],
        w,
        slice(1),
        LATEST,
    )


def models(file):
    """The file of that name of every surrogate."""
    return lambda w: [
        f"{SEED}/surrogates/{name}/{file}" for name in of(w)["surrogates"]
    ]


def has_table(wildcards):
    return "table" in of(wildcards)["problem"]


def without_new(entry):
    """A table's entry without the files of later rounds, which must not touch the rounds before."""
    return {k: v for k, v in entry.items() if k != "new"}


def problem_of(wildcards):
    """What the rounds there are depend on of a study's problem."""
    problem = of(wildcards)["problem"]
    table = {"table": without_new(problem["table"])} if "table" in problem else {}
    return {**problem, **table}


def without_formulas(wildcards):
    """What simulated rows depend on of a study's problem: formulas come after them."""
    return {k: v for k, v in of(wildcards)["problem"].items() if k != "formulas"}


def table_files(wildcards):
    """The user's files, as inputs: a change in them is a reason to run again."""
    table = of(wildcards)["problem"]["table"]
    return [from_storage(table[key]) for key in remote.FILES if key in table]


def from_storage(path):
    """A file as it is; one at an address as a storage plugin's, which downloads it for the step that reads it."""
    if not remote.is_remote(path):
        return path
    return getattr(storage, remote.plugin(path))(path)


def own_model(wildcards):
    """The file of a model of the user's own, as an input; nothing where it is trained here or kept by MLflow."""
    return of(wildcards)["surrogates"][wildcards.surrogate].get("path", [])


def data_files(wildcards):
    """Imported rows are the same for every seed; simulated ones are not."""
    folder = ROUND if has_table(wildcards) else SEED
    return {"data": f"{folder}/data.parquet", "info": f"{folder}/data.json"}


def calls_for(purpose):
    """How often a step of this purpose may call the simulator; None without a budget."""
    return lambda w: calls.granted(of(w), purpose)


def search_calls(wildcards):
    """How often a search may call the simulator, where that is what it works on; None without a budget."""
    if wildcards.surrogate != study_module.SIMULATOR:
        return None
    case = study_module.Case(
        wildcards.surrogate, wildcards.objective, wildcards.inverter
    )
    return calls.granted(of(wildcards), calls.SEARCHES, case)


def search_threads(wildcards):
    """Cores of a search. Where it is scattered its parts do the work, one core each."""
    study, name = of(wildcards), wildcards.inverter
    whole = study_module.parts(study, name) == 1
    return getattr(study["inverters"][name], "threads", 1) if whole else 1


def model_of(wildcards):
    """The trained model and what its training wrote; nothing where the simulator itself is asked."""
    if wildcards.surrogate == study_module.SIMULATOR:
        return {}
    return {"model": rules.train.output.model, "about": rules.train.output.info}


def target_files(wildcards):
    """The user's tables of targets."""
    return named.target_files(of(wildcards)["objectives"])


def series_files(wildcards):
    """The data that a study's fits, or the fit of one objective, are to reproduce."""
    entries = of(wildcards)["objectives"]
    name = getattr(wildcards, "objective", None)
    return named.series_files({name: entries[name]} if name else entries)


def targets_of(wildcards):
    """Where an objective takes its targets from, if it has a table of them."""
    entry = of(wildcards)["objectives"][wildcards.objective]
    found = {"targets": entry["targets"]} if "targets" in entry else {}
    return found | ({"test": rules.split.output.test} if "test_rows" in entry else {})


def inversion_of(case):
    return f"{SEED}/inversion/{case.surrogate}/{case.objective}/{case.inverter}.parquet"


def inversions(wildcards):
    return [inversion_of(case) for case in study_module.cases(of(wildcards))]


def fronts_of(wildcards):
    """The cases of a study's trade-offs."""
    return [list(case) for case in study_module.fronts(of(wildcards))]


def first_fronts(wildcards):
    """The candidates of a study's trade-offs, with what was proven of them, of the first seed in the last round."""
    found = [inversion_of(case) for case in study_module.fronts(of(wildcards))]
    return expanded(found, wildcards, slice(1), LATEST)


def preimages(wildcards):
    """The whole preimages that a study asks for, below the folder of a seed."""
    return [
        f"{SEED}/preimage/{surrogate}/{objective}.parquet"
        for surrogate, objective in study_module.preimages(of(wildcards))
    ]


def first_preimages(wildcards):
    """Those of the first seed in the last round, which figures and report show."""
    return expanded(preimages(wildcards), wildcards, slice(1), LATEST)


def calibrations(wildcards):
    """The findings of every fit of a study; nothing where it has none."""
    study = of(wildcards)
    if not study_module.fits(study):
        return {}
    names = {"study": wildcards.study, "objective": study["objectives"]}
    return {
        "fits": expand(f"{STUDY}/calibration/{{objective}}", **names),
        "fit_times": expand(f"{STUDY}/calibration/{{objective}}.times.json", **names),
    }


def inverting(wildcards):
    """The surrogates of a study that predict by inverting a decoder."""
    kinds = SurrogateKind.registry
    surrogates = of(wildcards)["surrogates"]
    return [n for n, s in surrogates.items() if kinds[s["kind"]].inverts_decoder]


def learned(wildcards):
    """What there is to show of them, of the first seed in the last round."""
    patterns = [f"{SEED}/learning/{name}" for name in inverting(wildcards)]
    return expanded(patterns, wildcards, slice(1), LATEST)


def of_line(wildcards, file):
    """The findings on a line learned by inversion; nothing where that is not the study's problem."""
    line = of(wildcards)["problem"].get("simulator") == "linear_latent"
    return [f"results/{wildcards.study}/{file}"] if line else []


def kernels(wildcards):
    """What a step that searches exactly waits for, by the forms of its models; nothing where none is searched so."""
    specs = of(wildcards)["surrogates"]
    if hasattr(wildcards, "surrogate"):
        specs = {k: v for k, v in specs.items() if k == wildcards.surrogate}
    forms = {"trees" for spec in specs.values() if made_of_trees(spec)}
    bounded = {form_of(spec) for spec in specs.values()} - {""}
    if hasattr(wildcards, "inverter"):
        inverter = of(wildcards)["inverters"][wildcards.inverter]
        forms = forms if inverter.needs_trees or inverter.needs_bounds else set()
        forms |= bounded if inverter.needs_bounds else set()
    else:  # a whole preimage, or windows
        forms |= bounded
    found = rules.compile_kernels.output[0]
    return [ancient(found.format(form=form)) for form in sorted(forms)]


def last_gate(wildcards):
    """The gate rows of the last round; nothing where it is the first."""
    rounds = of(wildcards)["rounds"]
    return first_seed("gate.parquet")(wildcards) if rounds else []
