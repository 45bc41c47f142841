"""comparison.json and the generated page comparison.md."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from compare.answer import answer_grids, block_sizes
from compare.cache import write_atomically
from compare.memory import ELEMENTS
from compare.results import Comparison
from compare.synthesis import SCRIPTS, SIZING
from compare.table import (
    BASELINE,
    main_grid,
    matrix_grid,
    quantizers,
    ratio_grid,
    total_grid,
    unit_grids,
)

TEMPLATES = Path(__file__).with_name("templates")


def to_json(comparison: Comparison) -> str:
    """The text of comparison.json; the same comparison always gives the same bytes."""
    return json.dumps(comparison.to_json(), indent=1, ensure_ascii=False) + "\n"


def template(name: str) -> Template:
    """A template of `TEMPLATES`; what it lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the page is Markdown, made from this program's own names and numbers
    )
    return environment.get_template(name)


def to_markdown(comparison: Comparison) -> str:
    """The text of comparison.md; the same comparison always gives the same bytes."""
    table, ratios = main_grid(comparison), ratio_grid(comparison)
    measured = comparison.tensor_file is not None and quantizers(comparison)
    return template("comparison.md.j2").render(
        comparison=comparison,
        answers={n: answer_grids(comparison, n) for n in block_sizes(comparison)},
        elements=ELEMENTS,
        table=table.markdown() if table.rows else "",
        units={unit: grid.markdown() for unit, grid in unit_grids(comparison).items()},
        ratios=ratios.markdown() if ratios.rows else "",
        baseline=BASELINE,
        totals=total_grid(comparison).markdown() if measured else "",
        matrices=matrix_grid(comparison).markdown() if measured else "",
        scripts={name: SCRIPTS[name] for name in comparison.scripts},
        sizing=SIZING,
        words=sum(row.verified.words for row in comparison.rows),
    )


def write_report(path: Path, comparison: Comparison) -> None:
    """Write the page, whole or not at all."""
    write_atomically(path, to_markdown(comparison))


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write comparison.json and comparison.md into a folder and return their paths."""
    page, data = folder / "comparison.md", folder / "comparison.json"
    write_atomically(data, to_json(comparison))
    write_report(page, comparison)
    return [data, page]
