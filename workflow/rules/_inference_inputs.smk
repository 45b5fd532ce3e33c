# What the rules of inference take, and where its files are.
from preimage.inference.base import InferenceMethod
from preimage.study import inference as inference_setting

INFERENCE_SEED = "results/{study}/seed{seed}"
INFERENCE_RECORDS = "results/{study}/tracking/seed{seed}"


wildcard_constraints:
    method=NAME,
    part=r"\d+",


def method_of(wildcards):
    return of(wildcards)["inference"][wildcards.method]


def stochastic(wildcards):
    """What a study's simulator depends on."""
    return inference_setting.simulated_part(of(wildcards)["problem"])


def stochastic_modules(wildcards):
    name = of(wildcards)["problem"]["simulator"]
    return [name if ":" in name else f"preimage.inference.simulators.built_in.{name}"]


def method_modules(wildcards):
    kind = InferenceMethod.registry[method_of(wildcards)["kind"]]
    return [*kind.modules(), *stochastic_modules(wildcards)]


def bank_parts(wildcards):
    """The parts of the bank, for a method that works on it."""
    if not InferenceMethod.registry[method_of(wildcards)["kind"]].banked:
        return []
    parts = range(of(wildcards)["bank"]["jobs"])
    return expand(f"{INFERENCE_SEED}/bank/{{part}}.npz", part=parts, allow_missing=True)


def of_seeds(pattern):
    """That file of every seed of a study."""
    return lambda w: list(
        dict.fromkeys(
            expand(
                pattern,
                study=w.study,
                seed=of(w)["seeds"],
                method=list(of(w)["inference"]),
            )
        )
    )


def first_of(pattern):
    """That file of the first seed, which figures show."""
    return lambda w: expand(pattern, study=w.study, seed=of(w)["seeds"][0])[0]


def of_methods(pattern):
    """That file of every method, of the first seed."""
    return lambda w: expand(
        pattern,
        study=w.study,
        seed=of(w)["seeds"][0],
        method=list(of(w)["inference"]),
    )


def inference_records(wildcards):
    """The record of every step of a study of inference that makes its tables."""
    study = of(wildcards)
    banked = inference_setting.has_bank(study)
    parts = range(study["bank"]["jobs"] if banked else 0)
    names = ["observe", "fresh", *(f"bank.{part}" for part in parts)]
    for method in study["inference"]:
        names += [f"{rule}.{method}" for rule in ("train_inference", "infer", "check")]
    return [
        *expand(
            f"{INFERENCE_RECORDS}/{{name}}.json",
            study=wildcards.study,
            seed=study["seeds"],
            name=names,
        ),
        f"{RECORDS}/gather_posterior.json",
    ]
