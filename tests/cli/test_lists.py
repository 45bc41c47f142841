"""formats, recipes, variants: complete, exact, and JSON where asked."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cli.lists import RULE_TEXT
from cli.show import exact
from emulator.formats import FORMATS
from emulator.recipes import ALIASES, AVAILABLE_RULES, RULES, recipe, recipe_names
from rtl.tensor_quantizer_variant import TensorQuantizerVariant
from rtl.variants import default_variants, variant

from .conftest import Cli


def test_formats_are_all_listed(cli: Cli) -> None:
    ended = cli("formats")
    names = [line.split()[0] for line in ended.out.splitlines()[2:] if "/" in line]
    assert names[: len(FORMATS)] == list(FORMATS)
    assert "114688" in ended.out and "2^-17" in ended.out


def test_formats_as_json(cli: Cli) -> None:
    rows = {row["name"]: row for row in cli("formats", "--json").json}
    assert list(rows) == list(FORMATS)
    for name, row in rows.items():
        fmt = FORMATS[name]
        assert Fraction(row["max"]) == fmt.max
        assert Fraction(row["min_positive"]) == fmt.min_positive
        assert int(row["max_code"], 16) == fmt.max_code
        assert row["nan_code"] is None or int(row["nan_code"], 16) == fmt.nan_code
        assert "codes" not in row


@pytest.mark.parametrize("name", ["e2m1", "ue4m3", "ue5m3", "e8m0", "e5m2"])
def test_codes_have_their_exact_values(cli: Cli, name: str) -> None:
    fmt = FORMATS[name]
    (row,) = cli("formats", name, "--json").json
    assert len(row["codes"]) == 1 << fmt.width
    finite = 0
    for entry in row["codes"]:
        code = int(entry["code"], 16)
        if fmt.is_finite(code):
            finite += 1
            assert Fraction(entry["decimal"]) == fmt.value(code)
            if " * 2^" in entry["value"]:
                c, q = entry["value"].split(" * 2^")
                assert int(c) * Fraction(2) ** int(q) == fmt.value(code)
        else:
            assert entry["value"] in ("NaN", "Inf", "-Inf") and entry["decimal"] is None
    assert finite == (fmt.max_code + 1) * (2 if fmt.signed else 1)


def test_a_format_by_name(cli: Cli) -> None:
    out = cli("formats", "e2m1").out
    rows = [line.split() for line in out.splitlines()]
    assert ["f", "1", "11", "1", "-3", "*", "2^1", "-6"] in rows
    assert ["8", "1", "00", "0", "-0", "-0"] in rows


def test_wide_formats_need_asking(cli: Cli) -> None:
    assert "65,536 codes: --values lists them" in cli("formats", "bf16").out
    assert cli("formats", "fp32", "--values").message.startswith("fp32 has 2^32 codes")


def test_recipes(cli: Cli) -> None:
    out = cli("recipes").out
    for rule in RULES:
        assert rule in out
    assert all(alias in out for alias in ALIASES)
    assert "[<element>.]<scale>-<rule>" in out


def test_recipes_as_json(cli: Cli) -> None:
    rows = cli("recipes", "--json").json
    assert [row["alias"] or row["name"] for row in rows] == recipe_names()
    for row in rows:
        r = recipe(row["name"])
        assert row["available"] == (r.unavailable is None)
        assert row["bits_per_element"] == float(r.block_format.bits_per_element)


def test_every_rule_is_explained() -> None:
    assert list(RULE_TEXT) == list(RULES)
    assert all("spec §" in RULE_TEXT[rule] for rule in AVAILABLE_RULES)


@pytest.mark.parametrize("name", ["ue5m3-absmax-pz-b64", "mxfp4"])
def test_an_available_recipe(cli: Cli, name: str) -> None:
    lines = cli("recipes", name).out.splitlines()
    assert lines[0].startswith(recipe(name).name) and lines[-1] == "available"


def test_variants(cli: Cli) -> None:
    rows = [line.split() for line in cli("variants").out.splitlines()]
    for v in default_variants():
        ports = str(v.input_layout.width), str(v.output_layout.width)
        assert [v.name, str(v.latency), str(v.interval), *ports] in rows


def test_variants_as_json(cli: Cli) -> None:
    rows = cli("variants", "--json").json
    tensors = TensorQuantizerVariant.defaults()
    assert [row["name"] for row in rows] == [v.name for v in (*default_variants(), *tensors)]
    assert len(rows) >= 20
    name = "quantizer-ue4m3-absmax-b8-fp32-cutt"
    (row,) = cli("variants", name, "--json").json
    v = variant(name)
    assert row["module"] == v.module and row["latency"] == 1
    assert {p: (d["direction"], d["width"]) for p, d in row["ports"].items()} == v.ports


def test_a_tensor_quantizer(cli: Cli) -> None:
    name = "tensor-quantizer-ue4m3-absmax-hp2-b4-bf16-local64-w16"
    lines = cli("variants", name).out.splitlines()
    assert lines[0].startswith(f"{name}: Tensor quantizer of recipe ue4m3-absmax-hp2-b4")
    assert "2 x quantizer-ue4m3-absmax-hp2-b4-bf16; memory words of 16 bytes" in lines[1]
    assert any("write_payload" in line and "address at bit 0" in line for line in lines)
    (row,) = cli("variants", name, "--json").json
    assert row["unit"] == "tensor-quantizer" and row["buffer"] == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("formats bf17", "unknown format 'bf17'; did you mean bf16"),
        ("recipes ue5m3-absmx-b16", "did you mean absmax"),
        ("recipes ue5m3absmax-b16", "did you mean ue5m3-absmax-b16"),
        ("recipes ue5m3-absmax-b17", "block size 17 is not a power of two"),
        (
            "variants quantiser-ue5m3-absmax-b16-bf16",
            "did you mean quantizer-ue5m3-absmax-b16-bf16",
        ),
        ("variants quantizer-nvfp4-bf16", "unknown variant"),
        (
            "variants tensor-quantizer-ue5m3-absmax-b16-bf16-on",
            "did you mean tensor-quantizer-ue5m3-absmax-b16-bf16-one",
        ),
        ("variants quantizer-ue5m3-absmax-b64-bf16", "exceeds the 32 lanes"),
    ],
)
def test_unknown_names_list_near_ones(cli: Cli, arguments: str, message: str) -> None:
    ended = cli(*arguments.split())
    assert ended.code == 2 and message in ended.message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(448), "448"),
        (Fraction(1, 4), "0.25"),
        (Fraction(1, 512), "2^-9"),
        (Fraction(-1, 1 << 20), "-2^-20"),
        (Fraction(2) ** 127, "2^127"),
        (Fraction(255) * 2**120, "255 * 2^120"),
        (Fraction(7, 1024), "7 * 2^-10"),
    ],
)
def test_exact_numbers_as_text(value: Fraction, text: str) -> None:
    assert exact(value) == text
