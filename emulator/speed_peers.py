"""Speed of other libraries' own code, relative to `np.copyto`, beside that of finescale."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emulator.peers import PEERS
from emulator.peers_packages import Missing, preparer, version_of, versions
from emulator.recipes import recipe
from emulator.speed import Call, Case, best_times
from emulator.speed_calls import ONE_THREAD, call, child, copies, data

ELEMENTS = 1 << 22
"""Elements of the tensor at most; some peers take a second for a million."""

COLUMNS = 1024
ROUNDS = 5


@dataclass(frozen=True)
class PeerSpeed:
    """One thread of a library and of finescale, on the same float32 numbers, in one run.

    Args:
        peer: name of the peer that models the library in that mode.
        package: package and version that ran.
        rate: elements per second relative to `np.copyto`.
        exact: the nearest exact recipe, or None if there is none.
        exact_rate: the same for `quantize` with it.
    """

    peer: str
    package: str
    rate: float
    exact: str | None
    exact_rate: float | None

    def entry(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def installed() -> list[str]:
    """Names of the peers whose package can be run here."""
    found = []
    for name in PEERS:
        try:
            preparer(name)
        except Missing:
            continue
        found.append(name)
    return found


def measure(names: Sequence[str], elements: int) -> dict[str, Any]:
    """Best times of each peer, its exact recipe and the yardstick; to be called in a child.

    A peer that fails is named with its error instead of being timed.
    """
    importlib.import_module("torch").set_num_threads(1)
    x = data(elements)
    calls: dict[str, Call] = {"copyto": copies(x, 1)}
    failed: dict[str, str] = {}
    for name in names:
        try:
            prepared = preparer(name)(x.reshape(-1, min(COLUMNS, elements)), False)
            prepared.read(prepared.call())
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        calls[name] = prepared.call
        if (exact := _exact(name)) is not None:
            calls.setdefault(exact, call(Case("quantize", exact), x, 1)[0])
    return {"best": best_times(calls, ROUNDS), "failed": failed}


def _exact(name: str) -> str | None:
    """The nearest exact recipe that this version computes."""
    exact = PEERS[name].exact
    return exact if exact is not None and recipe(exact).unavailable is None else None


def peers(names: Sequence[str], elements: int) -> tuple[list[PeerSpeed], dict[str, str]]:
    """Measure the peers in a new process; also return why some could not be."""
    if not names:
        return [], {}
    elements = min(elements, ELEMENTS)
    threads = dict.fromkeys(ONE_THREAD, "1")
    found = child("peers", {"names": list(names), "elements": elements}, **threads)
    best, rows = found["best"], []
    for name in names:
        if name in best:
            exact = _exact(name)
            rows.append(
                PeerSpeed(
                    name,
                    " ".join(version_of(name)),
                    best["copyto"] / best[name],
                    exact,
                    None if exact is None else best["copyto"] / best[exact],
                )
            )
    return rows, found["failed"]


def tools() -> dict[str, str]:
    """Versions of the packages that are timed."""
    return versions()
