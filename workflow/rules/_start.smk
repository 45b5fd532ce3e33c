# What is checked as a run starts, before any job.


def before_any_job(workflow):
    """Refuse what the user's own code would fail in, and what Slurm would refuse."""
    try:
        for warning in user_trial.check(STUDIES):
            logger.warning(f"preimage: {warning}")
    except StudyError as error:
        sys.exit(f"preimage: {error}")
    scheduling.without_rate(workflow)
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
