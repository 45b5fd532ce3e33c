# A run made again from its record: --config run=<its id in MLflow>. Its study is the one of this workflow, then, under
# a name of its own.
localrules:
    reproduce,


rule reproduce:
    input:
        study_outputs(),
    log:
        "results/.reproduced/reproduce.log",
    conda:
        ENVIRONMENT
    params:
        run=RUN,
        study=next(iter(STUDIES)),
        tolerance=config.get("tolerance", reproduction.TOLERANCE),
    script:
        "../scripts/reproduce.py"
