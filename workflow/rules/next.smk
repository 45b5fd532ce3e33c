# What a study asks the laboratory, or the simulator, for next.


rule next_experiments:
    input:
        train=first_seed("train.parquet"),
        test=first_seed("test.parquet"),
        info=first_seed("split.json"),
        gate=last_gate,
        failed=failed_last,
        candidates=judged_by_simulator,
        targets=target_files,
        models=first_models("model"),
        models_info=first_models("surrogate.json"),
        out_of_fold=first_models("out_of_fold.parquet"),
        kernels=kernels,
    output:
        csv="results/{study}/next_experiments.csv",
        xlsx="results/{study}/next_experiments.xlsx",
        record="results/{study}/tracking/next_experiments.json",
    log:
        "results/{study}/logs/next_experiments.log",
    benchmark:
        "results/{study}/benchmarks/next_experiments.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        objectives=lambda w: study_module.asked_next(of(w)),
        next=lambda w: {k: of(w)["next"][k] for k in ("experiments", "explore")},
        seed=lambda w: of(w)["seeds"][0],
        surrogates=lambda w: list(of(w)["surrogates"]),
        code=lambda w: code(
            "next_experiments",
            *simulator_modules(w),
            *kind_modules(w, of(w)["surrogates"]),
        ),
    script:
        "../scripts/next_experiments.py"
