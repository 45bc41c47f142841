"""draw, through the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl.diagrams import PICTURES

from .conftest import Cli

NAME = "quantizer-ue5m3-absmax-b4-bf16"


def test_draw_makes_folders_and_repeats_itself(cli: Cli) -> None:
    for _ in range(2):
        ended = cli("draw", NAME, "-o", "a/b.svg", "--unit", "amax")
        assert ended.code == 0 and ended.err == ""
        assert ended.out == "a/b.svg: 8 boxes, 0 register stages\n"
    picture = next(p for p in PICTURES if (p.variant, p.unit) == (NAME, "amax"))
    assert Path("a/b.svg").read_text("utf-8") == picture.svg()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "draw what? give a VARIANT (finescale variants lists them)"),
        ("quantizer-ue5m3", "unknown variant 'quantizer-ue5m3'"),
        (f"{NAME} --unit merit", f"'merit' is no unit of {NAME} (units: amax, element,"),
        (f"{NAME} --documented", "--documented draws a fixed list"),
        ("--documented --unit amax", "--documented draws a fixed list"),
    ],
)
def test_bad_input(cli: Cli, arguments: str, message: str) -> None:
    ended = cli("draw", *arguments.split(), "-o", "x.svg")
    assert ended.code == 2
    assert ended.message.startswith(message), ended.message
    assert not Path("x.svg").exists()
