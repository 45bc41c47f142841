"""Write golden vectors (inputs and the words that are required for them), or check them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.show import Json, add, count, explain, print_json, progress, say

if TYPE_CHECKING:
    from emulator.formats import Format
    from emulator.recipes import Recipe

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of vectors.")]


def register(main: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        write,
        "$ finescale vectors write v --recipe ue5m3-absmax-b4 --input fp16",
        "v: 7 stimulus files, 7 expected files, 2,873 words",
        "",
        "Verilog's $readmemh reads v/expected/ue5m3-absmax-b4/fp16-zeros.hex.",
        "",
        "$ finescale vectors write w --variant dot-ue5m3-b16-fp32 --words 10000",
        "w: 10 stimulus files, 10 expected files, ... words",
    )
    add(
        app,
        check,
        "$ finescale vectors check v",
        "v: intact. 14 files, 2,873 stimulus words, 2,873 expected words ...",
        "",
        "With one bit of a file flipped (exit code 1):",
        "finescale: v/expected/.../fp16-zeros.hex:1: field codes[0] is 1, should ...",
    )
    main.add_typer(
        app,
        name="vectors",
        help=explain(
            __doc__,
            "$ finescale vectors write v --recipe ue5m3-absmax-b16",
            "$ finescale vectors check v",
        ),
    )


def write(
    folder: Folder,
    recipes: Annotated[
        list[str] | None, typer.Option("--recipe", help="Recipe (repeatable); see `recipes`.")
    ] = None,
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", help="Hardware variant instead (repeatable); see `variants`."),
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="bf16 (default), fp16 or fp32; repeatable.")
    ] = None,
    stimuli: Annotated[
        list[str] | None,
        typer.Option(
            "--stimulus",
            help="zeros, subnormals, specials, scales, elements, extremes, choices, spread, equal, "
            "sweep or random (repeatable), or those of a variant; if left out, all but sweep.",
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option("--blocks", "--words", help="Blocks, or words, of the random stimulus."),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--most", help="With --variant: at most so many words of each stimulus."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the stimuli.")] = 0,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="kernels (fast; a sample confirmed by the reference) or reference (slow; all "
            "confirmed by the kernels).",
        ),
    ] = "kernels",
    committed: Annotated[
        bool, typer.Option("--committed", help="Write exactly the set kept in golden_vectors/.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a folder of vectors.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a folder of golden vectors; it appears whole or not at all.

    The folder holds manifest.json, stimulus/*.hex and expected/RECIPE/*.hex: one block per line,
    as $readmemh reads it (spec §11). With --variant the words are those of a unit's ports, any
    unit's: stimulus/VARIANT/*.hex and expected/VARIANT/*.hex (spec §11.5), and those of a tensor
    quantizer its commands, its statuses and the memory before and after (spec §11.7).
    """
    from emulator import golden
    from emulator.committed import COMMITTED_INPUTS, committed_names, committed_recipes
    from emulator.recipes import recipe

    if most is not None and not variants:
        raise ValueError(f"--most {most} goes with --variant")
    if variants:
        if recipes or inputs or committed or source != "kernels":
            raise ValueError("--variant goes without --recipe, --input, --source and --committed")
        _write_units(folder, variants, stimuli, blocks, most, seed, overwrite, as_json)
        return
    if committed:
        if recipes or inputs or stimuli or blocks is not None or seed:
            raise ValueError("--committed fixes recipes, inputs, stimuli, blocks and seed")
        chosen, formats, names = committed_recipes(), list(COMMITTED_INPUTS), committed_names
        source = "reference"
    else:
        if not recipes:
            raise ValueError(
                "name what to write: --recipe RECIPE or --variant VARIANT (see `finescale recipes` "
                "and `finescale variants`)"
            )
        if blocks is not None and stimuli and "random" not in stimuli:
            raise ValueError("--blocks goes with --stimulus random; the others have a fixed size")
        chosen = list(dict.fromkeys(recipe(r).require_available() for r in recipes))
        formats = [_input(name) for name in dict.fromkeys(inputs or ["bf16"])]
        names = _chooser(stimuli) if stimuli else None
    with progress("write", off=as_json) as show:
        manifest = golden.write(
            folder,
            chosen,
            formats,
            names=names,
            blocks=blocks,
            seed=seed,
            source=source,
            overwrite=overwrite,
            progress=show,
        )
        if committed:
            from cocotb_tests import memory_vectors, unit_vectors

            for kind in (unit_vectors, memory_vectors):
                kind.write_committed(folder / kind.COMMITTED, show)
    _tell(folder, manifest, as_json)


def _write_units(
    folder: Path,
    names: list[str],
    stimuli: list[str] | None,
    words: int | None,
    most: int | None,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write vectors of variants."""
    from cocotb_tests import memory_vectors, unit_vectors
    from rtl.exported import exported
    from rtl.variant import Variant

    every = [exported(name) for name in dict.fromkeys(names)]
    chosen = [v for v in every if isinstance(v, Variant)]
    if tensors := [v for v in every if not isinstance(v, Variant)]:
        if chosen or words is not None or most is not None:
            raise ValueError(
                f"{tensors[0]} goes without --words, --most and variants that have no memory"
            )
        with progress("write", off=as_json) as show:
            manifest = memory_vectors.write(
                folder,
                tensors,
                names=stimuli or (),
                seed=seed,
                overwrite=overwrite,
                progress=show,
            )
        _tell(folder, manifest, as_json)
        return
    with progress("write", off=as_json) as show:
        manifest = unit_vectors.write(
            folder,
            chosen,
            names=unit_vectors.chooser(stimuli) if stimuli else unit_vectors.default_names,
            words=words,
            most=most,
            seed=seed,
            overwrite=overwrite,
            progress=show,
        )
    _tell(folder, manifest, as_json)


def _tell(folder: Path, manifest: dict[str, Any], as_json: bool) -> None:
    words = sum(e["words"] for e in manifest["expected"])
    if as_json:
        print_json({"folder": str(folder), "words": words, "manifest": manifest})
        return
    say(
        f"{folder}: {count(len(manifest['stimulus']), 'stimulus file')}, "
        f"{count(len(manifest['expected']), 'expected file')}, {count(words, 'word')}"
    )


def _input(name: str) -> Format:
    from emulator.errors import UnknownNameError
    from emulator.formats import FORMATS
    from rtl.variants import INPUTS

    if name not in INPUTS:
        raise UnknownNameError(f"unknown input {name!r} (known: {', '.join(INPUTS)})")
    return FORMATS[name]


def _chooser(wanted: list[str]) -> Callable[[Recipe, Format], list[str]]:
    """Stimuli by their names, which may leave out the scale format they belong to."""
    from emulator.stimulus import stimulus_names

    def choose(r: Recipe, x_format: Format) -> list[str]:
        known = stimulus_names(r, x_format)
        short = {name.split("-")[0]: name for name in known} | {name: name for name in known}
        return [short.get(name, name) for name in dict.fromkeys(wanted)]

    return choose


def check(
    folder: Folder,
    sample: Annotated[
        int, typer.Option("--sample", help="Words per file that the reference computes again.")
    ] = 16,
    as_json: Json = False,
) -> None:
    """Prove a folder of vectors intact, or name the file, line and field that is not.

    Stimuli are generated again, and the words required for them computed again. Folders of vectors
    within the folder are checked as well.
    """
    from cocotb_tests import memory_vectors, unit_vectors
    from emulator.errors import FileFormatError, MismatchError
    from emulator.integrity import check as check_recipes
    from emulator.integrity import nested

    if sample < 1:
        raise ValueError(f"--sample {sample} is below 1")
    found: dict[str, Any] = {}
    try:
        with progress("check", off=as_json) as show:
            for place in (folder, *nested(folder)):
                check_folder = check_recipes
                if unit_vectors.is_unit_folder(place):
                    check_folder = unit_vectors.check
                elif memory_vectors.is_memory_folder(place):
                    check_folder = memory_vectors.check
                found[str(place)] = check_folder(place, sample=sample, progress=show)
    except FileFormatError as error:
        raise MismatchError(str(error)) from None
    if as_json:
        inner = {place: vars(intact) for place, intact in list(found.items())[1:]}
        more = {"nested": inner} if inner else {}
        own = vars(found[str(folder)])
        print_json({"folder": str(folder), "intact": True, **own, **more})
        return
    for place, intact in found.items():
        say(
            f"{place}: intact. {count(intact.files, 'file')}, "
            f"{count(intact.stimulus_words, 'stimulus word')}, "
            f"{count(intact.expected_words, 'expected word')} computed again, "
            f"{intact.reference_words:,} of them by the reference too"
        )
