"""One generator a step: by seed and name alone."""

import numpy as np

from preimage.support.rng import generator


def test_the_same_seed_and_step_draw_the_same():
    assert generator(3, "train/forest").random(5).tobytes() == generator(3, "train/forest").random(5).tobytes()


def test_other_seeds_and_other_steps_draw_otherwise():
    steps = [(seed, step) for seed in (0, 1, 2**32 - 1) for step in ("", "a", "b", "train/forest", "train/gp")]
    assert len({generator(*s).random(4).tobytes() for s in steps}) == len(steps)


def test_the_global_state_is_neither_used_nor_touched():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    first = generator(1, "a").random()
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert generator(1, "a").random() == first


def test_the_numbers_are_these_on_every_machine():
    """Results are compared between machines and years: a change here is a change of every result."""
    assert generator(0, "split").integers(0, 2**32, 3).tolist() == [784748867, 211101782, 2892339885]
