"""Names of variants, what follows from them, and what is refused."""

from __future__ import annotations

import pytest

from emulator.errors import NotAvailableError, UnknownNameError
from emulator.formats import FORMATS
from emulator.recipes import BLOCK_SIZES, CHOOSING_SELECTIONS, SELECTIONS, VOTING_SELECTIONS, recipe
from rtl.select_variant import SELECT_RULES, SelectVariant
from rtl.variants import CUTS, INPUTS, UNITS, QuantizerVariant, default_variants, variant
from rtl.vote_variant import VoteVariant


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("cuts", ["aso", "i", "iasto", "to"])
def test_names_round_trip(selection: str, cuts: str) -> None:
    for block in (2, 32):
        for x in INPUTS:
            v = QuantizerVariant(recipe(f"{selection}-b{block}"), FORMATS[x], cuts)
            assert variant(v.name) == v
            assert v.module.isidentifier() and "__" not in v.module
            assert v.latency == len(cuts)  # spec §12.5


def test_ports_hold_the_words() -> None:
    """spec §12.1."""
    v = variant("quantizer-ue4m3-absmax-b8-fp32")
    assert v.ports["i_payload"] == ("input", 8 * 32)
    assert v.ports["o_payload"] == ("output", 4 * 8 + 8)
    assert list(v.ports) == [
        "clk", "rst", "i_payload", "i_valid", "i_ready", "o_payload", "o_valid", "o_ready",
    ]  # fmt: skip


def test_default_set() -> None:
    names = [v.name for v in QuantizerVariant.defaults()]
    assert len(names) == len(set(names)) == 8 * len(BLOCK_SIZES)
    assert all(name.endswith("-bf16") for name in names)
    assert variant("quantizer-ue5m3-absmax-b16-bf16-cutaso").name in names


def test_default_sets_of_all_units() -> None:
    names = [v.name for v in default_variants()]
    assert len(names) == len(set(names))
    assert {name.split("-")[0] for name in names} == set(UNITS)
    assert all(variant(name).name == name for name in names)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("quantizer-ue5m3-absmax-b16-bf17", UnknownNameError, r"did you mean quantizer-ue5m3"),
        ("dot-ue5m3-absmax-b16-bf16", UnknownNameError, r"unknown variant 'dot-"),
        ("quantizer-ue5m3-absmax-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-absmax-b12-bf16", ValueError, r"spec §5.3"),
        ("quantizer-ue5m3-absmax-b16-bf16-cut", ValueError, r"cuts '' are not"),
        ("quantizer-ue5m3-absmax-b16-bf16-cutoa", ValueError, r"cuts 'oa' are not"),
        ("quantizer-ue5m3-top2-b16-bf16-turn", UnknownNameError, r"unknown variant"),
        ("quantizer-ue5m3-top2-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-top2-b16-bf16-cutva", ValueError, r"cuts 'va' are not one or more"),
        ("quantizer-ue5m3-pop-sr4-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-pop-h-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-pop-h256-b16-bf16", ValueError, r"h256"),
        *(
            (f"quantizer-{s}-b16-bf16", NotAvailableError, r"hardware for rule '.*' is not avail")
            for s in CHOOSING_SELECTIONS
            if "search" in s
        ),
        ("quantizer-ue5m3-absmax-b16-bf16-turn", UnknownNameError, r"unknown variant"),
        ("quantizer-ue5m3-3c-b16-bf16-turn-cutae", ValueError, r"cuts 'ae' lack o"),
        ("quantizer-ue5m3-3c-b16-bf16-cutoa", ValueError, r"cuts 'oa' are not letters of"),
        ("quantizer-ue5m3-3c-b16-bf16-cut", ValueError, r"cuts '' are not one or more"),
        ("quantizer-ue5m3-3c-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue4m3-search-h-b16-bf16", NotAvailableError, r"hardware for rule 'search'"),
        ("quantizer-ue4m3-4o6-h-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "selection",
    [s for s in CHOOSING_SELECTIONS if s.split("-")[1] in SELECT_RULES]
    + ["ue4m3-4o6-pz-h256", "ue5m3-6c-hbf16", "ue4m3-3c-hp2"],
)
@pytest.mark.parametrize(("turn", "cuts"), [(False, ""), (True, ""), (True, "o"), (False, "ief")])
def test_names_of_selecting_variants(selection: str, turn: bool, cuts: str) -> None:
    v = SelectVariant(recipe(f"{selection}-b8"), FORMATS["fp16"], cuts, turn)
    assert variant(v.name) == v
    assert v.module.isidentifier() and "__" not in v.module
    candidates = {"4o6": 2, "3c": 3, "6c": 6, "fc": 2}[v.recipe.rule]  # spec §15.1
    assert v.interval == (candidates if turn else 1)  # spec §12.5
    waits = candidates - 1 if turn and set(v.cuts) & {"i", "a"} else 0
    assert v.latency == len(v.cuts) + waits


def test_defaults_of_selecting_variants() -> None:
    found = SelectVariant.defaults()
    assert len({v.name for v in found}) == len(found) > 8
    assert {variant(v.name) for v in found} == set(found)


@pytest.mark.parametrize("selection", VOTING_SELECTIONS)
@pytest.mark.parametrize("cuts", ["avo", "i", "iasvto"])
def test_names_of_voting_variants(selection: str, cuts: str) -> None:
    v = VoteVariant(recipe(f"{selection}-b8"), FORMATS["fp16"], cuts)
    assert variant(v.name) == v and ("-cut" in v.name) == (cuts != "avo")
    assert (v.latency, v.interval) == (len(cuts), 1)  # spec §12.5


def test_defaults_of_voting_variants() -> None:
    found = VoteVariant.defaults()
    assert len({v.name for v in found}) == len(found) == 11
    assert [variant(v.name) for v in found] == found


def test_refused_input() -> None:
    with pytest.raises(ValueError, match="input format e4m3 is not one of bf16, fp16, fp32"):
        QuantizerVariant(recipe("ue5m3-absmax-b4"), FORMATS["e4m3"])


def test_cuts_are_in_the_order_of_the_pipeline() -> None:
    assert "".join(CUTS) == "iasto"
