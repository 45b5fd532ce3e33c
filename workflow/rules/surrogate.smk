# Models of the rows.
SURROGATE = SEED + "/surrogates/{surrogate}"


rule train:
    input:
        train=rules.split.output.train,
        test=rules.split.output.test,
        info=rules.split.output.info,
    output:
        model=directory(SURROGATE + "/model"),
        info=SURROGATE + "/surrogate.json",
        test=SURROGATE + "/test.parquet",
        trials=SURROGATE + "/trials.parquet",
        record=STUDY + "/tracking/round{round}/seed{seed}/train.{surrogate}.json",
    log:
        STUDY + "/logs/round{round}/seed{seed}/train.{surrogate}.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/seed{seed}/train.{surrogate}.tsv"
    params:
        surrogate=lambda w: of(w)["surrogates"][w.surrogate],
        categories=lambda w: setting.categories(of(w)["problem"]),
        code=lambda w: code("train", *surrogate_modules(w)),
    threads: 2
    conda:
        ENVIRONMENT
    script:
        "../scripts/train.py"
