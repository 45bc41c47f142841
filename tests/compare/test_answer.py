"""The question's tables: which variants they take, ties, whole tensors, blanks."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from compare.answer import KINDS, PARTS, Ratio, answer_grids, block_sizes, short_answer
from compare.readme import readme_table
from compare.report import to_markdown
from compare.results import Comparison, Row, Verified
from compare.synthesis import Mapped, Synthesis
from rtl.variants import QuantizerVariant, default_variants, variant

SCRIPTS = ("a", "b", "c")


def mapped(*logic: float) -> Synthesis:
    pairs = zip(SCRIPTS, logic, strict=True)
    return Synthesis("t", "cells", tuple(Mapped(s, g, 40.0, 10, 7, None, {}) for s, g in pairs))


def row(name: str, *logic: float) -> Row:
    v = variant(name)
    errors = {0.003: 0.005, 1.0: 0.009} if isinstance(v, QuantizerVariant) else {}
    return Row(v, Verified(1000, v.latency, 1), mapped(*logic), errors, {}, None)


def comparison(rows: Sequence[Row]) -> Comparison:
    return Comparison(
        tuple(rows), (), "finescale compare", "gates", None, ("area", "flow"), {}, 2, 1
    )


@pytest.mark.parametrize(
    ("one", "text"),
    [
        ((110, 120, 130), "1.20 (1.10 to 1.30)"),
        ((90, 80, 70), "0.80 (0.70 to 0.90)"),
        ((99, 120, 130), "1.20 (0.99 to 1.30), a tie"),
        ((100, 100, 130), "1.00 (1.00 to 1.30), a tie"),
    ],
)
def test_ratios(one: tuple[float, float, float], text: str) -> None:
    ratio = Ratio.of(mapped(*one), mapped(100, 100, 100))
    assert str(ratio) == text
    assert ratio.tie == text.endswith("tie")


def test_ratios_are_of_the_same_script() -> None:
    """Two designs whose ranges overlap may still differ in every script."""
    assert not Ratio.of(mapped(101, 51, 201), mapped(100, 50, 200)).tie


def test_all_parts_are_variants_that_are_compared() -> None:
    """Nothing is left blank because of a name that does not exist."""
    defaults = {v.name for v in default_variants()}
    for block in (4, 8, 16, 32):
        for kind in KINDS:
            for part, name in PARTS.items():
                if part == "MAC tc35" and block < 16:
                    continue  # blocks are smaller than its groups
                assert name(kind, block) in defaults


def test_tables() -> None:
    rows = [
        row("quantizer-ue4m3-absmax-b16-bf16", 100, 100, 100),
        row("quantizer-ue5m3-absmax-b16-bf16", 103, 110, 120),
        row("quantizer-ue4m3-absmax-h-b16-bf16", 200, 210, 220),
        row("dot-ue4m3-b16-block", 50, 50, 50),
        row("dot-ue5m3-b16-block", 49, 50, 52),
        row("quantizer-ue4m3-absmax-b8-bf16", 1, 1, 1),  # alone at its size
    ]
    found = comparison(rows)
    assert block_sizes(found) == [16]
    grids = answer_grids(found, 16)
    ratios = {r[0]: r[1:] for r in grids["Logic over UE4M3, script by script"].rows}
    assert ratios["UE5M3"] == ("1.10 (1.03 to 1.20)", "1.00 (0.98 to 1.04), a tie")
    assert ratios["UE4M3 + h"] == ("2.10 (2.00 to 2.20)", "the same")
    assert grids["Gates"].rows[0][1] == "100 (100 to 100) + 40"
    assert grids["Storage and error"].headings[2:] == ("error σ=0.003", "error σ=1")
    assert grids["Storage and error"].rows[2][1] == "4.50003"
    tensors = grids["A whole tensor"].rows
    assert [r[:2] for r in tensors] == [
        ("UE4M3", "one"),
        ("UE5M3", "one"),
        ("UE4M3 + h", "two"),
        ("UE4M3 + h", "delayed"),
    ]
    once, twice = (int(re.sub(r"\D", "", r[3].split("+")[0])) for r in (tensors[0], tensors[2]))
    assert (once, twice) == (2 << 20, 4 << 20)  # 2^20 elements of two bytes
    short = short_answer(found, 16)
    assert short.headings[:4] == ("scales", "bits/element", "error σ=0.003", "error σ=1")
    assert short.rows[0][4:] == ("1", "1") and short.rows[1][4:] == ratios["UE5M3"]
    assert short.markdown() in readme_table(found) and "block size 16" in readme_table(found)
    page = to_markdown(found)
    assert "### Block size 16" in page and "### Block size 8" not in page


def test_no_question_without_two_kinds() -> None:
    found = comparison([row("quantizer-ue4m3-absmax-b16-bf16", 1, 1, 1)])
    assert block_sizes(found) == []
    assert "### Block size" not in to_markdown(found)
    assert readme_table(found).startswith("| variant |")
