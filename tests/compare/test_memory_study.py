"""The study of whole tensors: its table, its pages, what is kept, what speaks against it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from cocotb_tests.memory_points import POINTS, SMALL
from compare import memory_study
from compare.designs import design
from compare.liberty import read_library
from compare.memory import MEMORIES, Traffic
from compare.memory_report import memory_page, write_memory
from compare.memory_study import WHOLE, Measured, MemoryStudy, chosen_points, study_memory
from compare.synthesis import Mapped, Synthesis
from emulator.errors import NotAvailableError, UnknownNameError
from rtl.tensor_quantizer_variant import tensor_quantizer
from tests.compare.cells import tiny

CHOSEN = SMALL[:3]
MAPPED = Mapped("area", 1234.0, 56.0, 14, 3, 1.0, {})


@pytest.mark.slow
def test_study(tmp_path: Path) -> None:
    """Simulated once and kept; the pages name each point (spec §24.9, §24.10)."""
    told: list[tuple[str, int, int]] = []
    found = study_memory(
        CHOSEN, cache=tmp_path, workers=1, progress=lambda *step: told.append(step)
    )
    assert not found.problems
    assert told == [(CHOSEN[0].name, 3, 3)]
    assert [m.point for m in found.points] == list(CHOSEN)
    assert all(m.compared == m.seen.written > 700 for m in found.points)
    with mock.patch.object(memory_study, "_measure", side_effect=AssertionError):
        assert study_memory(CHOSEN, cache=tmp_path) == found

    paths = write_memory(found, tmp_path / "out", tmp_path / "pages" / "page.md")
    assert [p.name for p in paths] == ["memory.json", "memory.md", "memory.svg"]
    data = json.loads(paths[0].read_text())
    assert [p["simulated"] for p in data["points"]] == [p["formula"] for p in data["points"]]
    assert set(data["whole_tensor"]["memories"]) == set(MEMORIES)
    page = (tmp_path / "pages" / "page.md").read_text()
    assert page.count("| same |") == 3 and "](charts/memory.svg)" in page
    for rest in WHOLE:
        assert f"| tensor-quantizer-{rest} |" in page
    first = paths[2].read_bytes()
    assert first == (tmp_path / "pages" / "charts" / "memory.svg").read_bytes()


def test_areas_of_the_units(tmp_path: Path) -> None:
    """Those without a buffer are mapped, with one quantizer each."""
    asked: list[str] = []

    def map_all(names: list[str], *_: object, **__: object) -> dict[str, Synthesis]:
        asked.extend(names)
        return {name: Synthesis("t", "cells", (MAPPED,)) for name in names}

    library = read_library([tiny(tmp_path)])
    with mock.patch.object(memory_study, "map_all", map_all):
        found = study_memory((), library=library, cache=tmp_path)
    assert len(asked) == len(WHOLE) - 1 and all(name.endswith("-w32") for name in asked)
    assert all(design(name).name == name for name in asked)
    page = memory_page(found, "x.svg")
    assert page.count("| 1,234 | 56 |") == len(asked) and "cells of tiny" in page
    assert "--liberty" in found.command and found.to_json()["whole_tensor"]["library"] == "tiny"
    with pytest.raises(NotAvailableError, match="8,388,608 bits is a memory"):
        design("tensor-quantizer-ue4m3-absmax-h-b16-bf16-local32768-w32")


def measured(seen: Traffic, compared: int = 10) -> MemoryStudy:
    point = POINTS[0]
    m = Measured(point, 64, seen, compared, Traffic(100, 2048, 576))
    return MemoryStudy((m,), "finescale study memory", {})


def test_what_speaks_against_the_formula() -> None:
    good = Traffic(100, 2048, 576)
    assert not measured(good).problems
    for wrong in (replace(good, cycles=101), replace(good, read=2047), replace(good, written=577)):
        study = measured(wrong)
        assert len(study.problems) == 1 and str(wrong) in study.problems[0]
        page = memory_page(study, "x.svg")
        assert "What speaks against the formula" in page and "| same |" not in page
    assert measured(good, 0).problems  # spec §13.2
    assert MemoryStudy((), "", {}).problems == ["no point was simulated (spec §13.2)"]


def test_points_of_a_unit() -> None:
    assert chosen_points() == POINTS
    assert {p.name for p in chosen_points([POINTS[-1].name])} == {POINTS[-1].name}
    other = f"{CHOSEN[0].name}-r7"
    assert len(chosen_points([other, other])) == 4
    assert {p.name for p in chosen_points([other])} == {other}
    with pytest.raises(UnknownNameError, match="did you mean tensor-quantizer-ue5m3"):
        chosen_points(["tensor-quantizer-ue5m3-absmax-b16-bf16-on"])


def test_whole_tensors_have_names() -> None:
    assert all(tensor_quantizer(f"tensor-quantizer-{rest}") for rest in WHOLE)
