# The code that each step depends on, as a digest in its params.


def code(script, *modules):
    """Fingerprint of a script and of the modules that it picks at run time."""
    return fingerprint.digest(f"scripts/{script}.py", *modules)


def simulator_modules(wildcards):
    """A built-in's module, or the user's own function."""
    name = of(wildcards)["problem"].get("simulator")
    return (
        []
        if name is None
        else [name if ":" in name else f"preimage.problems.built_in.{name}"]
    )


def kind_modules(wildcards, names):
    specs = of(wildcards)["surrogates"]
    classes = [SurrogateKind.registry[specs[name]["kind"]] for name in names]
    return [part for each in classes for part in each.modules()]


def surrogate_modules(wildcards):
    if wildcards.surrogate == study_module.SIMULATOR:
        return ["preimage.surrogates.simulator", *simulator_modules(wildcards)]
    return kind_modules(wildcards, [wildcards.surrogate])


def inverter_modules(wildcards):
    """The method's module, the committee's where it ranks, and that of an objective of an extension."""
    entry = of(wildcards)["objectives"][wildcards.objective]
    committee = ["preimage.inversion.committee"] if entry.get("committee") else []
    own = of(wildcards)["inverters"][wildcards.inverter].modules()
    return [
        *own,
        *ObjectiveEntry.named(entry).modules(),
        *committee,
        *fit_modules(wildcards),
    ]


def fit_modules(wildcards):
    """What fits are made by; nothing where a study has none."""
    if not study_module.fits(of(wildcards)):
        return []
    return ["preimage.calibration.engine", "preimage.calibration.assess"]
