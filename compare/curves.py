"""Area over delay: each unit mapped from the smallest to the fastest, beside open designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compare import open_designs
from compare.liberty import Library
from compare.open_designs import OPEN_DESIGNS, OpenDesign
from compare.study import Made, Progress, made_with, map_all
from compare.synthesis import CURVE_SCRIPTS, Mapped, Synthesis
from compare.table import Grid
from compare.workers import WORKERS

LEAST_POINTS = 5
"""Different points that make a curve."""

SAME_FUNCTION = {
    "quantizer-e8m0-floor-b16-bf16-cuto": "mxfp4-bf16-b16",
    "quantizer-e8m0-floor-b32-bf16-cuto": "mxfp4-bf16-b32",
    "quantizer-e8m0-floor-b16-fp16-cuto": "mxfp4-fp16-b16",
    "block-sum-b16": "sum-e2m1-16",
    "block-sum-b32": "sum-e2m1-32",
    "dot-ue4m3-b16-block-cuto": "dot-ue4m3-b16",
    "scale-product-ue4m3": "scale-product-ue4m3",
    "element-product": "multiply-e2m1",
    "float-multiply": "multiply-fp32",
    "float-add": "add-fp32",
    "encode-ue4m3-fp32": "encode-e4m3-fp32",
}
"""The function of a design that open designs have too."""

DESIGNS = (
    *SAME_FUNCTION,
    "quantizer-ue4m3-absmax-b16-bf16-cuto",
    "quantizer-ue5m3-absmax-pz-b16-bf16-cuto",
    "quantizer-ue4m3-absmax-hp2-b16-bf16-cuto",
    "quantizer-ue4m3-absmax-hbf16-b16-bf16-cuto",
    "quantizer-ue4m3-absmax-h-b16-bf16-cuto",
    "quantizer-ue5m3-4o6-b16-bf16-turn",
    "quantizer-ue5m3-4o6-b16-bf16",
    "quantizer-ue4m3-3c-b16-bf16-turn",
    "quantizer-ue4m3-6c-b16-bf16-turn",
    "quantizer-ue4m3-4o6-hp2-b16-bf16-turn",
    "quantizer-ue4m3-4o6-h-b16-bf16-turn",
    "quantizer-e8m0-fc-b16-bf16-turn",
    "quantizer-ue5m3-4o6-e6-b16-bf16-turn",
    "quantizer-ue5m3-4o6t-b16-bf16",
    "quantizer-ue5m3-top2-b16-bf16",
    "quantizer-ue5m3-top3-b16-bf16",
    "quantizer-ue5m3-pop-b16-bf16",
    "quantizer-ue4m3-top2-hp2-b16-bf16",
    "quantizer-ue4m3-pop-h-b16-bf16",
    "quantizer-ue4m3-absmax-sr4-b16-bf16-r1",
    "quantizer-ue4m3-absmax-sr4-h-b16-bf16-r1",
    "quantizer-ue4m3-top2-sr4-b16-bf16-r1",
    "quantizer-ue4m3-4o6-sr4-b16-bf16-turn-r1",
    "quantizer-peer-torchao-nvfp4-1level-b16-bf16-cuto",
    "quantizer-peer-te-nvfp4-b16-bf16-cuto",
    "tensor-amax-bf16-x16",
    "tensor-scale-h-ue4m3-bf16",
    "tensor-scale-hbf16-ue4m3-bf16",
    "tensor-scale-hp2-ue4m3-bf16",
    "tensor-quantizer-ue4m3-absmax-hp2-b16-bf16-two-w32",
    "encode-e2m1-fp32",
    "encode-ue5m3-fp32",
    "encode-e8m0-fp32",
    "decode-e2m1-bf16",
    "decode-ue4m3-bf16",
    "decode-ue5m3-bf16",
    "decode-e8m0-bf16",
    "dequantizer-ue5m3-absmax-b16-bf16",
    "dequantizer-ue4m3-absmax-h-b16-bf16",
    "dot-ue5m3-b16-block-cuto",
    "dot-e8m0-b16-block-cuto",
    "dot-ue5m3-b16-fp32",
    "dot-ue4m3-b16-exact",
    "dot-ue5m3-b16-exact",
    "dot-ue5m3-b16-tc35",
    "dot-ue4m3-b16-fp32-h",
    "dot-ue4m3-b16-fp32-hbf16",
    "dot-ue4m3-b16-fp32-hp2",
)
"""One design of each unit, and of each kind of it that differs in its gates."""


@dataclass(frozen=True)
class Curve:
    """A design's points, and the open designs of the same function."""

    design: str
    synthesis: Synthesis
    others: tuple[OpenDesign, ...]

    @property
    def points(self) -> list[Mapped]:
        """The different points, the fastest first."""
        unique = {(m.logic_ge, m.delay_ps): m for m in reversed(self.synthesis.mappings)}
        return sorted(unique.values(), key=lambda m: (delay_ns(m), m.logic_ge))

    @property
    def front(self) -> list[Mapped]:
        """Those that no other point of the curve matches in area at no more delay."""
        found: list[Mapped] = []
        for point in self.points:
            if not found or point.logic_ge < found[-1].logic_ge:
                found.append(point)
        return found

    @property
    def beaten(self) -> list[tuple[Mapped, OpenDesign]]:
        """Points of the front than which an open design is both smaller and faster."""
        return [
            (m, other)
            for m in self.front
            for other in self.others
            if other.beats(m.logic_ge, delay_ns(m))
        ]


def delay_ns(point: Mapped) -> float:
    """Delay of a point in ns."""
    assert point.delay_ps is not None, "a curve needs a cell library"
    return point.delay_ps / 1000


@dataclass(frozen=True)
class Curves:
    """All curves of a study."""

    made: Made
    curves: tuple[Curve, ...]

    @property
    def problems(self) -> list[str]:
        """What speaks against a curve: too few points, or a point that an open design beats."""
        found = [] if self.curves else ["no design"]
        for c in self.curves:
            if len(c.points) < LEAST_POINTS:
                found.append(f"{c.design}: {len(c.points)} different points, not {LEAST_POINTS}")
            found += [
                f"{c.design}: {point_text(m)} ({m.script}) is larger and slower than {o.name}"
                for m, o in c.beaten
            ]
        return found

    def grid(self) -> Grid:
        """As a table: the ends of the curve, its points, and the verdict."""
        headings = ("design", "smallest", "fastest", "points", "on the front", "open designs")
        rows = []
        for c in self.curves:
            if not c.others:
                verdict = ""
            else:
                worse = sorted({o.name for _, o in c.beaten})
                verdict = f"beaten by {', '.join(worse)}" if worse else "none beats a point"
            rows.append(
                (
                    c.design,
                    point_text(c.front[-1]),
                    point_text(c.front[0]),
                    str(len(c.points)),
                    str(len(c.front)),
                    verdict,
                )
            )
        return Grid(headings, tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "schema": "finescale-curves",
            "schema_version": 1,
            **asdict(self.made),
            "scripts": dict(CURVE_SCRIPTS),
            "problems": self.problems,
            "curves": [
                {
                    "design": c.design,
                    "points": [
                        {
                            "script": m.script,
                            "logic_ge": m.logic_ge,
                            "registers_ge": m.register_ge,
                            "delay_ps": m.delay_ps,
                            "levels": m.levels,
                            "front": m in c.front,
                        }
                        for m in c.points
                    ],
                    "open_designs": [asdict(o) for o in c.others],
                }
                for c in self.curves
            ],
        }


def point_text(point: Mapped) -> str:
    """Area and delay of a point."""
    return f"{point.logic_ge:,.0f} GE at {delay_ns(point):.2f} ns"


def study_curves(
    library: Library,
    designs: Sequence[str] = (),
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
    workers: int = WORKERS,
) -> Curves:
    """Map designs with all of `CURVE_SCRIPTS`.

    Open designs stand beside those of the same function if library and conditions are theirs.

    Raises:
        UnknownNameError: if there is no such design.
        ToolError: if a tool is missing or fails.
    """
    names = list(dict.fromkeys(designs or DESIGNS))
    found = map_all(
        names, library, tuple(CURVE_SCRIPTS), progress=progress, cache=cache, workers=workers
    )
    comparable = (library.name, library.driving_cell, library.load_ff) == (
        open_designs.LIBRARY,
        open_designs.DRIVING_CELL,
        open_designs.LOAD_FF,
    )

    def others(name: str) -> tuple[OpenDesign, ...]:
        function = SAME_FUNCTION.get(name)
        return OPEN_DESIGNS[function] if comparable and function else ()

    curves = tuple(Curve(name, found[name], others(name)) for name in names)
    return Curves(made_with(["curves", *designs], library), curves)
