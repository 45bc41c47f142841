"""Verilog and areas of designs, each kept in the cache: what comparison and studies share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from compare.cache import Cache, source_digest
from compare.designs import Design
from compare.liberty import Library
from compare.synthesis import ALL_SCRIPTS, SIZING, Mapped, Synthesis, synthesize

# What results depend on: these files and all of the project's modules that they import.
VERILOG_SOURCES = ("rtl/verilog.py", "compare/designs.py")
SYNTHESIS_SOURCES = ("compare/synthesis.py", "compare/yosys_child.py")


class NotCachedError(Exception):
    """The result has to be computed, and that was not asked for."""


@dataclass(frozen=True)
class MapJob:
    """A design to be mapped, and all that its areas depend on."""

    design: Design
    cache: Path
    library: Library | None
    scripts: tuple[str, ...]


class Memory:
    """Kept results of one job.

    Args:
        cache: folder of kept results.
        compute: whether what is missing is computed, or else a `NotCachedError`.
        name: of the job, for that error.
    """

    def __init__(self, cache: Path, compute: bool, name: str) -> None:
        self._cache, self._compute, self._name = Cache(cache), compute, name

    def __call__(self, kind: str, inputs: Any, make: Callable[[], Any]) -> Any:
        """The kept value for these inputs, or the one that is made now."""
        value = self._cache.get(kind, inputs)
        if value is None:
            if not self._compute:
                raise NotCachedError(f"{kind} of {self._name}")
            value = make()
            self._cache.put(kind, inputs, value)
        return value


def tool_versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages; "absent" for one that is not."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def map_design(job: MapJob, *, compute: bool = True) -> Synthesis:
    """The areas of a design.

    Raises:
        NotCachedError: if a part is not in the cache and ``compute`` is False.
        ToolError: if a tool is missing or fails.
    """
    remember = Memory(job.cache, compute, job.design.name)
    text: str = remember("verilog", verilog_inputs(job.design.name), job.design.verilog)
    inputs = synthesis_inputs(text, job.design.top, job.library, job.scripts)
    made = remember(
        "synthesis",
        inputs,
        lambda: asdict(synthesize(text, job.design.top, liberty=job.library, scripts=job.scripts)),
    )
    return as_synthesis(made)


def as_synthesis(made: dict[str, Any]) -> Synthesis:
    """A kept result as what it was."""
    mappings = tuple(Mapped(**m) for m in made["mappings"])
    return Synthesis(made["top"], made["library"], mappings)


def verilog_inputs(name: str) -> Any:
    """What the Verilog of a design depends on."""
    return [name, source_digest(*VERILOG_SOURCES), tool_versions("amaranth", "pyosys")]


def synthesis_inputs(
    verilog: str, top: str, library: Library | None, scripts: Sequence[str]
) -> Any:
    """What the areas of a module depend on."""
    return [
        verilog,
        top,
        [[name, ALL_SCRIPTS[name]] for name in scripts],
        None
        if library is None
        else [
            library.digest,
            library.name,
            library.driving_cell,
            library.load_ff,
            library.dont_use,
            SIZING,
        ],
        source_digest(*SYNTHESIS_SOURCES),
        tool_versions("pyosys"),
    ]
