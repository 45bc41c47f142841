"""Cell libraries for tests: a tiny one of our own, and the OSU 0.18 um one where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TINY = """
/* a { brace in a comment } */
library(tiny) {
  capacitive_load_unit (1,pf);
  cell(INVX1) { area : 3; pin(A) { direction : input; capacitance : 0.002; }
    pin(Y) { direction : output; function : "!A"; } }
  cell(BUFX2) { area : 5; pin(A) { direction : input; capacitance : 0.002; }
    pin(Y) { direction : output; function : "A"; } }
  cell(NAND2X1) { area : 4; pin(A) { direction : input; capacitance : 0.0025; }
    pin(B) { direction : input; capacitance : 0.002; }
    pin(Y) { direction : output; function : "(A B)'"; } }
  cell(NAND2X2) { area : 7; pin(A) { direction : input; capacitance : 0.005; }
    pin(B) { direction : input; capacitance : 0.005; }
    pin(Y) { direction : output; function : "!A | !B"; } }
  cell("PADX") { area : 999; pin(A) { direction : input; capacitance : 1; }
    pin(Y) { direction : output; function : "A"; } }
  cell(SLOW) { area : 3; dont_use : true; pin(A) { direction : input; capacitance : 0.002; }
    pin(Y) { direction : output; function : "A"; } }
  cell(HOLD) { area : 9; latch(IQ, IQN) { enable : "G"; data_in : "D"; }
    pin(D) { direction : input; capacitance : 0.002; }
    pin(G) { direction : input; capacitance : 0.002; }
    pin(Q) { direction : output; function : "IQ"; } }
  %s
}
"""

FLIP_FLOP = """
  cell(DFF) { area : 20; ff(IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin(D) { direction : input; capacitance : 0.002; }
    pin(CK) { direction : input; capacitance : 0.002; }
    pin(Q) { direction : output; function : "IQ"; } }
"""

TINY_LIBERTY = TINY % FLIP_FLOP


def tiny(folder: Path) -> Path:
    """Write the tiny library into a folder."""
    path = folder / "tiny.lib"
    path.write_text(TINY_LIBERTY)
    return path


def osu018() -> Path:
    """The OSU 0.18 um library; skips the test where there is none."""
    places = [Path(p) for p in (os.environ.get("FINESCALE_LIBERTY"),) if p]
    places += [ROOT.parent / "shared" / "liberty" / "osu018_stdcells.lib.xz"]
    places += [Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")]
    for place in places:
        if place.is_file():
            return place
    pytest.skip("no OSU 0.18 um liberty file (set FINESCALE_LIBERTY)")
