"""The page: what it says, that it stands alone, and that a browser opens it without complaint."""

import copy
import html
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.data import rows, setting, targets
from preimage.reporting.material import Material
from preimage.reporting.page import render
from preimage.support.files import read_json
from preimage.surrogates import random_forest
from preimage.trees.forest import Forest

from ..browser import needs_chromium, opened
from ..running import assert_documented


@pytest.fixture(scope="module")
def page(tiny):
    return (tiny / "results/tiny/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["candidates.parquet", "summary.csv", "diagnosis.csv", "best_of.csv", "timings.csv"])
def test_the_columns_of_the_tables_are_documented(tiny, name):
    path = tiny / "results/tiny" / name
    assert_documented(pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path), name)


def test_the_columns_of_a_preimage_are_documented(tiny):
    (boxes,) = (tiny / "results/tiny/round0/seed0/preimage").rglob("*.parquet")
    assert_documented(pd.read_parquet(boxes), "preimage/")


def test_it_leads_with_the_answer_then_evidence_figures_and_how_it_was_made(page):
    parts = ("answer", "explore", "solutions", "evidence", "diagnosis", "figures", "made")
    places = [page.index(f'<h2 id="{name}">') for name in parts]
    assert places == sorted(places)


def test_it_loads_nothing_from_elsewhere(page):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert not re.findall(r"<script[^>]*src=", page) and "@import" not in page and "url(http" not in page


def test_every_method_stands_in_every_table_with_the_baseline(page, tiny):
    summary = pd.read_csv(tiny / "results/tiny/summary.csv")
    for _, part in summary.groupby(["objective", "surrogate"]):
        for name in part["inverter"].unique():
            assert page.count(f"<td>{name.replace('_', ' ')}") >= 1
    assert page.count("(baseline)") == 2  # one an objective: on the forest


def test_it_says_that_local_search_does_not_move_on_a_forest(page):
    assert re.search(r"starts on forest: \d+ of \d+ starts did not move", page)


def test_it_names_seeds_versions_and_digests(page):
    assert "Seeds" in page and "Workflow commit" in page and "scikit-learn" in page
    assert len(re.findall(r"<code>[0-9a-f]{64}</code>", page)) >= 2


@needs_chromium
@pytest.mark.parametrize("size", ["1200,2000", "390,844"])
def test_a_browser_opens_it_from_a_file_without_console_errors(tiny, tmp_path, size):
    found, said = opened(tiny / "results/tiny/report.html", tmp_path, size)
    assert "The answer" in found and said == []


# Points at a candidate in a figure, clicks it, moves a slider, downloads; keeps what the page shows after each.
USE = """
<script>
addEventListener("load", () => {
  const kept = {}, reading = () => document.querySelector('[data-output="y"]').textContent;
  const steps = [
    () => {
      kept.height = document.documentElement.scrollHeight;
      document.querySelectorAll("details").forEach((d) => { d.open = true; });
    },
    () => {
      const mark = [...document.querySelectorAll("use.pick")].at(-1);
      mark.dispatchEvent(new PointerEvent("pointerenter", { clientX: 10, clientY: 10 }));
      kept.named = document.querySelector(".named").textContent;
      mark.dispatchEvent(new PointerEvent("pointerleave"));
      mark.dispatchEvent(new MouseEvent("click"));
    },
    () => {
      kept.clicked = reading();
      document.querySelector('[data-part="reset"]').click();
      const figure = [...document.querySelectorAll("use.pick")].at(-1).closest("svg");
      const stops = () => [...figure.querySelectorAll('[tabindex="0"]')];
      const press = (key) => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const before = reading();
      stops()[0].focus();
      press("Home");
      const left = document.activeElement.getBoundingClientRect().left;
      press("ArrowRight");
      press("End");
      const at = document.activeElement;
      kept.keys = {
        role: figure.getAttribute("role"), stops: stops().length, said: at.getAttribute("aria-label"),
        named: document.querySelector(".named").textContent, shown: !document.querySelector(".named").hidden,
        right: at.getBoundingClientRect().left >= left, waits: reading() === before,
        picked: [...figure.querySelectorAll(".picked")].length,
      };
      press("Enter");
      at.blur();
      kept.keys.gone = document.querySelector(".named").hidden;
    },
    () => {
      kept.keys.loaded = reading();
      document.querySelector('[data-part="reset"]').click();
      document.querySelector('button[data-open="ring"]').click();
      const slider = document.querySelector('#explorer input[type="range"]');
      slider.value = 3;
      slider.dispatchEvent(new Event("input"));
    },
    () => {
      kept.moved = reading();
      window.Blob = function (parts) { kept.csv = parts.join(""); };
      URL.createObjectURL = () => "#";
      document.querySelector("button[data-candidates]").click();
    },
    () => {
      const pre = document.body.appendChild(document.createElement("pre"));
      Object.assign(pre, { id: "kept", textContent: JSON.stringify(kept) });
    },
  ];
  steps.forEach((step, k) => setTimeout(step, 200 * (k + 1)));
});
</script>
"""


@pytest.fixture(scope="module")
def used(page, tmp_path_factory):
    """What the page shows while it is used."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "page.html").write_text(page.replace("</body>", f"{USE}</body>"), encoding="utf-8")
    found, said = opened(folder / "page.html", folder / "profile")
    assert said == [], said
    return json.loads(html.unescape(re.search('<pre id="kept">(.*?)</pre>', found, re.DOTALL).group(1)))


@needs_chromium
def test_the_page_is_short_until_it_is_unfolded(used):
    assert 1000 < used["height"] < 6000


def number(text):
    return float(text.replace(",", ""))


@needs_chromium
def test_moving_an_input_moves_the_prediction(used, tiny):
    recipes = read_json(tiny / "results/tiny/round0/seed0/evidence.json")["recipes"]
    (x,) = (r["x"] for r in recipes if r["objective"] == "ring")
    forest = Forest.load(tiny / "results/tiny/round0/seed0/surrogates/forest/model" / random_forest.ARRAYS)
    before, after = forest.predict(np.array([[x["x1"], x["x2"]], [3.0, x["x2"]]]))[:, 0]
    assert number(used["moved"]) == pytest.approx(after, rel=1e-3) != pytest.approx(before, rel=1e-3)


@needs_chromium
def test_a_candidate_in_a_figure_is_named_and_put_into_the_sliders(used, tiny):
    candidates = pd.read_parquet(tiny / "results/tiny/candidates.parquet").query("surrogate == 'forest'")
    name, predicted = used["named"].split(": ")
    inverter, rank = name.rsplit(" ", 1)
    mine = candidates[(candidates["inverter"] == inverter) & (candidates["rank"] == int(rank))]
    assert number(used["clicked"]) == number(predicted)
    assert np.isclose(mine["predicted.y"], number(predicted), rtol=1e-3).sum() == 1


@needs_chromium
def test_the_keyboard_reaches_candidates_of_a_figure_and_loads_them(used):
    """A figure is one stop, however many marks it has; arrows go on from left to right, and nothing moves before
    Enter."""
    keys = used["keys"]
    assert (keys["role"], keys["stops"]) == ("group", 1)
    assert keys["said"] == keys["named"] and keys["shown"] and keys["gone"] and keys["right"] and keys["waits"]
    assert keys["picked"] >= 1 and number(keys["loaded"]) == number(keys["said"].split(": ")[1])


AXE = Path(os.environ.get("PREIMAGE_AXE", "axe.min.js"))


@needs_chromium
@pytest.mark.long
@pytest.mark.skipif(not AXE.is_file(), reason="PREIMAGE_AXE names no axe.min.js (of the package axe-core)")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_violation(page, tmp_path, dark):
    text = page.replace("@media (prefers-color-scheme: dark)", "@media all") if dark else page
    run = """
    document.querySelectorAll("details").forEach((d) => { d.open = true; });
    axe.run().then(({ violations }) => {
      const pre = document.body.appendChild(document.createElement("pre"));
      const told = violations.map(({ id, impact, nodes }) => [id, impact, nodes.slice(0, 3).map((n) => n.html)]);
      Object.assign(pre, { id: "kept", textContent: JSON.stringify(told) });
    });"""
    scripts = (
        f"<script>{AXE.read_text(encoding='utf-8')}</script><script>addEventListener('load', () => {{{run}}});</script>"
    )
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{scripts}</body>"), encoding="utf-8")
    found, _ = opened(tmp_path / "page.html", tmp_path / "profile")
    told = json.loads(html.unescape(re.search('<pre id="kept">(.*?)</pre>', found, re.DOTALL).group(1)))
    assert [one for one in told if one[1] in ("serious", "critical")] == []


@needs_chromium
def test_candidates_are_downloaded_as_they_are(used, tiny):
    table = pd.read_csv(io.StringIO(used["csv"].removeprefix("\ufeff")), float_precision="round_trip")
    candidates = pd.read_parquet(tiny / "results/tiny/candidates.parquet").query("rank == rank")
    assert list(table) == list(candidates) and len(table) == len(candidates)
    for column in ("x.x1", "predicted.y", "chance", "interval_low.y"):
        assert np.array_equal(table[column], candidates[column].astype(float), equal_nan=True), column
    assert list(table["inverter"]) == list(candidates["inverter"])


# -- names are names, whatever they say --------------------------------------------------------------------------------

PLAIN = {
    "inverters": {"tpe": "qqone", "starts": "qqtwo", "direct": "qqthree", "lookup": "qqfour"},
    "surrogates": {"forest": "qqfive"},
    "objectives": {"ring": "qqsix", "lowest": "qqseven"},
}
# Each a kind, a baseline or an ablation, but never what it names here.
HOSTILE = {
    "qqone": "lookup", "qqtwo": "certified", "qqthree": "nearest", "qqfour": "multistart", "qqfive": "truth",
    "qqsix": "minimize", "qqseven": "within",
}  # fmt: skip


def renamed(text, names):
    return ", ".join(names.get(name, name) for name in text.split(", "))


def renamed_keys(value, names, depth=1):
    """Plain values by names, and by other names below these down to a depth."""
    return {names[k]: renamed_keys(v, names, depth - 1) for k, v in value.items()} if depth else value


def renamed_case(value, names):
    """A row that says which case it is of."""
    case = {k: names.get(value[k], value[k]) for k in ("surrogate", "objective", "inverter") if k in value}
    return {**value, **case}


def renamed_evidence(found, names):
    return {
        **found,
        **{key: renamed_keys(found[key], names) for key in ("test", "candidate_coverage", "known_minimum")},
        "held_out": renamed_keys(found["held_out"], names, 2),
        "measured": renamed_keys(found["measured"], names),
        **{key: [renamed_case(p, names) for p in found[key]] for key in ("plateaus", "recipes")},
    }


def renamed_live(found, names):
    by_surrogate = {key: renamed_keys(found[key], names) for key in ("models", "errors")}
    return {**found, **by_surrogate, "best": renamed_keys(found["best"], names)}


def renamed_study(study, names):
    """A study with its inverters, surrogates and objectives under other names, and all kinds as they were."""
    parts = {part: renamed_keys(study[part], names) for part in PLAIN}
    for inverter in parts["inverters"].values():
        inverter["on"] = [names.get(v, v) for v in inverter["on"]]
    return {**study, **parts, "preimages": renamed_keys(study["preimages"], names)}


def renamed_table(table, names):
    columns = [c for c in ("surrogate", "objective", "inverter", "found_by") if c in table]
    return table.assign(**{c: table[c].map(lambda v: renamed(v, names), na_action="ignore") for c in columns})


def material_of(folder, names):
    """What the report of the tiny study is made of, from its files, with other names."""
    results = folder / "results/tiny"
    seed = results / "round0/seed0"
    found = study.plain(study.load(folder / "tiny.yaml"))
    known = rows.known(str(seed / "split.json"))
    setup = setting.of_rows(found["problem"], known)
    train, test = (rows.load(str(seed / f"{part}.parquet"), str(seed / "split.json"), {}) for part in ("train", "test"))
    made = targets.objectives(found["objectives"], known, test.Y, train.Y)
    boxes = {(p.parent.name, p.stem): pd.read_parquet(p) for p in (seed / "preimage").rglob("*.parquet")}
    return Material(
        study=renamed_study(copy.deepcopy(found), names),
        summary=renamed_table(pd.read_csv(results / "summary.csv"), names),
        best_of=renamed_table(pd.read_csv(results / "best_of.csv"), names),
        rounds=pd.DataFrame(),
        candidates=renamed_table(pd.read_parquet(results / "candidates.parquet"), names),
        timings=pd.read_csv(results / "timings.csv"),
        solutions=renamed_table(pd.read_parquet(seed / "solutions.parquet"), names),
        preimages={tuple(names[n] for n in key): table for key, table in boxes.items()},
        evidence=renamed_evidence(read_json(seed / "evidence.json"), names),
        diagnosis=renamed_table(pd.read_csv(results / "diagnosis.csv"), names),
        objectives={names[k]: replace(w, name=names[k]) for k, w in made.items()},
        space=setup.space,
        units=setup.units,
        ranges=known.ranges,
        surrogates={names["forest"]: read_json(seed / "surrogates/forest/surrogate.json")},
        figures=[],
        records=[read_json(p) for p in sorted((results / "tracking/round0/seed0").glob("*.json"))],
        warnings=[],
        versions={},
        live=renamed_live(read_json(seed / "live.json"), names),
        outputs=known.outputs,
    )


def test_the_report_is_the_same_whatever_things_are_called(tiny):
    plain = {old: new for part in PLAIN.values() for old, new in part.items()}
    expected = render(material_of(tiny, plain))
    for token, name in HOSTILE.items():
        expected = expected.replace(token, name).replace(token.capitalize(), name.capitalize())
    found = render(material_of(tiny, {old: HOSTILE[token] for old, token in plain.items()}))
    assert found == expected and "multistart (baseline)" in found and "lookup (baseline)" not in found
