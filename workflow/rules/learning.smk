# Learning by inversion: what there is to show of surrogates that predict by inverting a decoder.


rule learn:
    input:
        unpack(model_of),
        train=rules.split.output.train,
        test=rules.split.output.test,
        info=rules.split.output.info,
    output:
        folder=directory("results/{study}/round{round}/seed{seed}/learning/{surrogate}"),
        record="results/{study}/tracking/round{round}/seed{seed}/learn.{surrogate}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/learn.{surrogate}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/learn.{surrogate}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        surrogate=lambda w: of(w)["surrogates"][w.surrogate],
        code=lambda w: code(
            "learn",
            f"preimage.learning.{of(w)['surrogates'][w.surrogate]['kind']}",
            *surrogate_modules(w),
            *simulator_modules(w),
        ),
    script:
        "../scripts/learn.py"


# What is known of a line needs none of the study's rows.
rule learn_line:
    output:
        folder=directory("results/{study}/line"),
        times="results/{study}/line.times.json",
        record="results/{study}/tracking/learn_line.json",
    log:
        "results/{study}/logs/learn_line.log",
    benchmark:
        "results/{study}/benchmarks/learn_line.tsv"
    conda:
        ENVIRONMENT
    params:
        code=code("learn_line"),
    script:
        "../scripts/learn_line.py"
