"""docs/hardware.md as data: its sections, their pictures and the rows of their ports tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

TEXT = (Path(__file__).parent.parent / "docs" / "hardware.md").read_text("utf-8")

Ports = dict[str, str]
"""Directions by names; ``x_*`` stands for ``x_0``, ``x_1`` and so on."""


@dataclass(frozen=True)
class Row:
    """A row of a ports table: names, their directions, and the text on their widths."""

    names: list[str]
    directions: list[str]
    bits: str

    def ports(self) -> Ports:
        """The ports of the row."""
        return dict(zip(self.names, self.directions, strict=True))


@dataclass
class Section:
    """A part of the page, from a heading to the next one of any level.

    Attributes:
        title: text of the heading.
        text: what stands below it.
        pictures: names of the pictures that it shows.
        tables: rows by the name of their unit, ``""`` where a table does not name units. A name
            that two units of the section share comes twice.
        fields: widths of the fields of a port, by name, where a table lists them.
    """

    title: str
    text: str
    pictures: list[str] = field(default_factory=list)
    tables: list[tuple[str, list[Row]]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The units that the heading names."""
        return re.findall(r"`([a-z_-]+)`", self.title)

    def of(self, unit: str) -> list[list[Row]]:
        """The ports of a unit, more than once if there are different ones of that name."""
        return [rows for name, rows in self.tables if name in ("", unit)]

    @property
    def referred(self) -> str:
        """The unit whose ports are said to be this one's, if so."""
        found = re.search(
            r"[Pp]orts\s+(?:of [^.;]+ )?are\s+those\s+of\s+\[?`([a-z_-]+)`", self.text
        )
        return found[1] if found else ""


def expand(cell: str, direction: str) -> tuple[list[str], list[str]]:
    """The names in a cell, and a direction for each.

    ``x_0 ...`` is a port per lane or candidate, ``i_payload ...`` a stream with its handshake.
    """
    names: list[str] = []
    directions: list[str] = []
    given = [d.strip() for d in direction.split(",")]
    parts = re.findall(r"`([a-z0-9_]+)`( \.\.\.)?(?: `[a-z]+_[0-9]+`)?", cell)
    assert parts, f"no ports in {cell!r}"
    if len(given) == 1:
        given *= len(parts)
    assert len(given) == len(parts), f"{cell!r} has other directions than {direction!r}"
    assert set(given) <= {"in", "out"}, f"{direction!r} is no direction"
    for (name, more), way in zip(parts, given, strict=True):
        if not more:
            names.append(name)
            directions.append(way)
        elif name.endswith("_payload"):
            back = "out" if way == "in" else "in"
            names += [name.replace("payload", end) for end in ("payload", "valid", "ready")]
            directions += [way, way, back]
        else:
            assert name.endswith("_0"), f"{name!r} ... begins at 0"
            names.append(name.removesuffix("0") + "*")
            directions.append(way)
    return names, directions


def _tables(text: str) -> list[tuple[str, list[Row]]]:
    """The ports tables of a section."""
    found: list[tuple[str, list[Row]]] = []
    for head, body in re.findall(
        r"^\|((?: unit \|)? port \| dir \| bits \| meaning) \|\n\|[-|]+\|\n((?:\|.*\|\n)+)",
        text,
        re.M,
    ):
        named = head.startswith(" unit")
        if not named:
            found.append(("", []))
        for line in body.splitlines():
            cells = [c.strip() for c in line.strip("|").split("|")]
            assert len(cells) == 4 + named, f"not as many cells as the heading: {line}"
            if named and cells[0]:
                unit = re.match(r"`([a-z_]+)`", cells[0])
                assert unit, f"no unit in {line}"
                found.append((unit[1], []))
            ports, way, bits, _ = cells[named:]
            found[-1][1].append(Row(*expand(ports, way), bits))
    return found


def _fields(text: str) -> dict[str, str]:
    """The table of a port's fields."""
    found: dict[str, str] = {}
    for body in re.findall(
        r"^\| field \| bits \| meaning \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.M
    ):
        for line in body.splitlines():
            cells, bits, _ = (c.strip() for c in line.strip("|").split("|"))
            fields = re.findall(r"`([a-z0-9]+)`", cells)
            each = [b.strip() for b in bits.split(", ")]
            each = each if len(each) == len(fields) > 1 else [bits] * len(fields)
            found |= dict(zip(fields, each, strict=True))
    return found


def sections() -> list[Section]:
    """The sections of the page, in order."""
    found = []
    for part in re.split(r"^(?=##+ )", TEXT, flags=re.M)[1:]:
        title, _, text = part.partition("\n")
        pictures = re.findall(r"\(pictures/([^)]+)\.svg\)", text)
        found.append(Section(title.lstrip("# "), text, pictures, _tables(text), _fields(text)))
    return found
