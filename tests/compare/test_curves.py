"""Curves of area over delay: fronts, verdicts beside open designs, pages, pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compare.curves import DESIGNS, SAME_FUNCTION, Curve, Curves, study_curves
from compare.designs import UNITS_INSIDE, design
from compare.liberty import read_library
from compare.open_designs import OPEN_DESIGNS, OpenDesign
from compare.study import made_with
from compare.study_report import curves_page, write_curves
from compare.synthesis import CURVE_SCRIPTS, Mapped, Synthesis
from emulator.errors import UnknownNameError
from rtl.variants import UNITS, variant
from tests.compare.cells import osu018, tiny


def points(*figures: tuple[float, float]) -> Synthesis:
    return Synthesis(
        "t",
        "cells",
        tuple(Mapped(f"s{k}", ge, 0.0, 0, 1, 1000 * ns, {}) for k, (ge, ns) in enumerate(figures)),
    )


FIVE = points((100, 5.0), (120, 4.0), (130, 4.5), (150, 3.0), (90, 6.0), (90, 6.0))


def test_front() -> None:
    c = Curve("d", FIVE, ())
    assert [m.logic_ge for m in c.points] == [150, 120, 130, 100, 90]
    assert [m.logic_ge for m in c.front] == [150, 120, 100, 90]


@pytest.mark.parametrize(
    ("other", "beaten"),
    [
        ((119, 3.9), [120]),
        ((120, 3.9), []),  # as large is not smaller
        ((119, 4.0), []),
        ((80, 2.0), [150, 120, 100, 90]),
        ((129, 4.4), []),  # what it beats is not on the front
        ((80, None), []),
    ],
)
def test_open_designs(
    other: tuple[float, float | None], beaten: list[float], tmp_path: Path
) -> None:
    c = Curve("d", FIVE, (OpenDesign("other", (other,)),))
    assert [m.logic_ge for m, _ in c.beaten] == beaten
    made = made_with(["curves"], read_library([tiny(tmp_path)]))
    found = Curves(made, (c,))
    assert len(found.problems) == len(beaten)
    assert ("beaten by other" in found.grid().markdown()) == bool(beaten)


def test_too_few_points_is_a_problem(tmp_path: Path) -> None:
    made = made_with(["curves"], read_library([tiny(tmp_path)]))
    few = Curves(made, (Curve("d", points((1, 1), (2, 0.5)), ()),))
    assert few.problems == ["d: 2 different points, not 5"]
    assert Curves(made, ()).problems == ["no design"]
    assert "What speaks against it" in curves_page(few, "x.svg")


def test_each_unit_has_a_curve() -> None:
    names = [design(name).name for name in DESIGNS]
    whole = [name for name in names if name.startswith("tensor-quantizer-")]
    assert len(whole) == 1
    units = {variant(name).unit for name in names if name not in {*UNITS_INSIDE, *whole}}
    assert units == set(UNITS)
    assert set(SAME_FUNCTION.values()) == set(OPEN_DESIGNS)


def test_unknown_designs(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown design 'block-sum-b17'; did you mean"):
        design("block-sum-b17")
    with pytest.raises(UnknownNameError, match="no cell 'NAND2X9'; did you mean NAND2X"):
        read_library([tiny(tmp_path)]).with_conditions("NAND2X9", None)
    with pytest.raises(ValueError, match="load of -1 fF"):
        read_library([tiny(tmp_path)]).with_conditions(None, -1)


@pytest.mark.slow
def test_a_unit_in_cells(tmp_path: Path) -> None:
    """The same bytes again, out of the cache; open designs only under their conditions."""
    library = read_library([osu018()])
    seen: list[tuple[str, int, int]] = []
    found = [
        study_curves(
            library.with_conditions("INVX2", 20),
            ["element-product"],
            cache=tmp_path / "cache",
            workers=1,
            progress=lambda name, done, total: seen.append((name, done, total)),
        )
        for _ in range(2)
    ]
    assert seen == [("element-product", 1, 1)] * 2
    assert found[0] == found[1]
    (curve,) = found[0].curves
    assert len(curve.synthesis.mappings) == len(CURVE_SCRIPTS) >= 5
    assert {o.name.split()[0] for o in curve.others} >= {"MX-for-FPGA", "sashakatne"}
    assert "--driving-cell INVX2 --load 20" in found[0].made.command
    paths = write_curves(found[0], tmp_path / "a"), write_curves(found[1], tmp_path / "b")
    for a, b in zip(*paths, strict=True):
        assert a.read_bytes() == b.read_bytes()
    data = json.loads((tmp_path / "a" / "curves.json").read_text())
    assert len(data["curves"][0]["points"]) >= 5
    other = study_curves(library, ["element-product"], cache=tmp_path / "cache", workers=1)
    assert other.curves[0].others == ()
