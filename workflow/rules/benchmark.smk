# Speed, as ratios against named peers in the same run.
rule benchmark:
    output:
        "results/benchmark/spine.csv",
    log:
        "results/benchmark/spine.log",
    params:
        code=code("benchmark"),
    threads: workflow.cores
    conda:
        ENVIRONMENT
    script:
        "../scripts/benchmark.py"
