"""What a comparison found: rows, failures and what they were made with, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from compare.liberty import Library
from compare.synthesis import Spread, Synthesis
from rtl.variants import PeerVariant, QuantizerVariant, Variant

SCHEMA = "finescale-comparison"
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Verified:
    """What the simulation of a variant measured; every word was right.

    Attributes:
        words: output words compared.
        latency: cycles from an accepted word to its result.
        interval: cycles per word at full rate.
    """

    words: int
    latency: int
    interval: float


@dataclass(frozen=True)
class Row:
    """One verified variant.

    Attributes:
        errors: relative squared error on N(0, sigma), by sigma; empty where nothing is quantized.
        tensors: the same on each weight matrix of the user's file, by name; empty without one.
        tensors_total: the same over all of them; None without a file.
    """

    variant: Variant
    verified: Verified
    synthesis: Synthesis
    errors: Mapping[float, float]
    tensors: Mapping[str, float]
    tensors_total: float | None

    @property
    def quantizer(self) -> QuantizerVariant | None:
        """The variant, if it quantizes blocks by a recipe."""
        return self.variant if isinstance(self.variant, QuantizerVariant) else None

    @property
    def bits_per_element(self) -> Fraction | None:
        """Storage of one element, its share of the scale included; None if it quantizes nothing."""
        if isinstance(self.variant, PeerVariant):
            return self.variant.block_format.bits_per_element
        if self.quantizer is None:
            return None
        return self.quantizer.recipe.block_format.bits_per_element


@dataclass(frozen=True)
class Failure:
    """A variant without a row, and why."""

    variant: Variant
    reason: str


@dataclass(frozen=True)
class CellLibrary:
    """The cell library that mapped, and the limits it mapped with."""

    name: str
    files: tuple[str, ...]
    sha256: str
    gate_equivalent: str
    gate_area: float
    driving_cell: str
    load_ff: float

    @classmethod
    def of(cls, library: Library) -> CellLibrary:
        """What a report says of a library; no path of a machine."""
        return cls(
            library.name,
            tuple(path.name for path in library.paths),
            library.digest,
            library.nand2.name,
            library.nand2.area,
            library.driving_cell,
            library.load_ff,
        )


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    Attributes:
        command: the command line that makes it again.
        mapping: what the gates are.
        library: the cell library, or None for generic gates.
        versions: of the tools and of the specification.
        samples, seed: of the normal numbers.
        tensor_file: name of the user's file, or None.
    """

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    command: str
    mapping: str
    library: CellLibrary | None
    scripts: tuple[str, ...]
    versions: Mapping[str, str]
    samples: int
    seed: int
    tensor_file: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every variant has a row, and there is one."""
        return bool(self.rows) and not self.failures

    def to_json(self) -> dict[str, Any]:
        """Plain data for comparison.json; keys always come in the same order."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "versions": dict(self.versions),
            "mapping": self.mapping,
            "library": None if self.library is None else asdict(self.library),
            "scripts": list(self.scripts),
            "error": {"samples": self.samples, "seed": self.seed},
            "tensor_file": self.tensor_file,
            "rows": [_row_json(row) for row in self.rows],
            "failures": [{"variant": f.variant.name, "reason": f.reason} for f in self.failures],
        }


def _row_json(row: Row) -> dict[str, Any]:
    synthesis, bits = row.synthesis, row.bits_per_element
    return {
        "variant": row.variant.name,
        "unit": row.variant.unit,
        "parts": row.variant.parts(),
        "bits_per_element": None if bits is None else float(bits),
        "verified_words": row.verified.words,
        "latency_cycles": row.verified.latency,
        "interval_cycles": row.verified.interval,
        "logic_ge": _spread(synthesis.logic),
        "registers_ge": _spread(synthesis.registers),
        "flip_flops": synthesis.flip_flops,
        "levels": _spread(synthesis.levels),
        "delay_ps": None if synthesis.delay_ps is None else _spread(synthesis.delay_ps),
        "relative_mse": {f"{sigma:g}": error for sigma, error in row.errors.items()},
        "tensors": dict(row.tensors),
        "tensors_total": row.tensors_total,
        "mappings": [asdict(m) for m in synthesis.mappings],
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"median": spread.median, "low": spread.low, "high": spread.high}
