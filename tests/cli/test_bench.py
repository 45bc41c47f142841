"""`finescale bench`, with figures that are given: nothing is timed but one tiny run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import bench
from emulator import speed_calls, speed_peers
from emulator.speed import MORE, REQUIRED, Case, Figure
from emulator.speed_peers import PeerSpeed
from tests.cli.conftest import Cli

PEER = PeerSpeed("peer-torchao-nvfp4-1level", "torchao 0.18.0", 0.02, "ue4m3-absmax-b16", 0.5)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Measuring replaced: what was asked for is noted, and rates are twice what is required."""
    asked: dict[str, Any] = {"rate": 2.0, "threads": 1.9, "memory": 1.0, "import": 0.1}

    def elementwise(cases: list[Case], elements: int, threads: int) -> list[Figure]:
        asked["elementwise"] = ([c.name for c in cases], elements, threads)
        found = []
        for c in cases:
            rate = (c.least or 1) * asked["rate"]
            found.append(Figure(c.name, "rate", rate, c.least))
            if threads > 1:
                found.append(Figure(c.name, "threads", asked["threads"], 1.7))
        return [*found, Figure("copyto", "threads", 1.5)] if threads > 1 else found

    def products(cases: list[Case], threads: int) -> list[Figure]:
        asked["products"] = ([c.name for c in cases], threads)
        return [Figure(c.name, "rate", 1.0, c.least) for c in cases]

    def one_process(case: Case, elements: int, threads: int) -> list[Figure]:
        asked.setdefault("one_process", []).append(case.name)
        return [
            Figure(case.name, "memory", asked["memory"], most=64),
            Figure(case.name, "first call", 1.0, most=2),
        ]

    def import_time() -> Figure:
        return Figure("import finescale", "import", asked["import"], most=0.5)

    monkeypatch.setattr(speed_calls, "elementwise", elementwise)
    monkeypatch.setattr(speed_calls, "products", products)
    monkeypatch.setattr(speed_calls, "one_process", one_process)
    monkeypatch.setattr(speed_calls, "import_time", import_time)
    monkeypatch.setattr(speed_peers, "installed", lambda: [PEER.peer])
    monkeypatch.setattr(speed_peers, "peers", lambda names, elements: ([PEER], {}))
    return asked


def test_table(cli: Cli, given: dict[str, Any]) -> None:
    ended = cli("bench")
    assert ended.code == 0, ended.err
    rows = {line.split("  ")[0]: line for line in ended.out.splitlines()}
    row = rows["quantize ue5m3-absmax-b16"]
    for cell in ("0.600 >= 0.3 ok", "1.90 >= 1.7 ok", "1.0 MiB <= 64 ok", "1.00 s <= 2 ok"):
        assert cell in row
    assert "1.50" in rows["copyto"] and "0.10 s <= 0.5 ok" in rows["import finescale"]
    assert "1.000 >= 0.02 ok" in rows["matmul ue5m3-absmax-b16 fp32"]
    assert "torchao 0.18.0" in rows[PEER.peer] and rows[PEER.peer].split()[-1] == "25"
    for name in ("processor", "python", "numpy", "numba", "cores"):
        assert name in ended.out.splitlines()[0]
    names = [c.name for c in REQUIRED if c.verb != "matmul"]
    assert given["elementwise"] == (names, 1 << 24, 2)
    assert given["one_process"] == [c.name for c in REQUIRED]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("rate", 0.9, "quantize ue5m3-absmax-b16: one thread 0.270 >= 0.3 MISSED"),
        ("threads", 1.69, "quantize ue5m3-absmax-b16: threads/1 1.69 >= 1.7 MISSED"),
        ("memory", 65.0, "quantize ue5m3-absmax-b16: extra memory 65.0 MiB <= 64 MISSED"),
        ("import", 0.6, "import finescale: first call 0.60 s <= 0.5 MISSED"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_miss_ends_in_an_error(
    cli: Cli, given: dict[str, Any], kind: str, value: float, text: str, as_json: bool
) -> None:
    given[kind] = value
    ended = cli("bench", *(["--json"] if as_json else []))
    assert ended.code == 1 and text in ended.err
    if as_json:
        assert not ended.json["ok"] and any(f["ok"] is False for f in ended.json["figures"])
    else:
        assert "MISSED" in ended.out


def test_json(cli: Cli, given: dict[str, Any]) -> None:
    found = cli("bench", "--json", "--threads", 1, "--elements", 2048, "--all").json
    assert found["ok"] and found["elements"] == 2048 and found["threads"] == 1
    assert {"processor", "cores", "load", "python", "numpy", "numba"} <= set(found["versions"])
    assert found["peers"][0]["peer"] == PEER.peer and found["peers_failed"] == {}
    rates = [f["row"] for f in found["figures"] if f["kind"] == "rate"]
    assert sorted(rates) == sorted(c.name for c in (*REQUIRED, *MORE))
    assert not [f for f in found["figures"] if f["kind"] == "threads"]


def test_only(cli: Cli, given: dict[str, Any]) -> None:
    found = cli("bench", "--json", "--only", "4o6", "--only", "search").json
    assert {f["row"] for f in found["figures"]} == {
        "quantize ue5m3-4o6-pz-b16",
        "quantize ue5m3-search-b16",
        "copyto",
    }
    assert found["peers"] == []
    only = cli("bench", "--json", "--only", "peers").json
    assert only["figures"] == [] and len(only["peers"]) == 1
    refused = cli("bench", "--only", "nothing")
    assert refused.code == 2 and "no row has it (rows: quantize ue5m3" in refused.message


@pytest.mark.parametrize("elements", [0, -1024, 1000])
def test_bad_sizes(cli: Cli, elements: int) -> None:
    ended = cli("bench", "--elements", elements)
    assert ended.code == 2 and f"--elements {elements} is not a multiple" in ended.message


def test_bad_threads(cli: Cli) -> None:
    assert "threads is 0, not from 1" in cli("bench", "--threads", 0).message


def test_a_tiny_run(cli: Cli) -> None:
    found = cli("bench", "--json", "--elements", 4096, "--only", "dequantize").json
    kinds = {f["kind"]: f for f in found["figures"] if f["row"].startswith("dequantize")}
    assert set(kinds) == {"rate", "threads", "memory", "first call"}
    assert all(f["value"] >= 0 for f in kinds.values())
    assert [k for k, f in kinds.items() if f["ok"] is not None] == ["first call"]


def test_the_processor(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: A Processor: 3\n")
    assert bench.processor(info) == "A Processor: 3"
    assert bench.processor(tmp_path / "none")
