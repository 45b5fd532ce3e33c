# What scattered searches, the diagnosis and families of studies take in.


def parts_of(wildcards):
    """The files of an inverter's parts; nothing where it is one job."""
    parts = study_module.parts(of(wildcards), wildcards.inverter)
    if parts == 1:
        return {}
    gathered = getattr(gather, f"parts{parts}")
    return {"parts": gathered(rules.invert_part.output.part, **dict(wildcards.items()))}


def diagnosis_files(wildcards):
    """Of every seed in the last round: rows, models' findings, candidates and what was made of them."""
    names = ("train.parquet", "test.parquet", "split.json", "candidates.parquet")
    own = [f"{SEED}/{name}" for name in (*names, "summary.csv", "solutions.parquet")]
    trained = [
        f"{SEED}/surrogates/{name}/{file}"
        for name in of(wildcards)["surrogates"]
        for file in ("surrogate.json", "test.parquet")
    ]
    return expanded([*own, *trained], wildcards, rounds=LATEST)


def diagnosis(wildcards):
    """The study's diagnosis; of fits there is none, as no model stands between them and the truth."""
    if study_module.fits(of(wildcards)):
        return []
    return f"{STUDY}/diagnosis.csv"


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
