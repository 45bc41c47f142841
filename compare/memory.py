"""Cycles and bytes of whole tensors, in closed form (spec §24.9, §24.10; docs/hardware.md).

The tests hold each figure against simulation, to the cycle and to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cocotb_tests.memory_bench import Memory
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

ELEMENTS = 1 << 20
"""Elements of the tensor of `whole_tensor`."""

MEMORIES: Mapping[str, tuple[Memory, int]] = {
    "near": (Memory(latency=2), 64),
    "far": (Memory(latency=256), 32),
}
"""A memory beside the unit and one that is far away: latency in cycles, and bytes per cycle."""


@dataclass(frozen=True)
class Traffic:
    """What a tensor takes.

    Attributes:
        cycles: from the transfer of the command to its status being offered.
        read: bytes read, in whole memory words.
        written: bytes written: element codes, scale codes and the tensor scale if there is one.
    """

    cycles: int
    read: int
    written: int


def traffic(v: TensorQuantizerVariant, blocks: int, memory: Memory) -> Traffic:
    """Cycles and bytes of a tensor, from a memory that never pauses by itself.

    Args:
        v: the tensor quantizer.
        blocks: number of blocks, 1 or more.
        memory: its latency and depth; it takes a request and a write in every cycle.

    Raises:
        ValueError: if there is no block, or more than a command can say.
    """
    if not 1 <= blocks < 1 << v.count_bits:
        raise ValueError(f"{blocks} blocks are not 1 to {(1 << v.count_bits) - 1}")
    groups = -(-blocks // v.group)
    words = groups * v.group_words
    latency, pace = memory.latency, v.pace
    reads = v.reads if memory.reads is None else min(v.reads, memory.reads)
    turn = max(pace * reads, latency + 1)

    def asked(k: int) -> int:
        """Cycle of request k, if no word before it had to wait."""
        return 1 + k // reads * turn + k % reads * pace

    def comes(k: int) -> int:
        """Cycle in which word k of the last pass is taken."""
        return asked(k) + latency

    passes = 1
    if v.scale_unit is not None:
        known = asked(words - 1) + latency + 4 + v.scale_unit.latency
        if v.schedule == "local" and blocks <= v.buffer:

            def comes(k: int) -> int:
                return known + k

        else:
            # Words of the second pass are asked for at once and wait until g is known.
            passes = 2

            def comes(k: int) -> int:
                round_, place = divmod(k, reads)
                return max(known, asked(words + place) - place + latency) + round_ * turn + place

    last = comes(words - 1)
    # Two words of codes and two of scale codes need four cycles of the write port.
    opens = groups > 1 and (groups - 1) % (v.width // v.group) == 0
    crowded = opens and last - comes(words - 1 - v.group_words) == 1
    n = v.quantizer.recipe.block_size
    written = blocks * (n // 2 + 1) + (0 if v.kind is None else 4)
    return Traffic(last + v.quantizer_cycles + 4 + crowded, passes * words * v.width, written)


def whole_tensor(
    v: TensorQuantizerVariant,
    elements: int = ELEMENTS,
    memories: Mapping[str, tuple[Memory, int]] = MEMORIES,
) -> dict[str, Traffic]:
    """Cycles and bytes of one tensor in some memory systems: the figures of a report.

    Args:
        v: the tensor quantizer, as `rtl.tensor_quantizer_variant.tensor_quantizer` makes it of a
            name; the width of its memory word is replaced by that of each memory system.
        elements: of the tensor, 2^20 unless told; padded to whole blocks (spec §5.2).
        memories: for a name the memory and the bytes of its word.

    Returns:
        `Traffic` for each name of ``memories``.

    Raises:
        ValueError: if there is no element.
    """
    blocks = -(-elements // v.quantizer.recipe.block_size)
    return {
        name: traffic(replace(v, width=width), blocks, memory)
        for name, (memory, width) in memories.items()
    }
