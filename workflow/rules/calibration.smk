# Fits judged: what the data tells of each parameter, what it forecasts, and what its derivatives are worth.


rule calibrate:
    input:
        solutions=by_seed("solutions.parquet"),
        info=first_seed("split.json"),
        series=series_files,
    output:
        folder=directory("results/{study}/calibration/{objective}"),
        times="results/{study}/calibration/{objective}.times.json",
        record="results/{study}/tracking/calibrate.{objective}.json",
    log:
        "results/{study}/logs/calibrate.{objective}.log",
    benchmark:
        "results/{study}/benchmarks/calibrate.{objective}.tsv"
    conda:
        ENVIRONMENT
    params:
        problem=lambda w: study_module.space_part(
            of(w)["problem"], study_module.SIMULATOR
        ),
        objective=lambda w: of(w)["objectives"][w.objective],
        # One loss of a study is enough to say what its derivatives are worth.
        derivatives=lambda w: w.objective == next(iter(of(w)["objectives"])),
        code=lambda w: code("calibrate", *simulator_modules(w)),
    script:
        "../scripts/calibrate.py"


rule gather_fits:
    input:
        folders=lambda w: calibrations(w)["fits"],
    output:
        fit="results/{study}/fit.parquet",
        record="results/{study}/tracking/gather_fits.json",
    log:
        "results/{study}/logs/gather_fits.log",
    benchmark:
        "results/{study}/benchmarks/gather_fits.tsv"
    conda:
        ENVIRONMENT
    params:
        code=code("gather_fits"),
    script:
        "../scripts/gather_fits.py"
