# Candidates judged, by seed; then one table a study.


rule evidence:
    input:
        candidates=inversions,
        models=models("model"),
        models_info=models("surrogate.json"),
        tests=models("test.parquet"),
        out_of_fold=models("out_of_fold.parquet"),
        train=rules.split.output.train,
        test=rules.split.output.test,
        info=rules.split.output.info,
        targets=target_files,
        series=series_files,
        kernels=kernels,
    output:
        candidates="results/{study}/round{round}/seed{seed}/candidates.parquet",
        summary="results/{study}/round{round}/seed{seed}/summary.csv",
        solutions="results/{study}/round{round}/seed{seed}/solutions.parquet",
        evidence="results/{study}/round{round}/seed{seed}/evidence.json",
        live="results/{study}/round{round}/seed{seed}/live.json",
        record="results/{study}/tracking/round{round}/seed{seed}/evidence.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/evidence.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/evidence.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        surrogates=lambda w: of(w)["surrogates"],
        objectives=lambda w: of(w)["objectives"],
        cases=lambda w: [list(case) for case in study_module.cases(of(w))],
        calls=calls_for(calls.EVIDENCE),
        code=lambda w: code(
            "evidence",
            *simulator_modules(w),
            *kind_modules(w, of(w)["surrogates"]),
            *fit_modules(w),
        ),
    script:
        "../scripts/evidence.py"


rule gather:
    input:
        candidates=by_seed("candidates.parquet"),
        summary=by_seed("summary.csv"),
    output:
        candidates="results/{study}/candidates.parquet",
        summary="results/{study}/summary.csv",
        best_of="results/{study}/best_of.csv",
        record="results/{study}/tracking/gather.json",
    log:
        "results/{study}/logs/gather.log",
    benchmark:
        "results/{study}/benchmarks/gather.tsv"
    wildcard_constraints:
        study=one_of(ORDINARY),
    conda:
        ENVIRONMENT
    params:
        code=code("gather"),
    script:
        "../scripts/gather.py"


rule fronts:
    input:
        candidates=by_seed("candidates.parquet"),
        train=by_seed("train.parquet"),
        info=by_seed("split.json"),
        inversions=lambda w: expanded(map(inversion_of, study_module.fronts(of(w))), w),
    output:
        table="results/{study}/pareto.csv",
        record="results/{study}/tracking/fronts.json",
    log:
        "results/{study}/logs/fronts.log",
    benchmark:
        "results/{study}/benchmarks/fronts.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        objectives=lambda w: {
            case.objective: of(w)["objectives"][case.objective]
            for case in study_module.fronts(of(w))
        },
        cases=fronts_of,
        folders=lambda w: [folder for folder, *_ in round_folders(w)],
        code=code("fronts"),
    script:
        "../scripts/fronts.py"
