"""Pictures of the design: as old as the design, complete, and easy to read."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from cocotb_tests.families import FAMILIES
from rtl.diagram_bits import Driver, netlist
from rtl.diagram_routes import TRACK, Wire, assign
from rtl.diagram_shapes import Diagram, stem
from rtl.diagram_svg import Drawing, text_width, to_svg
from rtl.diagrams import PICTURES, WRAPPER, Picture, design, diagram, title
from rtl.hierarchy import Hierarchy
from rtl.variants import UNITS, variant

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs" / "pictures"
TEXT = (ROOT / "docs" / "hardware.md").read_text("utf-8")
NAMES = [p.name for p in PICTURES]
SLOW = (
    "tensor-quantizer",
    "result-writer",
    "select-table",
    "select-limited",
    "select",
    "select-turn",
    "dot-exact",
    "merit",
    "term",
    "scale-scaled",
    "peer-te",
)
"""Pictures whose layout takes more than a blink, or whose design does."""
MEMORY = "tensor-quantizer-ue4m3-absmax-h-b4-bf16-two-w16"
TURNS = tuple(
    f"quantizer-{name}-b4-bf16-turn"
    for name in (
        "ue5m3-4o6",
        "ue5m3-4o6-e6",
        *(f"ue4m3-{rule}-{g}" for rule in ("4o6", "3c", "3c-e5") for g in ("h", "hbf16", "hp2")),
    )
)
"""Candidates in turn, two and more of them, under each kind of tensor scale."""
LAID_OUT = (
    "quantizer-e8m0-fc-b4-bf16-turn",
    "quantizer-ue4m3-4o6-hp2-b4-bf16-turn",
    "quantizer-ue4m3-4o6-h-b4-bf16-turn",
    "quantizer-ue4m3-3c-e5-h-b4-bf16-turn",
)
"""Designs without a picture whose layout is looked at too."""
WITH_STAGES = "random-select-choice"
"""A part of a design with register stages of its own."""
TESTING = {"units"}
"""Files with components for tests alone."""


def bits(text: str) -> int:
    """The number of bits that a label stands for."""
    lanes, _, width = text.rpartition("×")
    return int(lanes or 1) * int(width)


def named(name: str) -> Picture:
    return next(p for p in PICTURES if p.name == name)


@functools.cache
def made_of(name: str) -> Diagram:
    """The diagram of a picture: elaborating the design takes longer than any test of it."""
    return named(name).diagram()


def grouped(names: Iterable[str]) -> list[Any]:
    """Tests of one picture stay in one process, so that its diagram is made once."""
    return [pytest.param(n, id=n, marks=pytest.mark.xdist_group(f"picture {n}")) for n in names]


@pytest.mark.parametrize("name", grouped(NAMES))
def test_pictures_show_the_design_of_today(name: str) -> None:
    picture = named(name)
    text = (FOLDER / f"{picture.name}.svg").read_text("utf-8")
    known = re.findall(r"<desc>diagram ([0-9a-f]{16})</desc>", text)
    assert known == [made_of(name).digest], f"{name} is stale: run make pictures"
    assert f"<title>{title(picture.variant, picture.unit)}</title>" in text


@pytest.mark.parametrize("name", ["quantizer", "amax", "accumulator-exact", "axis"])
def test_pictures_are_the_same_bytes_every_time(name: str) -> None:
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == named(name).svg()


def test_there_are_no_other_pictures() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {f.name for f in FOLDER.iterdir()} == {f"{name}.svg" for name in NAMES}


@pytest.mark.parametrize("picture", PICTURES, ids=NAMES)
def test_the_documentation_shows_each_picture(picture: Picture) -> None:
    link = rf"!\[[^]]+\]\(pictures/{picture.name}\.svg\)"
    below = re.search(rf"^{link}\n\n(.+?)\n\n", TEXT, re.M | re.S)
    assert below, f"docs/hardware.md shows no {picture.name}"
    assert f"`{picture.command}`" in below[1], "the text below says how it is made"


def inside(component: wiring.Component, known: dict[type, wiring.Component]) -> None:
    """Find the units inside a unit, each type once."""
    hierarchy = Hierarchy("")
    Fragment.get(component, hierarchy)
    for unit in hierarchy.units.values():
        if type(unit) not in known:
            known[type(unit)] = unit
            inside(unit, known)


def part(picture: Picture) -> wiring.Component:
    """The component that a picture shows."""
    component = design(picture.variant).component()
    for kind in picture.unit.split("/") if picture.unit else ():
        hierarchy = Hierarchy("")
        Fragment.get(component, hierarchy)
        component = hierarchy.units[f"_{kind}"]
    return component


@pytest.mark.filterwarnings("ignore:.*created but never used")
def test_each_unit_inside_has_a_picture() -> None:
    """Each type of unit in a design of each kind; a private one by what it varies."""
    known: dict[type, wiring.Component] = {}
    for name in (*FAMILIES, "quantizer-ue4m3-3c-e5-h-b2-bf16-turn", MEMORY):
        inside(design(name).component(), known)
    drawn = {type(part(p)) for p in PICTURES if p.unit != WRAPPER}
    public = {next(t for t in kind.__mro__ if t.__name__[0] != "_") for kind in known}
    assert len(public) > 80
    assert sorted(t.__name__ for t in public - drawn) == []


def test_each_unit_has_a_picture() -> None:
    drawn = {p.variant for p in PICTURES if not p.unit}
    assert {unit for unit in UNITS if any(n.startswith(f"{unit}-") for n in drawn)} == set(UNITS)


def test_each_file_with_a_unit_is_documented() -> None:
    """Every file of rtl/ that defines a component."""
    found = 0
    for path in sorted((ROOT / "rtl").glob("*.py")):
        classes = [
            n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ClassDef)
        ]
        bases = {ast.unparse(base) for c in classes for base in c.bases}
        if "wiring.Component" not in bases or path.stem in TESTING:
            continue
        found += 1
        assert f"`rtl/{path.name}`" in TEXT, f"docs/hardware.md does not mention rtl/{path.name}"
    assert found >= 30


def carries(made: Diagram, unit: wiring.Component) -> None:
    """Each bit that a stage holds, and each of the output port, is on one net."""
    held: Counter[str] = Counter()
    out = 0
    for net in made.nets:
        box = made.boxes[net.source]
        if box.kind == "bar":
            held[box.stage] += bits(net.bits)
        out += bits(net.sinks.get("port o") or net.bits) if "port o" in net.sinks else 0
    assert held == made.stages
    read = netlist(unit)
    if "o_payload" in read.ports:
        # Those that are constant, as the sign of a tensor scale is, are on none.
        port = [
            Driver("port", "o_payload", "", i) for i in range(len(read.ports["o_payload"]["bits"]))
        ]
        assert out == sum(read.driver(bit) is not None for bit in port)


@pytest.mark.parametrize(
    "name",
    grouped(p.name for p in PICTURES if p.least == 1 and (not p.unit or p.name == WITH_STAGES)),
)
def test_nets_carry_what_ports_and_stages_hold(name: str) -> None:
    carries(made_of(name), part(named(name)))


@pytest.mark.parametrize("name", [*FAMILIES, *TURNS])
def test_nets_of_any_design_carry_what_ports_and_stages_hold(name: str) -> None:
    carries(diagram(variant(name)), variant(name).component())


def test_bits_that_nothing_takes_are_not_held() -> None:
    """Errors need three bits of the exponent of amax; stage s of the unit has all eight."""
    made = diagram(variant("quantizer-e8m0-fc-b4-bf16"))
    (peak,) = (n for n in made.nets if n.source.startswith("bar s") and n.label == "amax")
    assert peak.bits == "3"
    (amax,) = (n for n in made.nets if n.source == "bar a unit amax amax")
    assert (amax.bits, amax.sinks[peak.source]) == ("10", "3")


def test_a_field_that_gates_make_is_one_value() -> None:
    """Which candidate it is: the first one, made by a gate, and the last one, a register's bit."""
    made = diagram(variant("quantizer-ue4m3-4o6-h-b4-bf16-turn"))
    (about,) = (n for n in made.nets if n.source == "bar e about")
    assert about.bits == "2"
    assert list(about.sinks.values()) == ["1"], "the last one makes the result valid"
    number = next(n for n in made.nets if n.source == "register number")
    assert "bar e about" in number.sinks


def test_what_the_quantizer_has() -> None:
    made = named("quantizer").diagram()
    boxes = {(b.kind, b.label, b.count) for b in made.boxes.values() if b.kind != "bar"}
    units = [("unpack", 4), ("amax", 1), ("scale", 1), ("thresholds", 1), ("element", 4)]
    assert boxes == {("port", "i", 1), ("port", "o", 1), *(("unit", *u) for u in units)}
    lanes = {net.source: net for net in made.nets if net.label == "lane"}
    assert set(lanes["unit unpack"].sinks) == {k for k in lanes if k.startswith("bar a")}
    assert {net.bits for net in lanes.values()} == {"4×14"}


def test_parts_in_a_chain_stay_apart() -> None:
    """Two additions of a word depend on each other; two sums of products do not."""
    inner = named("accumulator-fp32").diagram()
    assert [b.count for b in inner.boxes.values() if b.label == "add"] == [1, 1]
    outer = named("dot-fp32").diagram()
    assert outer.boxes["unit sum"].count == 2


def test_parts_behind_a_chain_fold() -> None:
    """That of amax comes before the scale, those of the lanes behind it."""
    made = named("peer-te").diagram()
    counts = [(b.label, b.count) for b in made.boxes.values() if b.kind == "unit"]
    assert sorted(n for label, n in counts if label == "normalise") == [1, 2]
    assert [n for label, n in counts if label == "rows8"] == [1, 1, 1]


def test_loops_lead_back() -> None:
    made = named("select-turn").diagram()
    best = next(net for net in made.nets if net.source == "register best")
    assert all(made.boxes[key].label == ">" for key in best.sinks)
    assert len(Drawing(made, "").columns.back) == 2


def readable(made: Diagram) -> None:
    """Boxes do not touch, nets do not run on each other, texts do not overlap."""
    drawing = Drawing(made, "")
    for column in drawing.columns.columns:
        for a, b in pairwise(column):
            assert b.y - b.height / 2 - a.y - a.height / 2 >= 5.9
    for wires in drawing.wires:
        tracks = {w.track: w for w in wires if w.bends}
        assert len(tracks) == sum(w.bends for w in wires)
        for a in wires:
            for b in wires:
                if a is b or a.left is None:
                    continue
                if a.after is b:
                    assert (b.track or 0) < (a.track or 0)
                    assert b.rights == [a.left]
                    continue
                for y in b.rights:  # b's way out begins where a's way in has ended
                    ends = (a.track if a.bends else 1000) or 0, (b.track if b.bends else -1) or 0
                    assert abs(a.left - y) > 3 or ends[0] < ends[1], (a, b)


@pytest.mark.parametrize("name", grouped(n for n in NAMES if n not in SLOW))
def test_pictures_are_readable(name: str) -> None:
    made = made_of(name)
    digest = made.digest
    readable(made)
    assert made.digest == digest, "drawing changes nothing of what is drawn"
    boxes = [b for b in made.boxes.values() if b.kind in ("unit", "register", "port")]
    assert len(boxes) <= 12


@pytest.mark.parametrize("name", LAID_OUT)
def test_any_design_is_readable(name: str) -> None:
    """But for the number of boxes: a design with more kinds of parts has more of them."""
    readable(diagram(variant(name)))


def test_order_of_lines() -> None:
    """The first net has to be out of the way before the second one leaves at its height."""
    first, second = Wire(0, 10.0, [40.0]), Wire(1, 70.0, [10.0])
    assert assign([first, second]) == 2
    assert (first.track, second.track) == (0, 1)
    second, first = Wire(0, 70.0, [10.0]), Wire(1, 10.0, [40.0])
    assign([second, first])
    assert (first.track, second.track) == (0, 1)


@pytest.mark.parametrize("many", [0, 5])
def test_a_wire_is_cut_where_no_order_of_lines_helps(many: int) -> None:
    """Each of two would have to be out of the way before the other one leaves."""
    wires = [Wire(0, 10.0, [41.0]), Wire(1, 40.0, [11.0, 80.0])]
    wires += [Wire(2 + n, 100.0 + 40 * n, [120.0 + 40 * n]) for n in range(many)]
    assert assign(wires) == len(wires) == 3 + many
    first, other, after = wires[0], wires[1], wires[-1]
    assert (after.after, after.net, after.rights) == (first, 0, [41.0])
    assert first.rights == [after.left] == [25.5]
    tracks = [w.track for w in (first, other, after)]
    assert tracks == sorted(tracks, key=lambda t: t or 0)
    assert first.branches == after.branches == []


def test_cut_wires_meet_in_the_picture() -> None:
    """The two parts of a cut net have one line between them, at its height."""
    drawing = Drawing(diagram(variant("quantizer-e8m0-fc-b4-bf16-turn")), "")
    cut = [(k, w) for k, wires in enumerate(drawing.wires) for w in wires if w.after is not None]
    assert cut
    text = drawing.svg()
    for k, wire in cut:
        x, start = (
            drawing.track0[k] + (w.track or 0) * TRACK for w in (wire, wire.after) if w is not None
        )
        assert f'd="M{start:g} {wire.left:g}L{x:g} {wire.left:g}"/>' in text


def test_branches() -> None:
    assert Wire(0, 5.0, [5.0, 30.0]).branches == [5.0]
    assert Wire(0, 5.0, [30.0]).branches == []
    assert Wire(0, 5.0, [1.0, 3.0, 9.0]).branches == [3.0, 5.0]


def test_stem() -> None:
    names = ["x0", "x3", "keys_0", "keys_12", "element0_0", "element0_3", "scale", "2", "s_axis"]
    assert [stem(n, names) for n in names] == [
        *("x", "x", "keys", "keys", "element", "element", "scale", "2", "s_axis")
    ]
    names = ["n1", "n7", "reach2", "reach3", "x_1", "only6"]
    assert [stem(n, names) for n in names] == names, "no 0: not members of an array"


def test_numbers_that_tell_things_apart_stay() -> None:
    nets = named("vote-pop").diagram().nets
    reached = [n for n in nets if n.label.startswith("reach")]
    assert [(n.label, n.bits, *n.sinks) for n in reached] == [
        (f"reach{k}", "1", f"port reach{k}") for k in (2, 3, 4)
    ]


def test_text_width_grows() -> None:
    assert text_width("ll") < text_width("mm") < text_width("mmm")


@pytest.mark.parametrize(
    ("name", "unit", "message"),
    [
        ("quantizer-ue5m3-absmax-b4-bf16", "merit", "'merit' is no unit of quantizer-ue5m3"),
        ("quantizer-ue5m3-4o6-b4-bf16", "merit/amax", r"units: term"),
        ("quantizer-ue5m3-absmax-b4-bf16", "amax/x", r"units: none"),
    ],
)
def test_unknown_units(name: str, unit: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diagram(variant(name), unit)


def test_wrapper_of_a_unit_with_its_own_last() -> None:
    made = diagram(variant("tensor-amax-bf16-x4"), WRAPPER)
    assert {b.label for b in made.boxes.values()} == {"s_axis", "m_axis", "tensor"}
    assert "<svg" in to_svg(made, "")
