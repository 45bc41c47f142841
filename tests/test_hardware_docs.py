"""docs/hardware.md says of each unit what its gates have: ports, widths, registers, exactness."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.hdl._ir import PortDirection  # see rtl/hierarchy.py
from amaranth.lib import wiring

from cocotb_tests.families import FAMILIES, MEMORY_FAMILIES
from rtl.diagram_bits import use
from rtl.diagrams import PICTURES, WRAPPER, Design, design
from rtl.hierarchy import Hierarchy, ports_of
from tests.hardware_docs import TEXT, Ports, Row, Section, sections
from tests.hardware_widths import names, widths

pytestmark = [
    pytest.mark.xdist_group("hardware_docs"),  # so that designs are made once
    pytest.mark.filterwarnings("ignore:.*created but never used"),
]

SECTIONS = sections()
SHOWN = {picture: section for section in SECTIONS for picture in section.pictures}
MORE = (
    "quantizer-ue4m3-4o6-e9-b2-bf16",
    "quantizer-ue5m3-absmax-sr7-hbf16-b2-fp16-r27",
    "quantizer-ue5m3-absmax-b2-fp16",
    "quantizer-e8m0-ceil-b2-fp16",
    "quantizer-e8m0-even-b2-fp32",
    "quantizer-ue4m3-absmax-h-b2-fp32",
    "quantizer-ue5m3-6c-hbf16-b8-fp32",
    "quantizer-ue4m3-4o6t-hp2-b2-fp16",
    "quantizer-ue5m3-top3-b4-fp16",
    "quantizer-ue4m3-top2-hbf16-b4-fp16",
    "quantizer-ue5m3-pop-h-b2-fp32",
    "dot-e8m0-b4-block",
    "tensor-quantizer-ue4m3-absmax-h-b8-bf16-delayed-w16",
    "tensor-quantizer-ue4m3-absmax-hbf16-b8-bf16-delayed-w16",
    "tensor-quantizer-ue5m3-absmax-hp2-b8-bf16-two-w16",
)
"""Designs whose widths are no others' (spec §24.7, b > 8, subnormal lanes and so on)."""
DESIGNS = dict.fromkeys((*(p.variant for p in PICTURES), *FAMILIES, *MEMORY_FAMILIES, *MORE))
"""Names of designs: together they have every kind of unit."""
NAMES = {"stage_a": "stage", "rows8": "rows", "codes_packer": "packer"}
"""What the page calls a unit whose picture has another name."""
TOP_NAMES = {"tensor_amax": "tensor-amax", "tensor_scale": "tensor-scale"}
"""What the page calls a whole design that is a part of another one, too."""


@dataclass
class Found:
    """What the designs have of one type of unit."""

    places: set[tuple[str, str]] = field(default_factory=set)
    ports: Ports = field(default_factory=dict)
    parts: list[tuple[Design, Any, Any]] = field(default_factory=list)
    clocked: bool = False


class Watch(Hierarchy):
    """A hierarchy that takes down which units have registers."""

    def __init__(self) -> None:
        super().__init__("")
        self.clocked: dict[str, bool] = {}

    def instance(
        self, name: str, kind: str, unit: wiring.Component, clocked: bool, scope: bool = False
    ) -> Any:
        """See `Hierarchy.instance`."""
        self.clocked[f"_{kind}"] = clocked
        return super().instance(name, kind, unit, clocked, scope)


def public(unit: wiring.Component) -> type:
    """The type of a unit, of a private one that of which it is a kind."""
    return next(t for t in type(unit).__mro__ if t.__name__[0] != "_")


def ports(unit: wiring.Component) -> Ports:
    """Ports of a unit as the page writes them."""
    return {
        re.sub(r"_[0-9]+$", "_*", name): "in" if way is PortDirection.Input else "out"
        for name, (_, way) in ports_of(unit).items()
    }


@cache
def units() -> tuple[dict[type, Found], dict[type, Found]]:
    """The types of whole designs, and the types of units inside them."""
    tops: dict[type, Found] = defaultdict(Found)
    inner: dict[type, Found] = defaultdict(Found)
    seen: set[tuple[type, str, str]] = set()
    wanted = {(p.variant, p.unit) for p in PICTURES}

    def walk(name: str, path: str, unit: wiring.Component) -> None:
        watch = Watch()
        Fragment.get(unit, watch)
        use(watch)
        beside = next((u for u in watch.units.values() if hasattr(u, "shapes")), None)
        for kind, part in watch.units.items():
            found = inner[public(part)]
            place = f"{path}/{kind[1:]}".lstrip("/")
            found.clocked |= watch.clocked[kind]
            key = (type(part), repr(part.signature), name.split("-")[0])
            leads = any(v == name and u.startswith(place) for v, u in wanted)
            if (name, place) in wanted:
                found.places.add((name, place))
            if key not in seen:
                found.ports |= ports(part)
                found.parts.append((design(name), part, beside))
            if key not in seen or leads:
                seen.add(key)
                walk(name, place, part)

    for name in DESIGNS:
        top = design(name).component()
        found = tops[type(top)]
        found.ports |= ports(top)
        found.parts.append((design(name), top, None))
        found.places.add((name, ""))
        walk(name, "", top)
    return tops, inner


def called(path: str) -> str:
    """What the page calls a part."""
    last = path.rpartition("/")[2]
    return NAMES.get(last, last)


def homes(found: Found) -> list[tuple[Section, str]]:
    """The sections that show a type of unit, and what they call it."""
    return [
        (SHOWN[p.name], called(p.unit))
        for p in PICTURES
        if (p.variant, p.unit) in found.places and p.unit != WRAPPER
    ]


def ours(found: Found) -> list[Section]:
    """The sections on a whole design: those that show it, and those whose ports it has.

    Candidates in turn are shown by the same quantizer with candidates side by side, the other
    design of their file.
    """
    file = {type(part).__module__ for _, part, _ in found.parts}
    beside = [f for kind, f in units()[0].items() if kind.__module__ in file]
    home = [s for s, _ in homes(found)] or [s for f in beside for s, _ in homes(f)]
    return home + [s for s in SECTIONS if s.names and [h for h in home if s.names == [h.referred]]]


def listed(rows: list[Row]) -> Ports:
    """The ports of a table."""
    return {name: way for row in rows for name, way in row.ports().items()}


def test_there_is_something_to_check() -> None:
    tops, inner = units()
    assert len(tops) > 20
    assert len(inner) > 80
    assert sum(len(rows) for s in SECTIONS for _, rows in s.tables) > 200


def test_each_unit_has_a_table_of_its_ports() -> None:
    """All ports, in their directions, and no others; units that share a name have a table each."""
    wrong = []
    sharing: dict[tuple[str, str], list[tuple[type, Found]]] = defaultdict(list)
    for kind, found in units()[1].items():
        if kind in units()[0]:
            continue  # a whole design
        home = homes(found)
        assert home, f"{kind.__name__} has no picture"
        for section, name in home:
            if (kind, found) not in sharing[section.title, name]:
                sharing[section.title, name].append((kind, found))
    for (title, name), kinds in sharing.items():
        section = next(s for s in SECTIONS if s.title == title)
        tables = [listed(rows) for rows in section.of(name)]
        if len(tables) == 1:
            have: list[Ports] = [{}]
            for _, found in kinds:
                have[0] |= found.ports
        else:
            have = [found.ports for _, found in kinds]
        if sorted(map(sorted, (t.items() for t in tables))) != sorted(
            map(sorted, (h.items() for h in have))
        ):
            wrong.append(f"{title}: {name}\n  page  {tables}\n  gates {have}")
    assert not wrong, "\n".join(wrong)


def test_no_table_is_of_a_unit_that_is_not_there() -> None:
    """Each name of a table is that of a picture of its section."""
    shown = {(SHOWN[p.name].title, called(p.unit)) for p in PICTURES}
    for section in SECTIONS:
        for name, _ in section.tables:
            assert not name or (section.title, name) in shown, f"{section.title}: {name}"


def test_each_design_has_a_picture_and_ports() -> None:
    for kind, found in units()[0].items():
        assert ours(found), f"{kind.__name__} has no picture"
        tables = [listed(rows) for s in ours(found) for rows in s.of("")]
        whole = {"clk": "in", "rst": "in"} | found.ports
        assert found.ports in tables or whole in tables, f"{kind.__name__}: {tables}"


def test_units_with_registers_are_named() -> None:
    """In one sentence; all others are combinational."""
    sentence = re.search(r"inside them these units: (.*?) and, as parts", TEXT, re.S)
    assert sentence
    tops, inner = units()
    clocked = {kind for kind, found in inner.items() if found.clocked} - set(tops)
    said = {name for kind in clocked for _, name in homes(inner[kind])}
    assert set(re.findall(r"`([a-z_]+)`", sentence[1])) == said


def test_registers_have_a_latency_and_an_interval() -> None:
    tops, inner = units()
    clocked = [(k, f) for k, f in inner.items() if f.clocked and k not in tops]
    for kind, found in [*tops.items(), *clocked]:
        home = ours(found) if kind in tops else [s for s, _ in homes(found)]
        text = "".join(section.text for section in home)
        for word in ("latency", "interval"):
            assert re.search(word, text, re.I), f"{kind.__name__} has no {word}"


def test_it_says_why_each_unit_is_exact() -> None:
    tops, inner = units()
    for kind, found in tops.items():
        assert any(re.search(r"\*exact", s.text, re.I) for s in ours(found)), kind.__name__
    for kind in set(inner) - set(tops):
        for section, _ in homes(inner[kind]):
            said = re.search(r"\*exact", section.text, re.I)
            assert said, f"{section.title} does not say why it is exact"


def stated(kind: type, found: Found) -> Iterator[tuple[Section, Row]]:
    """The rows on the ports of a unit, where they stand for its own kind."""
    home = homes(found)
    if kind in units()[0]:
        # Of those whose ports are another one's, words differ in width.
        home = [(s, "") for s in ours(found) if s.pictures or s.names == [kind.__name__.lower()]]
    for section, name in home:
        for rows in section.of(name):
            if set(listed(rows)) <= set(found.ports) | {"clk", "rst"}:
                yield from ((section, row) for row in rows)


def have(part: wiring.Component, row: Row) -> set[int]:
    """The widths that the ports of a row have."""
    return {
        len(value)
        for name, (value, _) in ports_of(part).items()
        if re.sub(r"_[0-9]+$", "_*", name) in row.names and not name.endswith(("_valid", "_ready"))
    }


def test_widths_are_those_of_the_gates() -> None:
    """Each formula gives the port's width in every design, and none is there for no design."""
    wrong: dict[str, None] = {}
    met: dict[str, set[int]] = defaultdict(set)
    alternatives: dict[str, int] = {}
    checked = 0
    for kind, found in [*units()[0].items(), *units()[1].items()]:
        for section, row in stated(kind, found):
            said = f"{section.title}: {row.names}: {row.bits}"
            for of, part, beside in found.parts:
                gates = have(part, row)
                if not gates:
                    continue
                try:
                    known = widths(row.bits, names(of, part, beside))
                except (ValueError, SyntaxError) as error:
                    wrong[f"{said}: {error}"] = None
                    break
                if known is None:
                    continue
                checked += 1
                alternatives[said] = len(known)
                met[said] |= {i for i, value in enumerate(known) if value in gates}
                if not gates <= set(known):
                    wrong[f"{said} = {known}: {of.name} has {gates} in {kind.__name__}"] = None
                    break
    assert not wrong, "\n".join(wrong)
    assert checked > 500
    idle = {s: i for s, n in alternatives.items() if (i := set(range(n)) - met[s])}
    assert not idle


def test_fields_are_those_of_the_gates() -> None:
    """Where a table lists the fields of a port, all of them and their widths."""
    checked = 0
    for kind, found in units()[1].items():
        for section in {s.title: s for s, _ in homes(found) if s.fields}.values():
            seen = set()
            for of, part, beside in found.parts:
                for name, shape in part.thresholds.shape():
                    seen.add(name)
                    known = widths(section.fields[name], names(of, part, beside))
                    assert known == [shape.width], (section.title, of.name, name)
                    checked += 1
            assert seen == set(section.fields) or kind.__name__.startswith("RandomPower")
    assert checked > 100
