"""The page that says, round by round, whether new rows gave reason to relearn, and whether the new model earned it."""

from preimage.reporting.relearning import Outcome, context
from preimage.reporting.templates import environment
from preimage.running.step import step
from preimage.support.files import read_json, write_text


def main(snakemake):
    with step(snakemake) as run:
        params, study = run.params, snakemake.wildcards.study
        folder = f"results/{study}/round{{0}}/seed{{1}}"
        outcomes: list[Outcome] = []
        said: dict[int, list[str]] = {}
        for k in range(params["rounds"] + 1):
            for seed in params["seeds"]:
                place = folder.format(k, seed)
                if k:
                    said.setdefault(k, read_json(f"{place}/new.json")["sentences"])
                for name in params["surrogates"]:
                    promotion = read_json(f"{place}/surrogates/{name}/promotion.json")
                    decision = read_json(f"{place}/surrogates/{name}/decision.json") if k else None
                    outcomes.append(Outcome(k, seed, name, decision, promotion))
        shown = context(study, outcomes, said, len(params["seeds"]))
        for sentence in shown["verdicts"]:
            print(sentence)
        write_text(snakemake.output.page, environment().get_template("relearning.html").render(shown))
        run.artifact(snakemake.output.page)


main(snakemake)
