"""Built-in problems, one module each; its `build(...)` returns a `preimage.problems.loading.Problem`."""

from pkgutil import iter_modules

BUILT_IN = tuple(sorted(module.name for module in iter_modules(__path__)))
