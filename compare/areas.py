"""Areas against their limits: what the project promises of the size of its units.

The limits are gate equivalents of logic in OSU 0.18 um cells, medians over the mapping scripts. A
design here has as few registers as its unit allows, since the gates that hold the bits of a
register count as logic; the units inside have none. Quantizers that choose have their usual
registers: without them, mapping takes many times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compare.liberty import Library
from compare.study import Made, Progress, made_with, map_all
from compare.synthesis import SCRIPTS, Synthesis
from compare.table import Grid, ge_text, range_text
from compare.workers import WORKERS

LIBRARY = "osu018_stdcells"
"""The library whose gate equivalents the limits are."""


@dataclass(frozen=True)
class Limit:
    """The most that a design may have.

    Attributes:
        what: the unit, in words.
        design: its name.
        most: gate equivalents of logic.
        known: figures that others published or open designs have in the same cells.
    """

    what: str
    design: str
    most: int
    known: str


LIMITS = (
    Limit(
        "quantizer UE5M3 absmax-pz",
        "quantizer-ue5m3-absmax-pz-b16-bf16-cuto",
        6000,
        "open E8M0-only converter (MX-for-FPGA): 5,600",
    ),
    Limit("quantizer UE4M3 absmax", "quantizer-ue4m3-absmax-b16-bf16-cuto", 6000, ""),
    Limit("quantizer E8M0 floor", "quantizer-e8m0-floor-b16-bf16-cuto", 3000, "as above: 5,600"),
    Limit("UE4M3 with hp2", "quantizer-ue4m3-absmax-hp2-b16-bf16-cuto", 6500, ""),
    Limit("UE4M3 with h", "quantizer-ue4m3-absmax-h-b16-bf16-cuto", 9500, ""),
    Limit("4o6 exact, in turn", "quantizer-ue5m3-4o6-b16-bf16-turn", 16000, ""),
    Limit("3c exact, in turn", "quantizer-ue5m3-3c-b16-bf16-turn", 16000, ""),
    Limit("6c exact, in turn", "quantizer-ue5m3-6c-b16-bf16-turn", 16000, ""),
    Limit("4o6 exact, side by side", "quantizer-ue5m3-4o6-b16-bf16", 24000, ""),
    Limit("4o6 in its table form", "quantizer-ue5m3-4o6t-b16-bf16", 11000, ""),
    Limit(
        "exact sum of 16 E2M1 products",
        "block-sum-b16",
        2200,
        "open dot products: 2,226 (MX-for-FPGA), 4,725 (Hrushi199)",
    ),
    Limit(
        "block dot product to float32, UE5M3",
        "dot-ue5m3-b16-block-cuto",
        3600,
        "open UE4M3 one (sashakatne): 4,161",
    ),
)
"""Block size 16, bfloat16 inputs, special and subnormal numbers handled."""


@dataclass(frozen=True)
class Area:
    """A limit, and what was measured."""

    limit: Limit
    synthesis: Synthesis

    @property
    def met(self) -> bool:
        """Whether the limit is met."""
        return self.synthesis.logic.low <= self.limit.most

    @property
    def verdict(self) -> str:
        """``met``, ``met within the spread`` (the smallest figure is) or ``missed``."""
        logic = self.synthesis.logic
        if logic.median <= self.limit.most:
            return "met"
        return "met within the spread" if self.met else "missed"


@dataclass(frozen=True)
class Areas:
    """All of them."""

    made: Made
    areas: tuple[Area, ...]

    @property
    def ok(self) -> bool:
        """Whether none is missed, and there is one."""
        return bool(self.areas) and all(a.met for a in self.areas)

    def grid(self) -> Grid:
        """As a table."""
        headings = ("design", "logic GE", "range", "limit", "verdict", "known", "what")
        return Grid(
            headings,
            tuple(
                (
                    a.limit.design,
                    ge_text(a.synthesis.logic),
                    range_text(a.synthesis.logic),
                    f"{a.limit.most:,}",
                    a.verdict,
                    a.limit.known,
                    a.limit.what,
                )
                for a in self.areas
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "schema": "finescale-areas",
            "schema_version": 1,
            **asdict(self.made),
            "areas": [
                {
                    **asdict(a.limit),
                    "verdict": a.verdict,
                    "logic_ge": asdict(a.synthesis.logic),
                    "registers_ge": asdict(a.synthesis.registers),
                    "flip_flops": a.synthesis.flip_flops,
                }
                for a in self.areas
            ],
        }


def study_areas(
    library: Library,
    *,
    limits: Sequence[Limit] = LIMITS,
    progress: Progress | None = None,
    cache: Path | None = None,
    workers: int = WORKERS,
) -> Areas:
    """Map the designs that have limits.

    Raises:
        ValueError: if the library is not the one whose gate equivalents the limits are.
        ToolError: if a tool is missing or fails.
    """
    if library.name != LIBRARY:
        raise ValueError(
            f"the limits are gate equivalents of {LIBRARY}; {library.name} has others (`finescale "
            "compare --liberty` measures with any library)"
        )
    names = [limit.design for limit in limits]
    found = map_all(names, library, tuple(SCRIPTS), progress=progress, cache=cache, workers=workers)
    areas = tuple(Area(limit, found[limit.design]) for limit in limits)
    return Areas(made_with(["areas"], library), areas)
