"""What `finescale simulate` does with a tensor quantizer (spec §24)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.show import count, print_json, progress, say, table

if TYPE_CHECKING:
    from rtl.tensor_quantizer_variant import TensorQuantizerVariant


def simulate_tensors(
    chosen: TensorQuantizerVariant,
    simulator: str,
    *,
    dut: Path | None,
    top: str | None,
    folder: Path | None,
    vectors: Path | None,
    blocks: int,
    bulk_blocks: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Simulate it between commands and a memory, and say what was compared."""
    from compare.memory_simulation import DEFAULT_BULK, simulate_memory

    with progress("simulate", off=as_json) as show:
        report = simulate_memory(
            chosen,
            simulator,
            dut=dut,
            top=top,
            folder=folder,
            vectors=vectors,
            blocks=blocks,
            bulk_blocks=DEFAULT_BULK if bulk_blocks is None else bulk_blocks,
            seed=seed,
            progress=show,
        )
    if as_json:
        print_json(report.to_json())
        return
    names = ("tensors", "blocks", "words", "compared", "cycles")
    table(
        ("stimulus", "tensors", "blocks", "words read", "bytes compared", "cycles"),
        [(r.stimulus, *(f"{getattr(r, name):,}" for name in names)) for r in report.results],
        right=("tensors", "blocks", "words read", "bytes compared", "cycles"),
    )
    say(f"{count(report.compared, 'byte')} of results compared, and all others of the memory")
    say(", ".join(f"{tool} {version}" for tool, version in report.versions.items()))
    source = "" if dut is None else f"{dut} as "
    where = "" if simulator == "verilator" else f" in {simulator}"
    cycles = ", cycles and bytes read" if report.timed else ", bytes read"
    say(f"{source}{report.variant}: all bytes identical{where}{cycles} as in spec §24")
