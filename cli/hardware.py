"""Commands on one hardware variant: export, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.memory import simulate_tensors
from cli.show import Json, add, count, print_json, progress, say, table

Name = Annotated[
    str, typer.Argument(metavar="VARIANT", help="e.g. quantizer-ue5m3-absmax-b16-bf16.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        export,
        "$ finescale export quantizer-ue5m3-absmax-b16-bf16 -o verilog",
        "verilog/quantizer_ue5m3_absmax_b16_bf16.v",
        "...",
        "",
        "$ finescale export quantizer-ue5m3-absmax-b16-bf16 -o verilog --testbench",
        "$ cd verilog",
        "$ iverilog -g2012 -f filelist.f quantizer_*_tb.sv -o tb && vvp tb",
        "PASS ... words of quantizer-ue5m3-absmax-b16-bf16 identical, ...",
        "",
        "The file is clean in: verilator --lint-only -Wall waivers.vlt FILE.v",
    )
    add(
        app,
        simulate,
        "$ finescale simulate quantizer-ue5m3-absmax-b16-bf16 --dut mine.v",
        "...",
        "mine.v as quantizer-...: all words identical, latency 5, interval 1",
        "",
        "A design that differs (exit code 1) is explained block by block:",
        "  scales-ue5m3 block 7 lane 3: x 3ec4 (0.3828125), scale 70 (0.5) =>",
        "  dut 1 (0.5), spec 2 (1) (spec §9.1)",
        "",
        "$ finescale simulate dot-ue5m3-b16-fp32 --simulator icarus",
        "dot-ue5m3-b16-fp32: all words identical in icarus",
    )


def export(
    names: Annotated[
        list[str],
        typer.Argument(metavar="VARIANT", help="e.g. quantizer-ue5m3-absmax-b16-bf16."),
    ],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    interface: Annotated[
        str,
        typer.Option("--interface", help="stream (spec §12.1) or axis (AXI4-Stream around it)."),
    ] = "stream",
    testbench: Annotated[
        bool,
        typer.Option("--testbench", help="A self-checking SystemVerilog testbench with vectors."),
    ] = False,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="DIR", help="Golden vectors for the testbench."),
    ] = None,
    blocks: Annotated[
        int, typer.Option("--blocks", help="Least number of words for the testbench.")
    ] = 2_000,
    as_json: Json = False,
) -> None:
    """Write the Verilog of variants, with a file list and a FuseSoC core for each.

    The same variant always gives the same bytes; the head of each file says what its ports mean.
    A testbench replays its vectors in any simulator, without Python.
    """
    from rtl.exported import exported
    from rtl.package import package, write_package
    from rtl.variant import Variant

    chosen = [exported(n) for n in dict.fromkeys(names)]
    if vectors is not None and not testbench:
        raise ValueError(f"--vectors {vectors} goes with --testbench")
    benches: dict[str, dict[str, str]] = {}
    with progress("export", off=as_json) as show:
        for number, v in enumerate(chosen if testbench else []):
            from cocotb_tests.testbench import bench_files
            from cocotb_tests.vectors import gather

            if not isinstance(v, Variant):
                raise ValueError(f"{v} has no testbench: {_study(v)}")
            show(f"{v.name} testbench", number, 2 * len(chosen))
            benches[v.module] = bench_files(gather(v, blocks, vectors=vectors), interface)
        show("Verilog", len(chosen), 2 * len(chosen))
        texts = package(chosen, interface, {m: list(files) for m, files in benches.items()})
        for files in benches.values():
            texts |= files
        files = write_package(folder, texts)
    if as_json:
        modules = {
            v.module: {p: {"direction": d, "width": w} for p, (d, w) in v.ports.items()}
            for v in chosen
        }
        print_json({"files": [str(f) for f in files], "modules": modules})
        return
    for file in files:
        say(str(file))
    for v in chosen:
        pace = f"latency {v.latency}" if isinstance(v, Variant) else v.summary
        say(f"\nmodule {v.module}, {pace}:")
        table(("port", "direction", "bits"), [(p, *d) for p, d in v.ports.items()], right=("bits",))


def simulate(
    name: Name,
    dut: Annotated[
        Path | None,
        typer.Option("--dut", metavar="FILE.v", help="Your Verilog, with the ports of spec §12.1."),
    ] = None,
    top: Annotated[
        str | None, typer.Option("--top", help="Its top module, if there are several.")
    ] = None,
    simulator: Annotated[
        str,
        typer.Option(
            "--simulator",
            help="verilator; cxxrtl, which needs no more than yosys and a C++ compiler; or icarus, "
            "in four states through the exported testbench.",
        ),
    ] = "verilator",
    waves: Annotated[
        bool, typer.Option("--waves", help="Write waves of a short run too (FST or VCD).")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="For Verilog and waves; build/simulate if left out."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="DIR", help="Golden vectors for the protocol tests."),
    ] = None,
    blocks: Annotated[
        int,
        typer.Option(
            "--blocks", help="Words for the protocol tests, and for icarus; blocks with pauses."
        ),
    ] = 20_000,
    bulk_blocks: Annotated[
        int | None,
        typer.Option(
            "--bulk-blocks",
            help="Random words for the C++ driver, 1,000,000 if left out; blocks of the long "
            "tensor of a tensor quantizer, 65,536 if left out.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of random words and pauses.")] = 0,
    as_json: Json = False,
) -> None:
    """Simulate a variant, or your own Verilog in its place, and compare every word.

    Two engines run one Verilated model: cocotb for the protocol (full rate, pauses on both sides,
    reset in mid-stream), then a C++ driver for the bulk of the words. The driver also runs the
    model that CXXRTL makes; in Icarus a testbench in SystemVerilog replays the words. A tensor
    quantizer runs between commands and a memory, all of whose bytes are compared, in Verilator or
    in CXXRTL.
    """
    from cocotb_tests.second import SECOND, simulate_second
    from cocotb_tests.simulate import simulate as run
    from rtl.exported import exported
    from rtl.variant import Variant

    chosen = exported(name)
    if simulator not in ("verilator", *SECOND):
        known = ", ".join(("verilator", *SECOND))
        raise ValueError(f"simulator {simulator!r} is not one of {known}")
    if top is not None and dut is None:
        raise ValueError(f"--top {top} goes with --dut FILE.v")
    if waves and simulator != "verilator":
        raise ValueError(f"--waves goes with --simulator verilator, not {simulator}")
    options: dict[str, Any] = {"dut": dut, "top": top, "folder": folder}
    options |= {"blocks": blocks, "seed": seed}
    if not isinstance(chosen, Variant):
        if waves:
            raise ValueError(f"--waves does not go with {chosen}")
        options |= {"vectors": vectors, "bulk_blocks": bulk_blocks, "as_json": as_json}
        simulate_tensors(chosen, simulator, **options)
        return
    if bulk_blocks is None:
        bulk_blocks = 0 if simulator == "icarus" else 1_000_000
    options |= {"vectors": vectors, "bulk_blocks": bulk_blocks}
    with progress("simulate", off=as_json) as show:
        if simulator == "verilator":
            report = run(chosen, waves=waves, progress=show, **options)
        else:
            report = simulate_second(chosen, simulator, progress=show, **options)
    if as_json:
        print_json(report.to_json())
        return
    table(
        ("stimulus", "engine", "words"),
        [(r.stimulus, r.engine, f"{r.words:,}") for r in report.results],
        right=("words",),
    )
    driver = f"{report.driver_words:,} through the C++ driver"
    if report.simulator == "icarus":
        driver = f"{count(report.driver_words, 'word')} compared by the testbench"
    elif not report.cocotb_words:
        driver = f"{count(report.driver_words, 'word')} compared through the C++ driver"
    else:
        driver = f"{count(report.cocotb_words, 'word')} compared in cocotb, {driver}"
    say(f"{driver} (each stimulus runs with and without pauses)")
    say(", ".join(f"{tool} {version}" for tool, version in report.versions.items()))
    if report.waves:
        say(f"waves: {report.waves}")
    source = "" if dut is None else f"{dut} as "
    where = "" if report.simulator == "verilator" else f" in {report.simulator}"
    timing = f", latency {report.latency}, interval {report.interval:g}"
    measured = timing if report.latency >= 0 else ""
    say(f"{source}{report.variant}: all words identical{where}{measured}")


def _study(name: object) -> str:
    return f"`finescale simulate {name}` runs it between commands and a memory"
