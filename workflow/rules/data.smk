# Rows: imported from a user's table or simulated, then split.


rule import_table:
    input:
        table_files,
    output:
        data="results/{study}/round{round}/data.parquet",
        info="results/{study}/round{round}/data.json",
        record="results/{study}/tracking/round{round}/import_table.json",
    log:
        "results/{study}/logs/round{round}/import_table.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/import_table.tsv"
    conda:
        ENVIRONMENT
    params:
        table=lambda w: without_new(of(w)["problem"]["table"]),
        units=lambda w: named.stated_units(of(w)["problem"]),
        categories=lambda w: named.categories(of(w)["problem"]),
        code=code("import_table"),
    script:
        "../scripts/import_table.py"


rule simulate_part:
    output:
        part="results/{study}/round{round}/seed{seed}/data.parts/{scatteritem}.parquet",
        record="results/{study}/tracking/round{round}/seed{seed}/simulate_part.{scatteritem}.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/simulate_part.{scatteritem}.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/simulate_part.{scatteritem}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=without_formulas,
        calls=calls_for(calls.SAMPLES),
        code=lambda w: code("simulate_part", *simulator_modules(w)),
    script:
        "../scripts/simulate_part.py"


rule generate:
    input:
        unpack(simulated_parts),
    output:
        data="results/{study}/round{round}/seed{seed}/data.parquet",
        features="results/{study}/round{round}/seed{seed}/features.parquet",
        targets="results/{study}/round{round}/seed{seed}/targets.parquet",
        failed="results/{study}/round{round}/seed{seed}/failed.parquet",
        info="results/{study}/round{round}/seed{seed}/data.json",
        record="results/{study}/tracking/round{round}/seed{seed}/generate.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/generate.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/generate.tsv"
    wildcard_constraints:
        round="0",
    conda:
        ENVIRONMENT
    params:
        problem=without_formulas,
        calls=calls_for(calls.SAMPLES),
        code=lambda w: code("generate", *simulator_modules(w)),
    script:
        "../scripts/generate.py"


# Later rounds come from `next_round`.
rule split:
    input:
        unpack(data_files),
    output:
        train="results/{study}/round{round}/seed{seed}/train.parquet",
        test="results/{study}/round{round}/seed{seed}/test.parquet",
        info="results/{study}/round{round}/seed{seed}/split.json",
        record="results/{study}/tracking/round{round}/seed{seed}/split.json",
    log:
        "results/{study}/logs/round{round}/seed{seed}/split.log",
    benchmark:
        "results/{study}/benchmarks/round{round}/seed{seed}/split.tsv"
    wildcard_constraints:
        round="0",
    conda:
        ENVIRONMENT
    params:
        split=lambda w: of(w)["split"],
        categories=lambda w: named.categories(of(w)["problem"]),
        references=lambda w: named.referred_rows(of(w).get("objectives", {})),
        code=code("split"),
    script:
        "../scripts/split.py"
