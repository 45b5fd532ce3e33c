# Candidates: one job an inverter on a surrogate for an objective, or as many as the inverter says (`scatter`).


# What an inversion, or a part of it, depends on of the study.
INVERSION = {
    "problem": lambda w: study_module.space_part(of(w)["problem"], w.surrogate),
    "surrogate": lambda w: of(w)["surrogates"].get(
        w.surrogate, {"kind": study_module.SIMULATOR}
    ),
    "objective": lambda w: of(w)["objectives"][w.objective],
    "inverter": lambda w: {
        k: v
        for k, v in of(w)["inverters"][w.inverter].plain().items()
        if k not in ("on", "threads")
    },
}


rule invert_part:
    input:
        unpack(model_of),
        unpack(targets_of),
        train=rules.split.output.train,
        info=rules.split.output.info,
        series=series_files,
        kernels=kernels,
    output:
        part="results/{study}/round{round}/seed{seed}/inversion/{surrogate}/{objective}/{inverter}.parts/{scatteritem}.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/invert_part.{surrogate}.{objective}.{inverter}.{scatteritem}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/invert_part.{surrogate}.{objective}.{inverter}.{scatteritem}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/invert_part.{surrogate}.{objective}.{inverter}.{scatteritem}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=INVERSION["problem"],
        surrogate=INVERSION["surrogate"],
        objective=INVERSION["objective"],
        inverter=INVERSION["inverter"],
        calls=search_calls,
        code=lambda w: code("invert_part", *surrogate_modules(w), *inverter_modules(w)),
    script:
        "../scripts/invert_part.py"


rule invert:
    input:
        unpack(model_of),
        unpack(targets_of),
        unpack(parts_of),
        train=rules.split.output.train,
        info=rules.split.output.info,
        series=series_files,
        kernels=kernels,
    output:
        candidates="results/{study}/round{round}/seed{seed}/inversion/{surrogate}/{objective}/{inverter}.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.tsv"
    conda:
        ENVIRONMENT
    threads: search_threads
    params:
        problem=INVERSION["problem"],
        surrogate=INVERSION["surrogate"],
        objective=INVERSION["objective"],
        inverter=INVERSION["inverter"],
        calls=search_calls,
        code=lambda w: code("invert", *surrogate_modules(w), *inverter_modules(w)),
    script:
        "../scripts/invert.py"
