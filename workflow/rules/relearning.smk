# Rounds after the first: what each adds to the data, and whether its models replace the champions.


rule next_round:
    input:
        train=before("train.parquet"),
        test=before("test.parquet"),
        info=before("split.json"),
        gate=gate_before,
        candidates=before("candidates.parquet"),
        file=new_file,
        models=models_before("model"),
        models_info=models_before("surrogate.json"),
    output:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        test="results/{study}/round{round}/seed{seed}/test.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        gate="results/{study}/round{round}/seed{seed}/gate.parquet",
        new="results/{study}/round{round}/seed{seed}/new.parquet",
        decision="results/{study}/round{round}/seed{seed}/decision.json",
        record="results/{study}/tracking/round{round}/seed{seed}/next_round.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/next_round.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/next_round.tsv"
    wildcard_constraints:
        round=r"[1-9]\d*",
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        incomplete=lambda w: of(w)["problem"].get("table", {}).get("incomplete"),
        objectives=lambda w: of(w)["objectives"],
        surrogates=lambda w: list(of(w)["surrogates"]),
        relearning=lambda w: {
            k: of(w)["relearning"][k]
            for k in ("simulations", "explore", "gate", "when")
        },
        code=lambda w: code(
            "next_round",
            *simulator_modules(w),
            *kind_modules(w, of(w)["surrogates"]),
        ),
    script:
        "../scripts/next_round.py"


rule promote:
    input:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        gate=gate_rows,
        model=rules.train.output.model,
        about=rules.train.output.info,
        decision=decision,
        before=promotion_before,
        store=ancient(rules.tracking_store.output[0]),
    output:
        promotion="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/promotion.json",
        record="results/{study}/tracking/round{round}/seed{seed}/promote.{surrogate}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/promote.{surrogate}.log",
    conda:
        ENVIRONMENT
    params:
        name=registered_name,
        relearning=lambda w: {
            k: v
            for k, v in of(w)["relearning"].items()
            if k.startswith(("error", "least"))
        },
        categories=lambda w: setting.categories(of(w)["problem"]),
        code=lambda w: code("promote", *kind_modules(w, of(w)["surrogates"])),
    script:
        "../scripts/promote.py"


# Moves a champion back: --config study=... surrogate=... version=... reason=...
rule rollback:
    log:
        "results/.tracking/rollback.log",
    conda:
        ENVIRONMENT
    params:
        asked={
            key: config.get(key)
            for key in ("study", "surrogate", "seed", "version", "reason")
        },
    script:
        "../scripts/rollback.py"
