"""The worked examples of the stream interface, cycle by cycle, in Amaranth's simulator."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from rtl.variants import variant
from tests.rtl.simulation import testbench
from tests.spec_examples import Example, examples

EXAMPLES = [e for e in examples() if e.verb == "stream"]


def test_there_are_examples() -> None:
    clauses = {e.clause for e in EXAMPLES}
    assert clauses >= {"§12.2", "§12.4", "§12.5"}
    assert clauses >= {"§22.3", "§22.5", "§22.6", "§22.7", "§22.8", "§22.9", "§22.10"}
    assert "§22.12" in clauses


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_worked_example(example: Example) -> None:
    """spec §12.2, §12.4, §12.5, §22.3, §22.5 to §22.10, §22.12."""
    chosen = variant(example.subject)
    dut: Any = chosen.component()
    rst = Signal()
    digits = chosen.output_layout.digits
    seen: list[str] = []

    async def bench(ctx: Any) -> None:
        for cycle in example.left.split():
            word, ready = cycle.split("/")
            ctx.set(rst, word == "rst")
            ctx.set(dut.i.valid, word not in ("-", "rst"))
            if ctx.get(dut.i.valid):
                ctx.set(dut.i.payload, int(word, 16))
            ctx.set(dut.o.ready, int(ready))
            offered = ctx.get(dut.o.valid)
            seen.append(f"{ctx.get(dut.o.payload):0{digits}x}" if offered else "-")
            await ctx.tick()

    testbench(ResetInserter(rst)(dut), bench, clocked=True)
    assert " ".join(seen) == example.right
