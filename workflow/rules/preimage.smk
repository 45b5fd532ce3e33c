# Whole preimages: one job an objective that asks for it, on each surrogate made of trees, or that is bounded otherwise.


rule preimage:
    input:
        unpack(model_of),
        train=rules.split.output.train,
        info=rules.split.output.info,
        kernels=kernels,
    output:
        preimage="results/{study}/round{round}/seed{seed}/preimage/{surrogate}/{objective}.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/preimage.{surrogate}.{objective}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/preimage.{surrogate}.{objective}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/preimage.{surrogate}.{objective}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    params:
        problem=lambda w: study_module.space_part(of(w)["problem"], w.surrogate),
        surrogate=lambda w: of(w)["surrogates"][w.surrogate],
        objective=lambda w: of(w)["objectives"][w.objective],
        options=lambda w: of(w)["preimages"][w.objective],
        code=lambda w: code("preimage", *surrogate_modules(w)),
    script:
        "../scripts/preimage.py"
