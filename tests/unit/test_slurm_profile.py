"""The Slurm profile has resources that grow for every rule, and groups that can't wait for each other."""

import re

import pytest
import yaml

from ..running import ROOT

PROFILE = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text(encoding="utf-8"))
# Where the invocation itself runs, or what only gathers inputs.
LOCAL = {"all", "relearn", "benchmark", "default", "tracking_store", "sync_tracking", "rollback"}


def rules():
    files = [ROOT / "Snakefile", ROOT / "workflow/Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
    return {name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.M)}


@pytest.mark.parametrize("rule", sorted(rules() - LOCAL))
def test_every_rule_gets_more_memory_and_time_at_each_attempt(rule):
    # `--default-resources` on the command line stands in the place of the profile's: so every rule has its own.
    found = PROFILE["set-resources"][rule]
    assert {"mem_mb", "runtime"} <= set(found) and all(v.endswith("* attempt") for v in found.values())


def test_the_profile_names_no_rule_that_is_not_there():
    assert {*PROFILE["set-resources"], *PROFILE["groups"]} <= rules()
    assert set(PROFILE["group-components"]) <= set(PROFILE["groups"].values())


def test_steps_of_a_round_are_grouped_by_round():
    for rule in ("import_table", "generate", "split", "invert", "preimage", "decide", "promote"):
        assert "{study}.{round}" in PROFILE["groups"][rule]
