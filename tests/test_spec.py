"""Citations and clauses: each citation resolves, each clause is cited by a test."""

from __future__ import annotations

import re
from pathlib import Path

from emulator.version import SPEC_VERSION
from tests.spec_examples import SPEC, clauses

ROOT = Path(__file__).parent.parent
CITATION = re.compile(
    r"spec ((?:§[0-9]+(?:\.[0-9]+)?)(?:(?:,| and| to|;| or)? ?§[0-9]+(?:\.[0-9]+)?)*)"
)
TREES = ("emulator", "rtl", "cocotb_tests", "compare", "cli", "tests", "docs", "benchmarks")
SUFFIXES = {".py", ".md", ".cpp", ".j2", ".vlt"}


def citations(path: Path) -> set[str]:
    text = re.sub(r"\s+(?:#|//)?\s*", " ", path.read_text("utf-8"))
    return {n for group in CITATION.findall(text) for n in re.findall(r"§[0-9.]*[0-9]", group)}


def sources() -> list[Path]:
    found = [p for t in TREES for p in (ROOT / t).rglob("*") if p.suffix in SUFFIXES]
    return [*found, ROOT / "README.md", ROOT / "finescale.py"]


def test_each_citation_resolves() -> None:
    known = set(clauses()) | {c.split(".")[0] for c in clauses()}
    wrong = {(str(p.relative_to(ROOT)), c) for p in sources() for c in citations(p) - known}
    assert not wrong


def test_each_shall_is_cited_by_a_test() -> None:
    cited: set[str] = set()
    for path in sources():
        if path.name.startswith(("test_", "tb_")):
            cited |= citations(path)
    required = {number for number, text in clauses().items() if re.search(r"\bshall\b", text)}
    assert len(required) > 40
    assert not required - cited


def test_each_clause_has_one_shall_a_formula_and_an_example() -> None:
    for number, text in clauses().items():
        assert len(re.findall(r"\bshall\b", text)) == 1, number
        assert re.search(r"^    \S", text, flags=re.M), f"{number} has no formula"
        assert "```" in text, f"{number} has no worked example"
        assert text.count("```") % 2 == 0, f"{number} leaves an example open"


def test_the_version_is_that_of_the_text() -> None:
    assert f"Version {SPEC_VERSION}." in SPEC.read_text("utf-8")
