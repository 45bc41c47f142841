"""The command that measures speed, memory and start-up, and judges them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.show import Json, add, print_json, progress, say, table
from emulator.errors import MismatchError, UnknownNameError

if TYPE_CHECKING:
    from emulator.speed import Case, Figure
    from emulator.speed_peers import PeerSpeed

IMPORT = "import finescale"
PEERS = "peers"
KINDS = ("rate", "threads", "memory", "first call", "import")
UNIT = {"memory": "MiB", "first call": "s", "import": "s"}


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
    add(
        app,
        bench,
        "$ finescale bench --only 4o6",
        "measured                   one thread       2 threads/1     extra ...",
        "quantize ue5m3-4o6-pz-b16  0.150 >= 0.1 ok  1.78 >= 1.7 ok  0.2 MiB ...",
    )


def bench(
    elements: Annotated[
        int,
        typer.Option(
            "--elements",
            help="Float32 numbers per tensor, a multiple of 1024. The requirements are stated for "
            "2^24 or more; fewer are not judged.",
        ),
    ] = 1 << 24,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Rows whose name contains this (repeatable), or 'peers'."),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", help="Threads of the second column; 1 leaves it out.")
    ] = 2,
    more: Annotated[
        bool, typer.Option("--all", help="Also rows that have no required speed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure speed, memory and start-up beside what is required; 1 is returned if one is missed.

    Rates are elements per second relative to np.copyto into an array whose pages have been
    touched, output given; matrix products relative to NumPy's on one thread. All calls of a table
    take turns in one run, and the best of 7 rounds counts (2 at least for slow ones). Memory is
    the peak beyond input and output. Packages of other libraries that are installed are timed on
    one thread on the same numbers.
    """
    from emulator.pieces import thread_count

    threads, versions = thread_count(threads), tools()
    if elements < 1024 or elements % 1024:
        raise ValueError(f"--elements {elements} is not a multiple of 1024 above 0")
    cases, start_up, with_peers = _chosen(only, more)
    figures, found, failed = _measure(cases, elements, threads, start_up, with_peers, as_json)
    missed = [f for f in figures if f.ok is False]
    if as_json:
        print_json(
            {
                "elements": elements,
                "threads": threads,
                "versions": versions,
                "figures": [f.entry() for f in figures],
                "peers": [p.entry() for p in found],
                "peers_failed": failed,
                "ok": not missed,
            }
        )
    else:
        say(", ".join(f"{name} {value}" for name, value in versions.items()))
        _show(figures, found, failed, elements, threads, with_peers)
    if missed:
        raise MismatchError("; ".join(f"{f.row}: {KIND_NAMES[f.kind]} {_cell(f)}" for f in missed))


def _chosen(only: Sequence[str] | None, more: bool) -> tuple[list[Case], bool, bool]:
    """The cases to measure; whether `import finescale` is, and whether peers are."""
    from emulator.speed import MORE, REQUIRED

    every = [*REQUIRED, *(MORE if more else ())]
    if not only:
        return every, True, True
    cases = [c for c in every if any(text in c.name for text in only)]
    start_up = any(text in IMPORT for text in only)
    with_peers = PEERS in only
    if not (cases or start_up or with_peers):
        names = [*(c.name for c in every), IMPORT, PEERS]
        raise UnknownNameError(
            f"--only {', '.join(only)}: no row has it (rows: {'; '.join(names)})"
        )
    return cases, start_up, with_peers


def _measure(
    cases: list[Case],
    elements: int,
    threads: int,
    start_up: bool,
    with_peers: bool,
    quiet: bool,
) -> tuple[list[Figure], list[PeerSpeed], dict[str, str]]:
    from emulator import speed_calls, speed_peers

    single = [c for c in cases if c.verb != "matmul"]
    double = [c for c in cases if c.verb == "matmul"]
    figures: list[Figure] = []
    found: list[PeerSpeed] = []
    failed: dict[str, str] = {}
    steps = len(cases) + 4
    with progress("bench", off=quiet) as show:
        show("rates", 0, steps)
        if single:
            figures += speed_calls.elementwise(single, elements, threads)
        show("matrix products", 1, steps)
        if double:
            figures += speed_calls.products(double, threads)
        for number, case in enumerate(cases):
            show(f"memory and first call: {case.name}", 2 + number, steps)
            figures += speed_calls.one_process(case, elements, threads)
        show(IMPORT, steps - 2, steps)
        if start_up:
            figures.append(speed_calls.import_time())
        show("other libraries", steps - 1, steps)
        if with_peers:
            found, failed = speed_peers.peers(speed_peers.installed(), elements)
    return figures, found, failed


def tools() -> dict[str, str]:
    """What the figures depend on: the processor, and versions of what ran."""
    from importlib.metadata import version

    from emulator.pieces import thread_count
    from emulator.speed_peers import tools as packages

    return {
        "processor": processor(),
        "cores": str(thread_count(None)),
        "load": f"{os.getloadavg()[0]:.1f}",  # others' work, which a second thread competes with
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        **packages(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor; the machine's type where the system does not say."""
    try:
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


KIND_NAMES = {
    "rate": "one thread",
    "threads": "threads/1",
    "memory": "extra memory",
    "first call": "first call",
    "import": "first call",
}


def _cell(f: Figure) -> str:
    """``0.491 >= 0.3 ok``, ``1.21 >= 1.7 MISSED``, ``0.123``."""
    digits = {"rate": 3, "threads": 2, "memory": 1}.get(f.kind, 2)
    unit = f" {UNIT[f.kind]}" if f.kind in UNIT else ""
    shown = f"{f.value:.{digits}f}{unit}"
    if f.ok is None:
        return shown
    bound = f">= {f.least:g}" if f.least is not None else f"<= {f.most:g}"
    return f"{shown} {bound} {'ok' if f.ok else 'MISSED'}"


def _show(
    figures: list[Figure],
    found: list[PeerSpeed],
    failed: dict[str, str],
    elements: int,
    threads: int,
    with_peers: bool,
) -> None:
    if figures:
        columns = ["measured", "one thread", f"{threads} threads/1", "extra memory", "first call"]
        say(f"\nelements per second, np.copyto = 1; matmul: NumPy's = 1 ({elements:,} elements)\n")
        cells: dict[str, dict[str, str]] = {}
        for f in figures:
            name = KIND_NAMES[f.kind].replace("threads/1", columns[2])
            cells.setdefault(f.row, {})[name] = _cell(f)
        if threads == 1:
            columns.remove("1 threads/1")
        table(columns, [(row, *(c.get(n, "") for n in columns[1:])) for row, c in cells.items()])
        if threads > 1 and "copyto" in cells:
            say("\ncopyto: what this machine gives a second thread that only moves data.")
    if found:
        say("\nother libraries' own code, float32, one thread, np.copyto = 1:\n")
        rows = [
            (
                p.peer,
                p.package,
                f"{p.rate:.4f}",
                p.exact or "",
                "" if p.exact_rate is None else f"{p.exact_rate:.3f}",
                "" if p.exact_rate is None else f"{p.exact_rate / p.rate:.0f}",
            )
            for p in found
        ]
        columns = ["peer", "package", "rate", "exact recipe", "its rate", "times as fast"]
        table(columns, rows, right=("rate", "its rate", "times as fast"))
    elif with_peers and not failed:
        say("\nno package of another library is installed (docs/peers.md says how).")
    for name, reason in failed.items():
        say(f"{name}: not measured: {reason}")
