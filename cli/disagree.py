"""The command that shows where other libraries and the exact recipes differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.show import Json, add, count, print_json, progress, say, table
from cli.tensors import Keys
from emulator.errors import NotAvailableError

if TYPE_CHECKING:
    from emulator.peers_compare import Case, Disagreement


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
    add(
        app,
        disagree,
        "$ finescale disagree w.npy --peer peer-fasoli-ue5m3",
        "tensor peer              exact recipe     blocks scales elements ...",
        "w      peer-fasoli-ue5m3 ue5m3-absmax-b16    256      0 ...",
        "w, peer-fasoli-ue5m3 / ue5m3-absmax-b16:",
        "  [0, ...",
        "",
        "Numbers of bfloat16 that NumPy's file calls uint16:",
        "$ finescale disagree w.npy --dtype bfloat16 --json",
    )


def disagree(
    source: Annotated[Path, typer.Argument(metavar="X", help="A .npy, .npz or .safetensors file.")],
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", help="Name of a peer (repeatable); all if left out."),
    ] = None,
    keys: Keys = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="What the numbers are (float32, bfloat16, float16) if the file cannot say.",
        ),
    ] = None,
    axis: Annotated[int, typer.Option("--axis", help="Axis along which blocks run.")] = -1,
    cases: Annotated[
        int, typer.Option("--cases", min=0, help="Differing blocks to show for each peer.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """Show where other libraries' codes differ from the exact recipes', how often, and the first.

    Each peer is compared with the exact recipe nearest to it. docs/peers.md lists the peers, what
    they were checked against and how they differ. The exit code is 0 whatever differs, and 2 if
    nothing could be compared.
    """
    from emulator.files import read_tensors
    from emulator.peers import peer, peer_names
    from emulator.peers_compare import disagree as compare

    chosen = [peer(name) for name in dict.fromkeys(peers or peer_names())]
    tensors = read_tensors(source, keys, dtype)
    found: list[tuple[str, Disagreement]] = []
    with progress("disagree", off=as_json) as show:
        for key, x in tensors.items():
            for p in chosen:
                show(f"{key} {p.name}", len(found), len(tensors) * len(chosen))
                try:
                    found.append((key, compare(x, p, axis, cases)))
                except (TypeError, ValueError) as error:
                    raise type(error)(f"{source}: tensor {key!r}: {error}") from None
    if all(d.skipped is not None for _, d in found):
        reasons = dict.fromkeys(f"{d.peer.name}: {d.skipped}" for _, d in found)
        raise NotAvailableError(f"nothing to compare: {'; '.join(list(reasons)[:3])}")
    if as_json:
        print_json([_entry(key, d) for key, d in found])
    else:
        _show(found)


def _case(case: Case) -> dict[str, Any]:
    return {
        "index": list(case.index),
        "x": case.bits,
        "scale": {"peer": f"{case.scales[0]:02x}", "exact": f"{case.scales[1]:02x}"},
        "element": {"peer": f"{case.codes[0]:x}", "exact": f"{case.codes[1]:x}"},
    }


def _entry(key: str, d: Disagreement) -> dict[str, Any]:
    head = {"tensor": key, "peer": d.peer.name, "exact": d.exact, "skipped": d.skipped}
    if d.skipped is not None:
        return head
    return head | {
        "blocks": d.blocks,
        "elements": d.elements,
        "scale_codes_differ": d.scale_codes,
        "element_codes_differ": d.element_codes,
        "zero_signs_differ": d.zero_signs,
        "cases": [_case(c) for c in d.cases],
    }


def _show(found: list[tuple[str, Disagreement]]) -> None:
    done = [(key, d) for key, d in found if d.skipped is None]
    columns = ("tensor", "peer", "exact recipe", "blocks", "scales", "elements", "sign of 0 only")
    rows = []
    for key, d in done:
        counts = (d.blocks, d.scale_codes, d.element_codes, d.zero_signs)
        rows.append((key, d.peer.name, d.exact, *(f"{n:,}" for n in counts)))
    table(columns, rows, right=columns[3:])
    say("\nscales, elements: codes that differ; sign of 0 only: how many of those elements.")
    for key, d in done:
        if d.cases:
            say(f"\n{key}, {d.peer.name} / {d.exact}:")
        for c in d.cases:
            place = ", ".join(map(str, c.index))
            say(
                f"  [{place}] x = {c.bits} ({c.value:g}): scale {c.scales[0]:02x} / "
                f"{c.scales[1]:02x}, element {c.codes[0]:x} / {c.codes[1]:x}"
            )
    skipped = dict.fromkeys((d.peer.name, d.exact, d.skipped) for _, d in found if d.skipped)
    if skipped:
        say(f"\nNot compared ({count(len(skipped), 'peer')}):")
    for name, exact, reason in skipped:
        say(f"  {name}{f' with {exact}' if exact else ''}: {reason}")
