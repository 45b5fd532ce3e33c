"""The table of candidates: what its schema takes and what it refuses."""

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from preimage.core import candidates

INPUTS = {"age": False, "grade": True}


def table():
    """Two starts and one that failed, as a method leaves them: columns are missing, and in no order."""
    return pd.DataFrame(
        {
            "message": ["", "", "it raised"],
            "status": ["ok", "not_converged", "failed"],
            "start": [0, 1, 2],
            **{"problem": "p", "surrogate": "forest", "objective": "o", "inverter": "i", "round": 0, "seed": 7},
            "x.grade": pd.array(["a", "b", None], dtype="str"),
            "x.age": [3.5, 28.0, np.nan],
            "predicted.y": [1.0, 2.0, np.nan],
            "predicted_loss": [1.0, 4.0, np.nan],
            "rank": [1, 2, None],
            "evaluations": [10, 11, 0],
        }
    )


def typed(**changed):
    return candidates.typed(table(), ["age", "grade"], ["y"]).assign(**changed)


def check(frame):
    return candidates.schema(INPUTS, ["y"]).validate(frame)


def test_a_typed_table_has_every_column_in_order_and_passes():
    frame = typed()
    assert list(frame) == candidates.columns(["age", "grade"], ["y"])
    assert list(frame) == list(candidates.schema(INPUTS, ["y"]).columns)
    pd.testing.assert_frame_equal(check(frame), frame)
    assert frame["true_rank"].isna().all() and frame["in_domain"].isna().all()


def test_a_table_passes_after_parquet_too(tmp_path):
    frame = typed()
    frame.to_parquet(tmp_path / "c.parquet", index=False)
    back = pd.read_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(check(back), frame)


def test_the_columns_are_those_of_the_design():
    words = (
        "problem round seed surrogate objective inverter start rank true_rank x.a x.b predicted.y predicted_loss "
        "simulated.y simulated_loss interval_low.y interval_high.y chance chance_low chance_high expected_loss "
        "in_domain domain_score evaluations status message"
    )
    assert " ".join(candidates.columns(["a", "b"], ["y"])) == words


@pytest.mark.parametrize(
    "changed",
    [
        {"start": [0, 1, 1]},
        {"start": [0, 1, -1]},
        {"start": [0.0, 1.0, 2.0]},
        {"seed": pd.Series([7, 7, 7], dtype="int32")},
        {"rank": pd.array([0, 1, None], dtype="Int64")},
        {"x.age": ["3", "28", "7"]},
        {"x.age": [np.inf, 28.0, np.nan]},
        {"x.age": [np.nan, 28.0, np.nan]},
        {"x.grade": [1.0, 2.0, 3.0]},
        {"predicted.y": [np.inf, 2.0, np.nan]},
        {"predicted_loss": [-np.inf, 2.0, np.nan]},
        {"predicted_loss": [1.0, np.nan, np.nan]},
        {"simulated_loss": [np.inf, 2.0, np.nan]},
        {"domain_score": [0.5, 1.5, np.nan]},
        {"in_domain": [True, False, True]},
        {"evaluations": [-1, 0, 0]},
        {"status": ["ok", "fine", "failed"]},
        {"status": ["ok", "not_converged", "ok"]},
        {"status": ["ok", "not_converged", None]},
        {"message": ["", "", None]},
        {"note": 1},
    ],
    ids=str,
)
def test_what_is_no_candidate_is_refused(changed):
    with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
        check(typed(**changed))


@pytest.mark.parametrize("lost", ["domain_score", "message", "x.age"])
def test_a_missing_column_is_refused(lost):
    with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
        check(typed().drop(columns=lost))


def test_one_start_may_be_in_several_cases():
    frame = pd.concat([typed(), typed(inverter="other"), typed(seed=8), typed(round=1)], ignore_index=True)
    assert len(check(frame)) == 12


def test_a_method_without_an_answer_leaves_no_point():
    nothing = {"status": "no_answer", "x.age": np.nan, "predicted.y": np.nan, "predicted_loss": np.nan, "rank": pd.NA}
    assert len(check(typed(**nothing).astype(typed().dtypes))) == 3


def test_ranks_are_by_loss_within_the_group_and_ties_go_to_the_row_before():
    loss = pd.Series([3.0, 1.0, np.nan, 1.0, 9.0, -1.0])
    group = [pd.Series(["a", "a", "a", "a", "b", "b"]), pd.Series([0, 0, 0, 0, 0, 1])]
    ranks = candidates.ranked(loss, group)
    assert ranks.dtype == "Int64"
    assert ranks.fillna(0).tolist() == [3, 1, 0, 2, 1, 1]
