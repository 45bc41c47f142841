"""What the matrices of many variants run of each: all words through the C++ driver.

The protocol tests of cocotb take most of the time of `cocotb_tests.simulate.simulate`; they run for
each kind of design in the tests. Here the driver runs as many words, with pauses of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

WORDS = 20_000
"""Words of each run, at least: directed ones and random ones."""

RANDOM = 10_000
"""Random words on top."""


def run_words(name: str) -> int:
    """All directed words and random ones through a variant, word by word as specified.

    They run at full rate, with random pauses on both sides, and with a reset in mid-stream; latency
    and interval have to be those of the variant (spec §12.2 to §12.5).

    Args:
        name: of a variant.

    Returns:
        How many words were compared.

    Raises:
        MismatchError: if a word, the latency or the interval differs.
    """
    from cocotb_tests import model
    from cocotb_tests.bulk import BulkModel
    from cocotb_tests.report import Report
    from cocotb_tests.simulate import require_timing, run_driver
    from cocotb_tests.vectors import gather
    from rtl.variants import variant
    from rtl.verilog import to_verilog

    v = variant(name)
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        path = Path(folder) / f"{v.module}.v"
        path.write_text(to_verilog(v))
        dut = BulkModel(model.build(path, v, top=v.module))
    given = gather(v, WORDS)
    report = Report(v.name, "generated", v.module)
    run_driver(dut, given, report, blocks=RANDOM)
    require_timing(report, v)
    # Once at full rate, once with pauses, once with a reset, where some words are lost.
    assert report.driver_words >= 2 * len(given.words) + RANDOM, report
    assert len(given.words) >= WORDS, f"{v}: {len(given.words)} words with pauses"
    return report.driver_words
