# Speed and accuracy, as ratios against named peers in the same run; one table a module of preimage/benchmarks, or one
# a part of it where a part takes long.
BENCHMARKS = [
    "spine",
    "tuning",
    "inversion_speed",
    "committee",
    "deep_inverse",
    "certified",
    "certificates",
    "chance",
    "fronts",
    "counterfactuals",
    "recipes",
    "next_experiments",
    "relearning",
    "calibration",
    "petab",
    "learning",
    "inference.poisson",
    "inference.collider",
    "inference.coverage",
    "inference_tasks.two_moons",
    "inference_tasks.gaussian_linear",
    "inference_tasks.gaussian_mixture",
    "inference_tasks.slcp",
    "inference_tasks.sir",
    "scatter",
    "memory",
]


rule benchmark:
    input:
        expand("results/benchmark/{table}.csv", table=BENCHMARKS),
        "results/benchmark/certified_growth.svg",
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
    # These tell no times, and may run side by side.
    threads: lambda w: 1 if w.table.startswith("inference_tasks.") else workflow.cores
    params:
        code=lambda w: code(
            "benchmark", f"preimage.benchmarks.{w.table.partition('.')[0]}"
        ),
    script:
        "../scripts/benchmark.py"


# Seconds against trees, rows and inputs, on logarithmic axes.
rule benchmark_figure:
    input:
        "results/benchmark/certified.csv",
    output:
        "results/benchmark/certified_growth.svg",
    log:
        "results/benchmark/certified_growth.log",
    conda:
        ENVIRONMENT
    params:
        code=code("benchmark_figure"),
    script:
        "../scripts/benchmark_figure.py"
