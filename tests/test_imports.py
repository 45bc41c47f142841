"""Imports point one way, and each package keeps to its room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("emulator", "rtl", "cocotb_tests", "compare", "cli")
FILES = [p for package in PACKAGES for p in sorted((ROOT / package).glob("*.py"))]

DATA = {"errors", "version", "formats", "blocks", "recipes", "layout", "folder"}
DATA |= {"accumulation", "dot_layout"}
MAY: dict[str, set[str]] = {
    "emulator": {"emulator"},
    "rtl": {"rtl", *(f"emulator.{m}" for m in DATA)},
    "cocotb_tests": {"cocotb_tests", "rtl", "emulator"},
    "compare": {"compare", "cocotb_tests", "rtl", "emulator"},
    "cli": {"cli", "compare", "cocotb_tests", "rtl", "emulator"},
}
ORDER = ["errors", "version", "formats", "blocks", "recipes", "layout", "reference", "golden"]


def imported(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    found = set()
    for node in tree:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{a.name}" for a in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_imports_point_one_way(path: Path) -> None:
    package = path.parent.name
    ours = {m for m in imported(path) if m.split(".")[0] in (*PACKAGES, "finescale", "tests")}
    # A test may use the helpers of other tests; nothing else may.
    allowed = MAY[package] | ({"tests"} if path.name.startswith("test_") else set())
    wrong = {
        m
        for m in ours
        if not any(m == a or m.startswith(f"{a}.") for a in allowed) and m != package
    }
    wrong -= {"emulator"}  # `from emulator import x` is judged by its other form, emulator.x
    assert not wrong, f"{path.name} of {package} imports {sorted(wrong)}"


def module_imports(name: str) -> set[str]:
    return {m.split(".")[1] for m in imported(ROOT / "emulator" / f"{name}.py") if "emulator." in m}


def test_order_within_the_emulator() -> None:
    for earlier, name in enumerate(ORDER):
        later = set(ORDER[earlier + 1 :]) | {"tensor", "kernels"}
        if name not in ("golden",):
            assert not module_imports(name) & later, name


def test_the_two_emulators_are_independent() -> None:
    fast = {"kernels", "tables", "tensor", "tensor_scale", "scaled_tables"}
    fast |= {"selection", "selection_kernels", "score_intrinsics"}
    assert not module_imports("reference") & fast
    for name in fast:
        if (ROOT / "emulator" / f"{name}.py").exists():
            assert "reference" not in module_imports(name), name
    assert "numpy" not in imported(ROOT / "emulator" / "reference.py")
    for name in ("kernels", "selection_kernels", "score_intrinsics"):
        assert "emulator.formats" not in imported(ROOT / "emulator" / f"{name}.py")
