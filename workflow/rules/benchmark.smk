# Speed and accuracy, as ratios against named peers in the same run; one table a module of preimage/benchmarks.
BENCHMARKS = [
    "spine",
    "tuning",
    "inversion_speed",
    "robust",
    "deep_inverse",
    "certified",
    "relearning",
    "calibration",
    "learning",
    "inference",
    "inference_tasks",
    "scatter",
]


rule benchmark:
    input:
        expand("results/benchmark/{table}.csv", table=BENCHMARKS),
    localrule: True


rule benchmark_table:
    output:
        "results/benchmark/{table}.csv",
    log:
        "results/benchmark/{table}.log",
    wildcard_constraints:
        table="|".join(BENCHMARKS),
    conda:
        ENVIRONMENT
    threads: workflow.cores
    params:
        code=lambda w: code("benchmark", f"preimage.benchmarks.{w.table}"),
    script:
        "../scripts/benchmark.py"
