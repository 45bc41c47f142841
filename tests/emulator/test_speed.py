"""What is measured of speed, with a clock that is given: nothing here depends on real time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from emulator import speed_calls, speed_peers
from emulator.errors import ToolError
from emulator.peers import PEERS
from emulator.pieces import run
from emulator.recipes import recipe
from emulator.speed import MORE, REQUIRED, THREADS_LEAST, Case, Figure, best_times, rates
from emulator.tensor import quantize


class FakeClock:
    """Time that only calls make pass; each takes the next of its durations, then the last again."""

    def __init__(self) -> None:
        self.now, self.order = 0.0, []

    def __call__(self) -> float:
        return self.now

    def call(self, name: str, *seconds: float) -> Callable[[], None]:
        given = iter(seconds)

        def made() -> None:
            self.order.append(name)
            self.now += next(given, seconds[-1])

        return made


def test_the_best_of_rounds_that_take_turns() -> None:
    clock = FakeClock()
    calls = {"a": clock.call("a", 9, 0.1, 0.3, 0.25, 0.4), "b": clock.call("b", 0.5, 0.2, 0.1)}
    assert best_times(calls, 3, clock) == pytest.approx({"a": 0.25, "b": 0.1})
    assert clock.order == ["a", "a", "b", "b", *["a", "b"] * 3]  # warm-up and estimate first


def test_slow_calls_get_fewer_rounds_but_two() -> None:
    clock = FakeClock()
    calls = {"slow": clock.call("slow", 5), "middle": clock.call("middle", 0.5)}
    best_times({**calls, "fast": clock.call("fast", 1e-3)}, 7, clock)
    assert {n: clock.order.count(n) - 2 for n in ("slow", "middle", "fast")} == {
        "slow": 2,
        "middle": 4,
        "fast": 7,
    }


def test_measuring_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be measured"):
        best_times({})
    with pytest.raises(ValueError, match="in 0 rounds"):
        best_times({"a": lambda: None}, 0)


ONE, TWO = Case("quantize", "ue5m3-absmax-b16", 0.3), Case("quantize", "e8m0-floor-b32")
BEST = {
    "copyto/1": 1.0,
    "copyto/2": 0.625,
    f"{ONE.name}/1": 4.0,
    f"{ONE.name}/2": 2.0,
    f"{TWO.name}/1": 2.0,
    f"{TWO.name}/2": 1.25,
}


def test_rates_and_verdicts() -> None:
    assert rates([ONE, TWO], BEST, 2, judged=True, cores=2) == [
        Figure(ONE.name, "rate", 0.25, least=0.3),
        Figure(ONE.name, "threads", 2.0, least=1.7),
        Figure(TWO.name, "rate", 0.5),
        Figure(TWO.name, "threads", 1.6, least=1.7),
        Figure("copyto", "threads", 1.6),
    ]


@pytest.mark.parametrize(("threads", "judged", "cores"), [(2, False, 2), (2, True, 1)])
def test_where_two_threads_are_not_judged(threads: int, judged: bool, cores: int) -> None:
    found = rates([ONE], BEST, threads, judged, cores)
    assert [f.least for f in found if f.kind == "threads"] == [None, None]
    assert (found[0].least is not None) == judged


def test_one_thread_and_products() -> None:
    best = {"numpy/1": 0.5, f"{ONE.name}/1": 2.0, "copyto/1": 7}
    assert rates([ONE], best, 1, True, 2) == [Figure(ONE.name, "rate", 0.25, least=0.3)]


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Figure("a", "rate", 0.3, least=0.3), True),
        (Figure("a", "rate", 0.2999, least=0.3), False),
        (Figure("a", "memory", 64.0, most=64), True),
        (Figure("a", "memory", 64.1, most=64), False),
        (Figure("a", "rate", math.nan, least=0.3), False),
        (Figure("a", "memory", math.nan, most=64), False),
        (Figure("a", "rate", 0.1), None),
    ],
)
def test_verdicts(figure: Figure, ok: bool | None) -> None:
    assert figure.ok is ok and figure.entry()["ok"] is ok


def test_what_is_required() -> None:
    required = {
        (c.verb, recipe(c.what).selection.split("-", 1)[1], c.option): c.least for c in REQUIRED
    }
    assert required == {
        ("quantize", "absmax", "float32"): 0.3,
        ("quantize", "absmax-h", "float32"): 0.2,
        ("quantize", "4o6-pz", "float32"): 0.1,
        ("quantize", "3c-pz", "float32"): 0.06,
        ("quantize", "search", "float32"): 0.006,
        ("dequantize", "absmax", "float32"): 0.5,
        ("matmul", "absmax", "fp32"): 0.02,
    }
    assert THREADS_LEAST == 1.7
    names = [c.name for c in (*REQUIRED, *MORE)]
    assert len(set(names)) == len(names)
    assert not any(c.least for c in MORE)


@pytest.mark.parametrize(
    "case", [c for c in (*REQUIRED, *MORE) if c.verb != "matmul"], ids=lambda c: c.name
)
def test_each_call_computes_what_it_says(case: Case) -> None:
    x = speed_calls.data(1 << 12)
    made, size = speed_calls.call(case, x, 1)
    result = cast(Any, made())
    arrays = [result.codes, result.scales] if case.verb == "quantize" else [result]
    assert size == sum(a.nbytes for a in arrays)
    source = x.astype(speed_calls.DTYPES[case.option])
    if case.verb == "quantize":
        assert (result.codes == quantize(source, case.what).codes).all()
    elif case.verb == "dequantize":
        assert result.dtype == np.float32 and np.abs(result - x).max() < 1
    else:
        assert result.dtype == np.uint8 and len(np.unique(result)) > 50


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_yardstick_copies_everything(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    zeros = np.zeros_like

    def kept(x: Any) -> Any:
        made.append(zeros(x))
        return made[-1]

    monkeypatch.setattr(np, "zeros_like", kept)
    x = speed_calls.data(1000)
    speed_calls.copies(x, threads)()
    assert (made[0] == x).all()


def test_extra_memory_sees_what_a_call_takes() -> None:
    """In this process, whose peak may lie above what is resident: fill that first."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    resident, peak = speed_calls._resident()
    fill = np.ones(max(1, peak - resident) + (8 << 20), np.uint8)

    def greedy() -> Any:
        temporary = np.ones(96 << 20, np.uint8)
        return np.ones(int(temporary[0]) << 20, np.uint8)

    found = speed_calls.extra_memory(greedy, lambda made: made.nbytes) / (1 << 20)
    assert fill[0] == 1 and 88 <= found <= 110


def test_children_measure(tmp_path: Path) -> None:
    figures = speed_calls.one_process(REQUIRED[0], 1 << 12, 1)
    assert [f.kind for f in figures] == ["memory", "first call"]
    assert figures[0].most is None and figures[1].most == 2
    assert all(f.value >= 0 for f in figures) and figures[1].value > 0
    products = speed_calls.products([REQUIRED[-1]], 2, 64)
    assert [(f.kind, f.least) for f in products] == [("rate", None), ("threads", None)]
    assert all(f.value > 0 for f in products)
    with pytest.raises(ToolError, match="new process failed: KeyError: 'nothing'"):
        speed_calls.child("nothing", {})


def test_installed_peers_are_those_with_a_package() -> None:
    found = speed_peers.installed()
    assert set(found) <= {n for n, p in PEERS.items() if p.checked in ("package", "module")}
    rows, failed = speed_peers.peers([], 1 << 12)
    assert rows == [] and failed == {}


def test_peers_from_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["peer-torchao-nvfp4-1level", "peer-fouroversix-static-4", "peer-te-nvfp4"]
    best = {"copyto": 1.0, names[0]: 50.0, names[1]: 100.0, "ue4m3-absmax-b16": 2.0}
    given: list[Any] = []

    def child(what: str, options: Any, **environment: str) -> Any:
        given.append((what, options, environment["OMP_NUM_THREADS"]))
        return {"best": best, "failed": {names[2]: "OSError: no such file"}}

    monkeypatch.setattr(speed_peers, "child", child)
    rows, failed = speed_peers.peers(names, 1 << 30)
    assert given == [("peers", {"names": names, "elements": speed_peers.ELEMENTS}, "1")]
    assert [(r.peer, r.rate, r.exact, r.exact_rate) for r in rows] == [
        (names[0], 0.02, "ue4m3-absmax-b16", 0.5),
        (names[1], 0.01, None, None),
    ]
    assert rows[0].package == "torchao 0.18.0" and list(failed) == [names[2]]


def test_threads_share_the_pieces() -> None:
    """Each piece once, whatever the threads; the first error is raised and ends the work."""
    for threads in (1, 2, 5, 40):
        done: list[int] = []
        run(done.append, list(range(30)), threads)
        assert sorted(done) == list(range(30))
    seen: set[int] = set()
    barrier = threading.Barrier(3)

    def meet(_: int) -> None:
        barrier.wait(10)
        seen.add(threading.get_ident())

    run(meet, [0, 1, 2], 3)
    assert len(seen) == 3 and threading.get_ident() in seen

    begun: list[int] = []

    def fail(item: int) -> None:
        begun.append(item)
        raise IndexError(f"piece {item}")

    with pytest.raises(IndexError, match="piece"):
        run(fail, list(range(1000)), 2)
    assert len(begun) <= 2
