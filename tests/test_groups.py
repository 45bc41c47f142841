"""Tests that share built designs stay in one process."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("groups")
def test_the_scheduler_knows_the_groups(request: pytest.FixtureRequest) -> None:
    """Without groups each process builds its own; xdist loses them with some pytest releases."""
    if request.config.getoption("loadgroup", False):
        assert request.node.nodeid.endswith("@groups")
    else:
        assert "@" not in request.node.nodeid
