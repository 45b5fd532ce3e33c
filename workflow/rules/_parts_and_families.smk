# What scattered work, the diagnosis and families of studies take in.

# One process of Snakemake's for each number of parts that a study asks for: the answer depends on that number, so it
# stands in the study, and not in Snakemake's options.
for study in STUDIES.values():
    asked = {study_module.parts(study, name) for name in study["inverters"]}
    for parts in asked | {study_module.simulation_parts(study)}:
        workflow.scattergather(**{f"parts{parts}": parts})


def gathered(parts, pattern, wildcards):
    """The files of that many parts, as an input; nothing where one job does it all."""
    if parts == 1:
        return {}
    return {
        "parts": getattr(gather, f"parts{parts}")(pattern, **dict(wildcards.items()))
    }


def parts_of(wildcards):
    """The parts of an inverter's work."""
    parts = study_module.parts(of(wildcards), wildcards.inverter)
    return gathered(parts, rules.invert_part.output.part, wildcards)


def simulated_parts(wildcards):
    """The parts of the simulated rows."""
    parts = study_module.simulation_parts(of(wildcards))
    return gathered(parts, rules.simulate_part.output.part, wildcards)


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
    names = FAMILIES[wildcards.study]["members"]
    return [study_module.plain(STUDIES[name]) for name in names]


def family_simulators(wildcards):
    name = members(wildcards)[0]["problem"].get("simulator", ":")
    return [] if ":" in name else [f"preimage.problems.built_in.{name}"]


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
