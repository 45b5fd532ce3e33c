# Reading config and studies, and the helpers that rules share: paths, parameters, fingerprints.
import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

WORKFLOW = os.path.dirname(str(workflow.current_basedir))
sys.path.insert(0, WORKFLOW)
# Scripts find the library, on whatever node they run.
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([WORKFLOW, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
)

from preimage import fingerprint, invocation, study as study_module
from preimage.data import setting
from preimage.errors import StudyError
from preimage.inversion_kinds import MODULES

HERE = "config/config.yaml"


configfile: HERE if os.path.exists(HERE) else os.path.join(os.path.dirname(WORKFLOW), HERE)


try:
    STUDIES = study_module.load_configured(config, HERE)
    if workflow.is_main_process:
        for warning in invocation.check(STUDIES):
            logger.warning(f"preimage: {warning}")
except StudyError as error:
    raise WorkflowError(f"preimage: {error}") from None

NAME = "[A-Za-z0-9_-]+"


wildcard_constraints:
    study=NAME,
    round=r"\d+",
    seed=r"\d+",
    surrogate=NAME,
    objective=NAME,
    inverter=NAME,


STUDY = "results/{study}"
ROUND = STUDY + "/round{round}"
SEED = ROUND + "/seed{seed}"
ENVIRONMENT = os.path.join(os.path.dirname(WORKFLOW), "envs", "preimage.yaml")


def of(wildcards):
    """The study that a job belongs to."""
    return STUDIES[wildcards.study]


def code(script, *modules):
    """Fingerprint of a script and of the modules that it picks at run time."""
    return fingerprint.digest(f"scripts/{script}.py", *modules)


def simulator_modules(wildcards):
    name = of(wildcards)["problem"].get("simulator", ":")
    return [] if ":" in name else [f"preimage.problems.{name}"]


def surrogate_modules(wildcards):
    if wildcards.surrogate == study_module.SIMULATOR:
        return ["preimage.surrogates.simulator", *simulator_modules(wildcards)]
    return [f"preimage.surrogates.{of(wildcards)['surrogates'][wildcards.surrogate]['kind']}"]


def inverter_modules(wildcards):
    return [f"preimage.inversion.{MODULES[of(wildcards)['inverters'][wildcards.inverter]['kind']]}"]


def expand_study(pattern, wildcards, **more):
    """A pattern for one study, over whatever the keywords list."""
    return expand(pattern, study=wildcards.study, **more)


def start_invocation():
    invocation.start(STUDIES)


def end_invocation(status):
    invocation.end(status)
