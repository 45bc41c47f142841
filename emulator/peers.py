"""What other libraries compute, to the bit: named peer recipes ``peer-<library>-<mode>``.

Peers are models of foreign programs, each in that program's own float32 arithmetic. They are no
part of the specification and round where those programs round; their place is beside the exact
recipes, to show where the two differ. docs/peers.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emulator.errors import UnknownNameError, near
from emulator.peers_known import ALL
from emulator.peers_model import Peer as Peer
from emulator.peers_model import PeerQuantized as PeerQuantized

PEERS: Mapping[str, Peer] = MappingProxyType({p.name: p for p in ALL})
"""All peers, by name."""


def peer_names() -> list[str]:
    """Names of all peers."""
    return list(PEERS)


def peer(name: str) -> Peer:
    """Return the peer of that name.

    Raises:
        TypeError: if ``name`` is not a string.
        UnknownNameError: if there is none; the message lists near names.
    """
    if not isinstance(name, str):
        raise TypeError(f"a peer's name is a string, not {type(name).__name__}")
    if name not in PEERS:
        raise UnknownNameError(f"unknown peer {name!r}{near(name, PEERS)} (see docs/peers.md)")
    return PEERS[name]
