# Candidates: one job an inverter on a surrogate for an objective.


def model_of(wildcards):
    """The trained model; nothing where the simulator itself is asked."""
    return [] if wildcards.surrogate == study_module.SIMULATOR else rules.train.output.model


rule invert:
    input:
        train=rules.split.output.train,
        info=rules.split.output.info,
        model=model_of,
    output:
        candidates=SEED + "/inversion/{surrogate}/{objective}/{inverter}.parquet",
        record=STUDY + "/tracking/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.json",
    log:
        STUDY + "/logs/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/seed{seed}/invert.{surrogate}.{objective}.{inverter}.tsv"
    params:
        problem=lambda w: study_module.space_part(of(w)["problem"], w.surrogate),
        surrogate=lambda w: of(w)["surrogates"].get(w.surrogate, {"kind": study_module.SIMULATOR}),
        objective=lambda w: of(w)["objectives"][w.objective],
        inverter=lambda w: {k: v for k, v in of(w)["inverters"][w.inverter].items() if k != "on"},
        code=lambda w: code("invert", *surrogate_modules(w), *inverter_modules(w)),
    conda:
        ENVIRONMENT
    script:
        "../scripts/invert.py"
