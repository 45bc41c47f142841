"""The reference against the specification's worked examples and against its own definition."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from emulator import reference
from emulator.formats import FORMATS, FP32, Format
from emulator.layout import input_layout, output_layout, to_hex
from emulator.recipes import recipe
from tests.emulator.dot_examples import (
    run_dot,
    run_operands,
    run_overflow,
    run_result,
    run_width,
)
from tests.emulator.interchange_examples import INTERCHANGE
from tests.emulator.peer_examples import PEER
from tests.emulator.random_examples import run_block, run_draws, run_speck
from tests.emulator.random_words_examples import RANDOM_WORDS
from tests.emulator.scaled_examples import SCALED
from tests.emulator.unit_examples import run_through
from tests.emulator.vector_examples import run_vectors
from tests.emulator.width_examples import run_error, run_integers, run_table
from tests.spec_examples import Example, examples, floats

EXAMPLES = [e for e in examples() if e.verb not in ("stream", "tensor")]  # tests/rtl: gates


def digits(code: int, fmt: Format) -> str:
    return f"{code:0{-(-fmt.storage_bits // 4)}x}"


def run_encode(e: Example) -> tuple[str, str]:
    x_format, [bits] = floats(e.left)
    want, *options = e.right.split()
    kwargs = dict(o.split("=") for o in options)
    return digits(
        reference.encode(bits, x_format, FORMATS[e.subject], **kwargs), FORMATS[e.subject]
    ), want


def run_decode(e: Example) -> tuple[str, str]:
    output, [want] = floats(e.right)
    return f"{reference.decode(int(e.left, 16), FORMATS[e.subject], output):x}", f"{want:x}"


def given_scale(options: list[str]) -> Fraction | None:
    """The value of ``g=`` and a float32 pattern."""
    found = given(options, "g")
    return None if found is None else FP32.value(found)


def given(options: list[str], name: str) -> int | None:
    """The number of the option ``name=`` in hexadecimal."""
    return next((int(o[len(name) + 1 :], 16) for o in options if o.startswith(f"{name}=")), None)


def run_tensor_scale(e: Example) -> tuple[str, str]:
    r = recipe(e.subject)
    x_format, bits = floats(e.left)
    output, [want] = floats(e.right)
    g = reference.tensor_scale(bits, x_format, r)
    pattern = reference.round_magnitude(g, output)
    assert output.value(pattern) == g
    return f"{pattern:x}", f"{want:x}"


def run_quantize(e: Example) -> tuple[str, str]:
    r = recipe(e.subject)
    left, *options = e.left.lower().split()
    x_format, bits = floats(left)
    g = given_scale(options) or reference.tensor_scale(bits, x_format, r)
    blocks = [bits[i : i + r.block_size] for i in range(0, len(bits), r.block_size)]
    got, seed = [], given(options, "seed")
    for number, block in enumerate(blocks):
        scale, codes = reference.quantize_block(block, x_format, r, g, seed, number)
        got.append(f"{scale:02x} " + "".join(f"{c:x}" for c in codes))
    return " | ".join(got), e.right


def run_dequantize(e: Example) -> tuple[str, str]:
    scale, codes, *options = e.left.split()
    output, want = floats(e.right)
    g = given_scale(options) or reference.ONE
    got = reference.dequantize_block(
        int(scale, 16), [int(c, 16) for c in codes], recipe(e.subject), output, g
    )
    return str(got), str(want)


def run_word(e: Example) -> tuple[str, str]:
    import numpy as np

    scale, codes = e.left.split()
    layout = output_layout(recipe(e.subject).block_format)
    words = layout.pack(
        codes=np.array([[int(c, 16) for c in codes]], np.uint8),
        scale=np.array([[int(scale, 16)]], np.uint8),
    )
    return to_hex(words, layout)[0], e.right


def run_input(e: Example) -> tuple[str, str]:
    import numpy as np

    name, block = e.subject.split("-b")
    _, bits = floats(e.left)
    layout = input_layout(FORMATS[name], int(block))
    words = layout.pack(x=np.array([bits], layout.fields[0].dtype))
    return to_hex(words, layout)[0], e.right


RUN = {
    "encode": run_encode,
    "decode": run_decode,
    "tensor-scale": run_tensor_scale,
    "quantize": run_quantize,
    "dequantize": run_dequantize,
    "word": run_word,
    "input": run_input,
    "dot": run_dot,
    "width": run_width,
    **INTERCHANGE,
    "speck": run_speck,
    "draws": run_draws,
    "block": run_block,
    "integers": run_integers,
    "error": run_error,
    "table": run_table,
    "through": run_through,
    "operands": run_operands,
    "result": run_result,
    "overflow": run_overflow,
    **RANDOM_WORDS,
    **SCALED,
    "vectors": run_vectors,
    **PEER,
}


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    got, want = RUN[example.verb](example)
    assert got == want


def test_there_are_examples_of_every_kind() -> None:
    assert {e.verb for e in EXAMPLES} == set(RUN)


SMALL = [f for f in FORMATS.values() if f.width <= 8]


@pytest.mark.parametrize("fmt", SMALL, ids=lambda f: f.name)
def test_rounding_is_the_nearest_value_with_ties_to_even(fmt: Format) -> None:
    """The binade arithmetic gives the argmin of spec §3.1, at and around every midpoint."""
    values = {k: fmt.value(k) for k in range(fmt.max_code + 1)}
    rng = random.Random(1)
    codes = range(fmt.max_code) if fmt.max_code < 40 else rng.sample(range(fmt.max_code), 40)
    for code in codes:
        middle = (values[code] + values[code + 1]) / 2
        for x in (middle, middle * Fraction(1023, 1024), middle * Fraction(1025, 1024)):
            want = min(values, key=lambda k: (abs(values[k] - x), k % 2))
            assert reference.round_magnitude(x, fmt) == want
    assert reference.round_magnitude(fmt.max * 16, fmt) > fmt.max_code


@pytest.mark.parametrize("fmt", SMALL, ids=lambda f: f.name)
def test_encoding_a_decoded_code_gives_it_back(fmt: Format) -> None:
    for code in range(1 << fmt.width):
        if fmt.is_nan(code):
            continue
        bits = reference.decode(code, fmt)
        overflow = "ieee" if fmt.inf_code is not None else "saturate"
        assert reference.encode(bits, FP32, fmt, overflow) == code


def test_refusals_name_the_clause() -> None:
    with pytest.raises(ValueError, match=r"NaN has no code in e2m1 \(spec §3.4\)"):
        reference.encode(0x7FC00000, FP32, FORMATS["e2m1"])
    with pytest.raises(ValueError, match=r"ue5m3 has no infinity.*§3.3"):
        reference.encode(0, FP32, FORMATS["ue5m3"], overflow="ieee")
    with pytest.raises(ValueError, match="5 elements do not make a block of 4"):
        reference.quantize_block([0] * 5, FP32, recipe("ue5m3-absmax-b4"))
    with pytest.raises(ValueError, match="e2m3 is not available yet"):
        reference.quantize_block([0], FP32, recipe("e2m3.e8m0-floor-b4"))
