# Studies that one file makes by varying it, side by side.


def members(wildcards):
    return [STUDIES[name] for name in FAMILIES[wildcards.study]["members"]]


def family_simulators(wildcards):
    name = members(wildcards)[0]["problem"].get("simulator", ":")
    return [] if ":" in name else [f"preimage.problems.{name}"]


def member_files(wildcards):
    """Of every member and seed: what training wrote, the rows held out, the summary; and its timings."""
    found = []
    for study in members(wildcards):
        folder = f"results/{study['study']}"
        found += [f"{folder}/summary.csv", f"{folder}/timings.csv"]
        for seed in study["seeds"]:
            place = f"{folder}/round{study['rounds']}/seed{seed}"
            found += [f"{place}/{name}" for name in ("test.parquet", "split.json")]
            found += [
                f"{place}/surrogates/{name}/surrogate.json"
                for name in study["surrogates"]
            ]
    return found


rule variations:
    input:
        member_files,
    output:
        table="results/{study}/variations.csv",
        record="results/{study}/tracking/variations.json",
    log:
        "results/{study}/logs/variations.log",
    benchmark:
        "results/{study}/benchmarks/variations.tsv"
    conda:
        ENVIRONMENT
    params:
        members=members,
        code=lambda w: code("variations", *family_simulators(w)),
    script:
        "../scripts/variations.py"


rule variations_page:
    input:
        table=rules.variations.output.table,
        reports=lambda w: [f"results/{s['study']}/report.html" for s in members(w)],
    output:
        page=report(
            "results/{study}/variations.html",
            caption="../report/variations.rst",
            category="{study}",
            labels={"figure": "variations"},
        ),
        record="results/{study}/tracking/variations_page.json",
    log:
        "results/{study}/logs/variations_page.log",
    conda:
        ENVIRONMENT
    params:
        study=lambda w: w.study,
        varied=lambda w: list(members(w)[0]["varied"]),
        code=code("variations_page"),
    script:
        "../scripts/variations_page.py"
