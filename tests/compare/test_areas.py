"""Areas against limits: verdicts, exit codes, pages; and what has a limit is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from compare.areas import LIMITS, Area, Areas, Limit, study_areas
from compare.designs import design
from compare.liberty import read_library
from compare.study import made_with
from compare.study_report import areas_page
from compare.synthesis import Mapped, Synthesis
from tests.compare.cells import osu018, tiny


def measured(*figures: float) -> Synthesis:
    return Synthesis("t", "cells", tuple(Mapped("s", f, 0.0, 0, 1, 1.0, {}) for f in figures))


@pytest.mark.parametrize(
    ("most", "verdict"),
    [(100, "met"), (99, "met within the spread"), (90, "met within the spread"), (89, "missed")],
)
def test_verdicts(most: int, verdict: str, tmp_path: Path) -> None:
    area = Area(Limit("what", "design", most, "known"), measured(90, 100, 130))
    found = Areas(made_with(["areas"], read_library([tiny(tmp_path)])), (area,))
    assert area.verdict == verdict
    assert found.ok == (verdict != "missed")
    assert f"| {verdict} |" in found.grid().markdown()
    assert ("design misses its limit" in areas_page(found)) == (verdict == "missed")


def test_nothing_measured_is_not_ok(tmp_path: Path) -> None:
    assert not Areas(made_with(["areas"], read_library([tiny(tmp_path)])), ()).ok


def test_limits_belong_to_one_library(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gate equivalents of osu018_stdcells; tiny has others"):
        study_areas(read_library([tiny(tmp_path)]))


def test_what_has_a_limit_exists() -> None:
    names = [design(limit.design).name for limit in LIMITS]
    assert names == [limit.design for limit in LIMITS]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_study(tmp_path: Path) -> None:
    library = read_library([osu018()])
    limits = [Limit("a", "element-product", 1000, ""), Limit("b", "scale-product-ue4m3", 5, "")]
    found = study_areas(library, limits=limits, cache=tmp_path, workers=1)
    assert [a.verdict for a in found.areas] == ["met", "missed"]
    assert not found.ok
    assert dataclasses.asdict(found.made)["library"]["name"] == "osu018_stdcells"
