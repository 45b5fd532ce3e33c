# What may spoil a study's answers, looked for in what its steps have measured.


def diagnosis_files(wildcards):
    """Of every seed in the last round: rows, models' findings, candidates and what was made of them."""
    names = ("train.parquet", "test.parquet", "split.json", "candidates.parquet")
    own = [f"{SEED}/{name}" for name in (*names, "summary.csv", "solutions.parquet")]
    trained = [
        f"{SEED}/surrogates/{name}/{file}"
        for name in of(wildcards)["surrogates"]
        for file in ("surrogate.json", "test.parquet")
    ]
    return expanded([*own, *trained], wildcards, rounds=LATEST)


def diagnosis(wildcards):
    """The study's diagnosis; of fits there is none, as no model stands between them and the truth."""
    if study_module.fits(of(wildcards)):
        return []
    return f"{STUDY}/diagnosis.csv"


rule diagnose:
    input:
        diagnosis_files,
        targets=target_files,
    output:
        table="results/{study}/diagnosis.csv",
        record="results/{study}/tracking/diagnose.json",
    log:
        "results/{study}/logs/diagnose.log",
    benchmark:
        "results/{study}/benchmarks/diagnose.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        objectives=lambda w: of(w)["objectives"],
        surrogates=lambda w: list(of(w)["surrogates"]),
        baselines=lambda w: study_module.baselines(of(w)),
        folders=lambda w: [
            folder for folder in round_folders(w) if folder[1] == of(w)["rounds"]
        ],
        code=lambda w: code("diagnose", *simulator_modules(w)),
    script:
        "../scripts/diagnose.py"
