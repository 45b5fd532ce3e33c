# Studies that one file makes by varying it, side by side.


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
