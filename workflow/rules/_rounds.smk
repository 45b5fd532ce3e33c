# What the rules of relearning take from the round before, and where its files are.
from preimage.data import named


def before(file):
    """The file of that name in the round before."""
    return lambda w: f"results/{w.study}/round{int(w.round) - 1}/seed{w.seed}/{file}"


def gate_before(wildcards):
    return before("gate.parquet")(wildcards) if int(wildcards.round) > 1 else []


def failed_before(wildcards):
    """The points that have failed as rows were simulated; a table's rows are none of these."""
    simulated = int(wildcards.round) > 1 or not has_table(wildcards)
    return [before("failed.parquet")(wildcards)] if simulated else []


def failed_last(wildcards):
    """Those of the first seed up to the last round."""
    simulated = of(wildcards)["rounds"] or not has_table(wildcards)
    return [first_seed("failed.parquet")(wildcards)] if simulated else []


def judged_by_simulator(wildcards):
    """The candidates of the first seed in the last round, of which some may have failed; nothing without a simulator."""
    simulated = calls.simulates(of(wildcards))
    return [first_seed("candidates.parquet")(wildcards)] if simulated else []


def gate_rows(wildcards):
    """The gate rows of this round and all before; the first has none."""
    return f"{SEED}/gate.parquet" if int(wildcards.round) else []


def new_file(wildcards):
    """The file of a table's new rows; nothing where the round simulates."""
    files = named.new_files(of(wildcards)["problem"].get("table", {}))
    return files[int(wildcards.round) - 1] if files else []


def relearning_of(wildcards):
    """What a round may add; with a budget as many simulations as that grants."""
    study = of(wildcards)
    found = {k: study["relearning"][k] for k in ("simulations", "explore", "gate")}
    most = calls.granted(study, calls.ROUNDS)
    return found if most is None else {**found, "simulations": most}


def decision(wildcards):
    folder = f"{SEED}/surrogates/{{surrogate}}"
    return f"{folder}/decision.json" if int(wildcards.round) else []


def promotion_before(wildcards):
    """Rounds are promoted in order."""
    file = before(f"surrogates/{wildcards.surrogate}/promotion.json")
    return file(wildcards) if int(wildcards.round) else []


def rounds_table(wildcards):
    """What the rounds have bought; nothing where there is one round."""
    return f"{STUDY}/rounds.csv" if of(wildcards)["rounds"] else []


def round_files(wildcards):
    """Of every round and seed, the rows there were and what training wrote."""
    first = expanded([f"{SEED}/train.parquet", f"{SEED}/test.parquet"], wildcards)
    gates = expanded([f"{SEED}/gate.parquet"], wildcards, rounds=slice(1, None))
    return [
        *first,
        *gates,
        *expanded([m for m in models("surrogate.json")(wildcards)], wildcards),
    ]


def round_folders(wildcards):
    study = of(wildcards)
    return [
        [f"{STUDY}/round{k}/seed{s}".format(study=wildcards.study), k, s]
        for k in range(study["rounds"] + 1)
        for s in study["seeds"]
    ]


def registered_name(wildcards):
    several = len(of(wildcards)["seeds"]) > 1
    seed = f".seed{wildcards.seed}" if several else ""
    return f"{wildcards.study}.{wildcards.surrogate}{seed}"


def of_every_model(file, rounds=slice(None)):
    """The file of that name of every surrogate, round and seed."""
    return lambda w: expanded(models(file)(w), w, rounds=rounds)
