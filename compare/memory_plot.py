"""The picture of the study of whole tensors: the same study always gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from cocotb_tests.memory_bench import Memory
from compare.memory import MEMORIES, traffic
from compare.memory_study import MemoryStudy
from emulator.folder import new_file
from rtl.tensor_quantizer_variant import tensor_quantizer

LINES: Mapping[str, tuple[str, str]] = {
    "ue5m3-absmax-b16-bf16-one": ("one pass, no tensor scale", "#1f6fb4"),
    "ue4m3-absmax-h-b16-bf16-delayed": ("delayed tensor scale", "#5a9e3a"),
    "ue4m3-absmax-h-b16-bf16-local4096": ("local buffer of 4096 blocks", "#b48a1f"),
    "ue4m3-absmax-h-b16-bf16-two": ("two passes", "#c44e28"),
}
SIZES = [1 << k for k in range(10, 21)]


def draw_memory(study: MemoryStudy, path: Path) -> None:
    """Write one panel per memory system as SVG: cycles per element over the tensor's size.

    Lines are the formula's; dots are those simulated points that belong to a panel.

    Raises:
        OSError: if the file cannot be written.
    """
    with plt.rc_context({"svg.hashsalt": "finescale", "svg.fonttype": "path", "font.size": 8}):
        figure, axes = plt.subplots(
            1, len(MEMORIES), figsize=(4.2 * len(MEMORIES), 3.4), layout="constrained"
        )
        for axis, (name, (memory, width)) in zip(axes, MEMORIES.items(), strict=True):
            _panel(axis, study, memory, width)
            axis.set_title(f"{name}: latency {memory.latency}, {width} bytes per cycle")
        axes[0].legend(fontsize=7, frameon=False)
        figure.supxlabel("elements of the tensor")
        figure.supylabel("cycles per element")
        with new_file(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None, "Creator": "finescale"})
        plt.close(figure)


def _panel(axis: Axes, study: MemoryStudy, memory: Memory, width: int) -> None:
    for rest, (label, color) in LINES.items():
        v = replace(tensor_quantizer(f"tensor-quantizer-{rest}"), width=width)
        n = v.quantizer.recipe.block_size
        costs = [traffic(v, size // n, memory).cycles / size for size in SIZES]
        axis.plot(SIZES, costs, color=color, linewidth=1.2, label=label)
        seen = [m for m in study.points if (m.point.name, m.point.memory) == (v.name, memory)]
        axis.plot(
            [m.point.elements for m in seen],
            [m.seen.cycles / m.point.elements for m in seen],
            "o",
            color=color,
            markersize=4,
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.spines[["top", "right"]].set_visible(False)
