"""The jobs of `make exhaustive`: what their results depend on, and a taste of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compare import cache
from tests import exhaustive, exhaustive_dots, exhaustive_jobs
from tests.exhaustive import Job, Outcome, State, own_source, run, run_unit
from tests.exhaustive_jobs import jobs


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Files whose contents have gone into a digest, from here on."""
    paths: set[str] = set()

    def file_digest(path: Path) -> str:
        paths.add(path.relative_to(cache.ROOT).as_posix())
        return "0"

    cache.source_digest.cache_clear()
    monkeypatch.setattr(cache, "file_digest", file_digest)
    yield paths
    cache.source_digest.cache_clear()


def test_results_depend_on_what_decides_them_only(read: set[str]) -> None:
    needed = {
        "hard blocks": {"emulator/reference.py", "emulator/selection_kernels.py"},
        "random blocks": {"emulator/reference.py", "emulator/kernels.py", "emulator/stimulus.py"},
        "encode": {"emulator/exhaustive.py", "emulator/tables.py"},
        "all scale codes": {"emulator/reference_dot.py", "emulator/dot_kernels.py"},
        "lane": {"rtl/element.py", "emulator/reference.py", "cocotb_tests/toolchain.py"},
    }
    for start, wanted in needed.items():
        job = next(job for job in jobs() if job.name.startswith(start))
        cache.source_digest.cache_clear()
        read.clear()
        assert job.digest == job.digest
        assert wanted <= read, (start, wanted - read)
        assert not [p for p in read if p.startswith(("cli/", "benchmarks/"))]
        assert start == "lane" or not [p for p in read if p.startswith(("rtl/", "cocotb_tests/"))]


def test_digests_differ_and_follow_the_function() -> None:
    found = [job.digest for job in jobs()[:5]]
    assert len(set(found)) == 5
    text = own_source("tests.exhaustive_jobs:blocks_unit")
    assert "def blocks_unit" in text and "BLOCKS_PER_UNIT = 2000" in text
    assert "def jobs" not in text and "def scale_unit" not in text
    with pytest.raises(LookupError, match="no function nothing"):
        own_source("tests.exhaustive_jobs:nothing")


def test_functions_exist_and_names_are_unique() -> None:
    assert len({job.name for job in jobs()}) == len(jobs()) > 200
    for function in {job.function for job in jobs()}:
        assert own_source(function)


def one(unit: int) -> int:
    return unit + 1


def two(unit: int) -> tuple[int, int]:
    return 10, unit


def test_counts_are_kept_and_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustive, "STATE", tmp_path)
    here = ("tests/test_exhaustive_jobs.py",)
    plain = Job("plain", "", "", f"{__name__}:one", (), 3, 6, here)
    tied = Job("tied", "", "", f"{__name__}:two", (), 3, 30, here)
    assert run([plain, tied], 1) == Outcome({"plain": (6, 0), "tied": (30, 3)})
    assert State(tied).done == {0: (10, 0), 1: (10, 1), 2: (10, 2)}
    State(tied).note(2, (5, 0))
    assert run([tied], 1).failed == {"tied": "compared 25, its space has 30"}


def odd(unit: int) -> int:
    if unit % 2:
        raise ValueError(f"differs at {unit}")
    return 1


def nothing(unit: int) -> int:
    return 0


def test_a_failure_does_not_stop_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exhaustive, "STATE", tmp_path)
    here = ("tests/test_exhaustive_jobs.py",)
    names = ("odd", "nothing", "one")
    every = [Job(name, "", "", f"{__name__}:{name}", (), 4, 0, here) for name in names]
    outcome = run(every, 1)
    assert outcome.found == {"one": (10, 0)} and not outcome.interrupted
    assert outcome.failed == {
        "odd": "unit 1: ValueError: differs at 1",
        "nothing": "compared nothing (spec §13.2)",
    }
    assert sorted(State(every[0]).done) == [0, 2]
    assert "odd, unit 3: ValueError: differs at 3" in capsys.readouterr().err


def test_the_command_runs_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exhaustive, "STATE", tmp_path / "state")
    here = ("tests/test_exhaustive_jobs.py",)
    every = [Job(name, "", "", f"{__name__}:{name}", (), 2, 0, here) for name in ("one", "odd")]
    monkeypatch.setattr(exhaustive_jobs, "jobs", lambda: every)
    document = tmp_path / "record.md"
    document.write_text(f"{exhaustive.BEGIN}\n{exhaustive.END}\n", "utf-8")
    missing = ["--record", str(document), "--missing", "--jobs", "1"]
    assert exhaustive.main(["--record", str(document), "--only", "one", "--jobs", "1"]) == 0
    assert exhaustive.main(missing) == 1
    printed = capsys.readouterr().out
    assert "FAILED  odd: unit 1" in printed and printed.count("  one: ") == 1
    rows = exhaustive.recorded(document.read_text("utf-8"))
    assert list(rows) == ["one"]
    assert exhaustive.main([*missing, "--only", "one"]) == 0
    assert "all of these spaces are recorded" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        exhaustive.main(["--missing"])
    assert "--missing needs --record" in capsys.readouterr().err


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exhaustive, "STATE", tmp_path)
    here = ("tests/test_exhaustive_jobs.py",)
    every = [Job(name, "", "", f"{__name__}:one", (), 2, 0, here) for name in ("one", "other")]
    assert run(every[:1], 1).found == {"one": (3, 0)}
    monkeypatch.setattr(exhaustive, "_run_units", interrupted)
    assert run(every, 1) == Outcome({"one": (3, 0)}, {}, interrupted=True)


def test_the_record_keeps_the_rows_of_other_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "record.md"
    document.write_text(f"before\n{exhaustive.BEGIN}\n{exhaustive.END}\nafter\n", "utf-8")
    every = [Job(name, "this with that", "spec §3", "", (), 1) for name in ("a", "b", "c")]
    monkeypatch.setattr(exhaustive, "commit", lambda: "1" * 12)
    exhaustive.record(document, every, Outcome({"b": (1000, 0)}))
    first = document.read_text("utf-8")
    assert f"| b | 1,000 |  | this with that | spec §3 | `{'1' * 12}` |\n" in first
    assert "2 of 3 spaces are not recorded yet" in first
    monkeypatch.setattr(exhaustive, "commit", lambda: "2" * 12 + " with changes")
    exhaustive.record(document, every, Outcome({"a": (5, 2)}))
    rows = exhaustive.recorded(document.read_text("utf-8"))
    assert list(rows) == ["a", "b"] and "1" * 12 in rows["b"]
    assert rows["a"].endswith(f"| 5 | 2 | this with that | spec §3 | `{'2' * 12} with changes` |")
    exhaustive.record(document, every, Outcome({}, {"a": "differs"}))
    assert list(exhaustive.recorded(document.read_text("utf-8"))) == ["b"]
    exhaustive.record(document, every[1:], Outcome({"b": (7, 0), "c": (8, 0)}))
    last = document.read_text("utf-8")
    assert last.startswith("before\n") and last.endswith("after\n")
    assert list(exhaustive.recorded(last)) == ["b", "c"] and "not recorded" not in last
    assert "1" * 12 not in last


@pytest.mark.parametrize("name", ["hard blocks ue4m3-4o6", "hard blocks e8m0-fc"])
def test_hard_blocks_report_ties(name: str) -> None:
    """spec §15.3, §15.6"""
    job = next(job for job in jobs() if job.name == name)
    compared, ties = run_unit(job, 1)
    assert compared * job.units == job.expect and ties > 0


def test_random_dots_in_small() -> None:
    """spec §16.4, §16.5"""
    assert exhaustive_dots.random_unit("ue5m3-absmax", "exact", 2, 5) >= 16
    assert exhaustive_dots.random_unit("e8m0-floor", "tc25-k32", 2, 4) >= 16
