"""Whole input spaces of the element lane and the scale encoder, through Verilator.

The results that the specification demands do not fall as the magnitude grows, so a table of the
patterns at which they change says all of them. It is found by bisection with `emulator.reference`
and compared with the Verilated unit pattern by pattern (`exhaustive.cpp`).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from cocotb_tests import compiling, toolchain
from emulator.errors import MismatchError, ToolError
from emulator.formats import Format
from emulator.recipes import Recipe
from emulator.reference import round_magnitude, scale_code
from rtl.variants import QuantizerVariant
from rtl.verilog import unit_verilog

SKIP = 0xFFFFFFFF
"""Result of patterns that the unit never sees."""

Segments = list[tuple[int, int]]
"""First pattern and result of each run of equal results, in order."""

_SOURCE = Path(__file__).with_name("exhaustive.cpp")
_SOURCES = (_SOURCE, Path(compiling.__file__))


def steps(function: Callable[[int], int], first: int, last: int) -> Segments:
    """Segments of a non-decreasing function over the patterns first to last, by bisection."""
    low, high = function(first), function(last)
    found = [(first, low)]

    def split(a: int, fa: int, b: int, fb: int) -> None:
        if fa == fb:
            return
        if b - a == 1:
            found.append((b, fb))
            return
        middle = (a + b) // 2
        fm = function(middle)
        split(a, fa, middle, fm)
        split(middle, fm, b, fb)

    split(first, low, last, high)
    return found


def element_segments(recipe: Recipe, x_format: Format, scale: int) -> Segments:
    """Element codes of all patterns of a format under one finite scale code (spec §9, §6.2).

    Under a power of two no lane exceeds 8 times the scale, as the block's amax does not (spec
    §8.4 to §8.6); what the unit makes of such patterns is left open.
    """
    element, divisor = recipe.element, recipe.scale.value(scale)
    assert x_format.inf_code is not None

    def magnitude(bits: int) -> int:
        if divisor == 0:
            return 0  # spec §9.3
        if x_format.is_inf(bits):
            return element.max_code  # spec §6.2
        return min(round_magnitude(x_format.value(bits) / divisor, element), element.max_code)

    finite = steps(magnitude, 0, x_format.inf_code)
    end = x_format.inf_code + 1  # a block with a NaN has no finite scale
    if not recipe.scale.has_zero and scale < recipe.scale.max_code:
        in_reach = steps(lambda b: int(x_format.value(b) >= 8 * divisor), 0, x_format.max_code)
        end = in_reach[1][0] if len(in_reach) > 1 else x_format.inf_code
    half = [segment for segment in finite if segment[0] < end] + [(end, SKIP)]
    negative = [
        (first | x_format.sign_mask, code if code == SKIP else code | element.sign_mask)
        for first, code in half
    ]
    return half + negative


def scale_segments(recipe: Recipe, x_format: Format) -> Segments:
    """Scale codes of all amax patterns, infinity and NaN included (spec §8, §6)."""
    assert x_format.inf_code is not None and recipe.scale.nan_code is not None
    finite = steps(lambda bits: scale_code(x_format.value(bits), recipe), 0, x_format.max_code)
    return [
        *finite,
        (x_format.inf_code, recipe.scale.max_code),
        (x_format.inf_code + 1, recipe.scale.nan_code),
    ]


def lanes_of(x_format: Format) -> int:
    """Numbers per evaluation: many where the space is large, few where compiling takes longer."""
    return 32 if x_format.width == 32 else 8


@dataclass(frozen=True)
class Space:
    """A unit of a variant as a program that walks its input space.

    Args:
        unit: ``"element"`` or ``"scale"``.
        variant: gives recipe and input format.
        program: the executable.
    """

    unit: str
    variant: QuantizerVariant
    program: Path

    @property
    def patterns(self) -> int:
        """Input patterns per setting: all of the format, or all of its magnitudes."""
        bits = self.variant.input.width - (self.unit == "scale")
        return 1 << bits

    @property
    def lanes(self) -> int:
        """Patterns per evaluation; ranges begin and end at multiples of it."""
        return lanes_of(self.variant.input)

    @property
    def settings(self) -> range:
        """All settings: the finite scale codes, or the only one of a unit without a setting."""
        return range(self.variant.recipe.scale.max_code + 1 if self.unit == "element" else 1)

    def segments(self, setting: int) -> Segments:
        """Required results under a setting."""
        recipe, x_format = self.variant.recipe, self.variant.input
        if self.unit == "element":
            return element_segments(recipe, x_format, setting)
        return scale_segments(recipe, x_format)

    def due(self, settings: Iterable[int] | None = None) -> int:
        """Patterns with a required result, over all or the given settings."""
        count = 0
        for setting in self.settings if settings is None else settings:
            table = [*self.segments(setting), (self.patterns, SKIP)]
            for (first, result), (after, _) in pairwise(table):
                count += 0 if result == SKIP else after - first
        return count

    def run(
        self, first: int = 0, last: int | None = None, settings: Iterable[int] | None = None
    ) -> int:
        """Compare the patterns first to last (excluded) under each of the settings.

        Args:
            first: a multiple of `lanes`.
            last: a multiple of `lanes`; by default the end of the space.
            settings: by default all.

        Returns:
            The number of patterns compared, over all settings.

        Raises:
            MismatchError: naming the first differences, or saying that nothing was compared
                (spec §13.2).
            ValueError: if the range is not a part of the space.
        """
        last = self.patterns if last is None else last
        if not 0 <= first <= last <= self.patterns or first % self.lanes or last % self.lanes:
            raise ValueError(
                f"{first}..{last} are not multiples of {self.lanes} up to {self.patterns}"
            )
        table = {s: self.segments(s) for s in (self.settings if settings is None else settings)}
        return self.compare(table, first, last)

    def compare(self, table: dict[int, Segments], first: int, last: int) -> int:
        """Compare with the given segments per setting; see `run`."""
        words = [len(table)]
        for setting, segments in table.items():
            words += [setting, len(segments), *(w for segment in segments for w in segment)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table")
            path.write_bytes(np.array(words, "<u4").tobytes())
            groups = [str(first // self.lanes), str(last // self.lanes)]
            command = [str(self.program), str(path), *groups]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ToolError(f"{self.program.name} failed: {done.stderr.strip() or 'no output'}")
        *lines, totals = done.stdout.splitlines()
        compared, mismatches = (int(word) for word in totals.split()[1::2])
        if mismatches:
            raise MismatchError(self._explain(mismatches, lines))
        if not compared:
            raise MismatchError(f"{self.unit} of {self.variant}: nothing was compared (spec §13.2)")
        return compared

    def _explain(self, mismatches: int, lines: Sequence[str]) -> str:
        digits = self.variant.input.width // 4
        shown = []
        for line in lines[:3]:
            setting, x, dut, spec = (int(word) for word in line.split()[1:])
            under = f" scale {setting:02x}" if self.unit == "element" else ""
            shown.append(f"x {x:0{digits}x}{under}: dut {dut:02x} spec {spec:02x}")
        clause = "spec §9.1" if self.unit == "element" else "spec §8"
        return f"{self.unit} of {self.variant}: {mismatches} differ ({clause}): {'; '.join(shown)}"


def space(
    unit: str, variant: QuantizerVariant, *, verilog: str | None = None, folder: Path | None = None
) -> Space:
    """Build the program for a unit of a variant, or find it where it was built before.

    Args:
        unit: ``"element"`` or ``"scale"``.
        variant: gives recipe and input format.
        verilog: text to test in place of the variant's own, with the ports of
            `rtl.verilog.unit_verilog` for `lanes_of` numbers.
        folder: where programs are kept; by default ``build/exhaustive``.

    Raises:
        ToolError: if a tool is missing or fails.
    """
    lanes = lanes_of(variant.input)
    text = unit_verilog(unit, variant, lanes=lanes) if verilog is None else verilog
    ports = {
        "element": {"IN_PORT": "x", "OUT_PORT": "code", "OUT_BITS": "4", "SETTING_PORT": "scale"},
        "scale": {"IN_PORT": "amax", "OUT_PORT": "scale", "OUT_BITS": "8"},
    }[unit]
    defines = {"LANES": str(lanes), "IN_BITS": str(variant.input.width), **ports}
    main = "".join(f"#define {k} {v}\n" for k, v in defines.items()) + f'#include "{_SOURCE}"\n'
    relevant = [
        text,
        main,
        *(file.read_text() for file in _SOURCES),
        repr(sorted(toolchain.versions().items())),
    ]
    key = hashlib.sha256("\0".join(relevant).encode()).hexdigest()[:16]
    home = (folder or toolchain.build_root() / "exhaustive").resolve()
    program = home / f"{unit}-{variant.module}-{key}"
    if not program.is_file():
        build_walk(program, f"{unit}_unit", text, main, wide=variant.input.width == 32)
    return Space(unit, variant, program)


def build_walk(program: Path, top: str, verilog: str, main: str, *, wide: bool) -> None:
    """Compile in a temporary folder and move the finished program to its place."""
    program.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".walk-", dir=program.parent))
    try:
        (work / "unit.v").write_text(verilog)
        command = ["verilator", "-cc", "--exe", "--prefix", "Vtop", "-O3", "--no-timing"]
        command += ["--output-split", "0", "-Wno-lint", "-Wno-style", "--x-initial", "unique"]
        command += ["--x-assign", "unique", "-CFLAGS", "-O1", "--top-module", top]
        command += ["-Mdir", str(work), "-o", "walk", "unit.v", str(work / "sim_main.cpp")]
        toolchain.run(command, f"verilator on {top}", cwd=work)
        compiling.compile_program(work, main, top, optimization="-O2" if wide else "")
        (work / "walk").replace(program)
    finally:
        shutil.rmtree(work, ignore_errors=True)
