"""The README keeps its word: its example runs, its links and commands exist."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_python_example_runs() -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README, flags=re.M | re.S)
    assert len(examples) == 1
    test = doctest.DocTestParser().get_doctest(examples[0], {}, "README", "README.md", 0)
    assert len(test.examples) == 6
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0 and result.attempted == 6


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_commands_exist() -> None:
    from typer.main import get_command

    from cli.main import app

    known = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    shell = "".join(re.findall(r"^```sh\n(.*?)^```$", README, flags=re.M | re.S))
    used = re.findall(r"^finescale ([a-z]+)(?: ([a-z]+) )?", shell, flags=re.M)
    assert len(used) >= 5
    for command, sub in used:
        assert command in known
        if sub and hasattr(known[command], "commands"):
            assert sub in known[command].commands


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make ([a-z]+)", README, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_the_table_is_that_of_the_comparison() -> None:
    """Every row of the README's table stands, figure by figure, in docs/comparison.md."""
    comparison = (ROOT / "docs" / "comparison.md").read_text("utf-8")
    table = README.partition("<!-- comparison:begin -->")[2].partition("<!-- comparison:end -->")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `quantizer-")]
    assert len(rows) >= 20
    for row in rows:
        name, *figures = [c.strip() for c in row.strip("|").split("|")]
        match = re.search(rf"^\|\s*`?{name.strip('`')}`?\s*\|.*$", comparison, flags=re.M)
        assert match, name
        there = [c.strip() for c in match[0].strip("|").split("|")]
        assert all(f in there for f in figures), (figures, there)


def test_importing_finescale_loads_neither_numba_nor_typer() -> None:
    code = "import finescale, sys; print(sorted({'numba', 'typer', 'amaranth'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
