"""Relative squared error of selections on normal numbers, at each block size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.cache import FOLDER, ROOT, source_digest
from compare.mapping import Memory, tool_versions
from compare.table import ERROR_UNIT, Grid
from emulator.formats import FORMATS
from emulator.recipes import BLOCK_SIZES, Recipe, recipe
from emulator.version import SPEC_VERSION

SELECTIONS = (
    "e8m0-floor",
    "ue4m3-absmax",
    "ue4m3-absmax-pz",
    "ue4m3-absmax-hp2",
    "ue4m3-absmax-h",
    "ue5m3-absmax",
    "ue5m3-top2",
    "ue5m3-pop",
    "ue5m3-4o6t",
    "ue5m3-4o6-e6",
    "ue5m3-4o6",
    "ue5m3-3c",
    "ue5m3-6c",
    "ue5m3-search",
)
"""Taken when none is named: the formats, then the rules of choice from cheap to exhaustive."""

SAMPLES, SEED = 1 << 23, 1
SOURCES = ("compare/quality.py",)


@dataclass(frozen=True)
class Errors:
    """What was measured.

    Attributes:
        command: the command line that makes it again.
        versions: of the tools and of the specification.
        errors: relative mean squared error by selection and block size.
    """

    command: str
    versions: dict[str, str]
    input: str
    sigma: float
    samples: int
    errors: dict[str, dict[int, float]]

    def grid(self) -> Grid:
        """As a table, in units of `ERROR_UNIT`."""
        headings = ("selection", *(f"block {n}" for n in BLOCK_SIZES))
        rows = tuple(
            (name, *(f"{found[n] / ERROR_UNIT:.3f}" for n in BLOCK_SIZES))
            for name, found in self.errors.items()
        )
        return Grid(headings, rows)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "schema": "finescale-errors",
            "schema_version": 1,
            "command": self.command,
            "versions": self.versions,
            "input": self.input,
            "sigma": self.sigma,
            "samples": self.samples,
            "seed": SEED,
            "relative_mse": {
                name: {str(n): error for n, error in found.items()}
                for name, found in self.errors.items()
            },
        }


def study_errors(
    selections: Sequence[str] = (),
    *,
    sigma: float = 1.0,
    samples: int = SAMPLES,
    source: str = "fp32",
    progress: Callable[[str, int, int], None] | None = None,
    cache: Path | None = None,
) -> Errors:
    """Measure selections at all block sizes on the same numbers from N(0, sigma).

    Raises:
        UnknownNameError: if there is no such selection or input format.
        ValueError: if samples or sigma are out of their range.
    """
    names = list(dict.fromkeys(selections or SELECTIONS))
    recipes = [(name, n, recipe(f"{name}-b{n}")) for name in names for n in BLOCK_SIZES]
    if not 0 < sigma < float("inf"):
        raise ValueError(f"a sigma of {sigma:g} is not above zero")
    if samples < 2 or samples % 512:
        raise ValueError(f"{samples} samples are not a multiple of 512, above 0")
    home = (ROOT / FOLDER if cache is None else cache).resolve()
    tools = tool_versions("numpy", "numba", "ml_dtypes")
    errors: dict[str, dict[int, float]] = {name: {} for name in names}
    for done, (name, n, chosen) in enumerate(recipes, 1):
        inputs = [chosen.name, source, sigma, samples, SEED, source_digest(*SOURCES), tools]

        def measure(chosen: Recipe = chosen) -> float:
            from compare.quality import normal_error

            found = normal_error(chosen, FORMATS[source], sigma, samples=samples, seed=SEED)
            return found.relative

        errors[name][n] = Memory(home, True, chosen.name)("study-error", inputs, measure)
        if progress is not None:
            progress(chosen.name, done, len(recipes))
    command = ["finescale", "study", "error", *selections]
    command += ["--sigma", f"{sigma:g}"] if sigma != 1 else []
    command += ["--samples", str(samples)] if samples != SAMPLES else []
    command += ["--input", source] if source != "fp32" else []
    versions = {**tool_versions("finescale"), "spec": SPEC_VERSION, **tools}
    return Errors(" ".join(command), versions, source, sigma, samples, errors)
