"""What an exported folder holds: Verilog, wrappers, a file list and a FuseSoC core per variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from emulator.folder import new_file
from rtl.axis import SUFFIX, axis_wrapper
from rtl.exported import Exported
from rtl.variant import Variant
from rtl.verilog import WAIVERS

INTERFACES = ("stream", "axis")
"""Interfaces of an export: the ports of spec §12.1, or AXI4-Stream around them."""

FILELIST = "filelist.f"


def package(
    variants: Iterable[Exported],
    interface: str = "stream",
    bench: Mapping[str, list[str]] | None = None,
) -> dict[str, str]:
    """Files of an exported folder, by name.

    Args:
        variants: what to export.
        interface: one of `INTERFACES`.
        bench: for a module's name the files of its testbench, which its FuseSoC core then lists.

    Raises:
        ValueError: for another interface, or for one that a tensor quantizer does not have.
        ToolError: if yosys is missing or fails.
    """
    if interface not in INTERFACES:
        raise ValueError(f"interface {interface!r} is not one of {', '.join(INTERFACES)}")
    files: dict[str, str] = {}
    sources: list[str] = []
    for variant in variants:
        own = {f"{variant.module}.v": variant.verilog()}
        top = variant.module
        if interface == "axis":
            if not isinstance(variant, Variant):
                raise ValueError(f"{variant} has ports to a memory and none for {interface!r}")
            top += SUFFIX
            own[f"{top}.v"] = axis_wrapper(variant)
        files |= own
        sources += own
        files[f"{variant.module}.core"] = fusesoc_core(
            variant, list(own), top, (bench or {}).get(variant.module, [])
        )
    files[WAIVERS.name] = WAIVERS.read_text(encoding="utf-8")
    files[FILELIST] = "".join(f"{name}\n" for name in sources)
    return files


def fusesoc_core(variant: Exported, sources: list[str], top: str, bench: list[str]) -> str:
    """A FuseSoC core (CAPI 2) with targets for synthesis tools, lint and, given a bench, Icarus."""
    data = [name for name in bench if name.endswith(".hex")]
    benches = [name for name in bench if not name.endswith(".hex")]
    lines = [
        "CAPI=2:",
        f"name: finescale::{variant.module}:0",
        f'description: "{variant.title}"',
        "filesets:",
        "  rtl:",
        *_fileset(sources, "verilogSource"),
        "  lint:",
        *_fileset([WAIVERS.name], "vlt"),
    ]
    if benches:
        lines += ["  tb:", *_fileset(benches, "systemVerilogSource")]
        lines += ["  vectors:", *_fileset(data, "user", copy=True)]
    lines += [
        "targets:",
        "  default: &default",
        "    filesets: [rtl]",
        f"    toplevel: {top}",
        "  lint:",
        "    <<: *default",
        "    default_tool: verilator",
        "    filesets: [lint, rtl]",
        "    tools:",
        "      verilator:",
        "        mode: lint-only",
        "        verilator_options: [-Wall]",
    ]
    if benches:
        lines += [
            "  sim:",
            "    default_tool: icarus",
            "    filesets: [rtl, tb, vectors]",
            f"    toplevel: {Path(benches[0]).stem}",
            "    tools:",
            "      icarus:",
            "        iverilog_options: [-g2012]",
        ]
    return "\n".join(lines) + "\n"


def _fileset(names: list[str], kind: str, *, copy: bool = False) -> list[str]:
    listed = [f"{name}: {{copyto: {name}}}" if copy else name for name in names]
    return ["    files:", *(f"      - {name}" for name in listed), f"    file_type: {kind}"]


def write_package(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files into a folder, each in one step; return their paths."""
    written = []
    for name, text in files.items():
        path = Path(folder, name)
        with new_file(path) as part:
            part.write_text(text, encoding="utf-8")
        written.append(path)
    return written
