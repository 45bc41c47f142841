"""Simulates a design against the specification: a variant's own Verilog, or a user's.

`simulate` is the thorough run behind the command line: protocol tests in cocotb, then bulk words
through the C++ driver. `verify` is the quick one for tools that need many variants verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cocotb_tests import toolchain
from cocotb_tests.bulk import ALWAYS, BulkModel, BulkRun
from cocotb_tests.harness import Stimulus, run_tests
from cocotb_tests.model import Model, build
from cocotb_tests.report import Report, StimulusResult
from cocotb_tests.vectors import Vectors, gather, protocol_tests
from emulator.errors import MismatchError
from emulator.folder import new_file
from rtl.variant import Device

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""

WAVE_BLOCKS = 256
"""Blocks per protocol test while waves are written; more would make the file unwieldy."""

STARTED = 66
"""Cycles of the driver before the first word: reset, and a while in which nothing may come out."""

CHUNK_BYTES = 1 << 23
"""Bytes of input words of one chunk, so that memory stays bounded for any number of words."""

CHUNK_WORDS = 250_000
"""At most so many words in a chunk, so that a million of them meets every pause pattern."""

PAUSES = (
    {"valid": 160, "ready": 160},
    {"valid": 128, "ready": ALWAYS, "hold": 16},
    {"valid": ALWAYS, "ready": 96, "hold": 16},
    {},
)
"""Pause patterns of the driver, taken in turn for the chunks of a long stimulus."""


def run_cocotb(model: Model, vectors: Vectors, report: Report, seed: int = 1) -> None:
    """Run all protocol tests and add their words, latency and interval to a report.

    Raises:
        MismatchError: if a word differs or the protocol is broken.
    """
    tests = protocol_tests(vectors)
    for result in run_tests(model, tests, seed=seed):
        result.verdict.require()
        report.cocotb_words += result.verdict.compared
        if result.test == "full_rate":
            _note_timing(report, result.measured, model.variant)
    report.results += vectors.results("cocotb")


def _note_timing(report: Report, measured: dict[str, Any], variant: Device) -> None:
    """Take latency and interval from a run at full rate; two engines have to agree.

    A design of any latency has to accept words at its variant's rate (spec §12.5).
    """
    latency, worst, interval = (measured[k] for k in ("latency", "latency_max", "interval"))
    if latency is None or interval is None:
        raise MismatchError(f"{report.variant}: too few words to measure latency and interval")
    if latency != worst and variant.interval == 1:  # else words queue in front of what is busy
        raise MismatchError(
            f"{report.variant}: the latency at full rate is not constant: {latency} to {worst} "
            "cycles (spec §12.5)"
        )
    if report.latency not in (-1, latency):
        raise MismatchError(
            f"{report.variant}: cocotb measures a latency of {report.latency} cycles, the C++ "
            f"driver one of {latency}"
        )
    if interval != variant.interval:
        raise MismatchError(
            f"{report.variant}: interval {interval:g} cycles, not {variant.interval} (spec §12.5)"
        )
    report.latency, report.interval = latency, interval


def require_timing(report: Report, variant: Device) -> None:
    """Check latency and interval of a generated design (spec §12.5).

    Raises:
        MismatchError: if one is not what the variant promises.
    """
    if (report.latency, report.interval) != (variant.latency, variant.interval):
        raise MismatchError(
            f"{variant}: latency {report.latency} and interval {report.interval:g} cycles, not "
            f"{variant.latency} and {variant.interval} (spec §12.5)"
        )


def run_driver(
    model: BulkModel,
    vectors: Vectors,
    report: Report,
    *,
    blocks: int,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Run words through the C++ driver: the given ones, then ``blocks`` random ones in chunks.

    Raises:
        MismatchError: if a word differs or the protocol is broken.
    """
    variant, about = model.variant, vectors.subject
    everything = vectors.every(0)
    run = drive(model, everything, report)
    _note_timing(report, vars(run), variant)
    drive(model, everything, report, valid=128, ready=128, hold=8, seed=seed + 1)
    drive(
        model,
        everything,
        report,
        ready=200,
        seed=seed + 2,
        reset_cycle=STARTED + len(vectors.words) // 2,
    )
    report.results += vectors.results("driver")
    chunk = chunk_words(variant)
    for number, start in enumerate(range(0, blocks, chunk)):
        size = min(chunk, blocks - start)
        # Seeds of the chunks lie apart from those of `gather`, which start at `seed` too.
        words = about.stimulus("random", words=size, seed=seed + 1000 + number)
        spec = about.expected(words)
        part = Stimulus(words, spec, lambda k, n=number: f"random bulk {n} block {k}")
        drive(model, part, report, seed=seed + number, **PAUSES[number % len(PAUSES)])
        step()
    if blocks:
        report.results.append(StimulusResult("random bulk", "driver", blocks))


def chunk_words(variant: Device) -> int:
    """Words of one chunk of a long stimulus."""
    return min(CHUNK_WORDS, CHUNK_BYTES // variant.input_layout.nbytes)


def drive(model: BulkModel, part: Stimulus, report: Report, **options: Any) -> BulkRun:
    """One run of the driver, judged; its words are added to the report."""
    run = model.run(part.words, **options)
    due = part.due(model.variant, run.reset)
    verdict = due.judge(run.words, model.variant, run.problem, f"{model.variant} driver")
    report.driver_words += verdict.require().compared
    return run


def simulate(
    variant: Device,
    *,
    dut: Path | None = None,
    top: str | None = None,
    waves: bool = False,
    folder: Path | None = None,
    vectors: Path | None = None,
    blocks: int = 20_000,
    bulk_blocks: int = 1_000_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Simulate a design and compare every word with what the specification requires.

    Args:
        variant: what the design is meant to compute.
        dut: a Verilog file with the ports of spec §12.1; by default the variant's own Verilog.
        top: top module of that file, where it has several candidates.
        waves: whether to write waves of a short run, as FST or, without lz4's headers, VCD.
        folder: where Verilog and waves go; by default ``build/simulate/<variant>``.
        vectors: folder of golden vectors for the protocol tests, instead of the named stimuli.
        blocks: words for the protocol tests; each runs twice, with and without pauses.
        bulk_blocks: random words for the C++ driver.
        seed: seed of random words and pauses.
        progress: called before each step.

    Returns:
        The report; a design given by a file may have any latency, ours has its variant's.

    Raises:
        MismatchError: if a word differs, with the first differences explained, if the protocol
            is broken, or if the interval is not the variant's.
        ToolError: if a tool is missing or fails, or the ports differ.
        ValueError: if a number of blocks is below 0.
    """
    if blocks < 0 or bulk_blocks < 0 or seed < 0:
        raise ValueError(f"blocks {blocks}, bulk_blocks {bulk_blocks} or seed {seed} is below 0")
    toolchain.require(yosys=dut is None)
    chunk = chunk_words(variant)
    steps = 4 + -(-bulk_blocks // chunk)
    done = 0

    def step(what: str) -> None:
        nonlocal done
        if progress is not None:
            progress(what, min(done, steps), steps)
        done += 1

    step("Verilog")
    folder = folder or toolchain.build_root() / "simulate" / variant.name
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(dut) if dut is not None else _export(variant, folder)
    step("compile")
    model = build(path, variant, top=top)
    report = Report(variant.name, str(dut) if dut else "generated", model.top)
    report.versions = dict(toolchain.versions(yosys=dut is None))
    step("stimuli")
    given = gather(variant, blocks, seed, vectors)
    if waves:
        traced = build(path, variant, top=top, waves=True)
        file = folder / f"{variant.name}.{traced.waves}"
        run_tests(traced, protocol_tests(given, WAVE_BLOCKS), waves=file.resolve())
        report.waves = str(file)
    step("cocotb")
    run_cocotb(model, given, report, seed + 1)
    step("driver")
    run_driver(
        BulkModel(model),
        given,
        report,
        blocks=bulk_blocks,
        seed=seed,
        step=lambda: step("driver"),
    )
    if dut is None:
        require_timing(report, variant)
    return report


def verify(variant: Device, verilog_text: str, *, blocks: int = 50_000, seed: int = 0) -> Report:
    """Verify generated Verilog through the C++ driver alone: directed and random words.

    Args:
        variant: what the Verilog is meant to compute; also its latency is checked (spec §12.5).
        verilog_text: the Verilog, with ``variant.module`` as top module.
        blocks: random words on top of the directed ones.
        seed: seed of random words and pauses.

    Raises:
        MismatchError: if a word, the latency or the interval differs.
        ToolError: if a tool is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        path = Path(folder) / f"{variant.module}.v"
        path.write_text(verilog_text)
        model = BulkModel(build(path, variant, top=variant.module))
    report = Report(variant.name, "generated", variant.module)
    report.versions = dict(toolchain.versions())
    run_driver(model, gather(variant, 0, seed), report, blocks=blocks, seed=seed)
    require_timing(report, variant)
    return report


def _export(variant: Device, folder: Path) -> Path:
    """Write the variant's own Verilog."""
    path = folder / f"{variant.module}.v"
    with new_file(path) as part:
        part.write_text(variant.verilog())
    return path
