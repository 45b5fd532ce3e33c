# What people look at: figures, timings, one page a study.


rule figures:
    input:
        train=first_seed("train.parquet"),
        test=first_seed("test.parquet"),
        info=first_seed("split.json"),
        tests=first_models("test.parquet"),
        curves=first_models("curve.parquet"),
        candidates=first_seed("candidates.parquet"),
        best_of=rules.gather.output.best_of,
        rounds=rounds_table,
        solutions=first_seed("solutions.parquet"),
        preimages=first_preimages,
        fronts=first_fronts,
        targets=target_files,
        fits=lambda w: calibrations(w).get("fits", []),
        learned=learned,
        line=lambda w: of_line(w, "line"),
    output:
        folder=report(
            directory("results/{study}/figures"),
            patterns=["{figure}.svg"],
            caption="../report/figures.rst",
            category="{study}",
            labels={"figure": "{figure}"},
        ),
        record="results/{study}/tracking/figures.json",
    log:
        "results/{study}/logs/figures.log",
    benchmark:
        "results/{study}/benchmarks/figures.tsv"
    wildcard_constraints:
        study=one_of(ORDINARY),
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        objectives=lambda w: of(w)["objectives"],
        surrogates=lambda w: list(of(w)["surrogates"]),
        fronts=fronts_of,
        baselines=lambda w: study_module.baselines(of(w)),
        calls=calls_for(calls.FIGURES),
        code=lambda w: code("figures", *simulator_modules(w), *added.PLANS),
    script:
        "../scripts/figures.py"


rule timings:
    input:
        step_records,
    output:
        timings="results/{study}/timings.csv",
        record="results/{study}/tracking/timings.json",
    log:
        "results/{study}/logs/timings.log",
    conda:
        ENVIRONMENT
    params:
        code=code("timings"),
    script:
        "../scripts/timings.py"


rule report:
    input:
        summary=rules.gather.output.summary,
        best_of=rules.gather.output.best_of,
        rounds=rounds_table,
        candidates=rules.gather.output.candidates,
        figures=rules.figures.output.folder,
        timings=rules.timings.output.timings,
        records=step_records,
        figures_record=rules.figures.output.record,
        solutions=first_seed("solutions.parquet"),
        preimages=first_preimages,
        evidence=latest("evidence.json"),
        live=first_seed("live.json"),
        diagnosis=diagnosis,
        info=latest("split.json"),
        train=first_seed("train.parquet"),
        test=first_seed("test.parquet"),
        targets=target_files,
        models=first_models("surrogate.json"),
        fits=lambda w: calibrations(w).get("fits", []),
        fit_times=lambda w: calibrations(w).get("fit_times", []),
        learned=learned,
        line=lambda w: of_line(w, "line"),
        line_times=lambda w: of_line(w, "line.times.json"),
        next_experiments=next_experiments_of,
    output:
        page=report(
            "results/{study}/report.html",
            caption="../report/report.rst",
            category="{study}",
            labels={"figure": "report"},
        ),
        record="results/{study}/tracking/report.json",
    log:
        "results/{study}/logs/report.log",
    benchmark:
        "results/{study}/benchmarks/report.tsv"
    wildcard_constraints:
        study=one_of(ORDINARY),
    conda:
        ENVIRONMENT
    params:
        study=lambda w: study_module.plain(of(w)),
        code=code("report"),
    script:
        "../scripts/report.py"
