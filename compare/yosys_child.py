"""Run the yosys commands of a file, one per line, in this process; started as a script.

A process of its own, because yosys exits the interpreter on an error, and because a second
synthesis in one process maps differently from the first.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(script: str) -> None:
    """Run each line of ``script`` on one design."""
    from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]  # no stubs

    design = libyosys.Design()
    for line in Path(script).read_text().splitlines():
        libyosys.run_pass(line, design)


if __name__ == "__main__":
    main(sys.argv[1])
