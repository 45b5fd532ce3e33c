# Rounds after the first: what each adds to the data, and whether its models replace the champions.


rule next_round:
    input:
        train=before("train.parquet"),
        test=before("test.parquet"),
        info=before("split.json"),
        gate=gate_before,
        candidates=before("candidates.parquet"),
        failed=failed_before,
        file=new_file,
    output:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        test="results/{study}/round{round}/seed{seed}/test.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        gate="results/{study}/round{round}/seed{seed}/gate.parquet",
        new="results/{study}/round{round}/seed{seed}/new.parquet",
        failed="results/{study}/round{round}/seed{seed}/failed.parquet",
        said="results/{study}/round{round}/seed{seed}/new.json",
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
        relearning=relearning_of,
        calls=calls_for(calls.ROUNDS),
        code=lambda w: code(
            "next_round",
            *simulator_modules(w),
        ),
    script:
        "../scripts/next_round.py"


rule by_round:
    input:
        round_files,
        summary=rules.gather.output.summary,
    output:
        table="results/{study}/rounds.csv",
        record="results/{study}/tracking/by_round.json",
    log:
        "results/{study}/logs/by_round.log",
    benchmark:
        "results/{study}/benchmarks/by_round.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=problem_of,
        objectives=lambda w: of(w)["objectives"],
        surrogates=lambda w: list(of(w)["surrogates"]),
        folders=round_folders,
        code=code("by_round"),
    script:
        "../scripts/by_round.py"


# Asks the registry for the champion that the rounds before have left.
rule decide:
    input:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        gate="results/{study}/round{round}/seed{seed}/gate.parquet",
        before=promotion_before,
        store=rules.tracking_store.output[0],
    output:
        decision="results/{study}/round{round}/seed{seed}/surrogates/{surrogate}/decision.json",
        record="results/{study}/tracking/round{round}/seed{seed}/decide.{surrogate}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/decide.{surrogate}.log",
    wildcard_constraints:
        round=r"[1-9]\d*",
    conda:
        ENVIRONMENT
    params:
        name=registered_name,
        when=lambda w: of(w)["relearning"]["when"],
        categories=lambda w: named.categories(of(w)["problem"]),
        code=lambda w: code("decide", *kind_modules(w, of(w)["surrogates"])),
    script:
        "../scripts/decide.py"


rule promote:
    input:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        gate=gate_rows,
        model=rules.train.output.model,
        about=rules.train.output.info,
        test=rules.train.output.test,
        trained=rules.train.output.record,
        decision=decision,
        before=promotion_before,
        store=rules.tracking_store.output[0],
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
        categories=lambda w: named.categories(of(w)["problem"]),
        code=lambda w: code("promote", *kind_modules(w, of(w)["surrogates"])),
    script:
        "../scripts/promote.py"


rule relearning_page:
    input:
        promotions=of_every_model("promotion.json"),
        decisions=of_every_model("decision.json", slice(1, None)),
        said=lambda w: expanded([f"{SEED}/new.json"], w, rounds=slice(1, None)),
    output:
        page=report(
            "results/{study}/relearning.html",
            caption="../report/relearning.rst",
            category="{study}",
            labels={"figure": "relearning"},
        ),
        record="results/{study}/tracking/relearning_page.json",
    log:
        "results/{study}/logs/relearning_page.log",
    conda:
        ENVIRONMENT
    params:
        surrogates=lambda w: list(of(w)["surrogates"]),
        seeds=lambda w: of(w)["seeds"],
        rounds=lambda w: of(w)["rounds"],
        code=code("relearning_page"),
    script:
        "../scripts/relearning_page.py"


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
