"""Tensor quantizers in Verilator: cycles and bytes to the last one, and what has to be found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from amaranth.hdl import Value

from cocotb_tests import toolchain
from cocotb_tests.memory_bench import Memory, MemoryModel, Stalls, build
from cocotb_tests.memory_points import POINTS, SMALL, Point
from cocotb_tests.memory_tensors import judge, measure, task, tensor
from compare import memory as formula
from compare.memory import Traffic, traffic, whole_tensor
from emulator.errors import MismatchError
from rtl import tensor_measure, tensor_reader
from rtl.read_requests import ReadRequests
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer

pytestmark = pytest.mark.slow

ONE, TWO = dict.fromkeys(p.name for p in SMALL)
SIZES = (1, 2, 3, 4, 5, 31, 32, 33, 64, 65, 129)


@pytest.fixture(scope="module")
def models() -> dict[str, MemoryModel]:
    return {name: build(tensor_quantizer(name)) for name in (ONE, TWO)}


def differing(model: MemoryModel, memory: Memory, sizes: tuple[int, ...] = SIZES) -> list[str]:
    """Where the formula is not what the simulation counts, to the cycle and to the byte."""
    v = model.variant
    run, _ = measure(model, [tensor(v, blocks, blocks) for blocks in sizes], memory)
    return [
        f"{blocks} blocks: {seen}, not {wanted}"
        for blocks, r in zip(sizes, run.results, strict=True)
        for seen in (Traffic(r.cycles, r.reads * v.width, r.written),)
        for wanted in (formula.traffic(v, blocks, memory),)
        if seen != wanted
    ]


@pytest.mark.parametrize("name", [ONE, TWO])
def test_small_tensors(name: str, models: dict[str, MemoryModel]) -> None:
    """All bytes by the emulator, all cycles by the formula (spec §24.6, §24.9, §24.10)."""
    for latency in (1, 2, 3, 16, 36, 37, 100, 512):
        for reads in (None, 1, 2, 5, 16, 37):
            memory = Memory(latency, reads)
            assert not differing(models[name], memory), memory


@pytest.mark.parametrize("point", SMALL, ids=str)
def test_points(point: Point, models: dict[str, MemoryModel]) -> None:
    """Tensors of 2^10 to 2^16 elements (spec §24.9, §24.10)."""
    model = models[point.name]
    blocks = -(-point.elements // model.variant.quantizer.recipe.block_size)
    assert not differing(model, point.memory, (blocks,))


SELECTING = (
    "tensor-quantizer-ue4m3-4o6-hp2-b8-bf16-turn-delayed-w16",
    "tensor-quantizer-ue4m3-3c-e5-hp2-b8-bf16-two-w16",
)


@pytest.mark.parametrize("name", SELECTING)
def test_candidates_under_a_tensor_scale(name: str) -> None:
    """In turn or side by side: words of `quantize`, cycles of the formula (spec §24.7, §24.9)."""
    model = build(tensor_quantizer(name))
    for latency, reads in ((1, None), (9, 3), (130, 17)):
        assert not differing(model, Memory(latency, reads)), (latency, reads)
    run, _ = measure(model, [tensor(model.variant, 700, 5)], Memory(7, 9), Stalls(90, 160, 90, 128))
    assert run.results[0].reads == 700 * (2 if "two" in name else 1)


@pytest.mark.parametrize("name", [ONE, TWO])
@pytest.mark.parametrize("seed", range(4))
def test_pauses(name: str, seed: int, models: dict[str, MemoryModel]) -> None:
    """The same bytes whatever pauses, tensors one after the other (spec §24.2, §24.7)."""
    model = models[name]
    v = model.variant
    stalls = Stalls(60 + 40 * seed, 200 - 30 * seed, 90 + 50 * seed, 128, 1 + 7 * seed, seed)
    tensors = [tensor(v, blocks, seed) for blocks in (1, 700, 3, 128, 2000)]
    run, compared = measure(model, tensors, Memory(1 + 50 * seed, 3 + seed), stalls, seed)
    assert compared > 8000 and len(run.results) == 5


def test_a_formula_that_is_off_by_one_is_found(models: dict[str, MemoryModel]) -> None:
    for figure, by in (("cycles", 1), ("cycles", -1), ("read", 1), ("written", -1)):

        def wrong(
            v: TensorQuantizerVariant,
            blocks: int,
            memory: Memory,
            figure: str = figure,
            by: int = by,
        ) -> Traffic:
            found = traffic(v, blocks, memory)
            return replace(found, **{figure: getattr(found, figure) + by})

        with mock.patch.object(formula, "traffic", wrong):
            assert len(differing(models[ONE], Memory(3))) == len(SIZES)


def test_a_wrong_byte_is_found(models: dict[str, MemoryModel]) -> None:
    """Everything is compared, what was not to be written included (spec §13.2, §24.6)."""
    model = models[TWO]
    t = task(model.variant, [tensor(model.variant, 9, 1)])
    run = model.run(t.before, t.commands, Memory(2))
    assert judge(model.variant, t, run) == 9 * 3 + 4
    at = int((t.before == t.after).nonzero()[0][5])
    for place in (at, int((t.before != t.after).nonzero()[0][0])):
        image = run.image.copy()
        image[place] ^= 1
        with pytest.raises(MismatchError, match=f"1 bytes differ, first address {place:08x}"):
            judge(model.variant, t, replace(run, image=image))
    status = replace(run.results[0], status=run.results[0].status ^ 4)
    with pytest.raises(MismatchError, match="status 0 is"):
        judge(model.variant, t, replace(run, results=(status,)))
    with pytest.raises(MismatchError, match="0 of 1 commands"):
        judge(model.variant, t, replace(run, results=()))


def mutant(name: str, unit: tuple[object, str], wrong: object) -> MemoryModel:
    v = tensor_quantizer(name)
    with mock.patch.object(*unit, wrong):
        return build(v, v.verilog())


@pytest.mark.parametrize(("more", "message"), [(-1, ""), (1, "5 reads under way, not up to 4")])
def test_a_wrong_number_of_reads_is_found(more: int, message: str) -> None:
    """One less gives the same bytes: only the cycles show it (spec §24.5, §24.9)."""

    def requests(v: TensorQuantizerVariant) -> ReadRequests:
        return ReadRequests(replace(v, reads=v.reads + more))

    model = mutant(f"{ONE}-r4", (tensor_reader, "ReadRequests"), requests)
    if message:
        with pytest.raises(MismatchError, match=message):
            differing(model, Memory(20))
    else:
        assert len(differing(model, Memory(20))) == len([b for b in SIZES if b > 6])


def test_what_follows_the_tensor_does_not_count() -> None:
    """Padding of the last memory word that goes into the amax is found (spec §24.5)."""
    sound = tensor_measure.Mux

    def take(counts: object, part: Value, other: int) -> Value:
        return part

    assert sound is not take
    model = mutant(TWO, (tensor_measure, "Mux"), take)
    assert not differing(model, Memory(2), (2, 4))
    with pytest.raises(MismatchError, match="status 0 is"):
        differing(model, Memory(2), (3,))


@pytest.mark.parametrize("name", [ONE, TWO, "tensor-quantizer-ue4m3-absmax-h-b2-bf16-local8-w16"])
def test_ports_and_lint(name: str, tmp_path: Path) -> None:
    """The ports of spec §24.2, and no warning but the waived ones."""
    v = tensor_quantizer(name)
    path = tmp_path / f"{v.module}.v"
    path.write_text(v.verilog())
    assert toolchain.dut_ports(path, v.module) == v.ports
    assert toolchain.lint(path, v.module) == ""


def test_points_are_spread_over_their_ranges() -> None:
    found = {(p.name, p.elements, p.memory) for p in POINTS}
    assert len(found) == len(POINTS) >= 30
    variants = [tensor_quantizer(p.name) for p in POINTS]
    assert {v.schedule for v in variants} == {"one", "two", "delayed", "local"}
    assert {v.width for v in variants} == {16, 32, 64, 128}
    for values, low, high in (
        ([p.elements for p in POINTS], 1 << 10, 1 << 20),
        ([p.memory.latency for p in POINTS], 1, 512),
    ):
        assert (min(values), max(values)) == (low, high)


def test_whole_tensor() -> None:
    """A second pass costs as many cycles and bytes again, a given tensor scale none."""
    one, two, delayed = (
        whole_tensor(tensor_quantizer(f"tensor-quantizer-{name}"))
        for name in (
            "ue5m3-absmax-b16-bf16-one",
            "ue4m3-absmax-h-b16-bf16-two",
            "ue4m3-absmax-h-b16-bf16-delayed",
        )
    )
    for system in ("near", "far"):
        assert 1.99 < two[system].cycles / one[system].cycles < 2.01
        assert two[system].read == 2 * one[system].read == 1 << 22
        assert delayed[system].cycles == one[system].cycles
        assert delayed[system].written == one[system].written + 4
    with pytest.raises(ValueError, match="0 blocks are not 1 to"):
        whole_tensor(tensor_quantizer("tensor-quantizer-ue5m3-absmax-b16-bf16-one"), 0)


def test_a_memory_that_is_none() -> None:
    for wrong in ({"latency": 0}, {"latency": 1, "reads": 0}):
        with pytest.raises(ValueError, match="memory"):
            Memory(**wrong)
