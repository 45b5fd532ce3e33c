"""Rivals that prove optima of networks and Gaussian processes, asked the same of the same model; each raises
ImportError where it is not installed.

A network of relu is a mixed-integer linear program, with a binary number for each unit whose sign the box leaves open
(big-M; its bounds by intervals): HiGHS (in scipy) and SCIP (PySCIPOpt) solve it. MAiNGO (maingopy) relaxes the formulas
themselves. PySCIPOpt and maingopy are in the extra `peers`.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, sparse

from preimage.surrogates.gaussian_process import GaussianProcess
from preimage.surrogates.neural_network import Network


class Proof(NamedTuple):
    """Seconds of CPU, the least value found and the largest bound proven, in the output's unit."""

    seconds: float
    value: float
    bound: float


class Program(NamedTuple):
    """Minimise cost @ v + constant, lower <= matrix @ v <= upper, low <= v <= high, some of v whole."""

    cost: np.ndarray
    constant: float
    matrix: Any
    lower: np.ndarray
    upper: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray


def layers(network: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weights (o, i) and biases (o,) of a network of one member, in the units of its inputs and its output."""
    p = network.parameters
    parts = [(kernel[0].T, bias[0]) for kernel, bias in zip(p.kernels, p.biases, strict=True)]
    (W, b), (V, c) = parts[0], parts[-1]
    parts[0] = W / p.x_scale, b - W @ (p.x_centre / p.x_scale)
    parts[-1] = V * p.y_scale[:, None], c * p.y_scale + p.y_centre
    return parts


def program(network: Network, low: np.ndarray, high: np.ndarray) -> Program:
    """Return the program whose least value is that of a network of relu in a box."""
    *hidden, (out, shift) = layers(network)
    ends, whole = [(low, high)], [np.zeros(len(low))]
    rows: list[tuple[list[int], list[float], float, float]] = []
    place, used, a, z = np.arange(len(low)), len(low), low, high
    for W, b in hidden:
        least = np.minimum(W * a, W * z).sum(axis=1) + b
        most = np.maximum(W * a, W * z).sum(axis=1) + b
        units, switches = used + np.arange(len(b)), used + len(b) + np.arange(len(b))
        for k, (weights, bias) in enumerate(zip(W, b, strict=True)):
            columns, negative = [units[k], *place], [1.0, *-weights]
            rows.append((columns, negative, bias, np.inf))  # at least what goes in
            # No more than that where the switch is on, and than 0 where it is off.
            rows.append(([*columns, switches[k]], [*negative, -min(least[k], 0.0)], -np.inf, bias - min(least[k], 0.0)))
            rows.append(([units[k], switches[k]], [1.0, -max(most[k], 0.0)], -np.inf, 0.0))
        a, z = np.maximum(least, 0), np.maximum(most, 0)
        ends += [(a, z), ((least > 0).astype(float), (most > 0).astype(float))]
        whole += [np.zeros(len(b)), np.ones(len(b))]
        place, used = units, used + 2 * len(b)
    matrix = sparse.lil_matrix((len(rows), used))
    for r, (columns, values, _, _) in enumerate(rows):
        matrix[r, columns] = values
    cost = np.zeros(used)
    cost[place] = out[0]
    return Program(
        cost, float(shift[0]), matrix.tocsr(), np.array([r[2] for r in rows]), np.array([r[3] for r in rows]),
        np.concatenate([a for a, _ in ends]), np.concatenate([z for _, z in ends]), np.concatenate(whole),
    )  # fmt: skip


def highs(of: Program, gap: float, limit: float) -> Proof:
    """Solve a program by HiGHS until the gap is closed or a limit of seconds is reached.

    Args:
        gap: as a share of the least value: HiGHS knows no other through scipy.
    """
    start = time.process_time()
    found = optimize.milp(
        of.cost, integrality=of.whole, bounds=optimize.Bounds(of.low, of.high),
        constraints=optimize.LinearConstraint(of.matrix, of.lower, of.upper),
        options={"time_limit": limit, "mip_rel_gap": gap},
    )  # fmt: skip
    value = np.inf if found.fun is None else found.fun
    bound = -np.inf if found.mip_dual_bound is None else found.mip_dual_bound
    return Proof(time.process_time() - start, value + of.constant, bound + of.constant)


def scip(of: Program, gap: float, limit: float) -> Proof:
    """Solve a program by SCIP until the gap is closed or a limit of seconds is reached."""
    import pyscipopt

    start = time.process_time()
    model = pyscipopt.Model()
    model.hideOutput()
    model.setParam("limits/time", limit)
    model.setParam("limits/absgap", gap)
    v = [
        model.addVar(vtype="B" if whole else "C", lb=float(a), ub=float(z))
        for whole, a, z in zip(of.whole, of.low, of.high, strict=True)
    ]
    for r in range(of.matrix.shape[0]):
        row = of.matrix[[r]].tocoo()
        total = pyscipopt.quicksum(float(c) * v[j] for j, c in zip(row.coords[1], row.data, strict=True))
        if np.isfinite(of.lower[r]):
            model.addCons(total >= float(of.lower[r]))
        if np.isfinite(of.upper[r]):
            model.addCons(total <= float(of.upper[r]))
    used = np.flatnonzero(of.cost)
    model.setObjective(pyscipopt.quicksum(float(of.cost[j]) * v[j] for j in used), "minimize")
    model.optimize()
    value = model.getObjVal() if model.getNSols() else np.inf
    return Proof(time.process_time() - start, value + of.constant, model.getDualbound() + of.constant)


def maingo(model: GaussianProcess | Network, low: np.ndarray, high: np.ndarray, gap: float, limit: float) -> Proof:
    """Minimise the first output of a Gaussian process (rbf or Matérn 5/2), or of a network of one member (selu or
    tanh), by MAiNGO."""
    import maingopy as peer

    class Problem(peer.MAiNGOmodel):
        def get_variables(self) -> list[Any]:
            ends = zip(low.tolist(), high.tolist(), strict=True)
            return [peer.OptimizationVariable(peer.Bounds(a, z), peer.VT_CONTINUOUS, f"x{j}") for j, (a, z) in
                    enumerate(ends)]  # fmt: skip

        def get_initial_point(self) -> list[float]:
            return list(((low + high) / 2).tolist())

        def evaluate(self, x: list[Any]) -> Any:
            result = peer.EvaluationContainer()
            if isinstance(model, GaussianProcess):
                result.objective = _process(model, x, peer)
            else:
                result.objective = _network(model, x, peer)
            return result

    start = time.process_time()
    problem = Problem()  # which MAiNGO doesn't keep alive
    solver = peer.MAiNGO(problem)
    for option, value in (("epsilonA", gap), ("epsilonR", 1e-12), ("maxTime", limit), ("loggingDestination", 0)):
        solver.set_option(option, value)
    with tempfile.TemporaryDirectory() as folder:  # it writes a file wherever it is
        solver.set_result_file_name(f"{folder}/result.txt")
        solver.solve()
    return Proof(time.process_time() - start, solver.get_objective_value(), solver.get_final_LBD())


def _process(model: GaussianProcess, x: list[Any], peer: Any) -> Any:
    own, encoding, total = model.parameters[0], model.encoding, 0.0
    z = [(v - c) / s for v, c, s in zip(x, encoding.centre, encoding.scale, strict=True)]
    covariance = {"rbf": peer.covar_sqrexp, "matern52": peer.covar_matern_5}[model.kernel]
    for row, weight in zip(model.Z, model.weights[0], strict=True):
        apart = sum(peer.sqr((v - a) / length) for v, a, length in zip(z, row, own.lengths, strict=True))
        total = total + float(weight * own.amplitude) * covariance(apart)
    return float(model.centre[0]) + float(model.scale[0]) * total


def _network(model: Network, x: list[Any], peer: Any) -> Any:
    *hidden, (out, shift) = layers(model)
    activation = {"selu": peer.selu, "tanh": peer.tanh}[model.form.activation]
    values = list(x)
    for W, b in hidden:
        values = [
            activation(sum(float(w) * v for w, v in zip(weights, values, strict=True)) + float(bias))
            for weights, bias in zip(W, b, strict=True)
        ]
    return sum(float(w) * v for w, v in zip(out[0], values, strict=True)) + float(shift[0])
