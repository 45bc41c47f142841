"""Tests that share built designs stay in one process."""

from __future__ import annotations

import pytest

from cocotb_tests.toolchain import ROOT


@pytest.mark.xdist_group("groups")
def test_the_scheduler_knows_the_groups(request: pytest.FixtureRequest) -> None:
    """Without groups each process builds its own; xdist loses them with some pytest releases."""
    if request.config.getoption("loadgroup", False):
        assert request.node.nodeid.endswith("@groups")
    else:
        assert "@" not in request.node.nodeid


def test_a_module_names_its_marks_once() -> None:
    """A second `pytestmark` takes the place of the first, and its group is lost without a word."""
    files = [p for folder in ("tests", "cocotb_tests") for p in (ROOT / folder).rglob("test_*.py")]
    counts = {p: p.read_text().count("\npytestmark = ") for p in files}
    assert [p.name for p, count in counts.items() if count > 1] == []
    assert sum(counts.values()) > 20
