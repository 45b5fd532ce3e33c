"""Reading of expressions: the text's tokens, by precedence climbing (Pratt 1973), become steps. Nothing is evaluated
by Python, and what is no arithmetic is refused in one message."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple, NoReturn

import numpy as np

from preimage.core.expressions.operations import FUNCTIONS, OF_MANY, OPERATIONS
from preimage.core.expressions.steps import NAME, NUMBER, Step
from preimage.support.errors import StudyError, did_you_mean

MOST_CHARACTERS, MOST_LEVELS = 10_000, 100
# How strongly an operator binds to what stands at its left, and to its right.
BINDS = {"+": (10, 11), "-": (10, 11), "*": (20, 21), "/": (20, 21), "**": (40, 40)}
SIGN = 30
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<quoted>`[^`]*`)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>\*\*|<=|>=|==|[-+*/(),<>=])|(?P<end>\Z))"
)
# What people write for an operator elsewhere.
MEANT = {"^": "**", "×": "*", "·": "*", "÷": "/", ":": "/", "−": "-", "–": "-", "[": "(", "{": "("}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Part(NamedTuple):
    """Part of an expression that has been read: its last step, and where it stands in the text."""

    step: int
    start: int
    end: int


def shown(text: str, start: int = 0, end: int | None = None, most: int = 60) -> str:
    """Return a part of a text for a message, cut where it is long."""
    part = " ".join(text[start:end].split())
    return part if len(part) <= most else part[: most - 3] + "..."


class Parser:
    """Reads one expression; `where` is the study's key, which begins each message."""

    def __init__(self, text: str, names: Collection[str], where: str) -> None:
        self.text, self.names, self.where = text, names, where
        self.steps: list[Step] = []
        self._columns: dict[str, int] = {}
        if len(text) > MOST_CHARACTERS:
            self.refuse(f"the expression has {len(text)} characters, expected at most {MOST_CHARACTERS}")
        self.tokens = self._tokens()
        self._at = self._level = 0

    def read(self) -> tuple[Step, ...]:
        """Return the steps of the whole text; the last one is its value. Raises StudyError where there is none."""
        if self.next.kind == "end":
            self.refuse("the expression is empty")
        self.part()
        self.expect("end")
        return tuple(self.steps)

    def refuse(self, message: str) -> NoReturn:
        raise StudyError(f"{self.where}: {message}")

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _tokens(self) -> list[Token]:
        tokens: list[Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            match = TOKEN.match(self.text, at)
            if match is None:
                self._unexpected_character(at)
            kind = match.lastgroup or ""
            start, at = match.span(kind)
            text = match.group(kind)
            tokens.append(Token("name", text[1:-1], start, at) if kind == "quoted" else Token(kind, text, start, at))
        return tokens

    def _unexpected_character(self, at: int) -> NoReturn:
        at += len(self.text[at:]) - len(self.text[at:].lstrip())
        found = self.text[at]
        if found == "`":
            self.refuse(f"a name begins with '`' and has no '`' at its end: '{shown(self.text, at)}'")
        remedy = (
            f"write '{MEANT[found]}' for it"
            if found in MEANT
            else "a name with other characters than letters, digits and '_' stands between backquotes: `fly ash (kg)`"
        )
        self.refuse(f"unexpected '{found}' in '{shown(self.text)}'; {remedy}")

    @property
    def next(self) -> Token:
        return self.tokens[self._at]

    def take(self) -> Token:
        self._at += 1
        return self.tokens[self._at - 1]

    def expect(self, sign: str) -> Token:
        """Take a token of this sign (or `end`). Raises StudyError for another."""
        token = self.next
        if sign not in (token.text, token.kind) or (token.kind == "end") != (sign == "end"):
            expected = "an operator or the end" if sign == "end" else f"'{sign}'"
            self._unexpected(token, expected)
        return self.take()

    def _unexpected(self, token: Token, expected: str) -> NoReturn:
        found = "its end" if token.kind == "end" else f"'{shown(token.text)}'"
        before = shown(self.text, 0, token.start)
        after = f" after '{before if len(before) < 40 else '...' + before[-37:]}'" if before else ""
        if token.text in ("<", ">", "<=", ">=", "==", "="):
            expected += " (only a constraint compares)"
        self.refuse(f"found {found}{after}, expected {expected}")

    # -- grammar -----------------------------------------------------------------------------------------------------

    def part(self, binding: int = 0) -> Part:
        """Read as far as operators bind more strongly than `binding`."""
        self._level += 1
        if self._level > MOST_LEVELS:
            self.refuse(f"the expression is nested more than {MOST_LEVELS} levels deep")
        left = self._operand()
        while self.next.kind == "sign" and BINDS.get(self.next.text, (-1, 0))[0] >= binding:
            operator = self.take().text
            right = self.part(BINDS[operator][1])
            left = self._push(operator, (left, right), left.start, right.end)
        self._level -= 1
        return left

    def _operand(self) -> Part:
        token = self.take()
        match token.kind, token.text:
            case "number", text:
                return self._number(float(text), token.start, token.end)
            case "name", name if self.text[token.start] != "`" and self.next.text == "(":
                return self._call(name, token.start)
            case "name", name:
                return self._name(name, token)
            case "sign", "-":
                argument = self.part(SIGN)
                return self._push("negative", (argument,), token.start, argument.end)
            case "sign", "+":
                return self.part(SIGN)
            case "sign", "(":
                inner = self.part()
                return Part(inner.step, token.start, self.expect(")").end)
        self._unexpected(token, "a number, a name or '('")

    def _call(self, function: str, start: int) -> Part:
        if function not in FUNCTIONS:
            hint = self._quoted(function) or f"; expected one of {', '.join(FUNCTIONS)}"
            self.refuse(f"unknown function '{shown(function)}'{hint}")
        self.expect("(")
        arguments = [self.part()]
        while self.next.text == ",":
            self.take()
            arguments.append(self.part())
        end = self.expect(")").end
        least = 2 if function in OF_MANY else 1
        if len(arguments) < least or (len(arguments) > least and function not in OF_MANY):
            expected = "two arguments or more" if least == 2 else "one argument"
            self.refuse(f"'{shown(self.text, start, end)}': {function} takes {expected}, found {len(arguments)}")
        result = self._push(function, tuple(arguments[:least]), start, end)
        for argument in arguments[least:]:
            result = self._push(function, (result, argument), start, end)
        return result

    def _quoted(self, beginning: str) -> str:
        """Return the hint that a name needs backquotes, where one begins with this word."""
        found = next((n for n in self.names if n.startswith(beginning) and not n.isidentifier()), None)
        return "" if found is None else f"; write a name with such characters between backquotes: `{found}`"

    # -- steps -------------------------------------------------------------------------------------------------------

    def _number(self, value: float, start: int, end: int) -> Part:
        if not np.isfinite(value):
            self.refuse(f"the number '{shown(self.text, start, end)}' is too large")
        self.steps.append(Step(NUMBER, number=value, span=(start, end)))
        return Part(len(self.steps) - 1, start, end)

    def _name(self, name: str, token: Token) -> Part:
        if name not in self.names:
            nearest = self._quoted(name) or did_you_mean(name, self.names)
            self.refuse(f"unknown name '{shown(name)}' in '{shown(self.text)}'{nearest}")
        if name not in self._columns:
            self.steps.append(Step(NAME, name=name, span=(token.start, token.end)))
            self._columns[name] = len(self.steps) - 1
        return Part(self._columns[name], token.start, token.end)

    def _push(self, operation: str, parts: tuple[Part, ...], start: int, end: int) -> Part:
        """Add a step; one of numbers alone becomes a number."""
        arguments = tuple(p.step for p in parts)
        steps = [self.steps[a] for a in arguments]
        if all(s.operation == NUMBER for s in steps):
            with np.errstate(all="ignore"):
                value = float(OPERATIONS[operation].value(np, *(np.float64(s.number) for s in steps)))
            if not np.isfinite(value):
                self.refuse(f"'{shown(self.text, start, end)}' has no finite value")
            return self._number(value, start, end)
        if operation == "/" and steps[1].operation == NUMBER and steps[1].number == 0:
            self.refuse(f"'{shown(self.text, start, end)}' divides by 0")
        self.steps.append(Step(operation, arguments, span=(start, end)))
        return Part(len(self.steps) - 1, start, end)
