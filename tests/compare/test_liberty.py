"""Cell libraries: parsing, choices, discovery and bad files."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from compare.function import truth_table
from compare.liberty import discover, read_library
from emulator.errors import FileFormatError, ToolError
from tests.compare.cells import FLIP_FLOP, TINY, TINY_LIBERTY, osu018


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A", 0b1010),
        ("!A", 0b0101),
        ("A'", 0b0101),
        ("A B", 0b1000),
        ("A&B", 0b1000),
        ("A * B", 0b1000),
        ("A+B", 0b1110),
        ("(!A) | (!B)", 0b0111),
        ("A ^ B", 0b0110),
        ("!(A B)'", 0b1000),
        ("A + B A", 0b1010),
        ("1", 0b1111),
        ("A &", None),
        ("(A", None),
        ("C", None),
        ("", None),
        ("A) B", None),
        ("A - B", None),
    ],
)
def test_truth_table(text: str, table: int | None) -> None:
    assert truth_table(text, ["A", "B"]) == table


def test_choices(tmp_path: Path) -> None:
    path = tmp_path / "tiny.lib"
    path.write_text(TINY_LIBERTY)
    library = read_library([path])
    assert library.name == "tiny"
    assert (library.nand2.name, library.nand2.area) == ("NAND2X1", 4.0)
    assert library.driving_cell == "BUFX2"
    assert library.load_ff == 10.0  # four times 2.5 fF
    assert library.dont_use == ("HOLD", "PADX", "SLOW")
    assert [c.name for c in library.cells.values() if c.is_flip_flop] == ["DFF"]


def test_compressed_files_are_the_same_library(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("t.lib", "t.lib.gz", "t.lib.xz")]
    paths[0].write_text(TINY_LIBERTY)
    paths[1].write_bytes(gzip.compress(TINY_LIBERTY.encode()))
    paths[2].write_bytes(lzma.compress(TINY_LIBERTY.encode()))
    digests = {read_library([path]).digest for path in paths}
    assert len(digests) == 1


def test_two_files_make_one_library(tmp_path: Path) -> None:
    gates, registers = tmp_path / "gates.lib", tmp_path / "registers.lib"
    gates.write_text(TINY % "")
    registers.write_text("library(registers) {\n" + FLIP_FLOP + "}\n")
    with pytest.raises(FileFormatError, match=r"no flip-flop among 7 cells \(several files"):
        read_library([gates])
    assert "DFF" in read_library([gates, registers]).cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a liberty file"),
        ("module t(input a); endmodule", "not a liberty file"),
        ("library(empty) { }", "not a liberty file"),
        (TINY_LIBERTY[:-4], "truncated liberty file"),
        (TINY_LIBERTY.replace('"(A B)\'"', '"A"').replace("!A | !B", "A"), "no two-input NAND"),
    ],
)
def test_bad_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_library([path])
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="No such file"):
        read_library([tmp_path / "none.lib"])
    with pytest.raises(FileFormatError, match="directory"):
        read_library([tmp_path])
    for name, data in (
        ("cut.gz", gzip.compress(TINY_LIBERTY.encode())[:-9]),
        ("cut.xz", lzma.compress(TINY_LIBERTY.encode())[:-9]),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FileFormatError, match="damaged compressed file"):
            read_library([tmp_path / name])
    with pytest.raises(ValueError, match="no liberty file given"):
        read_library([])


def test_discovery_order(tmp_path: Path) -> None:
    sky = "sky130A/libs.ref/sky130_fd_sc_hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib"
    ihp = "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib.gz"
    for place in (sky, ihp):
        for root in ("pdks", "home/.ciel"):
            (tmp_path / root / place).parent.mkdir(parents=True)
            (tmp_path / root / place).write_text("")
    home = {"HOME": str(tmp_path / "home")}
    root = {"PDK_ROOT": str(tmp_path / "pdks")}
    assert discover(home | root) == [tmp_path / "pdks" / sky]
    assert discover(home | root | {"PDK": "ihp-sg13g2"}) == [tmp_path / "pdks" / ihp]
    assert discover(home) == [tmp_path / "home" / ".ciel" / sky]


def test_auto_takes_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib"
    place.parent.mkdir(parents=True)
    place.write_text(TINY_LIBERTY)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    monkeypatch.setenv("PDK", "ihp-sg13g2")
    assert read_library(["auto"]).paths == (place,)


def test_nothing_discovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.liberty.OSU018", tmp_path / "none.lib")
    with pytest.raises(ToolError, match=r"--liberty, set PDK_ROOT, or install .*qflow-tech-osu018"):
        discover({"HOME": str(tmp_path)})


def test_osu018() -> None:
    library = read_library([osu018()])
    assert len(library.cells) == 32
    assert (library.nand2.name, library.nand2.area) == ("NAND2X1", 24.0)
    assert library.driving_cell == "BUFX2"
    assert library.dont_use == ("LATCH",)
    assert 20 < library.load_ff < 100
