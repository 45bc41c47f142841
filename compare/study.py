"""Studies of mapped designs: areas against their limits, curves of area over delay.

Each design is mapped in a process of its own and kept in the cache as soon as it is done, so that
an interrupted study goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compare.cache import FOLDER, ROOT
from compare.designs import Design, design
from compare.liberty import Library
from compare.mapping import MapJob, NotCachedError, map_design, tool_versions
from compare.results import CellLibrary
from compare.synthesis import Synthesis
from compare.workers import WORKERS, run_all
from emulator.version import SPEC_VERSION

PACKAGES = ("pyosys", "amaranth")


Progress = Callable[[str, int, int], None]
"""Called when a design is mapped: its name, how many are done, how many there are."""


@dataclass(frozen=True)
class Made:
    """What a study was made with.

    Attributes:
        command: the command line that makes it again.
        library: the cell library.
        versions: of the tools and of the specification.
    """

    command: str
    library: CellLibrary
    versions: dict[str, str]


def made_with(command: Sequence[str], library: Library) -> Made:
    """The record of a study."""
    words = ["finescale", "study", *command]
    for path in library.paths:
        words += ["--liberty", path.name]
    if library.chosen:
        words += ["--driving-cell", library.driving_cell, "--load", f"{library.load_ff:g}"]
    versions = {**tool_versions("finescale"), "spec": SPEC_VERSION, **tool_versions(*PACKAGES)}
    return Made(" ".join(words), CellLibrary.of(library), versions)


def map_all(
    names: Sequence[str],
    library: Library,
    scripts: Sequence[str],
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
    workers: int = WORKERS,
) -> dict[str, Synthesis]:
    """Map designs, each with all of the scripts.

    Args:
        names: of designs; see `compare.designs.design`.
        library: the cell library.
        scripts: names out of `compare.synthesis.ALL_SCRIPTS`.
        progress: called after each design.
        cache: folder of kept results.
        workers: processes.

    Returns:
        The areas by the names as they were given.

    Raises:
        UnknownNameError: if there is no such design.
        ToolError: if a tool is missing or fails.
    """
    home = (ROOT / FOLDER if cache is None else cache).resolve()
    found: dict[Design, Synthesis] = {}
    chosen = {name: design(name) for name in names}
    total = len(set(chosen.values()))

    def done(which: Design, result: Synthesis) -> None:
        found[which] = result
        if progress is not None:
            progress(which.name, len(found), total)

    missing: list[MapJob] = []
    for which in dict.fromkeys(chosen.values()):
        job = MapJob(which, home, library, tuple(scripts))
        try:
            done(which, map_design(job, compute=False))
        except NotCachedError:
            missing.append(job)
    if missing:
        for job, result in run_all(map_design, missing, workers):
            done(job.design, result)
    return {name: found[which] for name, which in chosen.items()}
