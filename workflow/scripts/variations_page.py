"""The page of a family of studies: figures, words and the table of all cases."""

import pandas as pd

from preimage.figures import style, variations
from preimage.reporting.templates import environment
from preimage.reporting.variations import axes, context, with_shares
from preimage.running.step import step
from preimage.support.files import write_text


def main(snakemake):
    with step(snakemake) as run:
        study, varied = run.params["study"], run.params["varied"]
        table = pd.read_csv(snakemake.input.table)
        shown = with_shares(table)
        figures = draw(shown, *axes(table, varied)) if len(shown) else []
        page = environment().get_template("variations.html").render(context(study, table, varied, figures))
        write_text(snakemake.output.page, page)
        run.artifact(snakemake.output.page)


def draw(shown, x, by):
    made = {
        "truth": (variations.truth, "What the answers are worth in truth", TRUTH),
        "blame": (variations.blame, "Left by the model, lost by the search", BLAME),
        "models": (variations.models, "The models, and the cost of the searches", MODELS),
    }
    return [
        {"title": title, "caption": caption, "svg": style.to_svg(figure(shown, x, by), f"{name}.svg")}
        for name, (figure, title, caption) in made.items()
    ]


TRUTH = (
    "0 is the true minimum, 1 (dotted) what an input drawn at random gives; lines are medians of the seeds, bands all "
    "of them. Where the lines of all methods lie together, no search makes the answer better."
)
BLAME = (
    "Thick: the true loss of the answer with the best prediction of all, so what the model leaves to a perfect search. "
    "Dashed: how far each search stayed above the model's own optimum, proven where there is a certificate (the bottom "
    "line is none at all). Where thick is above dashed, the model is what fails."
)
MODELS = "Left: how much of the output's variance the model explains on rows held out. Right: wall seconds a search."

main(snakemake)
