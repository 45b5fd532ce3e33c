# Rows: imported from a user's table or simulated, then split.


def has_table(wildcards):
    return "table" in of(wildcards)["problem"]


def table_files(wildcards):
    """The user's files, as inputs: a change in them is a reason to run again."""
    table = of(wildcards)["problem"]["table"]
    return [table[key] for key in ("features", "targets", "file") if key in table]


def data_files(wildcards):
    """Imported rows are the same for every seed; simulated ones are not."""
    folder = ROUND if has_table(wildcards) else SEED
    return {"data": f"{folder}/data.parquet", "info": f"{folder}/data.json"}


rule import_table:
    input:
        table_files,
    output:
        data=ROUND + "/data.parquet",
        info=ROUND + "/data.json",
        record=STUDY + "/tracking/round{round}/import_table.json",
    log:
        STUDY + "/logs/round{round}/import_table.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/import_table.tsv"
    params:
        table=lambda w: of(w)["problem"]["table"],
        units=lambda w: setting.stated_units(of(w)["problem"]),
        categories=lambda w: setting.categories(of(w)["problem"]),
        code=code("import_table"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/import_table.py"


rule generate:
    output:
        data=SEED + "/data.parquet",
        info=SEED + "/data.json",
        record=STUDY + "/tracking/round{round}/seed{seed}/generate.json",
    log:
        STUDY + "/logs/round{round}/seed{seed}/generate.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/seed{seed}/generate.tsv"
    params:
        problem=lambda w: of(w)["problem"],
        code=lambda w: code("generate", *simulator_modules(w)),
    conda:
        ENVIRONMENT
    script:
        "../scripts/generate.py"


rule split:
    input:
        unpack(data_files),
    output:
        train=SEED + "/train.parquet",
        test=SEED + "/test.parquet",
        info=SEED + "/split.json",
        record=STUDY + "/tracking/round{round}/seed{seed}/split.json",
    log:
        STUDY + "/logs/round{round}/seed{seed}/split.log",
    benchmark:
        STUDY + "/benchmarks/round{round}/seed{seed}/split.tsv"
    params:
        test_fraction=lambda w: of(w)["split"]["test_fraction"],
        categories=lambda w: setting.categories(of(w)["problem"]),
        code=code("split"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/split.py"
