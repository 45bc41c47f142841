"""Reads the worked examples of docs/spec.md, so that tests can execute them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulator.formats import FORMATS, Format

SPEC = Path(__file__).parent.parent / "docs" / "spec.md"


@dataclass(frozen=True)
class Example:
    """One line of a worked example: ``left -> right`` of the clause it stands in."""

    clause: str
    verb: str
    subject: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.clause} {self.verb} {self.subject} {self.left} -> {self.right}"


def clauses() -> dict[str, str]:
    """Text of each numbered clause of the specification, by its number."""
    parts = re.split(r"^### (§[0-9]+\.[0-9]+) ", SPEC.read_text("utf-8"), flags=re.M)
    texts = {}
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        assert number not in texts, f"{number} stands twice in the specification"
        texts[number] = re.split(r"^## ", text, flags=re.M)[0]
    return texts


def examples() -> Iterator[Example]:
    """All examples of the specification, in their order."""
    for number, text in clauses().items():
        for block in re.findall(r"^```\n(.*?)^```$", text, flags=re.M | re.S):
            for line in block.splitlines():
                left, right = line.split(" -> ")
                verb, subject, *rest = left.split()
                yield Example(number, verb, subject, " ".join(rest), right)


def floats(text: str) -> tuple[Format, list[int]]:
    """Parse ``fp32:3f800000,40000000`` into the format and the patterns."""
    name, patterns = text.split(":")
    return FORMATS[name], [int(p, 16) for p in patterns.split(",")]
