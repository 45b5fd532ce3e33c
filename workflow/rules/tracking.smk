# MLflow: the store, made once; and sending what a server that was away has missed.
localrules:
    tracking_store,
    sync_tracking,


# The marker is all that Snakemake knows of the store: neither database nor artifacts are a rule's output, or
# --forceall would delete them, and the models registered there.
rule tracking_store:
    output:
        "results/.tracking/store.created",
    log:
        "results/.tracking/store.log",
    conda:
        ENVIRONMENT
    script:
        "../scripts/tracking_store.py"


rule sync_tracking:
    log:
        "results/.tracking/sync.log",
    conda:
        ENVIRONMENT
    script:
        "../scripts/sync_tracking.py"
