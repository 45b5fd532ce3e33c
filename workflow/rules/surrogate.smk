# Models of the rows.


rule train:
    input:
        train=rules.split.output.train,
        test=rules.split.output.test,
        info=rules.split.output.info,
        own=own_model,
    output:
        model=directory(
            "results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/model"
        ),
        info="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/surrogate.json",
        test="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/test.parquet",
        out_of_fold="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/out_of_fold.parquet",
        trials="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/trials.parquet",
        curve="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/curve.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/train.{surrogate}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/train.{surrogate}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/train.{surrogate}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    params:
        surrogate=lambda w: of(w)["surrogates"][w.surrogate],
        split=lambda w: of(w)["split"],
        categories=lambda w: named.categories(of(w)["problem"]),
        code=lambda w: code("train", *surrogate_modules(w)),
    script:
        "../scripts/train.py"
