# Likelihood-free inference: observed sets, simulations from the prior, methods trained and asked, and their evidence.


rule observe:
    input:
        files=lambda w: inference_setting.observation_files(of(w)),
    output:
        observed="results/{study}/seed{seed}/observed.npz",
        info="results/{study}/seed{seed}/observed.json",
        task="results/{study}/seed{seed}/task.json",
        record="results/{study}/tracking/seed{seed}/observe.json",
    log:
        "results/{study}/logs/seed{seed}/observe.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/observe.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        observations=lambda w: of(w)["observations"],
        code=lambda w: code("observe", *stochastic_modules(w)),
    script:
        "../scripts/observe.py"


rule bank:
    input:
        task=rules.observe.output.task,
    output:
        bank="results/{study}/seed{seed}/bank/{part}.npz",
        record="results/{study}/tracking/seed{seed}/bank.{part}.json",
    log:
        "results/{study}/logs/seed{seed}/bank.{part}.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/bank.{part}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        simulations=lambda w: inference_setting.bank_simulations(of(w)),
        parts=lambda w: of(w)["bank"]["jobs"],
        code=lambda w: code("bank", *stochastic_modules(w)),
    script:
        "../scripts/bank.py"


# Sets whose parameters are known, that no method is trained on; and whether the observed ones look like them.
rule fresh:
    input:
        task=rules.observe.output.task,
        observed=rules.observe.output.observed,
    output:
        fresh="results/{study}/seed{seed}/fresh.npz",
        novelty="results/{study}/seed{seed}/novelty.json",
        record="results/{study}/tracking/seed{seed}/fresh.json",
    log:
        "results/{study}/logs/seed{seed}/fresh.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/fresh.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        sets=lambda w: inference_setting.fresh_sets(of(w)),
        code=lambda w: code("fresh", *stochastic_modules(w)),
    script:
        "../scripts/fresh.py"


rule train_inference:
    input:
        task=rules.observe.output.task,
        bank=bank_parts,
    output:
        trained="results/{study}/seed{seed}/methods/{method}/trained.npz",
        info="results/{study}/seed{seed}/methods/{method}/trained.json",
        record="results/{study}/tracking/seed{seed}/train_inference.{method}.json",
    log:
        "results/{study}/logs/seed{seed}/train_inference.{method}.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/train_inference.{method}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        method=method_of,
        like=lambda w: of(w)["ablations"].get(w.method, w.method),
        code=lambda w: code("train_inference", *method_modules(w)),
    script:
        "../scripts/train_inference.py"


rule infer:
    input:
        task=rules.observe.output.task,
        observed=rules.observe.output.observed,
        info=rules.observe.output.info,
        trained=rules.train_inference.output.trained,
    output:
        draws="results/{study}/seed{seed}/methods/{method}/draws.parquet",
        paths="results/{study}/seed{seed}/methods/{method}/paths.parquet",
        answers="results/{study}/seed{seed}/methods/{method}/answers.json",
        record="results/{study}/tracking/seed{seed}/infer.{method}.json",
    log:
        "results/{study}/logs/seed{seed}/infer.{method}.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/infer.{method}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        method=method_of,
        draws=lambda w: of(w)["observations"]["draws"],
        code=lambda w: code("infer", *method_modules(w)),
    script:
        "../scripts/infer.py"


rule check:
    input:
        task=rules.observe.output.task,
        observed=rules.observe.output.observed,
        info=rules.observe.output.info,
        trained=rules.train_inference.output.trained,
        fresh=rules.fresh.output.fresh,
        draws=rules.infer.output.draws,
        paths=rules.infer.output.paths,
        answers=rules.infer.output.answers,
    output:
        checks="results/{study}/seed{seed}/methods/{method}/checks.json",
        sets="results/{study}/seed{seed}/methods/{method}/checks.parquet",
        shown="results/{study}/seed{seed}/methods/{method}/shown.npz",
        record="results/{study}/tracking/seed{seed}/check.{method}.json",
    log:
        "results/{study}/logs/seed{seed}/check.{method}.log",
    benchmark:
        "results/{study}/benchmarks/seed{seed}/check.{method}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        method=method_of,
        predictive=lambda w: of(w)["checks"]["predictive"],
        sets=lambda w: inference_setting.checked_sets(of(w), w.method),
        draws=lambda w: of(w)["checks"]["draws"],
        code=lambda w: code("check", *method_modules(w)),
    script:
        "../scripts/check.py"


rule gather_posterior:
    input:
        observed=of_seeds(rules.observe.output.observed),
        info=of_seeds(rules.observe.output.info),
        novelty=of_seeds(rules.fresh.output.novelty),
        draws=of_seeds(rules.infer.output.draws),
        answers=of_seeds(rules.infer.output.answers),
        trained=of_seeds(rules.train_inference.output.info),
        checks=of_seeds(rules.check.output.checks),
        sets=of_seeds(rules.check.output.sets),
    output:
        posterior="results/{study}/posterior.parquet",
        uses="results/{study}/uses.json",
        summary="results/{study}/summary.csv",
        record="results/{study}/tracking/gather_posterior.json",
    log:
        "results/{study}/logs/gather_posterior.log",
    benchmark:
        "results/{study}/benchmarks/gather_posterior.tsv"
    wildcard_constraints:
        study=one_of(INFERENCE),
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        seeds=lambda w: of(w)["seeds"],
        methods=lambda w: list(of(w)["inference"]),
        ablations=lambda w: of(w)["ablations"],
        code=lambda w: code("gather_posterior", *stochastic_modules(w)),
    script:
        "../scripts/gather_posterior.py"


rule inference_figures:
    input:
        info=first_of(rules.observe.output.info),
        observed=first_of(rules.observe.output.observed),
        draws=of_methods(rules.infer.output.draws),
        paths=of_methods(rules.infer.output.paths),
        sets=of_methods(rules.check.output.sets),
        shown=of_methods(rules.check.output.shown),
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
        study=one_of(INFERENCE),
    conda:
        ENVIRONMENT
    params:
        problem=stochastic,
        methods=lambda w: list(of(w)["inference"]),
        ablations=lambda w: of(w)["ablations"],
        units=lambda w: named.stated_units(of(w)["problem"]),
        code=lambda w: code("inference_figures", *stochastic_modules(w)),
    script:
        "../scripts/inference_figures.py"


rule inference_report:
    input:
        summary=rules.gather_posterior.output.summary,
        figures=rules.inference_figures.output.folder,
        uses=rules.gather_posterior.output.uses,
        timings="results/{study}/timings.csv",
        records=inference_records,
        figures_record=rules.inference_figures.output.record,
        task=first_of(rules.observe.output.task),
        novelty=of_seeds(rules.fresh.output.novelty),
        trained=of_seeds(rules.train_inference.output.info),
        checks=of_seeds(rules.check.output.checks),
        sets=of_seeds(rules.check.output.sets),
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
        study=one_of(INFERENCE),
    conda:
        ENVIRONMENT
    params:
        study=lambda w: study_module.plain(of(w)),
        code=lambda w: code("inference_report", *stochastic_modules(w)),
    script:
        "../scripts/inference_report.py"
