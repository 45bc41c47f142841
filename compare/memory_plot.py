"""The picture of the study of whole tensors: the same study always gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from cocotb_tests.memory_bench import Memory
from compare.memory import MEMORIES, Traffic, traffic
from compare.memory_study import MemoryStudy
from emulator.folder import new_file
from rtl.tensor_quantizer_variant import tensor_quantizer

LINES: Mapping[str, tuple[str, str, str, float]] = {
    "ue5m3-absmax-b16-bf16-one": ("one pass, no tensor scale", "#9fc4e4", "-", 4),
    "ue4m3-absmax-h-b16-bf16-local4096": ("local buffer of 4096 blocks", "#ecc9a0", "-", 4),
    "ue4m3-absmax-h-b16-bf16-two": ("two passes", "#c44e28", "-", 1.2),
    "ue4m3-absmax-h-b16-bf16-delayed": ("delayed tensor scale", "#1f6fb4", "--", 1.2),
}
"""Label, colour, style and width of each line; lines that coincide show side by side."""

SIZES = [1 << k for k in range(10, 21)]


def draw_memory(study: MemoryStudy, path: Path) -> None:
    """Write two panels per memory system as SVG: cycles and bytes per element over the size.

    Lines are the formula's; dots are those simulated points that belong to a panel. Bytes are those
    read and written.

    Raises:
        OSError: if the file cannot be written.
    """
    with plt.rc_context({"svg.hashsalt": "finescale", "svg.fonttype": "path", "font.size": 8}):
        figure, axes = plt.subplots(
            2, len(MEMORIES), figsize=(4.2 * len(MEMORIES), 5), layout="constrained", sharex=True
        )
        for column, (name, (memory, width)) in zip(axes.T, MEMORIES.items(), strict=True):
            for axis, cost in zip(column, (_cycles, _bytes), strict=True):
                _panel(axis, study, memory, width, cost)
            column[0].set_title(f"{name}: latency {memory.latency}, {width} bytes per cycle")
        axes[0][0].set_ylabel("cycles per element")
        axes[1][0].set_ylabel("bytes per element")
        axes[0][0].legend(fontsize=7, frameon=False)
        figure.supxlabel("elements of the tensor")
        with new_file(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None, "Creator": "finescale"})
        plt.close(figure)


def _cycles(found: Traffic) -> int:
    return found.cycles


def _bytes(found: Traffic) -> int:
    return found.read + found.written


def _panel(
    axis: Axes, study: MemoryStudy, memory: Memory, width: int, cost: Callable[[Traffic], int]
) -> None:
    for rest, (label, color, style, weight) in LINES.items():
        v = replace(tensor_quantizer(f"tensor-quantizer-{rest}"), width=width)
        n = v.quantizer.recipe.block_size
        costs = [cost(traffic(v, size // n, memory)) / size for size in SIZES]
        axis.plot(SIZES, costs, style, color=color, linewidth=weight, label=label)
        seen = [m for m in study.points if (m.point.name, m.point.memory) == (v.name, memory)]
        axis.plot(
            [m.point.elements for m in seen],
            [cost(m.seen) / m.point.elements for m in seen],
            "o",
            color=color,
            markersize=4 + weight / 2,
        )
    axis.set_xscale("log", base=2)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
