"""The pages of studies: JSON, Markdown and pictures."""

from __future__ import annotations

import json
from pathlib import Path

from compare.areas import Areas
from compare.cache import write_atomically
from compare.curves import LEAST_POINTS, Curves
from compare.report import template
from compare.synthesis import CURVE_SCRIPTS, SCRIPTS, SIZING

AREAS_TEXT = """\
Each figure is the median of logic gate equivalents over the mapping scripts below, with their
smallest and largest; block size 16 and bfloat16 inputs, special and subnormal numbers handled.
Flip-flops are left out; the designs have the fewest registers that their units allow (`-cuto`: one,
in front of the output), since gates that hold or reset a register count as logic; those that choose
among scales have their usual ones. A figure within the spread of its limit counts as met."""

CURVES_TEXT = """\
Each design is mapped with {scripts} scripts, from the smallest to the fastest result; a line joins
the points that no other one of the design matches in area at no more delay. Delay is that of the
longest path between registers or ports, without a register's clock-to-output and setup times and
without wires. Open designs of the same function stand beside ours where cells and conditions are
those of their figures; a design has at least {points} points."""


def areas_page(areas: Areas) -> str:
    """The page of areas and limits."""
    return template("study.md.j2").render(
        title="Areas and limits",
        made=areas.made,
        text=AREAS_TEXT,
        picture="",
        table=areas.grid().markdown(),
        problems=[
            a.limit.design + " misses its limit" for a in areas.areas if a.verdict == "missed"
        ],
        scripts=SCRIPTS,
        sizing=SIZING,
    )


def curves_page(curves: Curves, picture: str) -> str:
    """The page of curves.

    Args:
        curves: what it shows.
        picture: address of the picture, seen from the page.
    """
    return template("study.md.j2").render(
        title="Area over delay",
        made=curves.made,
        text=CURVES_TEXT.format(scripts=len(CURVE_SCRIPTS), points=LEAST_POINTS),
        picture=picture,
        table=curves.grid().markdown(),
        problems=curves.problems,
        scripts=CURVE_SCRIPTS,
        sizing=SIZING,
    )


def write_areas(areas: Areas, folder: Path, page: Path | None = None) -> list[Path]:
    """Write areas.json and areas.md into a folder, and the page to ``page`` too."""
    data, text = folder / "areas.json", folder / "areas.md"
    write_atomically(data, _json(areas.to_json()))
    for path in filter(None, (text, page)):
        write_atomically(path, areas_page(areas))
    return [data, text]


def write_curves(curves: Curves, folder: Path, page: Path | None = None) -> list[Path]:
    """Write curves.json, curves.svg and curves.md into a folder.

    The page goes to ``page`` too, with its picture in a folder ``charts`` beside it.
    """
    from compare.plot import draw_curves

    data, text, picture = (folder / f"curves.{kind}" for kind in ("json", "md", "svg"))
    write_atomically(data, _json(curves.to_json()))
    draw_curves(curves, picture)
    write_atomically(text, curves_page(curves, picture.name))
    if page is not None:
        draw_curves(curves, page.parent / "charts" / picture.name)
        write_atomically(page, curves_page(curves, f"charts/{picture.name}"))
    return [data, text, picture]


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
