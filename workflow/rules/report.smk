# What people look at: figures, timings, one page a study.


def study_outputs():
    return expand(
        f"{STUDY}/{{file}}",
        study=list(STUDIES),
        file=["report.html", "candidates.parquet", "summary.csv", "timings.csv"],
    )


def first_seed(file):
    """Figures show the first seed of the last round."""
    return lambda w: expand_study(f"{SEED}/{file}", w, round=[0], seed=of(w)["seeds"][:1])


def first_tests(wildcards):
    return [p for name in of(wildcards)["surrogates"] for p in first_seed(f"surrogates/{name}/test.parquet")(wildcards)]


def first_models(wildcards):
    return [p for name in of(wildcards)["surrogates"] for p in first_seed(f"surrogates/{name}/surrogate.json")(wildcards)]


def step_records(wildcards):
    """The record of every step of a study that came before its report."""
    seed = f"{STUDY}/tracking/round{{round}}/seed{{seed}}"
    study = of(wildcards)
    files = [f"{seed}/split.json", f"{seed}/evidence.json"]
    files += [f"{STUDY}/tracking/round{{round}}/import_table.json" if has_table(wildcards) else f"{seed}/generate.json"]
    files += [f"{seed}/train.{name}.json" for name in study["surrogates"]]
    files += [f"{seed}/invert.{'.'.join(case)}.json" for case in study_module.cases(study)]
    paths = [p for f in files for p in expand_study(f, wildcards, round=[0], seed=study["seeds"])]
    return [*dict.fromkeys(paths), f"{STUDY}/tracking/gather.json", f"{STUDY}/tracking/figures.json"]


rule figures:
    input:
        train=first_seed("train.parquet"),
        test=first_seed("test.parquet"),
        info=first_seed("split.json"),
        tests=first_tests,
        candidates=first_seed("candidates.parquet"),
        solutions=first_seed("solutions.parquet"),
    output:
        folder=report(
            directory(STUDY + "/figures"),
            patterns=["{figure}.svg"],
            caption="../report/figures.rst",
            category="{study}",
            labels={"figure": "{figure}"},
        ),
        record=STUDY + "/tracking/figures.json",
    log:
        STUDY + "/logs/figures.log",
    benchmark:
        STUDY + "/benchmarks/figures.tsv"
    params:
        problem=lambda w: of(w)["problem"],
        objectives=lambda w: of(w)["objectives"],
        surrogates=lambda w: list(of(w)["surrogates"]),
        code=lambda w: code("figures", *simulator_modules(w)),
    conda:
        ENVIRONMENT
    script:
        "../scripts/figures.py"


rule timings:
    input:
        step_records,
    output:
        timings=STUDY + "/timings.csv",
        record=STUDY + "/tracking/timings.json",
    log:
        STUDY + "/logs/timings.log",
    params:
        code=code("timings"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/timings.py"


rule report:
    input:
        summary=rules.gather.output.summary,
        candidates=rules.gather.output.candidates,
        figures=rules.figures.output.folder,
        timings=rules.timings.output.timings,
        records=step_records,
        solutions=first_seed("solutions.parquet"),
        evidence=by_seed("evidence.json"),
        info=by_seed("split.json"),
        models=first_models,
    output:
        page=report(
            STUDY + "/report.html",
            caption="../report/report.rst",
            category="{study}",
            labels={"figure": "report"},
        ),
        record=STUDY + "/tracking/report.json",
    log:
        STUDY + "/logs/report.log",
    benchmark:
        STUDY + "/benchmarks/report.tsv"
    params:
        study=of,
        code=code("report"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/report.py"
