"""Formulas of SBML and PEtab as Python, read as arithmetic and never evaluated here."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping

from preimage.support.errors import StudyError

NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
# What generated code has names for already.
TAKEN = ("t", "y", "p", "jnp")
FUNCTIONS = {
    "exp": "jnp.exp", "ln": "jnp.log", "log": "jnp.log", "log10": "jnp.log10", "log2": "jnp.log2", "sqrt": "jnp.sqrt",
    "abs": "jnp.abs", "sin": "jnp.sin", "cos": "jnp.cos", "tan": "jnp.tan", "tanh": "jnp.tanh", "sinh": "jnp.sinh",
    "cosh": "jnp.cosh", "floor": "jnp.floor", "ceil": "jnp.ceil",
}  # fmt: skip
ALLOWED = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load,
           ast.operator, ast.unaryop, ast.boolop, ast.cmpop)  # fmt: skip


def python_name(name: str) -> str:
    """Return a name that generated code may have."""
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name


def names(formula: str) -> set[str]:
    """Return the names in a formula, those of functions too."""
    return set(NAME.findall(formula))


def substituted(formula: str, values: Mapping[str, str]) -> str:
    """Return a formula with other formulas in the place of some names."""
    return NAME.sub(lambda m: f"({values[m[0]]})" if m[0] in values else m[0], formula)


def python(formula: str, where: str) -> str:
    """Return a formula as an expression of Python with jax.numpy. Raises StudyError for what is no arithmetic."""
    text = formula.replace("^", "**").replace("&&", " and ").replace("||", " or ")
    text = NAME.sub(lambda m: m[0] if m[0] in ("and", "or", "not") else _safe(m, text), text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        raise StudyError(f"{where}: '{formula}' is no arithmetic that can be read") from None
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED) or (
            isinstance(node, ast.Constant) and not isinstance(node.value, int | float)
        ):
            raise StudyError(f"{where}: '{formula}' is no arithmetic that can be read")
    return ast.unparse(_Calls(where).visit(tree))


def _safe(found: re.Match[str], text: str) -> str:
    called = text[found.end() :].lstrip().startswith("(")
    return found[0] if called else {"time": "t"}.get(found[0], python_name(found[0]))


class _Calls(ast.NodeTransformer):
    """Calls of functions as jax.numpy has them."""

    def __init__(self, where: str) -> None:
        self.where = where

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        sign = " & " if isinstance(node.op, ast.And) else " | "
        return ast.parse(sign.join(f"({ast.unparse(v)})" for v in node.values), mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = [ast.unparse(a) for a in node.args]
        if name in FUNCTIONS and len(arguments) == 1:
            text = f"{FUNCTIONS[name]}({arguments[0]})"
        elif name == "pow" and len(arguments) == 2:
            text = f"({arguments[0]}) ** ({arguments[1]})"
        elif name in ("min", "max") and len(arguments) == 2:
            text = f"jnp.{name}imum({', '.join(arguments)})"
        elif name == "piecewise" and len(arguments) % 2:
            text = arguments[-1]
            for value, condition in zip(arguments[-3::-2], arguments[-2::-2], strict=True):
                text = f"jnp.where({condition}, {value}, {text})"
        else:
            raise StudyError(f"{self.where}: the function '{name}' of {len(arguments)} arguments is not supported")
        return ast.parse(text, mode="eval").body
