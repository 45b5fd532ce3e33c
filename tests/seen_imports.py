"""What a process would have imported by itself, where it was forked from one that had libraries loaded before.

As these are loaded, `noted` keeps who asks for which. In the copy, `hidden` takes modules out of `sys.modules`, and
puts each back once something is imported that would have loaded it. So code finds there what it would have found.
"""

import builtins
import importlib
import sys
from collections import defaultdict

_import, _import_module = builtins.__import__, importlib.import_module
_asked = defaultdict(set)


def noted():
    """From here on, keep which modules are asked for by which."""

    def keep(names):
        _asked[_importer()].update(names)

    _watch(keep)


def hidden(names):
    """From here on, let these modules be found only after something that loads them was imported."""
    kept = {name: sys.modules[name] for name in names if name in sys.modules}
    for name in kept:
        parent, _, leaf = name.rpartition(".")
        if parent:
            delattr(sys.modules[parent], leaf)
    for name in kept:
        del sys.modules[name]
    followed = {"__main__"}  # the copy's own, which some libraries ask for

    def restore(asked):
        left = list(asked)
        while left and kept:
            name = left.pop()
            if name in followed:
                continue
            followed.add(name)
            left += _asked.get(name, ())
            if name in kept:
                sys.modules[name] = kept.pop(name)
                parent, _, leaf = name.rpartition(".")
                if parent:
                    setattr(_import_module(parent), leaf, sys.modules[name])

    class Missed:
        """Speaks up where a hidden module is imported in a way that isn't watched: there would be two of it."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            assert name not in kept, f"{name} was imported by another way than __import__ and import_module"

    sys.meta_path.insert(0, Missed)
    _watch(restore)


def _watch(told):
    """Tell of the names of modules that are asked for, with all packages around them, before they are imported."""

    def imported(name, globals=None, locals=None, fromlist=(), level=0):
        own = importlib.util.resolve_name("." * level + name, globals["__package__"]) if level else name
        told({*_around(own), *(f"{own}.{part}" for part in fromlist or ())})
        return _import(name, globals, locals, fromlist, level)

    def import_module(name, package=None):
        told(_around(importlib.util.resolve_name(name, package)))
        return _import_module(name, package)

    builtins.__import__, importlib.import_module = imported, import_module


def _around(name):
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts) + 1)}


def _importer():
    """Return the module that imports, for itself: not the package whose `__getattr__` loads a part that another asks
    for, and not Python's own library, which imports what others name."""
    frame = sys._getframe(1)
    while frame.f_back and (frame.f_code.co_name == "__getattr__" or _module(frame).split(".")[0] in _FOR_OTHERS):
        frame = frame.f_back
    return _module(frame)


def _module(frame):
    return frame.f_globals.get("__name__", "")


_FOR_OTHERS = {*sys.stdlib_module_names, "tests"}
