"""Tensor quantizers in Amaranth's simulator: worked examples, random pauses, names."""

from __future__ import annotations

import random
from unittest import mock

import pytest

from emulator.errors import NotAvailableError, UnknownNameError
from emulator.layout import from_hex
from rtl import tensor_reader
from rtl.read_requests import ReadRequests
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer
from tests.rtl.memory_simulation import run
from tests.rtl.tensor_examples import (
    CODES,
    RUN,
    SCALES,
    SIZE,
    TENSOR_SCALE,
    lay,
    required,
    run_tensor,
    word,
)
from tests.spec_examples import Example, examples

EXAMPLES = [e for e in examples() if e.verb == "tensor"]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §24.1, §24.2, §24.3, §24.4, §24.5, §24.6, §24.7, §24.8, §24.9, §24.10, §24.11."""
    assert run_tensor(example) == {example.right}


def test_there_are_examples_of_each_clause() -> None:
    assert {e.clause for e in EXAMPLES} == {f"§24.{k}" for k in range(1, 12)}
    assert {e.left.split()[0] for e in EXAMPLES} == set(RUN)


@pytest.mark.parametrize(
    "name",
    [
        "ue5m3-absmax-pz-b4-bf16-one-w16-r3",
        "e8m0-floor-b8-fp32-cuto-one-w16",
        "ue5m3-4o6-b8-bf16-turn-cuto-one-w16",
        "ue4m3-4o6-hp2-b8-bf16-turn-cuto-delayed-w16",
        "ue4m3-absmax-hp2-b8-bf16-two-w16-r5",
        "ue4m3-absmax-hp2-b8-bf16-delayed-w16",
        "ue5m3-absmax-hp2-b8-bf16-local8-w16",
    ],
)
@pytest.mark.parametrize("pauses", [0.0, 0.6])
def test_random_pauses(name: str, pauses: float) -> None:
    """Tensors one after the other, by the reference, whatever pauses (spec §24.2, §24.6, §24.7)."""
    v = tensor_quantizer(f"tensor-quantizer-{name}")
    n, x = v.quantizer.recipe.block_size, v.quantizer.input
    rng = random.Random(name)
    memory, commands, wanted = bytearray(rng.randbytes(2 * SIZE)), [], {}
    base = {"codes": CODES, "scales": SCALES, "tensor_scale": TENSOR_SCALE}
    amaxes = []
    for number, blocks in enumerate((1, 9, 13)):
        exponents = rng.randrange(x.bias - 3, x.bias + 3)
        bits = [
            (rng.randrange(2) << x.magnitude_bits)
            + ((exponents - rng.randrange(5)) << x.fraction_bits)
            + rng.randrange(1 << x.fraction_bits)
            for _ in range(blocks * n)
        ]
        bits[rng.randrange(len(bits))] = rng.choice([0, x.magnitude_mask, x.inf_code or 0])
        g = {None: None, "hp2": 0x77 + number}[v.kind] if v.schedule == "delayed" else None
        shift, at = number * SIZE, number * 0x200
        memory[at : at + len(bits) * x.width // 8] = lay(bits, x, n)
        values = {name: place + shift for name, place in base.items()}
        commands.append(word(v.command_layout, values | {"x": at, "blocks": blocks, "g": g or 0}))
        for place, data in required(v, bits, g).items():
            wanted |= {place + shift + k: byte for k, byte in enumerate(data)}
        finite = [b & x.magnitude_mask for b in bits if x.is_finite(b)]
        amaxes.append(0 if v.kind is None else max(finite, key=x.value))
    seen = run(v, bytes(memory), commands, latency=7, pauses=pauses, seed=3)
    assert seen.written == wanted and len(wanted) > 23
    assert seen.statuses == [a << 2 for a in amaxes]


@pytest.mark.parametrize("schedule", ["two", "delayed", "local8"])
def test_a_refused_command_has_no_amax(schedule: str) -> None:
    """Whatever the command before it measured (spec §24.4)."""
    v = tensor_quantizer(f"tensor-quantizer-ue4m3-absmax-hp2-b8-bf16-{schedule}-w16")
    values = {"x": 0, "codes": CODES, "scales": SCALES, "tensor_scale": TENSOR_SCALE, "g": 127}
    commands = [
        word(v.command_layout, values | part) for part in ({"blocks": 1}, {"blocks": 0, "x": 16})
    ]
    memory = bytes.fromhex("803f" * 8).ljust(SIZE, b"\0")
    seen = run(v, memory, [*commands, word(v.command_layout, values | {"blocks": 1, "x": 8})])
    assert seen.statuses == [0x3F80 << 2, 1, 2]


def test_requests_that_come_too_fast_are_found() -> None:
    """Neither bytes nor cycles show them where words may wait (spec §24.5)."""
    v = tensor_quantizer("tensor-quantizer-ue4m3-3c-e5-hp2-b8-bf16-turn-delayed-w16")
    assert v.pace == 3
    values = {"x": 0, "codes": CODES, "scales": SCALES, "tensor_scale": TENSOR_SCALE}
    command = word(v.command_layout, values | {"blocks": 4, "g": 0x77})
    assert len(run(v, bytes(SIZE), [command]).requests) == 4
    requests = ReadRequests

    def hasty(given: TensorQuantizerVariant) -> ReadRequests:
        one = mock.Mock(wraps=given, pace=1, reads=given.reads, word_bits=given.word_bits)
        return requests(one)

    with (
        mock.patch.object(tensor_reader, "ReadRequests", hasty),
        pytest.raises(AssertionError, match="a request 1 cycles after another"),
    ):
        run(v, bytes(SIZE), [command])


@pytest.mark.parametrize(
    "name",
    [
        "tensor-quantizer-ue5m3-absmax-b16-bf16-one",
        "tensor-quantizer-ue5m3-4o6-b16-bf16-turn-one-w32-r64",
        "tensor-quantizer-ue4m3-absmax-h-b16-fp32-cuto-two-w128",
        "tensor-quantizer-ue4m3-absmax-pz-h256-b2-fp16-delayed-r1",
        "tensor-quantizer-ue4m3-3c-e5-hbf16-b16-fp32-turn-cuto-delayed",
        "tensor-quantizer-ue5m3-absmax-hbf16-b32-bf16-local1024-w16",
    ],
)
def test_names_round_trip(name: str) -> None:
    v = tensor_quantizer(name)
    assert v.name == name and tensor_quantizer(v.name) == v
    assert v.module.isidentifier() and "__" not in v.module
    assert v.describe()["ports"]["write_payload"]["width"] == 32 + 9 * v.width


def test_defaults_are_named() -> None:
    found = TensorQuantizerVariant.defaults()
    assert {v.schedule for v in found} == {"one", "two", "delayed", "local"}
    assert all(tensor_quantizer(v.name) == v for v in found)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ue5m3-absmax-b16-bf16", UnknownNameError, "unknown tensor quantizer"),
        ("ue5m3-absmax-b16-bf17-one", UnknownNameError, "did you mean tensor-quantizer-ue5m3"),
        ("ue5m3-absmax-b16-bf16-two", ValueError, "'two' of ue5m3-absmax-b16, which has no tensor"),
        ("ue4m3-absmax-h-b16-bf16-one", ValueError, "'one' of .*, which has a tensor scale"),
        ("ue5m3-absmax-b16-bf16-one-w24", ValueError, "a memory word of 24 bytes is not one of"),
        ("ue5m3-absmax-b16-bf16-one-r0", ValueError, "0 outstanding reads are not 1 to 4096"),
        ("ue4m3-4o6-h-b16-bf16-turn-two", NotAvailableError, "with schedules 'one' and 'delayed'"),
        ("ue4m3-3c-e5-h-b16-bf16-turn-local8", NotAvailableError, r"only \(spec §24.7\)"),
        ("ue4m3-absmax-h-b16-bf16-local3", ValueError, "3 blocks is not a power of two from 2"),
        ("ue4m3-absmax-h-b16-bf16-local1", ValueError, "1 blocks is not a power of two from 2"),
        ("ue5m3-absmax-b64-bf16-one", NotAvailableError, "64 exceeds the 32 lanes"),
    ],
)
def test_refused_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        tensor_quantizer(f"tensor-quantizer-{name}")
    assert "\n" not in str(caught.value)


def test_hex_words_of_the_spec_are_those_of_the_layout() -> None:
    """spec §24.3."""
    v = tensor_quantizer("tensor-quantizer-ue5m3-absmax-b2-bf16-one-w16")
    words = from_hex(["00000003000000c00000008000000040"], v.command_layout)
    parts = {name: int(p[0, 0]) for name, p in v.command_layout.unpack(words).items()}
    assert parts == {"x": 0x40, "codes": 0x80, "scales": 0xC0, "blocks": 3}
