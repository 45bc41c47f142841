"""The command that draws a hardware variant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.show import add, progress, say


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        draw,
        "$ finescale draw quantizer-ue5m3-absmax-b4-bf16 -o quantizer.svg",
        "quantizer.svg: 7 boxes, 3 register stages",
        "",
        "$ finescale draw quantizer-ue5m3-absmax-b4-bf16 --unit amax -o amax.svg",
        "$ finescale draw quantizer-ue5m3-4o6-b4-bf16 --unit merit/term -o term.svg",
        "$ finescale draw quantizer-ue5m3-absmax-b4-bf16 --unit axis -o axis.svg",
    )


def draw(
    output: Annotated[Path, typer.Option("--output", "-o", help="The SVG file.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="VARIANT", help="e.g. quantizer-ue5m3-absmax-b4-bf16."),
    ] = None,
    unit: Annotated[
        str,
        typer.Option("--unit", help="A unit in it, by the way to it: merit/term; or axis."),
    ] = "",
    least: Annotated[
        int, typer.Option("--least", min=1, help="Bits of the narrowest value to draw.")
    ] = 1,
    documented: Annotated[
        bool,
        typer.Option("--documented", help="All pictures of docs/hardware.md, into a folder."),
    ] = False,
) -> None:
    """Draw the units of a variant, its register stages and the nets between them, as SVG.

    The picture is taken from the elaborated design. Arrows carry the name of a value and its bits;
    4×16 are four lanes of 16. Equal units side by side are one box. Bars are register stages;
    orange boxes are other registers, grey ones logic between units, named by its operators. Clock,
    reset, valid and ready are not drawn.

    Give a VARIANT of a small block size for a picture that can be read; --least 2 leaves out what
    has one bit, which is mostly control.
    """
    from rtl.diagram_svg import to_svg
    from rtl.diagrams import PICTURES, design, diagram, title

    if documented:
        if name is not None or unit:
            raise ValueError("--documented draws a fixed list: it goes with no VARIANT or --unit")
        output.mkdir(parents=True, exist_ok=True)
        with progress("draw") as show:
            for number, picture in enumerate(PICTURES):
                show(picture.name, number, len(PICTURES))
                Path(output, f"{picture.name}.svg").write_text(picture.svg(), encoding="utf-8")
        say(f"{output}: {len(PICTURES)} pictures")
        return
    if name is None:
        raise ValueError("draw what? give a VARIANT (finescale variants lists them)")
    made = diagram(design(name), unit, least)
    text = to_svg(made, title(name, unit))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    boxes = sum(box.kind != "bar" for box in made.boxes.values())
    say(f"{output}: {boxes} boxes, {len(made.stages)} register stages")
