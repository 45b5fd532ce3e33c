"""Linear algebra whose last digits do not depend on the machine: sums of BLAS depend on the number of its threads."""

from functools import partial

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

one_blas_thread = partial(threadpool_limits, limits=1, user_api="blas")
