"""A round's new rows as tables: simulated, numbered after the rows before, and shared out to training and gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.core.candidates import NOT_RUN, UNTRUE, best_first, inputs_of, outputs_in
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.data import new_rows, tables
from preimage.data.generate import CANDIDATES, MESSAGE, OF, Generated, failures
from preimage.problems.calls import attempt
from preimage.problems.loading import Problem
from preimage.relearning.acquire import Ask, Batch
from preimage.relearning.gate import gate_rows

WHY = "__why__"


class Shares(NamedTuple):
    """Rows that train from now on, and rows that no model will ever train on."""

    train: pa.Table
    gate: pa.Table


def asks(
    candidates: pd.DataFrame,
    space: Space,
    surrogates: Sequence[str],
    objectives: Mapping[str, Objective],
) -> list[Ask]:
    """Return what the last round asked: each objective of each surrogate, with the candidates found for it."""
    out = []
    for name in surrogates:
        for objective, wanted in objectives.items():
            mine = candidates["surrogate"].eq(name) & candidates["objective"].eq(objective)
            found = _first(candidates[mine & candidates["predicted_loss"].notna()], wanted)
            X = space.encode(inputs_of(found, space))
            out.append(Ask(wanted.allowed(space), wanted, X))
    return out


def _first(found: pd.DataFrame, wanted: Objective) -> pd.DataFrame:
    """Return candidates in the order in which they are to be simulated: of a trade-off such that the first span it."""
    if not wanted.front:
        return best_first(found)
    predicted = found[[f"predicted.{o}" for o in outputs_in(found)]].to_numpy(float)
    return found.iloc[np.argsort(wanted.ranking(predicted), kind="stable")]


def simulated(
    problem: Problem, space: Space, batch: Batch, like: pa.Table, noise: float, rng: np.random.Generator
) -> Generated:
    """Simulate a batch, with measurement noise; return a table like the rows before, with the reason for each row, and
    the points that have failed."""
    Y, why = attempt(problem.simulate, batch.X)
    Y = Y + noise * rng.standard_normal(Y.shape)
    good = np.array([not w for w in why], bool)
    columns = {**space.decode(batch.X[good]), **{name: Y[good, k] for k, name in enumerate(problem.outputs)}}
    fields = [f for f in like.schema if f.name in columns]
    table = pa.table([pa.array(columns[f.name], f.type) for f in fields], pa.schema(fields))
    reasons = [w for w, kept in zip(batch.why, good, strict=True) if kept]
    return Generated(table.append_column(WHY, pa.array(reasons, pa.string())), failures(space, batch.X, why))


def failed_before(files: Sequence[pd.DataFrame], candidates: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Return the different points that have failed in rounds before, and why, in an order that is the points' own.

    Args:
        files: of failed points, with `x.<input>`, `message` and `of`.
        candidates: those of the round before, of which some may have failed as they were re-simulated.
    """
    columns = [*(f"x.{name}" for name in space.names), MESSAGE, OF]
    if UNTRUE in candidates:
        found = candidates[candidates[UNTRUE].notna() & (candidates[UNTRUE] != NOT_RUN)]
        files = [*files, found.drop(columns=MESSAGE).rename(columns={UNTRUE: MESSAGE}).assign(**{OF: CANDIDATES})]
    parts = [part[columns] for part in files if len(part)]
    if not parts:
        return pd.DataFrame({c: pd.Series(dtype="str" if c in (MESSAGE, OF) else float) for c in columns})
    whole = pd.concat(parts, ignore_index=True).drop_duplicates(columns[:-2])
    return whole.sort_values(columns[:-2], kind="stable", ignore_index=True)


def numbered_after(table: pa.Table, last: int) -> pa.Table:
    """Return the table with row numbers in front that go on after `last`."""
    return table.add_column(0, tables.ROW, pa.array(range(last + 1, last + 1 + len(table)), pa.int64()))


def shared(
    train: pa.Table, gate: pa.Table, new: pa.Table, inputs: Sequence[str], share: float, rng: np.random.Generator
) -> Shares:
    """Add new rows to those that train, and a share of them, at random, to those of the gate.

    Rows of equal inputs go the same way, and those with the inputs of a training row train: the gate would otherwise
    ask for what was learned by heart.
    """
    group, trained = new_rows.seen_inputs(new, train, inputs)
    free = np.unique(group[~trained])
    # The share is of all distinct inputs, so that repeats don't make the gate smaller than was asked for.
    wanted = min(1.0, share * (int(group.max(initial=-1)) + 1) / max(1, len(free)))
    held = np.isin(group, free[gate_rows(len(free), wanted, rng)])
    plain = new.select(train.column_names)
    return Shares(
        pa.concat_tables([train, plain.filter(pa.array(~held))]),
        pa.concat_tables([gate, plain.filter(pa.array(held))]),
    )
