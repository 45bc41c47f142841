"""What `make exhaustive` runs of tensor quantizers: the points of the study, and their matrix."""

from __future__ import annotations

from cocotb_tests.memory_points import POINTS
from cocotb_tests.pairwise import pairwise
from tests.exhaustive import HARDWARE, Job

HERE = "tests.exhaustive_memory"
SOURCES = (
    *HARDWARE,
    "rtl/tensor_quantizer_variant.py",
    "cocotb_tests/memory_*.py",
    "compare/memory.py",
)
WORDS = 20_000
"""Memory words that go through each unit of the matrix with random pauses, at least."""

_BLOCKS, _INPUTS = ("2", "4", "8", "16", "32"), ("bf16", "fp16", "fp32")
_WIDTHS, _READS = ("16", "32", "64", "128"), ("1", "7", "64", "512")
_COMMON = {"block": _BLOCKS, "input": _INPUTS, "width": _WIDTHS, "reads": _READS}
_ONE = ("ue5m3-absmax", "ue4m3-absmax-pz", "e8m0-floor", "ue5m3-3c", "ue4m3-top2")
_SCALED = ("ue4m3-absmax-h", "ue4m3-absmax-h256", "ue5m3-absmax-pz-hbf16", "ue4m3-absmax-hp2")
_SCALED += ("ue4m3-4o6-hp2",)

MATRIX = tuple(
    f"tensor-quantizer-{c['selection']}-b{c['block']}-{c['input']}{c['turn']}-{c['schedule']}"
    f"-w{c['width']}-r{c['reads']}"
    for parameters in (
        {"selection": _ONE, "schedule": ("one",), **_COMMON},
        {"selection": _SCALED, "schedule": ("two", "delayed", "local64"), **_COMMON},
    )
    for choice in pairwise(parameters)
    for c in ({**choice, "turn": "-turn" if choice["selection"].endswith("3c") else ""},)
)
"""Each pair of values of two parameters."""

_CHOOSING = ("ue4m3-4o6-h", "ue5m3-3c-hbf16", "ue4m3-3c-hp2", "ue5m3-4o6-h")
_CHOOSING += ("ue4m3-4o6-e6-h", "ue5m3-3c-e5-hp2", "ue4m3-3c-e6-hbf16", "ue5m3-4o6t-hp2")
_FEW = {"block": _BLOCKS[:4], "input": _INPUTS[:2], "width": _WIDTHS[:3], "reads": _READS}

SELECTING = tuple(
    f"tensor-quantizer-{c['selection']}-b{c['block']}-{c['input']}{c['turn']}{c['schedule']}"
    f"-w{c['width']}-r{c['reads']}"
    for parameters in (
        {
            "selection": _CHOOSING,
            "turn": ("",),
            "schedule": ("-two", "-delayed", "-local64"),
            **_FEW,
        },
        {
            "selection": _CHOOSING[:-1],
            "turn": ("-turn",),
            "schedule": ("-delayed", "-cuto-delayed", "-cutiaeo-delayed"),
            **_FEW,
        },
    )
    for c in pairwise(parameters)
)
"""Candidates under a tensor scale: side by side with each schedule, in turn (spec §24.7)."""

MATRICES = {"all": MATRIX, "selecting": SELECTING}

SECOND = tuple(
    f"tensor-quantizer-{rest}"
    for rest in (
        "ue5m3-absmax-b16-bf16-one-w16",
        "ue4m3-absmax-h-b16-bf16-two-w32",
        "ue5m3-3c-hbf16-b8-bf16-turn-delayed-w16",
        "ue4m3-4o6-e6-h-b8-fp16-local16384-w16",
    )
)
"""One of each schedule, for another simulator."""

UNITS = tuple(dict.fromkeys(p.name for p in POINTS))


def points_unit(unit: int) -> int:
    """The points of one unit of the study: all bytes, and the formula's three figures."""
    from cocotb_tests.memory_bench import build
    from cocotb_tests.memory_tensors import measure, tensor
    from compare.memory import Traffic, traffic
    from rtl.tensor_quantizer_variant import tensor_quantizer

    v = tensor_quantizer(UNITS[unit])
    model, total = build(v), 0
    for seed, point in enumerate(p for p in POINTS if p.name == v.name):
        blocks = -(-point.elements // v.quantizer.recipe.block_size)
        run, compared = measure(model, [tensor(v, blocks, seed)], point.memory, seed=seed)
        (r,) = run.results
        seen = Traffic(r.cycles, r.reads * v.width, r.written)
        assert seen == traffic(v, blocks, point.memory), (point, seen)
        total += compared
    return total


def matrix_unit(matrix: str, unit: int) -> int:
    """A unit of a matrix: short tensors by the formula, long ones with random pauses."""
    import numpy as np

    from cocotb_tests.memory_bench import Memory, Stalls, build
    from cocotb_tests.memory_tensors import measure, tensor
    from compare.memory import Traffic, traffic
    from rtl.tensor_quantizer_variant import tensor_quantizer

    v = tensor_quantizer(MATRICES[matrix][unit])
    random = np.random.Generator(np.random.PCG64(unit))
    model, total = build(v), 0
    opens = v.width + 1  # a word of scale codes and one block
    sizes = (1, 2, 3, v.group, v.group + 1, 63, 64, 65, opens, 2 * v.width + 1, 300)
    for latency in (1, 2, 9, 35, 36, 37, 130, 512):
        for reads in (None, 1, 3, int(random.integers(2, 600))):
            memory = Memory(latency, reads)
            run, compared = measure(model, [tensor(v, n, n) for n in sizes], memory, seed=unit)
            total += compared
            for n, r in zip(sizes, run.results, strict=True):
                seen = Traffic(r.cycles, r.reads * v.width, r.written)
                assert seen == traffic(v, n, memory), (v.name, n, memory, seen)
    words = 0
    for seed in range(20):
        chances = [int(c) for c in random.integers(40, 257, 4)]
        stalls = Stalls(*chances, hold=1 + seed % 9, seed=seed)
        longest = 1500 * v.group // v.group_words + 2
        tensors = [tensor(v, int(n), seed) for n in random.integers(1, longest, 3)]
        memory = Memory(int(random.integers(1, 200)), int(random.integers(1, 100)))
        run, compared = measure(model, tensors, memory, stalls, seed)
        total += compared
        words += sum(r.reads for r in run.results)
    assert words >= WORDS, f"{v.name}: {words} words with pauses"
    return total


def second_unit(unit: int) -> int:
    """A tensor quantizer of each schedule in both simulators: the same bytes, reads and cycles."""
    from compare.memory_simulation import SIMULATORS, simulate_memory
    from rtl.tensor_quantizer_variant import tensor_quantizer

    v = tensor_quantizer(SECOND[unit])
    first, second = (simulate_memory(v, simulator, seed=unit) for simulator in SIMULATORS)
    assert first.results == second.results, v.name
    words = {r.stimulus: r.words for r in second.results}
    assert words["long"] >= WORDS, f"{v.name}: {words}"
    return second.compared


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    found = []
    for name, clause, function, arguments, units in (
        (
            "tensor quantizers, points of the study",
            "spec §24.9, §24.10",
            "points",
            (),
            len(UNITS),
        ),
        (
            "tensor quantizers, pairs of all parts",
            "spec §24.6, §24.7",
            "matrix",
            ("all",),
            len(MATRIX),
        ),
        (
            "tensor quantizers, pairs of all parts around candidates",
            "spec §24.7, §24.9",
            "matrix",
            ("selecting",),
            len(SELECTING),
        ),
    ):
        what = "bytes: Verilator with kernels; cycles: with the formula"
        function = f"{HERE}:{function}_unit"
        found.append(Job(name, what, clause, function, arguments, units, sources=SOURCES))
    found.append(
        Job(
            "tensor quantizers of each schedule in CXXRTL",
            "bytes: CXXRTL with kernels; cycles: with Verilator and the formula",
            "spec §24.6, §24.7, §24.9",
            f"{HERE}:second_unit",
            (),
            len(SECOND),
            sources=(*SOURCES, "compare/memory_simulation.py", "cocotb_tests/cxxrtl_m*/*.h"),
        )
    )
    return found
