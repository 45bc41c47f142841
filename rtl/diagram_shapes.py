"""What a diagram consists of."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass
class Box:
    """A node of a diagram.

    Attributes:
        kind: ``"unit"``, ``"logic"``, ``"register"``, ``"port"``, or ``"bar"`` for what goes
            through a register stage on one net.
        label: what it is called.
        count: how many equal ones the box stands for.
        clocked: whether a unit has registers inside.
        stage: of a bar, the letter or name of its stage.
    """

    kind: str
    label: str
    count: int = 1
    clocked: bool = False
    stage: str = ""


@dataclass
class Net:
    """What one box gives to others.

    Attributes:
        source: key of its box.
        label: name of the value.
        bits: its width, as ``n`` or ``lanes×n``.
        sinks: keys of the boxes that take it, each with the width that it takes of it, or "".
    """

    source: str
    label: str
    bits: str
    sinks: dict[str, str] = field(default_factory=dict)


@dataclass
class Diagram:
    """Boxes by key, nets, and the bits that each register stage holds."""

    boxes: dict[str, Box]
    nets: list[Net]
    stages: dict[str, int]

    @property
    def digest(self) -> str:
        """Of all that is drawn; equal for equal diagrams."""
        text = repr((self.boxes, self.nets, sorted(self.stages.items())))
        return sha256(text.encode()).hexdigest()[:16]


def stem(name: str, names: Container[str]) -> str:
    """A name without the number at its end, if it is one of equal members, counted from 0.

    Args:
        name: of a port or a field.
        names: of all that it stands among. Without a 0 there, numbers tell different things apart.
    """
    number = re.search(r"(?<=[a-z])_?\d+(_\d+)*$", name)
    if number is None:
        return name
    own = name[: number.start()]
    return own if own + re.sub(r"\d+", "0", number[0]) in names else name


def bits_of(tags: Iterable[str]) -> str:
    """``lanes×bits`` of bits with these tags, or their number if lanes are unequal or one."""
    counts: dict[str, int] = {}
    for tag in tags:
        counts[tag] = counts.get(tag, 0) + 1
    widths = set(counts.values())
    if len(counts) > 1 and len(widths) == 1:
        return f"{len(counts)}×{widths.pop()}"
    return str(sum(counts.values()))
