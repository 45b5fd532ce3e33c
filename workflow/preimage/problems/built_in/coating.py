"""A synthetic coating of eight ingredients in mass percent: its hardness, and its viscosity as it is applied. The
formulas are made up, though of the usual forms: a binder that cures best at four parts of resin to one of hardener,
solids that harden and thicken up to a point, and a viscosity that is log-linear in what thins it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.problems.loading import Problem

if TYPE_CHECKING:
    import numpy as np

HIGHEST = {
    "resin": 70.0, "hardener": 30.0, "filler": 40.0, "pigment": 25.0,
    "plasticiser": 10.0, "solvent": 40.0, "wax": 5.0, "additive": 5.0,
}  # fmt: skip


def build() -> Problem:
    """Return the coating; a study states that the percentages add up to 100."""
    return Problem(
        name="coating",
        inputs={name: (0.0, high) for name, high in HIGHEST.items()},
        outputs={"hardness": "N/mm2", "viscosity": "mPa s"},
        simulate=simulate,
        complex_safe=True,
    )


def simulate(X: np.ndarray) -> np.ndarray:
    """Return hardness and viscosity (n, 2) of mass percentages (n, 8)."""
    import numpy as np

    resin, hardener, filler, pigment, plasticiser, solvent, wax, additive = np.asarray(X).T / 100
    reacting = resin + 4 * hardener
    # 1 at four parts of resin to one of hardener, 0 where either is missing.
    cure = 16 * resin * hardener / np.where(reacting == 0, 1, reacting) ** 2
    solids = filler + pigment
    hardness = 150 * (resin + hardener) * cure + 200 * solids * (1 - solids) - 400 * plasticiser - 60 * solvent
    hardness = hardness + 300 * additive * (1 - 8 * additive)
    logarithm = 2.2 + 2.2 * resin + 1.2 * hardener + 3 * solids**2 - 3.5 * solvent - 2 * plasticiser + 4 * wax
    return np.column_stack([hardness, 10**logarithm])
