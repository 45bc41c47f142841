"""Pictures of studies, by Matplotlib: the same study always gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from compare.curves import Curve, Curves, delay_ns
from emulator.folder import new_file

COLUMNS = 4
OURS, FAINT, OTHERS = "#1f6fb4", "#9fc4e4", "#c44e28"


def draw_curves(curves: Curves, path: Path) -> None:
    """Write one panel per design as SVG: area over delay, with the open designs' figures.

    Raises:
        OSError: if the file cannot be written.
    """
    shown = curves.curves
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with plt.rc_context({"svg.hashsalt": "finescale", "svg.fonttype": "path", "font.size": 8}):
        figure, axes = plt.subplots(
            rows, columns, figsize=(3.2 * columns, 2.5 * rows), squeeze=False, layout="constrained"
        )
        for axis, curve in zip(axes.flat, shown, strict=False):
            _panel(axis, curve)
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        figure.supxlabel("delay in ns")
        figure.supylabel("gate equivalents of logic")
        with new_file(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None, "Creator": "finescale"})
        plt.close(figure)


def _panel(axis: Axes, curve: Curve) -> None:
    points, front = curve.points, curve.front
    axis.plot(
        [delay_ns(m) for m in points],
        [m.logic_ge for m in points],
        "o",
        color=FAINT,
        markersize=3,
    )
    axis.plot(
        [delay_ns(m) for m in front],
        [m.logic_ge for m in front],
        "o-",
        color=OURS,
        markersize=4,
        linewidth=1.2,
        label="finescale",
    )
    for marker, other in zip("sD^v", curve.others, strict=False):
        known = [(a, d) for a, d in other.points if d is not None]
        axis.plot(
            [d for _, d in known],
            [a for a, _ in known],
            marker,
            color=OTHERS,
            markersize=4,
            label=other.name,
        )
    if curve.others:
        axis.legend(fontsize=6, frameon=False)
    axis.set_title(curve.design, fontsize=7)
    axis.margins(x=0.1, y=0.15)  # before the limit, which ends the scaling of its axis
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
