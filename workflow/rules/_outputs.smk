# What a study leaves: its tables, and the record of every step that makes them.


def step_records(wildcards):
    """The record of every step of a study that makes its tables."""
    study = of(wildcards)
    if study_module.infers(study):
        return inference_records(wildcards)
    data = (
        f"{RECORDS}/round{{round}}/import_table.json"
        if has_table(wildcards)
        else f"{SEED_RECORDS}/generate.json"
    )
    first = [data, f"{SEED_RECORDS}/split.json"]
    if (parts := study_module.simulation_parts(study)) > 1:
        first += [
            f"{SEED_RECORDS}/simulate_part.{part}-of-{parts}.json"
            for part in range(1, parts + 1)
        ]
    later = [f"{SEED_RECORDS}/next_round.json"]
    files = [f"{SEED_RECORDS}/train.{name}.json" for name in study["surrogates"]]
    files += [
        f"{SEED_RECORDS}/invert.{'.'.join(case)}.json"
        for case in study_module.cases(study)
    ]
    files += [
        f"{SEED_RECORDS}/invert_part.{'.'.join(case)}.{part}-of-{parts}.json"
        for case in study_module.cases(study)
        if (parts := study_module.parts(study, case.inverter)) > 1
        for part in range(1, parts + 1)
    ]
    files += [
        f"{SEED_RECORDS}/preimage.{'.'.join(case)}.json"
        for case in study_module.preimages(study)
    ]
    files += [f"{SEED_RECORDS}/evidence.json", f"{RECORDS}/gather.json"]
    if study_module.fronts(study):
        files += [f"{RECORDS}/fronts.json"]
    if "next" in study:
        files += [f"{RECORDS}/next_experiments.json"]
    if study_module.fits(study):
        files += [f"{RECORDS}/calibrate.{name}.json" for name in study["objectives"]]
        files += [f"{RECORDS}/gather_fits.json"]
    else:
        files += [f"{RECORDS}/diagnose.json"]
    last = [f"{SEED_RECORDS}/learn.{name}.json" for name in inverting(wildcards)]
    return [
        *expanded(first, wildcards, rounds=slice(1)),
        *expanded(later, wildcards, rounds=slice(1, None)),
        *expanded(files, wildcards),
        *expanded(last, wildcards, slice(1), LATEST),
        *of_line(wildcards, "tracking/learn_line.json"),
    ]


NEXT_EXPERIMENTS = ["next_experiments.csv", "next_experiments.xlsx"]


def next_experiments_of(wildcards):
    """The files of the experiments to run next, where a study asks for them."""
    return [f"{STUDY}/{f}" for f in NEXT_EXPERIMENTS] if "next" in of(wildcards) else []


def study_outputs():
    files = [
        "report.html",
        "candidates.parquet",
        "summary.csv",
        "best_of.csv",
        "timings.csv",
    ]
    posterior = ["report.html", "posterior.parquet", "summary.csv", "timings.csv"]
    fits = [name for name, study in STUDIES.items() if study_module.fits(study)]
    fronts = [n for n in ORDINARY if study_module.fronts(STUDIES[n])]
    asking = [n for n in ORDINARY if "next" in STUDIES[n]]
    return [
        *expand(f"{STUDY}/{{file}}", study=ORDINARY, file=files),
        *expand(f"{STUDY}/{{file}}", study=asking, file=NEXT_EXPERIMENTS),
        *expand(f"{STUDY}/{{file}}", study=INFERENCE, file=posterior),
        *expand(f"{STUDY}/fit.parquet", study=fits),
        *expand(f"{STUDY}/pareto.csv", study=fronts),
        *expand(f"{STUDY}/diagnosis.csv", study=[n for n in ORDINARY if n not in fits]),
    ]
