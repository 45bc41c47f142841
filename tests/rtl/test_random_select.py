"""Choices whose elements round at random: names, pace, elements, and a whole small one."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.lib import wiring

from emulator.errors import NotAvailableError, UnknownNameError
from emulator.formats import FORMATS
from emulator.layout import Words
from emulator.random_select_stimulus import GRIDS, random_select_stimulus
from emulator.random_words import expected_random, expected_random_by_reference
from emulator.recipes import recipe
from rtl.hierarchy import Hierarchy
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.random_select_variant import RandomSelectVariant
from rtl.random_shapes import RandomShapes
from rtl.random_variant import RandomVariant
from rtl.variants import quantizer, variant
from rtl.verilog import unit_rtlil
from tests.exhaustive_random_select import MATRIX
from tests.rtl.random_select_pace import check_pace
from tests.rtl.rounding import OneElement
from tests.rtl.scaled_rounding import OneScaledElement
from tests.rtl.simulation import through


def select(name: str) -> RandomSelectVariant:
    v = quantizer(name)
    assert isinstance(v, RandomSelectVariant)
    return v


@pytest.mark.parametrize("name", MATRIX)
def test_names_and_pace(name: str) -> None:
    """spec §26.5, §26.1, §26.4"""
    v = select(name)
    assert variant(v.name) == v and v.module.isidentifier() and "__" not in v.module
    plain = quantizer(v.name.replace(f"-sr{v.recipe.sr_bits}", "").split(f"-{v.input.name}")[0]
                      + f"-{v.input.name}" + "-turn" * v.turn)  # fmt: skip
    inner = v.choice
    assert (inner.recipe, inner.input) == (plain.recipe, plain.input)
    behind = "".join(c for c in v.cuts if c in "rw")
    assert v.cuts == inner.cuts + behind and inner.cuts
    assert v.interval == max(inner.interval, 27 // v.rounds)
    assert v.latency == max(inner.latency, 27 // v.rounds) + len(behind)
    assert v.input_layout.field("number").offset == inner.input_layout.width
    assert v.output_layout == inner.output_layout
    if "-cut" not in name:
        assert v.cuts == plain.cuts + "w" and v.name == name


def test_words_that_wait() -> None:
    """spec §26.5, lemma"""
    for name, words in (
        ("quantizer-ue5m3-4o6-sr4-b2-bf16", 3),
        ("quantizer-ue5m3-4o6-sr4-b2-bf16-cutow", 0),
        ("quantizer-ue5m3-6c-sr4-b2-bf16-turn", 1),
        ("quantizer-ue5m3-6c-sr4-b2-bf16-turn-cutiastefow", 1),
        ("quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r9-cutiastefow", 2),
        ("quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r1", 0),
        ("quantizer-ue4m3-pop-sr4-b2-bf16-cutiasvtorw", 5),
    ):
        v = select(name)
        assert v.waiting == words, name
        assert f"{words} behind it" in v.registers or not words


def test_defaults() -> None:
    found = RandomSelectVariant.defaults()
    assert [variant(v.name) for v in found] == found and len(found) == 8
    assert {v.recipe.rule for v in found} >= {"4o6", "3c", "6c", "4o6t", "top2"}


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("quantizer-ue5m3-search-sr4-b16-bf16", NotAvailableError, r"ue5m3-search-b16: .*'search'"),
        ("quantizer-ue5m3-4o6-sr4-b64-bf16", NotAvailableError, r"64 exceeds the 32 lanes"),
        ("quantizer-ue5m3-4o6-sr4-b16-bf16-r5", ValueError, r"-r5 is not one of 1, 3, 9, 27"),
        ("quantizer-ue5m3-4o6-sr4-b16-bf16-cut", ValueError, r"cuts '' are not letters"),
        ("quantizer-ue5m3-4o6-sr4-b16-bf16-cutrw", ValueError, r"'rw' lack a letter of 'iastefo'"),
        ("quantizer-ue5m3-4o6-sr4-b16-bf16-cutwo", ValueError, r"cuts 'wo' are not one or more"),
        ("quantizer-ue5m3-top2-sr4-b16-bf16-cuteow", ValueError, r"letters of 'iasvtorw'"),
        ("quantizer-ue5m3-3c-sr4-b16-bf16-turn-cutaw", ValueError, r"cuts 'a' lack o"),
        ("quantizer-ue5m3-4o6t-sr4-b16-bf16-turn", ValueError, r"-turn has no meaning for 4o6t"),
        ("quantizer-ue5m3-4o6t-sr4-h-b16-bf16", ValueError, r"4o6t goes with no tensor scale"),
        ("quantizer-ue5m3-top2-sr4-b16-bf16-turn", UnknownNameError, r"unknown variant"),
        ("quantizer-ue5m3-4o6-b16-bf16-r9", UnknownNameError, r"unknown variant"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    """What the choice refuses is refused with its message."""
    with pytest.raises(error, match=message) as caught:
        variant(name)
    assert "\n" not in str(caught.value)


def test_recipes_of_other_variants() -> None:
    bf16 = FORMATS["bf16"]
    with pytest.raises(ValueError, match="ue5m3-4o6-b16 does not round at random"):
        RandomSelectVariant(recipe("ue5m3-4o6-b16"), bf16)
    with pytest.raises(ValueError, match="rule 'absmax' chooses no scale"):
        RandomSelectVariant(recipe("ue5m3-absmax-sr4-b16"), bf16)
    with pytest.raises(ValueError, match="rule 'pop' chooses no scale in turn"):
        RandomSelectVariant(recipe("ue5m3-pop-sr4-b16"), bf16, turn=True)


def text(unit: wiring.Component) -> dict[str, str]:
    """A unit and all of its parts, before any mapping."""
    hierarchy, texts = Hierarchy("lane"), {}
    parts = {"lane": unit}
    while missing := sorted(parts.keys() - texts.keys()):
        texts |= {name: unit_rtlil(parts[name], name, hierarchy) for name in missing}
        parts |= hierarchy.units
    assert len(texts) > 2
    return texts


@pytest.mark.parametrize(
    "selection",
    ["ue5m3-4o6-e6-sr4-pz", "ue4m3-4o6t-sr1"],
)
def test_elements_have_the_gates_of_any_scale(selection: str) -> None:
    """What is shown of lanes under all scales for absmax holds for each chosen one (spec §19.2)."""
    x = FORMATS["bf16"]
    chosen = RandomShapes.of_random(RandomSelectVariant(recipe(f"{selection}-b4"), x))
    absmax = RandomShapes.of_random(
        RandomVariant(recipe(f"{selection.split('-')[0]}-absmax-sr{chosen.bits}-b4"), x)
    )
    assert text(OneElement(chosen)) == text(OneElement(absmax))


@pytest.mark.parametrize(
    ("selection", "other"),
    [
        ("ue5m3-3c-sr4-pz-hp2", "ue5m3-absmax-sr4-hp2"),
        ("e8m0-fc-sr4", "e8m0-even-sr4"),
    ],
)
def test_elements_under_products_do_too(selection: str, other: str) -> None:
    """spec §26.4"""
    shapes = [
        RandomScaledShapes.of_recipe(recipe(f"{s}-b4"), FORMATS["bf16"]) for s in (selection, other)
    ]
    assert text(OneScaledElement(shapes[0])) == text(OneScaledElement(shapes[1]))


def grid_words(v: RandomSelectVariant, count: int) -> tuple[Words, list[int], list[int]]:
    """Some words of the grids, as integers, and what is required for them by the reference."""
    words = random_select_stimulus(GRIDS, v.recipe, v.input)[:: 1500 // count][:count]
    spec = expected_random_by_reference(v.recipe, v.input, words)
    assert (expected_random(v.recipe, v.input, words) == spec).all()
    sent, want = (
        [int.from_bytes(word.tobytes(), "little") for word in each] for each in (words, spec)
    )
    return words, sent, want


def test_random_words() -> None:
    """Pauses of both sides, other seeds in each word (spec §26.2, §12.2 to §12.4)."""
    v = select("quantizer-e8m0-fc-sr4-b2-bf16-turn-r9-cutow")
    words, sent, want = grid_words(v, 12)
    assert len(np.unique(words, axis=0)) == 12
    assert through(v, sent, pauses=0.4) == want


@pytest.mark.parametrize(
    ("name", "waiting", "holds"),
    [
        ("quantizer-ue5m3-4o6-sr4-b2-bf16", 3, False),
        ("quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r9-cutiastefow", 2, False),
        ("quantizer-ue5m3-6c-sr4-b2-bf16-turn-cuteorw", 0, False),
        ("quantizer-ue5m3-6c-sr4-b2-bf16-turn-r9-cuto", 0, True),
    ],
)
def test_full_pace(name: str, waiting: int, holds: bool) -> None:
    """A word per interval, each after the latency, and none lost in pauses (spec §26.5)."""
    v = select(name)
    assert (v.waiting, v.holds) == (waiting, holds)
    check_pace(v)


def test_no_register_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """One place less for words that wait, or none for the scale, and the pace is lost."""
    for name, fault, value in (
        ("quantizer-ue5m3-4o6-sr4-b2-bf16", "waiting", 2),
        ("quantizer-ue5m3-6c-sr4-b2-bf16-turn-r9-cuto", "holds", False),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(RandomSelectVariant, fault, value)
            with pytest.raises(AssertionError, match="interval"):
                check_pace(select(name))
