"""Runs the worked examples of spec §24: by the reference, by the formula and by the gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cocotb_tests.memory_bench import Memory
from compare.memory import traffic
from emulator import reference
from emulator.formats import FP32, Format
from emulator.scaled_words import carried
from rtl.hierarchy import ports_of
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer
from tests.emulator.unit_examples import given_scale
from tests.rtl.memory_simulation import Seen, run
from tests.spec_examples import Example, floats

CODES, SCALES, TENSOR_SCALE, SIZE = 0x100, 0x200, 0x300, 0x400


def word(layout: object, values: dict[str, int]) -> int:
    """A word of one-part fields."""
    found = 0
    for field in layout.fields:  # pyright: ignore[reportAttributeAccessIssue]
        assert values[field.name] >> field.width == 0
        found |= values[field.name] << field.offset
    return found


def settings(texts: list[str], base: int = 16) -> dict[str, int]:
    """``name=number`` parts."""
    return {name: int(value, base) for name, _, value in (t.partition("=") for t in texts)}


def padded(bits: list[int], n: int) -> list[list[int]]:
    """Blocks, the last one filled up with +0 (spec §5.2)."""
    bits = bits + [0] * (-len(bits) % n)
    return [bits[i : i + n] for i in range(0, len(bits), n)]


def lay(bits: list[int], x: Format, n: int) -> bytes:
    """A tensor in a memory (spec §24.1)."""
    blocks = padded(bits, n)
    return b"".join(b.to_bytes(x.width // 8, "little") for block in blocks for b in block)


def simulated(
    v: TensorQuantizerVariant, bits: list[int], g: int | None, reset_at: int | None = None
) -> Seen:
    """A run of the gates over a tensor at address 0; bytes behind it are all ones."""
    n = v.quantizer.recipe.block_size
    memory = bytearray(b"\xff" * SIZE)
    tensor = lay(bits, v.quantizer.input, n)
    memory[: len(tensor)] = tensor
    values = {"x": 0, "codes": CODES, "scales": SCALES, "tensor_scale": TENSOR_SCALE}
    values |= {"blocks": len(padded(bits, n)), "g": g or 0}
    return run(v, bytes(memory), [word(v.command_layout, values)], reset_at=reset_at)


def required(v: TensorQuantizerVariant, bits: list[int], g: int | None) -> dict[int, bytes]:
    """What has to be written where, by the reference (spec §24.6, §24.7)."""
    r, x = v.quantizer.recipe, v.quantizer.input
    found, factor = {}, reference.ONE
    if r.tensor_scale is not None:
        if g is None:
            own = reference.tensor_scale(bits, x, r)
            g = int(carried(reference.round_magnitude(own, FP32), r.tensor_scale))
        factor = given_scale(r, g)
        pattern = reference.round_magnitude(factor, FP32)
        found[TENSOR_SCALE] = pattern.to_bytes(4, "little")
    codes: list[int] = []
    scales: list[int] = []
    for block in padded(bits, r.block_size):
        scale, elements = reference.quantize_block(block, x, r, factor)
        scales.append(scale)
        codes += elements
    pairs = zip(codes[::2], codes[1::2], strict=True)
    found[CODES] = bytes(low + 16 * high for low, high in pairs)
    found[SCALES] = bytes(scales)
    return found


def memory(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    x, bits = floats(given[0])
    return {lay(bits, x, v.quantizer.recipe.block_size).hex()}


def ports(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    names = ("command", "request", "read", "write", "status")
    dut: Any = v.component()
    dut._MustUse__used = True  # it is looked at only
    widths = {port: len(value) for port, (value, _) in ports_of(dut).items()}
    found = {name: widths[f"{name}_payload"] for name in names}
    assert found == {name: v.ports[f"{name}_payload"][1] for name in names}
    return {" ".join(f"{name} {width}" for name, width in found.items())}


def command(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    layout = v.command_layout
    return {f"{word(layout, settings(given)):0{layout.digits}x}"}


def status(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    seen = run(v, bytes(SIZE), [word(v.command_layout, settings(given))])
    assert not seen.requests and not seen.writes
    return {f"{seen.statuses[0]:0{v.status_layout.digits}x}"}


def given_tensor(given: list[str]) -> tuple[list[int], int | None]:
    bits = floats(given[0])[1]
    return bits, settings(given[1:]).get("g")


def amax(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    bits, g = given_tensor(given)
    x = v.quantizer.input
    most = max((b & x.magnitude_mask for b in bits if x.is_finite(b)), key=x.value)
    seen = simulated(v, bits, g)
    assert seen.statuses[0] & 3 == 0
    return {f"{a:0{-(-x.magnitude_bits // 4)}x}" for a in (seen.statuses[0] >> 2, most)}


def reads(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    values = {"codes": CODES, "scales": SCALES, "tensor_scale": TENSOR_SCALE, "g": 127}
    seen = run(v, bytes(SIZE), [word(v.command_layout, values | settings(given))])
    return {",".join(f"{a:x}" for a in seen.requests)}


def writes(v: TensorQuantizerVariant, given: list[str], reset_at: int | None = None) -> set[str]:
    bits, g = given_tensor(given)
    seen = simulated(v, bits, g, reset_at)
    wanted = required(v, bits, g)
    flat = {base + k: byte for base, data in wanted.items() for k, byte in enumerate(data)}
    assert seen.written == flat
    shown = [f"{a:x}:{bytes(places.values()).hex()}" for a, places in seen.writes]
    by_reference = [f"{base:x}:{data.hex()}" for base, data in wanted.items()]
    return {" ".join(shown), " ".join(by_reference)}


def reset(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    return {text for cycle in (1, 4, 7, 9) for text in writes(v, given, cycle)}


def simulated_blocks(v: TensorQuantizerVariant, blocks: int, latency: int) -> Seen:
    size = -(-blocks * v.block_bytes // v.width) * v.width
    values = {"x": 0, "codes": 0x10000, "scales": 0x20000, "tensor_scale": 0x30000}
    values |= {"blocks": blocks, "g": 127}
    return run(v, bytes(size), [word(v.command_layout, values)], latency=latency)


def cycles(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    s = settings(given, 10)
    seen = simulated_blocks(v, s["blocks"], s["latency"])
    formula = traffic(v, s["blocks"], Memory(s["latency"])).cycles
    return {str(seen.cycles[0]), str(formula)}


def amount(v: TensorQuantizerVariant, given: list[str]) -> set[str]:
    s = settings(given, 10)
    seen = simulated_blocks(v, s["blocks"], 3)
    t = traffic(v, s["blocks"], Memory(3))
    return {f"{len(seen.requests) * v.width} {len(seen.written)}", f"{t.read} {t.written}"}


RUN: dict[str, Callable[[TensorQuantizerVariant, list[str]], set[str]]] = {
    "memory": memory,
    "ports": ports,
    "command": command,
    "status": status,
    "amax": amax,
    "reads": reads,
    "writes": writes,
    "cycles": cycles,
    "bytes": amount,
    "reset": reset,
}
"""What an example shows, by its name: all results have to be equal."""


def run_tensor(e: Example) -> set[str]:
    """The results of all implementations of an example."""
    what, *given = e.left.split()
    return RUN[what](tensor_quantizer(e.subject), given)
