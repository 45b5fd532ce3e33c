"""Built-in problems against closed forms, brute force and each other."""

import numpy as np
import pytest

from preimage import study
from preimage.data import generate, setting
from preimage.problems import loading
from preimage.problems.built_in import (
    BUILT_IN,
    ballistics,
    ballistics_stepped,
    binary_decimal,
    coating,
    paraboloid,
    robot_arm,
    sine_wave,
)
from preimage.support.errors import StudyError


def test_every_built_in_has_data_of_its_own_shape():
    for name in BUILT_IN:
        found = loading.load({"simulator": name})
        space = setting.of_simulator({"simulator": name}).space
        table = generate.generate(found, space, 50, np.random.default_rng(0)).table
        assert table.column_names == [*found.inputs, *found.outputs]
        assert len(table) == 50


def test_paraboloid_is_the_sum_of_squares():
    X = np.array([[3.0, 4.0, 12.0]])
    assert paraboloid.build(3).simulate(X) == [[169.0]]


def test_binary_decimal_reads_rounded_digits_most_significant_first():
    X = np.array([[0.9, 0.2], [0.49, 0.84], [1.0, 1.0], [0.1, 0.3]])
    assert binary_decimal.build(2).simulate(X)[:, 0].tolist() == [2, 1, 3, 0]
    X = np.array([[1, 0, 1.0]])
    assert binary_decimal.build(3).simulate(X)[0, 0] == 5


def test_sine_wave_at_known_points():
    X = np.array([[0.0, 0.0], [1 / 6, 1 / 3], [0.5, 1.0]])
    assert sine_wave.build().simulate(X)[:, 0] == pytest.approx([1, 1 - 1, -1 - 1])


def test_robot_arm_stretched_out_and_folded():
    X = np.array([[0.0, 0, 0, 0], [0.3, np.pi / 2, np.pi, 3 * np.pi / 2 + np.pi / 2]])
    Y = robot_arm.build().simulate(X)
    assert Y[0] == pytest.approx([2, 0])
    # First joint straight up, second angle pi - pi/2 again up, third 2 pi - pi - pi/2 = pi/2 up: 0.3 + 0.5 + 0.5 + 1.
    assert Y[1] == pytest.approx([0, 2.3])


def throws(n=2000):
    return ballistics.draw(n, np.random.default_rng(0))


def test_a_throw_lands_at_height_zero_while_falling():
    X = throws()
    place = ballistics.landing(X)
    # The time of landing, back from the place; where a throw has next to no speed across, it tells nothing.
    angle, speed = np.radians(X[:, 2]), X[:, 3]
    share = (X[:, 0] - place) * ballistics.DRAG / (speed * np.cos(angle) * ballistics.MASS)
    t = -np.log1p(share) * ballistics.MASS / ballistics.DRAG
    good = np.isfinite(t) & (speed * np.cos(angle) > 1)
    assert good.sum() > 1900
    # Half-way in time it is above ground; at the end on it.
    assert np.abs(ballistics.position(X, t)[1][good]).max() < 1e-9
    assert (ballistics.position(X, t / 2)[1][good] > 0).all()


def test_the_throw_obeys_its_equation_of_motion():
    """x'' = -(k/m) x' and y'' = -g - (k/m) y', by finite differences of the closed form."""
    X, t, h = throws(200), 0.7, 1e-4
    x, y = (np.array([ballistics.position(X, np.full(200, t + s * h))[c] for s in (-1, 0, 1)]) for c in (0, 1))
    for z, pull in ((x, 0.0), (y, -ballistics.GRAVITY)):
        speed, bend = (z[2] - z[0]) / (2 * h), (z[2] - 2 * z[1] + z[0]) / h**2
        assert bend == pytest.approx(pull - ballistics.DRAG / ballistics.MASS * speed, abs=1e-4)


def test_without_drag_to_speak_of_it_would_fly_a_parabola():
    X = np.array([[0.0, 1.5, 45.0, 15.0]])
    t = np.array([1e-3])
    across, height = ballistics.position(X, t)
    v = 15 * np.sqrt(0.5)
    assert across[0] == pytest.approx(v * 1e-3, rel=2e-3)
    assert height[0] == pytest.approx(1.5 + v * 1e-3, rel=1e-4)


def test_the_stepped_landing_lags_the_exact_one_by_less_than_a_step():
    X = throws()
    X = X[X[:, 3] > 1]
    exact, stepped = ballistics.landing(X), ballistics_stepped.simulate(X)[:, 0]
    step = ballistics_stepped.SECONDS / (ballistics_stepped.STEPS - 1)
    lag = exact - stepped
    assert (lag >= -1e-9).all()
    assert (lag <= X[:, 3] * step + 1e-9).all()


def test_natural_draws_have_the_distribution_of_the_literature():
    found = loading.load({"simulator": "ballistics"})
    space = setting.of_simulator({"simulator": "ballistics", "inputs": {"speed": {"integer": True}}}).space
    X = space.encode(generate.generate(found, space, 20000, np.random.default_rng(1)).table.to_pandas())
    assert X[:, 0].std() == pytest.approx(0.5, rel=0.03) and X[:, 3].mean() == pytest.approx(15, rel=0.01)
    assert X[:, 2].min() >= 9 and X[:, 2].max() <= 81 and (X[:, 3] == np.round(X[:, 3])).all()


def test_bounds_cut_natural_draws_and_fixed_inputs_are_held():
    spec = {"simulator": "robot_arm", "inputs": {"base": {"low": 0.0}, "angle1": {"fixed": 0.1}}}
    space = setting.of_simulator(spec).space
    X = space.encode(generate.generate(loading.load(spec), space, 500, np.random.default_rng(0)).table.to_pandas())
    assert (X[:, 0] >= 0).all() and (X[:, 1] == 0.1).all() and len(X) == 500


def test_whole_numbers_by_nature_are_marked_in_the_study(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "study: s\nproblem: {simulator: ballistics}\nobjectives: {o: {minimize: landing}}\n"
    )
    assert study.load(tmp_path / "s.yaml")["problem"]["inputs"] == {"speed": {"integer": True}}


def test_a_dimension_is_refused_where_there_is_none_to_choose():
    with pytest.raises(StudyError, match=r"problem\.dimension: 'robot_arm' has a fixed number of inputs"):
        loading.load({"simulator": "robot_arm", "dimension": 3})


def test_a_shift_moves_the_minimum_and_nothing_else():
    spec = {"simulator": "paraboloid", "dimension": 3}
    plain, moved, other = (loading.load({**spec, **more}) for more in ({}, {"shift": 1}, {"shift": 2}))
    at = np.array(moved.minimum["y"].x)
    assert moved.inputs == plain.inputs and (np.abs(at) <= 80).all() and (np.abs(at) > 1).all()
    assert moved.simulate(at[None]).item() == 0 and moved.minimum["y"].x != other.minimum["y"].x
    X = np.random.default_rng(0).uniform(-100, 100, (50, 3))
    np.testing.assert_allclose(moved.simulate(X), ((X - at) ** 2).sum(axis=1, keepdims=True))
    with pytest.raises(StudyError, match=r"problem\.shift: cannot move the minimum of 'robot_arm'"):
        loading.load({"simulator": "robot_arm", "shift": 1})


def test_a_coating_cures_best_at_four_to_one_and_not_at_all_of_one_part():
    resin = np.linspace(0, 60, 61)
    rest = np.tile([0.0, 0.0, 0.0, 40.0, 0.0, 0.0], (61, 1))
    hardness, viscosity = coating.simulate(np.column_stack([resin, 60 - resin, rest])).T
    assert resin[hardness.argmax()] == 48 and hardness.max() == 150 * 0.6 - 60 * 0.4
    assert hardness[[0, -1]].tolist() == [-24, -24]
    # By hand, of resin alone: 2.2 + 2.2 * 0.6 - 3.5 * 0.4.
    assert viscosity[-1] == pytest.approx(10**2.12)
