"""Boolean functions as liberty files write them, evaluated to truth tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[()!'&*|+^])")


class _Parser:
    """Recursive descent; a value is a truth table: bit i is the value for input pattern i."""

    def __init__(self, text: str, pins: Sequence[str]) -> None:
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"not a Boolean function: {text!r}")
        self.at = 0
        patterns = range(1 << len(pins))
        self.full = (1 << len(patterns)) - 1
        self.tables = {
            pin: sum(((i >> k) & 1) << i for i in patterns) for k, pin in enumerate(pins)
        }
        self.tables |= {"0": 0, "1": self.full}

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def either(self) -> int:
        value = self.both()
        while self.peek() in ("|", "+"):
            self.take()
            value |= self.both()
        return value

    def both(self) -> int:
        value = self.differ()
        while self.peek() not in ("", "|", "+", ")"):
            if self.peek() in ("&", "*"):
                self.take()
            value &= self.differ()  # two operands side by side are an AND too
        return value

    def differ(self) -> int:
        value = self.operand()
        while self.peek() == "^":
            self.take()
            value ^= self.operand()
        return value

    def operand(self) -> int:
        token = self.take()
        if token == "!":
            return self.full ^ self.operand()
        if token == "(":
            value = self.either()
            if self.take() != ")":
                raise ValueError("missing )")
        elif token in self.tables:
            value = self.tables[token]
        else:
            raise ValueError(f"no pin {token!r}")
        while self.peek() == "'":
            self.take()
            value ^= self.full
        return value


def truth_table(text: str, pins: Sequence[str]) -> int | None:
    """Return the function's truth table, or None if it is not one of ``pins`` alone.

    Bit i of the table is the value for the input pattern whose bit k is the value of
    ``pins[k]``. Operators are ``!``, postfix ``'``, ``&`` or ``*`` or nothing, ``|`` or ``+``,
    and ``^``.
    """
    try:
        parser = _Parser(text, pins)
        value = parser.either()
    except ValueError:
        return None
    return value if parser.at == len(parser.tokens) else None
