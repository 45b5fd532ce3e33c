"""Names for MLflow: those that it takes stay, others change to different ones, and the original is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

from preimage.tracking.names import changed, escaped

from ..conftest import examples


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
@examples(100)
def test_mlflow_takes_every_name_and_no_two_become_one(one, other):
    for name in (one, other):
        safe = escaped(f"test/rmse.{name}")
        _validate_metric_name(safe)
        _validate_param_name(safe)
        _validate_tag_name(safe)
    assert (escaped(one) == escaped(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("\u03b1", "alpha-"), ("\u03b2", "beta-"), ("Festigkeit [MPa]", "Festigkeit _MPa-"), ("F\u00fcller", "Fuller-")],
)
def test_a_changed_name_can_still_be_read(name, begins):
    assert escaped(name).startswith(begins)
    assert changed([name, "plain"]) == {escaped(name): name}


def test_what_mlflow_takes_stays():
    assert escaped("inversion/best loss_1:2.a-b") == "inversion/best loss_1:2.a-b"
