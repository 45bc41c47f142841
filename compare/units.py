"""Area of a variant unit by unit: which parts of a datapath cost what.

python -m compare.units VARIANT [VARIANT ...] [--liberty FILE]

Each kind of unit that the variant's top module places is mapped by itself. Gates that a unit shares
with its neighbours, or that constants between units save, show in the whole (`finescale compare`)
and not here; registers are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compare.liberty import Library, read_library
from compare.synthesis import GENERIC, Spread, synthesize
from compare.table import Grid, ge_text, range_text
from emulator.errors import FinescaleError
from rtl.variants import Variant, variant


@dataclass(frozen=True)
class UnitArea:
    """One kind of unit.

    Attributes:
        kind: its module's name, without the variant's.
        count: how many the top module places.
        logic: gate equivalents of one.
    """

    kind: str
    count: int
    logic: Spread

    @property
    def total(self) -> float:
        """Gate equivalents of all of them, by the median."""
        return self.count * self.logic.median


def placed_units(verilog: str, top: str) -> dict[str, int]:
    """How often the top module of a design places each kind of unit, registers left out.

    Raises:
        ValueError: if there is no such module.
    """
    found = re.search(rf"^module {re.escape(top)}\(.*?^endmodule", verilog, re.M | re.S)
    if found is None:
        raise ValueError(f"there is no module {top}")
    counts: dict[str, int] = {}
    for kind in re.findall(rf"^  {re.escape(top)}_(\w+) \w+ \(", found[0], re.M):
        if not kind.startswith("stage"):
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def unit_areas(
    v: Variant, liberty: Library | None = None, scripts: Sequence[str] | None = None
) -> list[UnitArea]:
    """The kinds of units of a variant, the largest total first; arguments as `synthesize` takes.

    Raises:
        ToolError: if yosys fails.
    """
    from rtl.verilog import to_verilog

    text = to_verilog(v)
    found = [
        UnitArea(
            kind,
            count,
            synthesize(text, f"{v.module}_{kind}", liberty=liberty, scripts=scripts).logic,
        )
        for kind, count in placed_units(text, v.module).items()
    ]
    return sorted(found, key=lambda unit: (-unit.total, unit.kind))


def unit_grid(areas: Sequence[UnitArea]) -> Grid:
    """The units as rows of text, their sum last."""
    rows = [
        (a.kind, str(a.count), ge_text(a.logic), range_text(a.logic), f"{a.total:,.0f}")
        for a in areas
    ]
    rows.append(("all units", "", "", "", f"{sum(a.total for a in areas):,.0f}"))
    return Grid(("unit", "count", "GE of one", "range", "GE of all"), tuple(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Area of a variant unit by unit.")
    parser.add_argument("variant", nargs="+")
    parser.add_argument("--liberty", type=Path, action="append", help="cell library")
    parser.add_argument("--script", action="append", help="mapping script; all by default")
    options = parser.parse_args(arguments)
    try:
        library = read_library(options.liberty) if options.liberty else None
        for name in options.variant:
            v = variant(name)
            print(f"{v.name}, {GENERIC if library is None else library.name}\n")
            print(unit_grid(unit_areas(v, library, options.script)).markdown(), flush=True)
            print()
    except (FinescaleError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
