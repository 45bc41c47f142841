"""Points of cycles and bytes: sizes, memories, schedules over their ranges (spec §24.9)."""

from __future__ import annotations

from dataclasses import dataclass

from cocotb_tests.memory_bench import Memory


@dataclass(frozen=True)
class Point:
    """A tensor quantizer, a memory and a tensor.

    Args:
        name: of the tensor quantizer.
        elements: of the tensor.
        memory: its latency and depth.
    """

    name: str
    elements: int
    memory: Memory


def _points(name: str, *rest: tuple[int, int, int | None]) -> list[Point]:
    full = f"tensor-quantizer-{name}"
    return [Point(full, elements, Memory(latency, reads)) for elements, latency, reads in rest]


SMALL: tuple[Point, ...] = (
    *_points(
        "ue5m3-absmax-b4-bf16-one-w16",
        (1 << 10, 1, None),
        (1 << 12, 17, 4),
        ((1 << 14) + 20, 512, 33),
        (1 << 16, 100, None),
    ),
    *_points(
        "ue4m3-absmax-hp2-b4-bf16-two-w16",
        (1 << 10, 512, None),
        (1 << 12, 3, None),
        ((1 << 13) + 4, 64, 48),
        (1 << 16, 300, 255),
    ),
)
"""Those that the test suite takes: two small builds."""

K, M = 1 << 10, 1 << 20

POINTS: tuple[Point, ...] = (
    *_points(
        "ue5m3-absmax-b16-bf16-one-w16",
        (K, 1, None), (16 * K, 80, None), (M, 512, 64), (100_000, 7, 3),
    ),
    *_points(
        "ue5m3-absmax-b16-bf16-one-w32",
        (K, 512, None), (64 * K, 2, None), (M, 256, None), (M, 512, 100),
    ),
    *_points(
        "ue5m3-absmax-b16-bf16-one",
        (2 * K, 1, None), (M, 2, None), (256 * K, 512, None), (M, 100, 16),
    ),
    *_points(
        "ue4m3-absmax-b16-bf16-one-w128-r128",
        (M, 256, None), (4 * K, 20, None), (33_344, 5, 2),
    ),
    *_points(
        "ue4m3-absmax-h-b16-bf16-two-w32",
        (K, 1, None), (K, 512, None), (32 * K, 64, 48), (M, 256, None), (M, 512, 300),
    ),
    *_points(
        "ue4m3-absmax-h-b16-bf16-two",
        (M, 2, None), (8 * K, 512, None), (512 * K, 33, None), (M, 200, 64),
    ),
    *_points(
        "ue4m3-absmax-hbf16-b16-bf16-two-w16",
        (K, 3, None), (M, 256, None), (128 * K, 511, 500),
    ),
    *_points(
        "ue4m3-absmax-hp2-b16-bf16-two-w128",
        (2 * K, 512, None), (M, 100, None), (M, 300, 77),
    ),
    *_points(
        "ue4m3-absmax-h-b16-bf16-delayed-w32",
        (K, 256, None), (M, 256, None), (M, 512, 64), (20_000, 1, None),
    ),
    *_points("ue4m3-absmax-h-b16-bf16-delayed", (M, 2, None), (64 * K, 512, None)),
    *_points(
        "ue4m3-absmax-h-b16-bf16-local4096-w32",
        (K, 256, None), (64 * K, 256, None), (64 * K + 16, 256, None), (M, 256, None),
        (30_000, 9, 5),
    ),
    *_points("ue4m3-absmax-hp2-b16-bf16-local65536", (M, 2, None), (M, 512, None)),
    *_points("ue5m3-absmax-pz-hp2-b32-fp16-two-w16", (16 * K, 40, None), (M, 512, 128)),
    *_points("ue5m3-4o6-b16-bf16-turn-one-w32", (4 * K, 10, None), (M, 256, None), (M, 512, 64)),
    *_points("e8m0-floor-b32-fp32-one", (K, 100, None), (M, 256, None)),
)  # fmt: skip
"""Those of the study: 2^10 to 2^20 elements, latencies of 1 to 512, words of 16 to 128 bytes."""


def points_of(name: str) -> tuple[Point, ...]:
    """The points of a tensor quantizer: those of `POINTS`, or some for any other one."""
    own = tuple(p for p in POINTS if p.name == name)
    any_ = ((K, 1, None), (16 * K, 64, None), (M, 256, None), (M, 512, 64))
    return own or tuple(Point(name, n, Memory(latency, reads)) for n, latency, reads in any_)
