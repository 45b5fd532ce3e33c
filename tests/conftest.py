"""What tests share: settings of hypothesis, and small builders of studies, files and random spaces."""

import os
import shutil
import sys
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from preimage.core.space import Input, Linear, Space
from preimage.inversion.base import Inverter
from preimage.support import jax_setup
from preimage.support.errors import StudyError

from .finished import all_finished, forked, tiny  # noqa: F401  (fixtures, for every test below this folder)

# Programs that JAX compiles for tests are kept where those of steps are, from run to run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(jax_setup.cache_folder()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# A third of the examples that are worth trying in all; `make test-long` tries them all.
ALL = os.environ.get("PREIMAGE_EXAMPLES") == "all"
SHARE = 1 if ALL else 3

# The same examples in every run, no clock, nothing written; each example overwrites the files of the one before.
settings.register_profile(
    "preimage",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50 if ALL else 25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("preimage")


def pytest_collection_modifyitems(config, items):
    """Of a test marked `some(n)`, try about one in n of its parameters, spread over them, unless all are asked for.
    What takes longest comes first: the run that tests share, while another process is at the properties."""
    left = [i for i in items if (m := i.get_closest_marker("some")) and crc32(i.name.encode()) % m.args[0] and not ALL]
    config.hook.pytest_deselected(items=left)
    out = set(left)
    items[:] = sorted((i for i in items if i not in out), key=lambda i: i.path.name != "test_finished.py")


def examples(count):
    """Settings of a property that is worth `count` examples."""
    return settings(max_examples=max(count // SHARE, 5))


BOWL = """
study: bowl
problem: {simulator: paraboloid}
objectives: {lowest: {minimize: y}}
"""


def inverter(kind, options):
    """Return the inverter of a kind with these options, as a study would name it."""
    return Inverter.of({"kind": kind, **options})


def refusal(call, *arguments, **keywords):
    """Call, expect one StudyError of one line, and return what it says."""
    with pytest.raises(StudyError) as found:
        call(*arguments, **keywords)
    message = str(found.value)
    assert message and "\n" not in message
    return message


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The file of an empty MLflow store: MLflow takes a second to make one, and a copy is as good."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    """A registry in a folder of its own, which is the working directory."""
    from preimage.tracking.registry import Registry

    monkeypatch.chdir(tmp_path)
    # The default address is relative, and MLflow keeps stores by address: tests in one process would share one.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/results/mlflow.db")
    (tmp_path / "results").mkdir()
    shutil.copy(empty_store, tmp_path / "results/mlflow.db")
    return Registry()


@pytest.fixture(scope="module")
def single_precision():
    """JAX as in a step of inference, which computes in single precision: other tests of this process turn on double."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def study_file(tmp_path):
    """Return a function that writes a study and returns its path."""

    def write(text, name="study.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def load(study_file):
    """Return a function that writes a study and reads it."""
    from preimage import study

    return lambda text: study.load(study_file(text))


@pytest.fixture
def refused(study_file):
    """Return a function that writes a study, expects that it is refused, and returns the message after the path."""
    from preimage import study

    def call(text):
        path = study_file(text)
        message = refusal(study.load, path)
        assert message.startswith(str(path))
        return message.removeprefix(str(path))

    return call


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, a folder of the test's own: paths in studies are relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own_file(here):
    """Return a function that writes a module of a user's own into the working directory; it is forgotten afterwards."""
    before, paths = set(sys.modules), list(sys.path)

    def write(text, name="own.py"):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield write
    sys.path[:] = paths
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(here)):
            del sys.modules[name]


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a Keras model and returns its path."""

    def call(made, name="own.keras"):
        made.save(tmp_path / name)
        return tmp_path / name

    return call


def random_input(rng, name, scale=1.0):
    """Return a continuous input of about that width, an integer, or a category; sometimes fixed."""
    kind = rng.choice(["continuous", "continuous", "integer", "category"])
    if kind == "continuous":
        low = scale * float(rng.normal()) * float(rng.choice([0, 1, 5]))
        made = Input(name, low, low + scale * float(rng.uniform(0.5, 2)), unit="kg")
        value = float(rng.uniform(made.low, made.high))
    elif kind == "integer":
        low = float(rng.integers(-20, 20))
        made = Input(name, low, low + float(rng.integers(1, 12)), integer=True)
        value = float(rng.integers(made.low, made.high + 1))
    else:
        made = Input(name, 0.0, 2.0, categories=("a", "b", "no"))
        value = float(rng.integers(3))
    return replace(made, fixed=value) if rng.random() < 0.15 else made


def random_point(rng, space):
    """Return a point (d,) of the box alone, drawn here rather than by the library."""
    x = rng.uniform(space.low, space.high)
    whole = np.array([rng.integers(int(a), int(b) + 1) if w else 0 for a, b, w in bounds(space)], float)
    return np.clip(np.where(space.discrete, whole, x), space.low, space.high)


def bounds(space):
    return zip(
        np.where(space.discrete, space.low, 0), np.where(space.discrete, space.high, 0), space.discrete, strict=True
    )


def random_space(seed, scale=1.0, equalities=True, largest=5):
    """Return a space whose constraints a known point satisfies, and that point."""
    rng = np.random.default_rng(seed)
    inputs = tuple(random_input(rng, f"x{j}", scale) for j in range(rng.integers(1, largest + 1)))
    box = Space(inputs)
    point = random_point(rng, box)
    numbers = [i for i in inputs if not i.categories]
    rows = []
    for _ in range(rng.integers(0, 4) if numbers else 0):
        chosen = [i for i in numbers if rng.random() < 0.7] or numbers[:1]
        terms = tuple((i.name, _coefficient(rng, i)) for i in chosen)
        value = sum(c * point[box.names.index(name)] for name, c in terms)
        slack = abs(float(rng.normal())) * float(rng.choice([0, 0.01, 1]))
        kind = rng.choice(["at_most", "at_least", "equals"] if equalities else ["at_most", "at_least"])
        low = value if kind == "equals" else value - slack if kind == "at_least" else -np.inf
        high = value if kind == "equals" else value + slack if kind == "at_most" else np.inf
        rows.append(Linear(terms, low, high))
    return Space(inputs, tuple(rows)), point


def _coefficient(rng, i):
    """Whole for whole numbers, so that rounding leaves an equality exact; of the order of 1 over the width else."""
    return float(rng.choice([-3, -2, -1, 1, 2, 3])) if i.integer else float(rng.normal()) / (i.high - i.low)
