# Candidates judged, by seed; then one table a study.


def inversions(wildcards):
    return [
        f"{SEED}/inversion/{case.surrogate}/{case.objective}/{case.inverter}.parquet"
        for case in study_module.cases(of(wildcards))
    ]


def models(wildcards):
    return [f"{SEED}/surrogates/{name}/model" for name in of(wildcards)["surrogates"]]


def models_info(wildcards):
    return [f"{SEED}/surrogates/{name}/{file}" for name in of(wildcards)["surrogates"] for file in ("surrogate.json", "test.parquet")]


rule evidence:
    input:
        candidates=inversions,
        models=models,
        models_info=models_info,
        train=rules.split.output.train,
        test=rules.split.output.test,
        info=rules.split.output.info,
    output:
        candidates=SEED + "/candidates.parquet",
        summary=SEED + "/summary.csv",
        solutions=SEED + "/solutions.parquet",
        evidence=SEED + "/evidence.json",
        record=STUDY + "/tracking/round{round}/seed{seed}/evidence.json",
    log:
        STUDY + "/logs/round{round}/seed{seed}/evidence.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/seed{seed}/evidence.tsv"
    params:
        problem=lambda w: of(w)["problem"],
        surrogates=lambda w: of(w)["surrogates"],
        objectives=lambda w: of(w)["objectives"],
        cases=lambda w: [list(case) for case in study_module.cases(of(w))],
        code=lambda w: code("evidence", *simulator_modules(w), "preimage.surrogates.random_forest"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/evidence.py"


def by_seed(file):
    """The files of that name of every round and seed of a study."""
    return lambda w: expand_study(f"{SEED}/{file}", w, round=[0], seed=of(w)["seeds"])


rule gather:
    input:
        candidates=by_seed("candidates.parquet"),
        summary=by_seed("summary.csv"),
    output:
        candidates=STUDY + "/candidates.parquet",
        summary=STUDY + "/summary.csv",
        record=STUDY + "/tracking/gather.json",
    log:
        STUDY + "/logs/gather.log",
    benchmark:
        STUDY + "/benchmarks/gather.tsv"
    params:
        code=code("gather"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/gather.py"
