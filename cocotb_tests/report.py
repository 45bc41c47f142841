"""What a simulation reports when everything was identical."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class StimulusResult:
    """Words of one stimulus that were compared and found identical.

    Args:
        stimulus: its name.
        engine: ``"cocotb"``, ``"driver"`` or ``"testbench"``.
        words: number of words compared.
    """

    stimulus: str
    engine: str
    words: int


@dataclass
class Report:
    """Outcome of a simulation in which everything was identical; anything else raises.

    Args:
        variant: name of the variant.
        dut: what was simulated: ``"generated"`` or the path of a file.
        top: name of the top module.
        latency: measured cycles from an accepted word to its result (spec §12.5).
        interval: measured mean cycles between accepted words at full rate.
        cocotb_words: words compared in cocotb.
        driver_words: words compared through the C++ driver, or by the testbench in Icarus.
        results: words compared by stimulus and engine.
        waves: path of the waves, or None.
        versions: versions of the tools.
        simulator: ``"verilator"``, ``"cxxrtl"`` or ``"icarus"``; the last measures no latency.
    """

    variant: str
    dut: str
    top: str
    latency: int = -1
    interval: float = -1.0
    cocotb_words: int = 0
    driver_words: int = 0
    results: list[StimulusResult] = field(default_factory=list)
    waves: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    simulator: str = "verilator"

    def to_json(self) -> dict[str, Any]:
        """All fields, as values that `json.dumps` takes."""
        return asdict(self)
