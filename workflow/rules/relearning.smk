# Rounds after the first: what each adds to the data, and whether its models replace the champions.
from preimage.data import new_rows


def before(file):
    """The file of that name in the round before."""
    return lambda w: f"results/{w.study}/round{int(w.round) - 1}/seed{w.seed}/{file}"


def models_before(file):
    return lambda w: [
        before(f"surrogates/{name}/{file}")(w) for name in of(w)["surrogates"]
    ]


def gate_before(wildcards):
    return before("gate.parquet")(wildcards) if int(wildcards.round) > 1 else []


def gate_rows(wildcards):
    """The gate rows of this round and all before; the first has none."""
    return f"{SEED}/gate.parquet" if int(wildcards.round) else []


def new_file(wildcards):
    """The file of a table's new rows; nothing where the round simulates."""
    files = new_rows.files(of(wildcards)["problem"].get("table", {}))
    return files[int(wildcards.round) - 1] if files else []


def decision(wildcards):
    return f"{SEED}/decision.json" if int(wildcards.round) else []


def promotion_before(wildcards):
    """Rounds are promoted in order."""
    file = before(f"surrogates/{wildcards.surrogate}/promotion.json")
    return file(wildcards) if int(wildcards.round) else []


def registered_name(wildcards):
    several = len(of(wildcards)["seeds"]) > 1
    seed = f".seed{wildcards.seed}" if several else ""
    return f"{wildcards.study}.{wildcards.surrogate}{seed}"


def promotions():
    return [
        path
        for name, study in STUDIES.items()
        for path in expand(
            f"{SEED}/surrogates/{{surrogate}}/promotion.json",
            study=name,
            round=range(study["rounds"] + 1),
            seed=study["seeds"],
            surrogate=list(study["surrogates"]),
        )
    ]


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
