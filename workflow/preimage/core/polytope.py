"""What takes a solver on a space: random points, the proof that there are none, and points outside moved into it.

Kept apart from `space`, which needs no solver.
"""

from preimage.core.emptiness import check_feasible, proven_empty
from preimage.core.repairing import near, repair
from preimage.core.sampling import acceptance, sample
from preimage.core.scaled import polish

__all__ = ["acceptance", "check_feasible", "near", "polish", "proven_empty", "repair", "sample"]
