# Reading config and studies, and what rules share: paths, input functions, fingerprints.
import os
import sys

from snakemake.logging import logger


include: "_places.smk"


from preimage import study as study_module
from preimage.problems import user_code
from preimage.running import (
    slurm,
    fingerprint,
    invocation,
    slurm_nodes,
    user_trial,
    reproduction,
)
from preimage.support import limits
from preimage.data import series, setting, targets
from preimage.support.errors import StudyError
from preimage.core.kinds import MODULES

invocation.share_library()

CONFIG = "config/config.yaml"


configfile: CONFIG if os.path.exists(CONFIG) else os.path.join(os.path.dirname(WORKFLOW), CONFIG)


try:
    FILES = study_module.configured(config, CONFIG)
    user_code.allow(config.get("allow"))
    limits.allow(config.get("memory"))
    RUN, BESIDE = reproduction.asked(config), None
    if RUN is not None:
        say = logger.warning if workflow.is_main_process else None
        FILES = [reproduction.fetch(RUN, say and (lambda w: say(f"preimage: {w}")))]
        BESIDE = reproduction.beside(RUN)
    STUDIES, FILES = study_module.load_located(FILES, BESIDE)
    if RUN is not None:
        reproduction.check_trust(RUN, STUDIES, config.get("trust"))
    if workflow.is_main_process:
        for warning in [
            *invocation.check(STUDIES),
            *invocation.mend(STUDIES, only_look=workflow.output_settings.dryrun),
            *invocation.unseen(STUDIES, dry=workflow.output_settings.dryrun),
        ]:
            logger.warning(f"preimage: {warning}")
except StudyError as error:
    # A WorkflowError would print this file's name and line at the user: it is their input, not our code.
    sys.exit(f"preimage: {error}")

# Studies that one file makes by varying it, by its name.
FAMILIES = {
    name: {"study": name, "members": members}
    for name, members in study_module.families(STUDIES).items()
}
NAME = "[A-Za-z0-9_-]+"
INFERENCE = [name for name, study in STUDIES.items() if study_module.infers(study)]
ORDINARY = [name for name in STUDIES if name not in INFERENCE]


def one_of(names):
    """What matches these names and, where there are none, nothing."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    study=NAME,
    round=r"\d+",
    seed=r"\d+",
    surrogate=NAME,
    objective=NAME,
    inverter=NAME,


ENVIRONMENT = os.path.join(os.path.dirname(WORKFLOW), "envs", "preimage.yaml")
STUDY = "results/{study}"
ROUND = "results/{study}/round{round}"
SEED = "results/{study}/round{round}/seed{seed}"
RECORDS = "results/{study}/tracking"
SEED_RECORDS = "results/{study}/tracking/round{round}/seed{seed}"


def of(wildcards):
    """The study that a job belongs to."""
    return STUDIES[wildcards.study]


def before_any_job(workflow):
    """Refuse what the user's own code would fail in, and what Slurm would refuse."""
    try:
        user_trial.check(STUDIES)
    except StudyError as error:
        sys.exit(f"preimage: {error}")
    on_slurm(workflow)


def on_slurm(workflow):
    """Refuse what Slurm would refuse, and have its executor suit short jobs."""
    if workflow.executor_plugin.name != "slurm":
        return
    jobs = list(workflow.dag.needrun_jobs())
    asked = [
        {str(job.resources.get(key)) for job in jobs if job.resources.get(key)}
        for key in ("slurm_partition", "slurm_account")
    ]
    try:
        slurm.check(*asked)
        slurm_nodes.bound(workflow, slurm.partitions())
    except StudyError as error:
        sys.exit(f"preimage: {error}")
    slurm.suit(workflow.scheduler._executor, slurm.keeps_accounts())


# -- fingerprints ------------------------------------------------------------------------------------------------------


def code(script, *modules):
    """Fingerprint of a script and of the modules that it picks at run time."""
    return fingerprint.digest(f"scripts/{script}.py", *modules)


def simulator_modules(wildcards):
    """A built-in's module, or the user's own function."""
    name = of(wildcards)["problem"].get("simulator")
    return (
        [] if name is None else [name if ":" in name else f"preimage.problems.{name}"]
    )


def kind_modules(wildcards, names):
    return [
        f"preimage.surrogates.{of(wildcards)['surrogates'][name]['kind']}"
        for name in names
    ]


def surrogate_modules(wildcards):
    if wildcards.surrogate == study_module.SIMULATOR:
        return ["preimage.surrogates.simulator", *simulator_modules(wildcards)]
    return kind_modules(wildcards, [wildcards.surrogate])


def inverter_modules(wildcards):
    """The method's module, and the committee's where the objective is judged by one."""
    kind = of(wildcards)["inverters"][wildcards.inverter]["kind"]
    robust = of(wildcards)["objectives"][wildcards.objective].get("robust")
    committee = ["committee"] if robust else []
    found = [f"preimage.inversion.{name}" for name in [MODULES[kind], *committee]]
    return [*found, *fit_modules(wildcards)]


# -- inputs ------------------------------------------------------------------------------------------------------------


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


def table_files(wildcards):
    """The user's files, as inputs: a change in them is a reason to run again."""
    table = of(wildcards)["problem"]["table"]
    return [table[key] for key in ("features", "targets", "file") if key in table]


def own_model(wildcards):
    """The file of a model of the user's own, as an input; nothing where it is trained here or kept by MLflow."""
    return of(wildcards)["surrogates"][wildcards.surrogate].get("path", [])


def data_files(wildcards):
    """Imported rows are the same for every seed; simulated ones are not."""
    folder = ROUND if has_table(wildcards) else SEED
    return {"data": f"{folder}/data.parquet", "info": f"{folder}/data.json"}


def search_threads(wildcards):
    """Cores of a search. Where it is scattered its parts do the work, one core each."""
    study, name = of(wildcards), wildcards.inverter
    whole = study_module.parts(study, name) == 1
    return study["inverters"][name].get("threads", 1) if whole else 1


def model_of(wildcards):
    """The trained model and what its training wrote; nothing where the simulator itself is asked."""
    if wildcards.surrogate == study_module.SIMULATOR:
        return {}
    return {"model": rules.train.output.model, "about": rules.train.output.info}


def target_files(wildcards):
    """The user's tables of targets."""
    return targets.files(of(wildcards)["objectives"])


def series_files(wildcards):
    """The data that a study's fits, or the fit of one objective, are to reproduce."""
    entries = of(wildcards)["objectives"]
    name = getattr(wildcards, "objective", None)
    return series.files({name: entries[name]} if name else entries)


def fit_modules(wildcards):
    """What fits are made by; nothing where a study has none."""
    if not study_module.fits(of(wildcards)):
        return []
    return ["preimage.calibration.engine", "preimage.calibration.assess"]


def targets_of(wildcards):
    """Where an objective takes its targets from, if it has a table of them."""
    entry = of(wildcards)["objectives"][wildcards.objective]
    found = {"targets": entry["targets"]} if "targets" in entry else {}
    return found | ({"test": rules.split.output.test} if "test_rows" in entry else {})


def inversions(wildcards):
    cases = study_module.cases(of(wildcards))
    return [
        f"{SEED}/inversion/{c.surrogate}/{c.objective}/{c.inverter}.parquet"
        for c in cases
    ]


def preimages(wildcards):
    """The whole preimages that a study asks for, below the folder of a seed."""
    return [
        f"{SEED}/preimage/{surrogate}/{objective}.parquet"
        for surrogate, objective in study_module.preimages(of(wildcards))
    ]


def first_preimages(wildcards):
    """Those of the first seed in the last round, which figures and report show."""
    return expanded(preimages(wildcards), wildcards, slice(1), LATEST)


def step_records(wildcards):
    """The record of every step of a study that makes its tables."""
    study = of(wildcards)
    if study_module.infers(study):
        return inference_records(wildcards)
    data = (
        f"{RECORDS}/round{{round}}/import_table.json"
        if has_table(wildcards)
        else f"{SEED_RECORDS}/generate.json"
    )
    first = [data, f"{SEED_RECORDS}/split.json"]
    if (parts := study_module.simulation_parts(study)) > 1:
        first += [
            f"{SEED_RECORDS}/simulate_part.{part}-of-{parts}.json"
            for part in range(1, parts + 1)
        ]
    later = [f"{SEED_RECORDS}/next_round.json"]
    files = [f"{SEED_RECORDS}/train.{name}.json" for name in study["surrogates"]]
    files += [
        f"{SEED_RECORDS}/invert.{'.'.join(case)}.json"
        for case in study_module.cases(study)
    ]
    files += [
        f"{SEED_RECORDS}/invert_part.{'.'.join(case)}.{part}-of-{parts}.json"
        for case in study_module.cases(study)
        if (parts := study_module.parts(study, case.inverter)) > 1
        for part in range(1, parts + 1)
    ]
    files += [
        f"{SEED_RECORDS}/preimage.{'.'.join(case)}.json"
        for case in study_module.preimages(study)
    ]
    files += [f"{SEED_RECORDS}/evidence.json", f"{RECORDS}/gather.json"]
    if study_module.fits(study):
        files += [f"{RECORDS}/calibrate.{name}.json" for name in study["objectives"]]
        files += [f"{RECORDS}/gather_fits.json"]
    else:
        files += [f"{RECORDS}/diagnose.json"]
    last = [f"{SEED_RECORDS}/learn.{name}.json" for name in inverting(wildcards)]
    return [
        *expanded(first, wildcards, rounds=slice(1)),
        *expanded(later, wildcards, rounds=slice(1, None)),
        *expanded(files, wildcards),
        *expanded(last, wildcards, slice(1), LATEST),
        *of_line(wildcards, "tracking/learn_line.json"),
    ]


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
    kinds = ("latent", "latent_classes")
    return [n for n, s in of(wildcards)["surrogates"].items() if s["kind"] in kinds]


def learned(wildcards):
    """What there is to show of them, of the first seed in the last round."""
    patterns = [f"{SEED}/learning/{name}" for name in inverting(wildcards)]
    return expanded(patterns, wildcards, slice(1), LATEST)


def of_line(wildcards, file):
    """The findings on a line learned by inversion; nothing where that is not the study's problem."""
    line = of(wildcards)["problem"].get("simulator") == "linear_latent"
    return [f"results/{wildcards.study}/{file}"] if line else []


def study_outputs():
    files = [
        "report.html",
        "candidates.parquet",
        "summary.csv",
        "best_of.csv",
        "timings.csv",
    ]
    posterior = ["report.html", "posterior.parquet", "summary.csv", "timings.csv"]
    fits = [name for name, study in STUDIES.items() if study_module.fits(study)]
    return [
        *expand(f"{STUDY}/{{file}}", study=ORDINARY, file=files),
        *expand(f"{STUDY}/{{file}}", study=INFERENCE, file=posterior),
        *expand(f"{STUDY}/fit.parquet", study=fits),
        *expand(f"{STUDY}/diagnosis.csv", study=[n for n in ORDINARY if n not in fits]),
    ]
