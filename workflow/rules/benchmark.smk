# Speed, as ratios against named peers in the same run.
rule benchmark:
    output:
        "results/benchmark/spine.csv",
    log:
        "results/benchmark/spine.log",
    conda:
        ENVIRONMENT
    threads: workflow.cores
    params:
        code=code("benchmark"),
    script:
        "../scripts/benchmark.py"
