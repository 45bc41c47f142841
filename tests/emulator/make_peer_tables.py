"""Write peer_tables/: what the real packages give, for tests where they are not installed.

    python -m tests.emulator.make_peer_tables

Takes the packages that docs/peers.md lists. The tables hold inputs, codes (two to a byte, the
first in the low nibble), scales, tensor constants, and the versions of the packages.
"""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import numpy as np

from emulator import peers_fouroversix, peers_packages
from emulator.numpy_io import write_npz
from emulator.peers import PEERS, peer
from tests.emulator import peer_data

FOLDER = Path(__file__).parent / "peer_tables"
ELEMENTS = 1024
ORDER = "order"
"""Name of the input in whose blocks the order of a float32 sum decides."""


def inputs() -> dict[str, np.ndarray]:
    """The float32 input tensors of the tables, by kind."""
    found = {k: peer_data.tensor(k, ELEMENTS, 1) for k in (*peer_data.KINDS, *peer_data.EDGES)}
    found[ORDER] = _order_matters()
    return found


def _order_matters() -> np.ndarray:
    x = peer_data.tensor("bf16", 1 << 23, 2).reshape(-1, 16)

    def in_turn(terms: np.ndarray) -> np.ndarray:
        return np.add.accumulate(terms, axis=1, dtype=np.float32)[:, -1]

    blocks = [x[np.abs(x).max(axis=1).argmax()][None]]  # keeps the tensor scale
    for rule, count in (("mae", 47), ("mse", 16)):
        made = peer(f"peer-fouroversix-{rule}").quantize(x)
        with mock.patch.object(peers_fouroversix, "_sum", in_turn):
            other = peer(f"peer-fouroversix-{rule}").quantize(x)
        blocks.append(x[(made.codes != other.codes).any(axis=1)][:count])
    found = np.concatenate(blocks)
    padded = np.zeros((ELEMENTS // 16, 16), np.float32)
    padded[: len(found)] = found
    print(f"{len(found) - 1} blocks in which the order of the sum decides")
    return padded.reshape(-1, peer_data.COLUMNS)


def main() -> None:
    """Write all tables whose packages are installed."""
    FOLDER.mkdir(exist_ok=True)
    given = inputs()
    for kind in given:
        assert given[kind].shape == (ELEMENTS // peer_data.COLUMNS, peer_data.COLUMNS)
    write_npz(
        FOLDER / "inputs.npz", {"kinds": np.array(list(given)), "x": np.stack([*given.values()])}
    )
    tables: dict[str, dict[str, np.ndarray]] = {}
    for name, p in PEERS.items():
        try:
            run = peers_packages.runner(name)
        except peers_packages.Missing as reason:
            print(f"{name}: no table: {reason}")
            continue
        rans = [run(peer_data.bf16(x) if p.bfloat16_only else x, False) for x in given.values()]
        tables.setdefault(name.split("-")[1], {}).update(_entries(name, rans))
    for library, table in tables.items():
        write_npz(FOLDER / f"{library}.npz", table)
    text = json.dumps(peers_packages.versions(), indent=1) + "\n"
    (FOLDER / "versions.json").write_text(text, "utf-8")


def _entries(name: str, rans: list[peers_packages.Ran]) -> dict[str, np.ndarray]:
    """One peer's part of a table; the first axis is that of the kinds, as in `inputs`."""
    return {
        f"{name}.codes": np.stack([(r.codes[:, 1::2] << 4) | r.codes[:, 0::2] for r in rans]),
        f"{name}.scales": np.stack([r.scales for r in rans]),
        f"{name}.constants": np.array([r.constants for r in rans], np.float32),
    }


if __name__ == "__main__":
    main()
