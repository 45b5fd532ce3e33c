# Candidates: one job an inverter on a surrogate for an objective.


rule invert:
    input:
        unpack(model_of),
        unpack(targets_of),
        train=rules.split.output.train,
        info=rules.split.output.info,
        series=series_files,
    output:
        candidates="results/{study}/round{round}/seed{seed}/inversion/{surrogate}/{objective}/{inverter}.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=lambda w: study_module.space_part(of(w)["problem"], w.surrogate),
        surrogate=lambda w: of(w)["surrogates"].get(
            w.surrogate, {"kind": study_module.SIMULATOR}
        ),
        objective=lambda w: of(w)["objectives"][w.objective],
        inverter=lambda w: {
            k: v for k, v in of(w)["inverters"][w.inverter].items() if k != "on"
        },
        code=lambda w: code("invert", *surrogate_modules(w), *inverter_modules(w)),
    script:
        "../scripts/invert.py"
