"""Runs the tests of `tb_stream` in the simulator and hands their words to the scoreboard.

Running and judging are one call: a simulation that ended early, ran another number of tests than
asked for, or compared nothing raises like one that computed a wrong bit.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests.model import Model
from cocotb_tests.scoreboard import Verdict, judge
from cocotb_tests.subject import emitting
from cocotb_tests.subjects import subject
from cocotb_tests.toolchain import libpython
from emulator.errors import MismatchError, ToolError
from emulator.layout import Words
from rtl.variant import Device

TESTS = ("full_rate", "random_both", "source_pauses", "sink_pauses", "reset_in_mid_stream")
"""The tests of `tb_stream`."""

MODULES = {**dict.fromkeys(TESTS, "cocotb_tests.tb_stream"), "speed": "cocotb_tests.tb_speed"}
"""Module of each test."""


@dataclass(frozen=True)
class Stimulus:
    """Words for one test.

    Args:
        words: input words.
        spec: the output words that the specification requires for them.
        label: names the k-th word in messages.
    """

    words: Words
    spec: Words
    label: Callable[[int], str] = "block {}".format

    def due(self, variant: Device, reset: Reset | None = None) -> Due:
        """The words that have to come out, if there was a reset in mid-stream or none."""
        rows = np.flatnonzero(emitting(variant, self.words))
        spec = self.spec
        if reset is not None:
            rows = np.concatenate([rows[: reset.shown], rows[reset.called :]])
            rest = spec[reset.called :]
            if variant.last_bit is not None:  # what had been summed up was dropped too
                rest = subject(variant).expected(self.words[reset.accepted :])
            spec = np.concatenate([spec[: reset.shown], rest])
        return Due(spec, self.words[rows], lambda k: self.label(int(rows[k])))


@dataclass(frozen=True)
class Reset:
    """Where a reset in mid-stream fell.

    Args:
        shown: output words that had come out.
        called: output words that the accepted input words had called for.
        accepted: input words that had been accepted.
    """

    shown: int
    called: int
    accepted: int


@dataclass(frozen=True)
class Due:
    """Words that have to come out.

    Args:
        spec: the words.
        words: for each the input word that calls for it.
        label: names the k-th one in messages.
    """

    spec: Words
    words: Words
    label: Callable[[int], str]

    def judge(self, dut: Words, variant: Device, problem: str, source: str) -> Verdict:
        """Compare them with what came out; see `cocotb_tests.scoreboard.judge`."""
        return judge(
            self.spec,
            dut,
            self.words,
            variant,
            problem=problem,
            label=self.label,
            source=source,
        )


@dataclass(frozen=True)
class TestResult:
    """Outcome of one test.

    Args:
        test: its name.
        verdict: the scoreboard's.
        measured: what the bench measured: latency, interval, cycles and others.
    """

    __test__ = False  # tells pytest that this is no class of tests

    test: str
    verdict: Verdict
    measured: dict[str, Any]


def run_tests(
    model: Model,
    stimuli: Mapping[str, Stimulus],
    *,
    seed: int = 1,
    waves: Path | None = None,
    plusargs: tuple[str, ...] = (),
) -> list[TestResult]:
    """Run tests in one simulator process and judge their words.

    Args:
        model: the built design.
        stimuli: for each test of `MODULES` that is to run, its words and the required ones.
        seed: seed of the pauses.
        waves: file for the waves; the model has to be built for them.
        plusargs: arguments for ``$value$plusargs`` of the design.

    Raises:
        ToolError: if the simulation ended early or ran another number of tests.
        MismatchError: if no test was asked for.
    """
    if not stimuli or set(stimuli) - set(MODULES):
        raise MismatchError(f"tests {sorted(stimuli)} are not some of {', '.join(MODULES)}")
    with tempfile.TemporaryDirectory(prefix="finescale-") as name:
        folder = Path(name)
        for test, stimulus in stimuli.items():
            np.ascontiguousarray(stimulus.words).tofile(folder / f"{test}.in")
        job = {
            "input_bytes": model.variant.input_layout.nbytes,
            "output_bytes": model.variant.output_layout.nbytes,
            "last_bit": model.variant.last_bit,
            "seed": seed,
            "stimuli": {test: f"{test}.in" for test in stimuli},
        }
        (folder / "job.json").write_text(json.dumps(job))
        _simulate(model, folder, list(stimuli), waves, plusargs, seed)
        return [_result(model, folder, test, stimuli[test]) for test in stimuli]


def _simulate(
    model: Model,
    folder: Path,
    tests: list[str],
    waves: Path | None,
    plusargs: tuple[str, ...],
    seed: int,
) -> None:
    """Run the simulator; any outcome but ``len(tests)`` passed tests is an error."""
    libpython()  # says what to install before an import fails
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    runner = get_runner("verilator")
    logging.getLogger(type(runner).__qualname__).setLevel(logging.WARNING)
    if waves is not None:
        waves.parent.mkdir(parents=True, exist_ok=True)
    log = folder / "sim.log"
    # cocotb lets this variable overrule the call; a model is built with waves or without.
    overruled = os.environ.pop("WAVES", None)
    try:
        runner.test(
            test_module=sorted({MODULES[test] for test in tests}),
            hdl_toplevel=model.top,
            hdl_toplevel_lang="verilog",
            build_dir=model.program.parent,
            test_dir=folder,
            seed=seed,
            test_args=["--trace", "--trace-file", str(waves)] if waves is not None else [],
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}", *plusargs],
            test_filter=rf"\.({'|'.join(map(re.escape, tests))})$",
            extra_env={"FINESCALE_JOB": str(folder / "job.json")},
            results_xml=str(folder / "results.xml"),
            log_file=str(log),
        )
        ran, failed = get_results(folder / "results.xml")
    # Under pytest the runner leaves by SystemExit; a crash of the simulator is a RuntimeError.
    except (RuntimeError, SystemExit, OSError) as error:
        raise ToolError(f"{model.variant}: the simulation failed: {_reason(log, error)}") from None
    finally:
        if overruled is not None:
            os.environ["WAVES"] = overruled
    if (ran, failed) != (len(tests), 0):
        raise ToolError(
            f"{model.variant}: {ran} tests ran and {failed} of them failed, not {len(tests)} and 0:"
            f" {_reason(log, None)}"
        )


def _reason(log: Path, error: BaseException | None) -> str:
    """The line of the simulator's log that says why it failed."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    telling = [line.strip() for line in lines if re.search(r"Error|ERROR|%Fatal|Exception", line)]
    return telling[-1] if telling else str(error or "no reason in its log")


def _result(model: Model, folder: Path, test: str, stimulus: Stimulus) -> TestResult:
    measured = json.loads((folder / f"{test}.json").read_text())
    nbytes = model.variant.output_layout.nbytes
    dut = np.fromfile(folder / f"{test}.bin", np.uint8).reshape(-1, nbytes)
    reset = Reset(**measured["reset"]) if "reset" in measured else None
    due = stimulus.due(model.variant, reset)
    verdict = due.judge(dut, model.variant, measured["problem"], f"{model.variant} {test}")
    return TestResult(test, verdict, measured)
