"""Models of a user's own in a study: what may be asked of them, and what is refused before any job."""

import pytest

from preimage.running import invocation

from ..conftest import refusal

OWN = """
study: bowl
problem: {simulator: paraboloid}
surrogates: {mine: {kind: model, path: PATH}}
objectives: {lowest: {minimize: y}}
inverters:
"""


@pytest.fixture
def own(tmp_path):
    """Return a function that gives the text of a study with a model of the user's own, whose file is empty."""

    def call(name, *inverters):
        (tmp_path / name).touch()
        return OWN.replace("PATH", str(tmp_path / name)) + "".join(f"  {line}\n" for line in inverters)

    return call


def test_a_keras_file_takes_every_gradient_but_the_complex_step(own, load, refused):
    exact = ["a: {kind: multistart, gradient: exact, on: [mine]}", "b: {kind: multistart, engine: batched}"]
    found = load(own("m.keras", *exact, "c: {kind: neural_adjoint}"))
    assert found["surrogates"]["mine"]["format"] == "keras"
    assert all(inverter.on == ["mine"] for inverter in found["inverters"].values())
    assert "does not support 'mine' (model, keras): it may not support complex numbers" in refused(
        own("m.keras", "a: {kind: multistart, gradient: cs, on: [mine]}")
    )


@pytest.mark.parametrize("name", ["m.onnx", "m.skops"])
def test_a_file_without_derivatives_is_refused_where_they_are_asked_for(own, load, refused, name):
    for inverter in ("{kind: multistart, gradient: exact, on: [mine]}", "{kind: neural_adjoint, on: [mine]}"):
        message = refused(own(name, f"a: {inverter}"))
        assert f"does not support 'mine' (model, {name[2:]})" in message and "exact gradient" in message
    assert load(own(name, "a: {kind: multistart}"))["inverters"]["a"].on == ["mine"]


def test_a_model_is_a_file_or_an_address_that_there_is(refused):
    assert "expected exactly one of path | uri" in refused(
        OWN.replace("path: PATH", "outputs: [y]").replace("inverters:\n", "")
    )
    assert "key 'surrogates.mine': path 'nothing.keras': no such file" in refused(
        OWN.replace("PATH", "nothing.keras").replace("inverters:\n", "")
    )


def test_a_model_that_could_run_code_is_refused_before_any_job(own, load):
    found = load(own("m.keras", "a: {kind: random}"))
    message = refusal(invocation.check, {"bowl": found})
    assert message.startswith("study 'bowl': key 'surrogates.mine': ") and "damaged, or no .keras file" in message
