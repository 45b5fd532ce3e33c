# Config and studies are read and checked; the names of folders that rules share.
import os
import sys

from snakemake.logging import logger


include: "_places.smk"


from preimage import study as study_module
from preimage.figures import added
from preimage.problems import user_code
from preimage.running import (
    slurm,
    broken_output,
    scheduling,
    fingerprint,
    invocation,
    slurm_nodes,
    user_trial,
    reproduction,
)
from preimage.support import extensions, limits
from preimage.data import named
from preimage.study.objectives import ObjectiveEntry
from preimage.support.errors import StudyError
from preimage.surrogates.base import SurrogateKind, form_of, made_of_trees

invocation.share_library()
broken_output.outlive_readers()

CONFIG = "config/config.yaml"


configfile: CONFIG if os.path.exists(CONFIG) else os.path.join(os.path.dirname(WORKFLOW), CONFIG)


try:
    FILES = study_module.configured(config, CONFIG)
    user_code.allow(config.get("allow"))
    extensions.use(config.get("extensions"))
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
            *study_module.ambiguous(FILES, BESIDE),
            *invocation.check(STUDIES),
            *invocation.mend(STUDIES, only_look=workflow.output_settings.dryrun),
            *invocation.unseen(STUDIES, dry=workflow.output_settings.dryrun),
            *invocation.planned(STUDIES, dry=workflow.output_settings.dryrun),
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
