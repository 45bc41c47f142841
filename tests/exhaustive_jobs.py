"""The spaces that `make exhaustive` walks, each cut into units that take seconds."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from emulator.errors import MismatchError
from emulator.formats import FORMATS
from emulator.golden import expected, expected_by_reference
from emulator.recipes import (
    ALL_SELECTIONS,
    CHOOSING_SELECTIONS,
    LIMITED_SELECTIONS,
    SELECTIONS,
    VOTING_RULES,
    VOTING_SELECTIONS,
    recipe,
)
from emulator.stimulus import stimulus, stimulus_names
from tests import (
    codec_jobs,
    exhaustive_codecs,
    exhaustive_defaults,
    exhaustive_dot_area,
    exhaustive_dots,
    exhaustive_epilogue,
    exhaustive_limited,
    exhaustive_memory,
    exhaustive_peer,
    exhaustive_random,
    exhaustive_random_select,
    exhaustive_select,
    exhaustive_select_scaled,
    exhaustive_vote_scaled,
    exhaustive_votes,
)
from tests.exhaustive import HARDWARE, Job
from tests.exhaustive_scaled import scaled_jobs
from tests.exhaustive_second import second_jobs

ENCODED = ("e2m1", "ue4m3", "ue5m3", "e8m0")
INPUTS = ("bf16", "fp16", "fp32")
GFLOAT_STEP = 31
DOT_ROWS = 100
FULL_AMAX = ("ue4m3-absmax", "ue5m3-absmax", "e8m0-even")
BLOCKS_PER_UNIT = 2000
PATTERNS_PER_UNIT = 1 << 28
POWER_LANE_PATTERNS = sum(256 * (code + 3) for code in range(252)) + 2 * 65280 + 65282
"""bfloat16 numbers below 8 times an E8M0 scale, over all scales, and infinity under the largest."""
CODES_PER_UNIT = 16

SELECTING = {"absmax": (28, 2000), "4o6": (28, 2000), "3c": (6, 1000), "6c": (6, 1000)}
SELECTING |= {"search": (12, 100), "fc": (60, 2000), "floor": (30, 2000)}
SELECTING |= dict.fromkeys(VOTING_RULES, (6, 1000))
"""Units, and blocks per unit, for each recipe of a rule."""
LIMITED = (*LIMITED_SELECTIONS, "ue4m3-4o6-e5-h", "ue4m3-6c-e16-h256", "ue5m3-3c-e8-hbf16")
LIMITED += ("ue4m3-4o6t-hp2", "ue5m3-4o6t-pz-hp2", "ue5m3-6c-e5-hp2", "ue4m3-3c-e12-pz-h")
"""Recipes of limited width: those in the lists, and other widths and tensor scales."""
LIMITED_UNITS = (10, 2000)
SELECTING_BLOCKS = (2, 4, 8, 16, 32)


def encode_unit(name: str, unit: int) -> int:
    """A part of all float32 patterns through `encode`."""
    from emulator.exhaustive import encode_space

    start = unit * PATTERNS_PER_UNIT
    return encode_space(FORMATS[name], start, start + PATTERNS_PER_UNIT)


def scale_unit(name: str, unit: int) -> int:
    """A part of all float32 amax through `quantize`."""
    from emulator.exhaustive import scale_space

    start = unit * PATTERNS_PER_UNIT
    return scale_space(recipe(name), start, start + PATTERNS_PER_UNIT)


def gfloat_unit(unit: int) -> int:
    """More than 2^26 evenly spread float32 magnitudes through `encode` and gfloat."""
    from tests.emulator.test_outside import against_gfloat

    return against_gfloat(GFLOAT_STEP)


def blocks_unit(selection: str, x_name: str, unit: int) -> int:
    """Random blocks through kernels and reference; the block size changes with the unit."""
    block = (2, 4, 8, 16, 32, 16, 16, 64)[unit % 8]
    r, x = recipe(f"{selection}-b{block}"), FORMATS[x_name]
    words = stimulus("random", r, x, blocks=BLOCKS_PER_UNIT, seed=1000 + unit)
    wrong = (expected(r, x, words) != expected_by_reference(r, x, words)).any(axis=1)
    if wrong.any():
        raise MismatchError(f"{r.name} {x_name}: random block {np.argmax(wrong)} of unit {unit}")
    return len(words)


def special_unit(selection: str, x_name: str, unit: int) -> int:
    """All directed blocks of a block size through kernels and reference."""
    r, x = recipe(f"{selection}-b{2 ** (unit + 1)}"), FORMATS[x_name]
    compared = 0
    for name in stimulus_names(r, x):
        words = stimulus(name, r, x)
        wrong = (expected(r, x, words) != expected_by_reference(r, x, words)).any(axis=1)
        if wrong.any():
            raise MismatchError(f"{r.name} {x_name}: {name} word {np.argmax(wrong)}")
        compared += len(words)
    return compared


def selecting_unit(selection: str, blocks: int, unit: int) -> tuple[int, int]:
    """Hard blocks through kernels and reference; block size and input change with the unit."""
    from tests.emulator.selecting import compare_hard

    r = recipe(f"{selection}-b{SELECTING_BLOCKS[unit % len(SELECTING_BLOCKS)]}")
    x = FORMATS[INPUTS[(unit + unit // len(SELECTING_BLOCKS)) % len(INPUTS)]]
    found = compare_hard(r, x, blocks, 2000 + unit)
    return found.blocks, found.ties


def voting_unit(selection: str, blocks: int, unit: int) -> int:
    """Blocks at the steps of the votes through kernels and reference."""
    from tests.emulator.selecting import compare, step_blocks, tensor_scales

    r = recipe(f"{selection}-b{SELECTING_BLOCKS[unit % len(SELECTING_BLOCKS)]}")
    g = tensor_scales(r)[unit % len(tensor_scales(r))]
    return compare(r, FORMATS["fp32"], step_blocks(r, blocks, 3000 + unit, g), g).blocks


def lane_unit(variant_name: str, unit: int) -> int:
    """All patterns of the input format under some scale codes through the Verilated lane."""
    from cocotb_tests.exhaustive import space
    from rtl.variants import quantizer

    lane = space("element", quantizer(variant_name))
    codes = lane.settings[unit * CODES_PER_UNIT : (unit + 1) * CODES_PER_UNIT]
    return lane.run(settings=codes)


def wide_lane_unit(variant_name: str, code: int, unit: int) -> int:
    """A part of all patterns under one scale code through the Verilated lane."""
    from cocotb_tests.exhaustive import space
    from rtl.variants import quantizer

    start = unit * PATTERNS_PER_UNIT
    lane = space("element", quantizer(variant_name))
    return lane.run(start, start + PATTERNS_PER_UNIT, settings=[code])


def encoder_unit(variant_name: str, unit: int) -> int:
    """A part of all magnitudes through the Verilated scale encoder."""
    from cocotb_tests.exhaustive import space
    from rtl.variants import quantizer

    encoder = space("scale", quantizer(variant_name))
    start = unit * PATTERNS_PER_UNIT
    return encoder.run(start, min(start + PATTERNS_PER_UNIT, encoder.patterns))


def dot_jobs() -> list[Job]:
    """Dot products of random operands, and of all pairs of scale codes."""
    here, sources = "tests.exhaustive_dots", ("tests/emulator/dot_operands.py",)
    kind, dots = "kernels with reference", exhaustive_dots
    found = [
        Job(
            f"random dots {selection} {accumulation}",
            kind,
            "spec §16",
            f"{here}:random_unit",
            (selection, accumulation, DOT_ROWS),
            len(dots.TC_BLOCKS if accumulation in dots.TCS else dots.BLOCKS) * 3,
            sources=sources,
        )
        for selection in dots.SELECTIONS
        for accumulation in dots.ACCUMULATIONS
    ]
    for a, b in combinations_with_replacement(dots.SELECTIONS, 2):
        for accumulation in dots.PAIRED:
            found.append(
                Job(
                    f"all scale codes {a} with {b}, {accumulation}",
                    kind,
                    "spec §16",
                    f"{here}:pairs_unit",
                    (a, b, accumulation),
                    1,
                    1 << 16,
                    sources,
                )
            )
    return found


def jobs() -> list[Job]:
    """All jobs, in the order of their record."""
    here = "tests.exhaustive_jobs"
    found = [
        Job(
            f"encode {name}, all float32",
            "kernels with second path",
            "spec §3",
            f"{here}:encode_unit",
            (name,),
            16,
            1 << 32,
        )
        for name in ENCODED
    ]
    found += [
        Job(
            f"scale {selection}, all float32 amax",
            "kernels with second path",
            "spec §8",
            f"{here}:scale_unit",
            (f"{selection}-b2",),
            8,
            1 << 31,
        )
        for selection in FULL_AMAX
    ]
    found.append(
        Job(
            "encode ue5m3, spread float32 magnitudes",
            "kernels with gfloat",
            "spec §3",
            f"{here}:gfloat_unit",
            (),
            1,
            -(-(1 << 31) // GFLOAT_STEP),
            ("tests/emulator/test_outside.py",),
        )
    )
    for selection in SELECTIONS:
        for x in INPUTS:
            found.append(
                Job(
                    f"random blocks {selection} {x}",
                    "kernels with reference",
                    "spec §6 to §9",
                    f"{here}:blocks_unit",
                    (selection, x),
                    24,
                    24 * BLOCKS_PER_UNIT,
                )
            )
            found.append(
                Job(
                    f"special blocks {selection} {x}",
                    "kernels with reference",
                    "spec §6 to §9",
                    f"{here}:special_unit",
                    (selection, x),
                    5,
                )
            )
    for selection in ALL_SELECTIONS:
        rule = selection.split("-")[1]
        if rule in SELECTING and selection not in LIMITED:
            units, blocks = SELECTING[rule]
            found.append(
                Job(
                    f"hard blocks {selection}",
                    "kernels with reference",
                    "spec §6 to §9, §14, §15, §18, §19",
                    f"{here}:selecting_unit",
                    (selection, blocks),
                    units,
                    units * blocks,
                    ("tests/emulator/selecting.py",),
                )
            )
            if rule in VOTING_RULES:
                found.append(
                    Job(
                        f"blocks at steps of the votes {selection}",
                        "kernels with reference",
                        "spec §14, §18",
                        f"{here}:voting_unit",
                        (selection, blocks),
                        units,
                        units * blocks,
                    )
                )
    for selection in LIMITED:
        units, blocks = LIMITED_UNITS
        found.append(
            Job(
                f"hard blocks {selection}",
                "kernels with reference",
                "spec §6 to §9, §14, §17",
                f"{here}:selecting_unit",
                (selection, blocks),
                units,
                units * blocks,
                ("tests/emulator/selecting.py",),
            )
        )
    for selection in (*CHOOSING_SELECTIONS, *LIMITED_SELECTIONS, *VOTING_SELECTIONS):
        if "search" not in selection:
            found.append(
                Job(
                    f"special blocks {selection} bf16",
                    "kernels with reference",
                    "spec §6 to §9, §15, §17, §18",
                    f"{here}:special_unit",
                    (selection, "bf16"),
                    5,
                )
            )
    found += dot_jobs()
    found += scaled_jobs()
    for selection in ("ue4m3-absmax", "ue5m3-absmax", "e8m0-floor"):
        codes = recipe(f"{selection}-b16").scale.max_code + 1
        powers = selection.startswith("e8m0")
        found.append(
            Job(
                f"lane {selection}, all bfloat16 but NaN under all finite scale codes"
                + (" that a block with such a lane can have" if powers else ""),
                "Verilator with reference",
                "spec §9",
                f"{here}:lane_unit",
                (f"quantizer-{selection}-b16-bf16",),
                -(-codes // CODES_PER_UNIT),
                POWER_LANE_PATTERNS if powers else codes * (2 * 0x7F81),
                HARDWARE,
            )
        )
    found.append(
        Job(
            "lane ue5m3, all float32 but NaN under scale 79",
            "Verilator with reference",
            "spec §9",
            f"{here}:wide_lane_unit",
            ("quantizer-ue5m3-absmax-b16-fp32", 0x79),
            16,
            2 * 0x7F800001,
            HARDWARE,
        )
    )
    for selection in SELECTIONS:
        for x in INPUTS:
            if x == "fp32" and selection != "ue5m3-absmax":
                continue
            units = 8 if x == "fp32" else 1
            found.append(
                Job(
                    f"scale encoder {selection}, all {x} amax",
                    "Verilator with reference",
                    "spec §8",
                    f"{here}:encoder_unit",
                    (f"quantizer-{selection}-b16-{x}",),
                    units,
                    1 << (31 if x == "fp32" else 15),
                    HARDWARE,
                )
            )
    from tests.exhaustive_dot import MATRIX, SCALES

    sources = (*HARDWARE, "tests/exhaustive_dot.py")
    found += [
        Job(
            f"dot products {scale}, all pairs of scale codes",
            "Verilator with kernels",
            "spec §16.2, §22.10",
            "tests.exhaustive_dot:scale_pairs_unit",
            (scale, 16),
            1,
            1 << 16,
            sources,
        )
        for scale in SCALES
    ]
    found += [
        Job(
            name,
            "Verilator with kernels",
            "spec §16, §22",
            "tests.exhaustive_dot:matrix_unit",
            (name,),
            1,
            sources=sources,
        )
        for name in MATRIX
    ]
    found += exhaustive_epilogue.jobs() + exhaustive_limited.jobs() + exhaustive_peer.jobs()
    found += exhaustive_select_scaled.jobs() + exhaustive_votes.jobs()
    found += exhaustive_vote_scaled.jobs()
    found += exhaustive_memory.jobs() + exhaustive_dot_area.jobs()
    found += exhaustive_random.jobs() + exhaustive_codecs.jobs() + exhaustive_random_select.jobs()
    found += codec_jobs.jobs() + exhaustive_select.jobs() + exhaustive_defaults.jobs()
    return found + second_jobs()
