"""Speed of the two benches against the same model without them, as ratios of one run.

    python -m benchmarks.bench_simulation [--json] [--variant NAME]

`cocotb`: blocks per second of the full-rate bench over those of a loop that only ticks the clock
and drives payloads. `driver`: blocks per second of the C++ driver, with its files and the
comparison, over those of the bare model that only gets payloads and clock edges. The two sides of
a ratio take turns; a ratio is the median over the rounds. Every word that came out is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from cocotb_tests import model, toolchain
from cocotb_tests.bulk import BulkModel
from cocotb_tests.harness import Stimulus, run_tests
from cocotb_tests.scoreboard import judge
from cocotb_tests.subjects import subject
from rtl.variant import Device
from rtl.variants import QuantizerVariant, quantizer
from rtl.verilog import to_verilog

VARIANT = "quantizer-ue5m3-absmax-b16-bf16"
COCOTB_BLOCKS = 10_000
DRIVER_BLOCKS = 250_000
ROUNDS = 5
REQUIRED = {"cocotb": 1 / 3, "driver": 1 / 4}


@dataclass(frozen=True)
class Ratio:
    """One ratio of two rates, in blocks per second of processor time."""

    name: str
    blocks: int
    bare: float
    bench: float
    ratio: float
    required: float

    @property
    def ok(self) -> bool:
        return self.ratio >= self.required


def _build(v: QuantizerVariant) -> model.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{v.module}.v"
        path.write_text(to_verilog(v))
        return model.build(path, v, top=v.module)


def _given(v: Device, blocks: int) -> Stimulus:
    words = subject(v).stimulus("random", words=blocks, seed=5)
    return Stimulus(words, subject(v).expected(words))


def _processor_seconds() -> float:
    """Processor time of this process and the children it has waited for."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def _summary(name: str, blocks: int, rounds: list[tuple[float, float]]) -> Ratio:
    """``rounds`` are seconds of (bare, bench)."""
    bare, bench = (blocks / statistics.median(r[k] for r in rounds) for k in (0, 1))
    ratio = statistics.median(b / t for b, t in rounds)
    return Ratio(name, blocks, bare, bench, ratio, REQUIRED[name])


def cocotb_ratio(built: model.Model) -> Ratio:
    """The full-rate bench against a bare clock-and-drive loop, in one simulator process."""
    given = _given(built.variant, COCOTB_BLOCKS)
    result = run_tests(built, {"speed": given})[0]
    result.verdict.require()
    return _summary("cocotb", COCOTB_BLOCKS, result.measured["rounds"])


def driver_ratio(built: model.Model) -> Ratio:
    """The C++ driver with files, process and comparison against the bare model's loop alone."""
    given = _given(built.variant, DRIVER_BLOCKS)
    driver = BulkModel(built)
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        bare = driver.bare_seconds(given.words)
        start = _processor_seconds()
        run = driver.run(given.words)
        judge(given.spec, run.words, given.words, built.variant, problem=run.problem).require()
        rounds.append((bare, _processor_seconds() - start))
    return _summary("driver", DRIVER_BLOCKS, rounds)


def ratios(name: str = VARIANT) -> list[Ratio]:
    """Measure both ratios for a variant.

    Raises:
        MismatchError: if a word differs; a fast wrong answer is no answer.
        ToolError: if a tool is missing.
    """
    built = _build(quantizer(name))
    return [cocotb_ratio(built), driver_ratio(built)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", default=VARIANT)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = ratios(options.variant)
    if options.json:
        rows = [asdict(r) | {"ok": r.ok} for r in found]
        print(
            json.dumps(
                {"variant": options.variant, "versions": toolchain.versions(), "ratios": rows}
            )
        )
    else:
        print(options.variant)
        for r in found:
            rates = f"{r.name:7} {r.bench:12,.0f} blocks/s of {r.bare:12,.0f} bare"
            verdict = "ok" if r.ok else "TOO SLOW"
            print(f"{rates}: ratio {r.ratio:.2f}, required {r.required:.2f}: {verdict}")
    return 0 if all(r.ok for r in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
