"""Peers of recipes under conditions, asked the same of the same forest; each raises ImportError where it is not
installed.

BayBE and BoFire recommend experiments: they know the forest by what it says of their own proposals and of a few rows
before these. BayBE has no word for "0, or at least so much"; its inputs may then take what lies between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from preimage.core.space import Space
from preimage.inversion.question import Question


def baybe(question: Question, rows: np.ndarray, proposals: int) -> np.ndarray:
    """Return what BayBE proposes (n, d), one after the other."""
    from baybe import Campaign
    from baybe.constraints import ContinuousCardinalityConstraint, ContinuousLinearConstraint
    from baybe.parameters import NumericalContinuousParameter
    from baybe.recommenders import BotorchRecommender
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget

    space = question.space
    conditions: list[Any] = []
    for row in space.constraints:
        names, factors = zip(*row.coefficients, strict=True)
        assert row.low == row.high
        conditions.append(ContinuousLinearConstraint(list(names), "=", list(factors), row.low))
    for count in space.counts:
        conditions.append(ContinuousCardinalityConstraint(list(count.inputs), count.least, count.most))
    parameters = [NumericalContinuousParameter(i.name, (i.low, i.high)) for i in space.inputs]
    target = NumericalTarget("loss", minimize=True)
    searched = SearchSpace.from_product(parameters, conditions)
    campaign = Campaign(searched, target.to_objective(), BotorchRecommender(sequential_continuous=True))

    def tell(X: np.ndarray) -> None:
        campaign.add_measurements(_table(space, X).assign(loss=question.loss(X)))

    return _recommended(space, rows, proposals, tell, lambda: campaign.recommend(1))


def bofire(question: Question, rows: np.ndarray, proposals: int) -> np.ndarray:
    """Return what BoFire's Sobo strategy proposes (n, d), one after the other."""
    import bofire.strategies.api as strategies
    from bofire.data_models.constraints.api import LinearEqualityConstraint, NChooseKConstraint
    from bofire.data_models.domain.api import Constraints, Domain, Inputs, Outputs
    from bofire.data_models.features.api import ContinuousInput, ContinuousOutput
    from bofire.data_models.objectives.api import MinimizeObjective
    from bofire.data_models.strategies.api import SoboStrategy

    space = question.space
    inputs = [
        ContinuousInput(key=i.name, bounds=(i.zero_or or i.low, i.high), allow_zero=i.zero_or is not None)
        for i in space.inputs
    ]
    conditions: list[Any] = []
    for row in space.constraints:
        names, factors = zip(*row.coefficients, strict=True)
        assert row.low == row.high
        conditions.append(LinearEqualityConstraint(features=list(names), coefficients=list(factors), rhs=row.low))
    for count in space.counts:
        conditions.append(
            NChooseKConstraint(
                features=list(count.inputs), min_count=count.least, max_count=count.most, none_also_valid=True
            )
        )
    output = ContinuousOutput(key="loss", objective=MinimizeObjective(w=1.0))
    parts = Inputs(features=inputs), Outputs(features=[output]), Constraints(constraints=conditions)
    domain = Domain(**dict(zip(("inputs", "outputs", "constraints"), parts, strict=True)))
    strategy = strategies.map(SoboStrategy(domain=domain, seed=0))

    def tell(X: np.ndarray) -> None:
        strategy.tell(_table(space, X).assign(loss=question.loss(X), valid_loss=1))

    return _recommended(space, rows, proposals, tell, lambda: strategy.ask(1))


def _recommended(
    space: Space, rows: np.ndarray, proposals: int, tell: Callable[[np.ndarray], None], ask: Callable[[], Any]
) -> np.ndarray:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tell(rows)
        for _ in range(proposals):
            found.append(ask()[list(space.names)].to_numpy(float))
            tell(found[-1])
    return np.concatenate(found)


def _table(space: Space, X: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame(X, columns=list(space.names))
