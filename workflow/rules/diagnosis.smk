# What may spoil a study's answers, looked for in what its steps have measured.


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
        calls=calls_for(calls.DIAGNOSIS),
        answers=lambda w: calls.answers(of(w)),
        code=lambda w: code("diagnose", *simulator_modules(w)),
    script:
        "../scripts/diagnose.py"
