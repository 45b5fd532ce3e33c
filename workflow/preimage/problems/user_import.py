"""The user's own code, imported by the steps that run it.

Nothing of it is imported while studies are read, and so nothing in a dry run.
"""

from __future__ import annotations

import functools
import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from preimage.problems import user_code
from preimage.problems.user_code import Code
from preimage.support import stopping
from preimage.support.errors import StudyError


def load(name: str) -> Callable[..., Any]:
    """Import a user's function. Raises StudyError where a study may not name it, and for whatever its file does but
    define it: one line with file and line."""
    code = user_code.find(name)
    where = f"problem.simulator '{name}'"
    if code.root is not None and str(code.root) != sys.path[0]:
        sys.path.insert(0, str(code.root))  # and there it stays: its functions may import what lies beside them
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(code.module)
    except (Exception, SystemExit) as error:
        if stopping.asked():
            raise
        raise StudyError(f"{where}: {told(error, code)}") from error
    taken = getattr(module, "__file__", None)
    if code.file is not None and (taken is None or Path(taken).resolve() != code.file.resolve()):
        raise StudyError(f"{where}: {taken or 'a module of Python'} has the same name; rename {code.file}")
    call: Any = vars(module).get(code.function)
    if call is None:
        at = code.module if code.file is None else user_code.shown(code.file)
        raise StudyError(f"{where}: {at} has no '{code.function}'; expected package.module:function")
    if not callable(call):
        raise StudyError(f"{where}: found {type(call).__name__}, expected a function")
    _check_made_here(code, call)
    return _never_exits(call)


def _never_exits(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises what is an error like any other where the user's ends Python (`sys.exit`): a step
    that is ended so would look like one that was asked to end."""

    @functools.wraps(call)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except SystemExit as error:
            if stopping.asked():
                raise
            raise RuntimeError(f"it called sys.exit({error.code!r})") from None

    return called


def not_imported(*_: Any, **__: Any) -> NoReturn:
    """What stands for a user's function where a study is only read."""
    raise AssertionError("the user's own code is not imported here")


def _check_made_here(code: Code, call: Any) -> None:
    """Raise StudyError for a function that a file has by `from ... import *`: it is other people's."""
    if code.file is None or user_code.binds(code):
        return
    module = sys.modules.get(str(getattr(call, "__module__", None)))
    file = Path(getattr(module, "__file__", None) or "/").resolve()
    if not file.is_relative_to(code.root or "") or user_code.is_installed(file):
        raise StudyError(
            f"problem.simulator '{code.name}': '{code.function}' is not defined in {user_code.shown(code.file)}; "
            "expected a function defined there"
        )


def told(error: BaseException, code: Code, doing: str = "imported") -> str:
    """Return what a module raised, after the file and line of the user's that it came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{user_code.shown(Path(error.filename))}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if code.root is not None and Path(f.filename).resolve().is_relative_to(code.root)]
    ours = [f for f in ours if not user_code.is_installed(Path(f.filename).resolve())]
    at = f"{user_code.shown(Path(ours[-1].filename))}, line {ours[-1].lineno}" if ours else code.module
    return f"{at}: {said(error)}, while being {doing}"


def said(error: BaseException) -> str:
    """Return an exception of the user's in one line, whatever its own text does."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
