"""A toy of each extension point, added from outside the package: what declares it is all that there is of it."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from preimage import study
from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.figures import added, gallery
from preimage.inference.base import InferenceMethod
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.running import fingerprint
from preimage.study import documentation
from preimage.study.objectives import ObjectiveEntry
from preimage.study.sections import StudyFile
from preimage.support import extensions
from preimage.support.frozen import json_schema
from preimage.surrogates.base import SurrogateKind
from preimage.trees.objective import reduce

from ..conftest import BOWL, refusal

INVERTER = '''
"""Inverter `middle`: the middle of the space, and points around it."""
from typing import ClassVar
from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option

class Middle(Inverter):
    """The middle of the space."""

    kind: ClassVar[str] = "middle"
    {capability}
    points: Whole = option(3, "Points on the diagonal; each is a row.", ge=1, le=9)

def invert(question, options, context):
    import numpy as np
    from preimage.inversion.question import Answer

    share = np.linspace(0, 1, options.points + 2)[1:-1, None]
    X = question.space.low + share * (question.space.high - question.space.low)
    return Answer(X, [1] * len(X), ["ok"] * len(X), [""] * len(X))
'''


@pytest.fixture
def extend(tmp_path, monkeypatch):
    """Return a function that writes a module into the working directory and names it in the config."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(extensions.EXTENSIONS, "")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def add(text, name="toy"):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        extensions.use(name)

    yield add
    sys.modules.pop("toy", None)
    for registry in (each.registry for each in (Inverter, ObjectiveEntry, SurrogateKind, InferenceMethod)):
        registry._known = {kind: found for kind, found in registry._known.items() if found.__module__ != "toy"}


def toy(capability=""):
    return INVERTER.replace("{capability}", capability)


MIDDLE = BOWL + "inverters: {m: {kind: middle, points: 5}}\n"


def test_a_module_adds_an_inverter(extend, study_file):
    path = study_file(MIDDLE)
    said = refusal(study.load, path)
    assert "line 5, key 'inverters.m.kind': unknown kind 'middle'" in said
    extend(toy())
    found = study.load(path)["inverters"]["m"]
    assert found.plain() == {"kind": "middle", "on": ["simulator"], "points": 5}
    space = Space((Input("x", -1, 1),))
    wanted, X = objective.build("o", {"minimize": "y"}, ["y"]), np.zeros((1, 1))
    ((answer, Y),) = asking.ask(found, [Question(space, wanted, np.square, X, X, X[:, 0])], np.random.default_rng(0))
    assert answer.X[:, 0] == pytest.approx([-2 / 3, -1 / 3, 0, 1 / 3, 2 / 3]) and Y[2] == 0


def test_its_options_are_checked_and_documented(extend, study_file):
    extend(toy())
    assert "key 'inverters.m.points': found 10, expected at most 9" in refusal(
        study.load, study_file(MIDDLE.replace("5}", "10}"))
    )
    assert "unknown key; did you mean 'points'?" in refusal(study.load, study_file(MIDDLE.replace("points", "point")))
    keys = {row[0]: row for row in documentation.keys(json_schema(StudyFile))}
    assert keys["inverters.<name> (middle)"][3] == "The middle of the space."
    assert keys["inverters.<name> (middle).points"][1:3] == ("integer, ≥ 1, ≤ 9", "`3`")


def test_its_capabilities_decide_what_it_works_on(extend, study_file):
    extend(toy("needs_trees: ClassVar[bool] = True"))
    assert "middle supports no model of this study: it requires a tree model" in refusal(study.load, study_file(MIDDLE))
    text = MIDDLE + "surrogates: {f: {kind: random_forest}, g: {kind: gaussian_process}}\n"
    assert study.load(study_file(text))["inverters"]["m"].on == ["f"]


def test_its_fingerprint_is_that_of_its_file(extend, tmp_path):
    extend(toy())
    modules = Inverter.registry["middle"].modules()
    before = fingerprint.digest(*modules)
    (tmp_path / "toy.py").write_text(toy() + "# changed\n", encoding="utf-8")
    assert fingerprint.digest(*modules) != before


def test_an_extension_that_is_none_is_refused(extend):
    assert "key 'extensions': unknown module 'tyo'" in refusal(extensions.use, "tyo")
    assert "toy imports nothing_such, which is not installed" in refusal(extend, "import nothing_such\n")
    assert "toy: ZeroDivisionError: division by zero" in refusal(extend, "1 / 0\n")


def test_a_kind_is_declared_once(extend):
    said = refusal(extend, toy().replace('"middle"', '"random"'))
    assert "inverter 'random' of toy: another module has that kind too" in said


OBJECTIVE = '''
"""Objective `near_zero`: an output as near to zero as it can be."""
from dataclasses import dataclass
from typing import ClassVar
from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Text, option

class NearZeroEntry(ObjectiveEntry):
    """An output near zero."""

    kind: ClassVar[str] = "near_zero"
    near_zero: Text = option(..., "Output to bring near zero.")

def _declare():
    from preimage.core.objective import Direction

    @dataclass(frozen=True)
    class NearZero(Direction):
        kind: ClassVar[str] = "near_zero"
        adjective: ClassVar[str] = "nearest to zero:"

        @staticmethod
        def loss_of(Y, goal, xp=None):
            return (abs(Y) * goal.low).sum(axis=-1)

_declare()
'''


def test_a_module_adds_an_objective(extend, study_file):
    text = BOWL.replace("minimize: y", "near_zero: y")
    said = refusal(study.load, study_file(text))
    assert "key 'objectives.lowest.near_zero': unknown key" in said
    extend(OBJECTIVE)
    entries = study.load(study_file(text))["objectives"]
    assert entries == {"lowest": {"near_zero": "y"}}
    found = objective.build_all(entries, ["y"])["lowest"]
    assert found.loss(np.array([[-3.0], [2.0]])).tolist() == [3.0, 2.0]
    assert found.words() == "nearest to zero: y" and not found.bounded
    # The bounds of exact searches are those of other losses: they would prove what is false.
    assert "exact searches on trees do not support the kind 'near_zero'" in refusal(reduce, found, None)
    said = refusal(study.load, study_file(text.replace("near_zero: y", "near_zero: y, minimize: y")))
    assert "expected exactly one of" in said and "near_zero" in said


SURROGATE = '''
"""Surrogate `mean`: the mean of the training rows, whatever the inputs."""
from typing import ClassVar
from preimage.support.frozen import Number, option
from preimage.surrogates.base import SurrogateKind

class Mean(SurrogateKind):
    """The mean of the training rows."""

    kind: ClassVar[str] = "mean"
    shift: Number = option(0, "Added to the mean.")

class Constant:
    def __init__(self, value):
        self.value = value

    def predict(self, X):
        return self.value + 0 * X[:, :1]

    def spread(self, X):
        return 1 + 0 * X[:, :1]

def train(rows, options, rng, context):
    from preimage.surrogates.protocol import Trained

    model = Constant(rows.Y.mean() + options.shift)
    return Trained(model, lambda folder: None, (model.predict(rows.X), model.spread(rows.X)), {})
'''


def test_a_module_adds_a_surrogate(extend, study_file):
    text = BOWL + "surrogates: {m: {kind: mean, shift: 2}}\n"
    assert "key 'surrogates.m.kind': unknown kind 'mean'" in refusal(study.load, study_file(text))
    extend(SURROGATE)
    found = study.load(study_file(text))
    assert found["surrogates"]["m"] == {"kind": "mean", "shift": 2}
    assert SurrogateKind.registry["mean"].modules() == ["toy:Mean"]
    rows = SimpleNamespace(X=np.zeros((4, 1)), Y=np.array([[1.0], [2.0], [3.0], [6.0]]))
    trained = SurrogateKind.of_study(found["surrogates"]["m"]).train(rows, None)
    assert trained.surrogate.predict(np.ones((2, 1))).tolist() == [[5.0], [5.0]]


METHOD = '''
"""Inference method `prior_mean`: the middle of the prior, which no observation moves."""
from typing import ClassVar
from preimage.figures import added, gallery
from preimage.inference.base import InferenceMethod

class PriorMean(InferenceMethod):
    """The middle of the prior."""

    kind: ClassVar[str] = "prior_mean"

def train(task, spec, rng, context=None):
    return restored(task, spec, {})

def restored(task, spec, arrays):
    return "the middle"
'''
POISSON = "study: p\nproblem: {simulator: poisson}\nobservations: {simulate: 1, size: 5}\n"


def test_a_module_adds_an_inference_method(extend, study_file):
    text = POISSON + "inference: {m: {kind: prior_mean}}\n"
    assert "key 'inference.m.kind': unknown kind 'prior_mean'" in refusal(study.load, study_file(text))
    extend(METHOD)
    assert study.load(study_file(text))["inference"]["m"]["kind"] == "prior_mean"
    assert InferenceMethod.of({"kind": "prior_mean"}).restored(None, {}) == "the middle"


FIGURE = '''
"""A figure of how many objectives there are."""
from preimage.figures import added

@added.figures
def plan(m):
    from matplotlib.figure import Figure
    from preimage.figures.shown import Shown

    yield Shown("own.svg", "Own", f"{len(m.objectives)} objectives.", None, Figure)
'''


def test_a_module_adds_a_figure(extend, tmp_path, monkeypatch):
    monkeypatch.setattr(added, "PLANS", {})
    monkeypatch.setattr(gallery, "_of_study", lambda m: iter(["what there was"]))
    extend(FIGURE)
    before, own = list(gallery.plan(SimpleNamespace(objectives={"a": None})))
    assert before == "what there was" and (own.file, own.caption) == ("own.svg", "1 objectives.")
    assert own.draw() is not None
    digest = fingerprint.digest(*added.PLANS)
    (tmp_path / "toy.py").write_text(FIGURE + "# changed\n", encoding="utf-8")
    assert fingerprint.digest(*added.PLANS) != digest


@pytest.fixture(autouse=True)
def forget_objectives():
    """Forget the kinds of objective that a test has added."""
    before = dict(objective.Objective.kinds)
    yield
    objective.Objective.kinds.clear()
    objective.Objective.kinds.update(before)
