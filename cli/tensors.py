"""Commands on tensors in files: quantize, dequantize."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.show import Json, add, count, print_json, progress, say, table

if TYPE_CHECKING:
    from emulator.recipes import Recipe
    from emulator.tensor import Quantized

Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads; one per core if left out.")
]
Keys = Annotated[
    list[str] | None, typer.Option("--key", help="Name of a tensor (repeatable); all if left out.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        quantize,
        "$ finescale quantize w.npy -o w.npz --recipe ue5m3-absmax-b16",
        "w.npz: 1 tensor, 4,096 elements, ue5m3-absmax-b16, 4.5 bits per element",
        "",
        "All bfloat16 tensors of a checkpoint, integers left out:",
        "$ finescale quantize m.safetensors -o q.npz --recipe mxfp4 --skip-others",
        "...",
        "",
        "In Python: z = numpy.load('w.npz'); z['w.codes'], z['w.scales']",
    )
    add(
        app,
        dequantize,
        "$ finescale dequantize w.npz -o back.npy",
        "back.npy: 1 tensor, 4,096 elements, float32",
    )


def _refuse_same(source: Path, target: Path) -> None:
    if target.exists() and source.exists() and target.samefile(source):
        raise ValueError(f"{target} is the input itself; name another output")


def quantize(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A .npy, .npz, .safetensors or llama2.c .bin file.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .npz or .safetensors file to write.")
    ],
    recipe_name: Annotated[
        str, typer.Option("--recipe", help="Recipe, e.g. ue5m3-absmax-b16; see `recipes`.")
    ],
    axis: Annotated[int, typer.Option("--axis", help="Axis along which blocks run.")] = -1,
    keys: Keys = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            help="What the numbers are (float32, bfloat16, float16) if the file cannot say: "
            "NumPy's files lose bfloat16. Nothing is converted.",
        ),
    ] = None,
    skip_others: Annotated[
        bool, typer.Option("--skip-others", help="Leave out tensors of other types.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Of stochastic rounding (-sr recipes, which need one)."),
    ] = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Quantize the tensors of a file, to the bit as the specification says.

    Each tensor K becomes K.codes (one code per byte) and K.scales (one per block; also UE5M3, for
    which no file format has a type, as U8), with the recipe in the entry or metadata "finescale".
    """
    from emulator.files import OUTPUTS, check_suffix, read_tensors, write_quantized
    from emulator.recipes import recipe

    chosen = recipe(recipe_name).require_available()
    check_suffix(output, OUTPUTS)
    _refuse_same(source, output)
    found = read_tensors(source, keys, dtype, skip_others=skip_others)
    done: dict[str, Quantized] = {}
    with progress("quantize", off=as_json) as show:
        for number, (key, x) in enumerate(found.items()):
            show(key, number, len(found))
            done[key] = _quantized(source, key, x, chosen, axis, seed, threads)
    write_quantized(output, done)
    _report(output, done, chosen, as_json)


def _quantized(
    source: Path,
    key: str,
    x: Any,
    chosen: Recipe,
    axis: int,
    seed: int | None,
    threads: int | None,
) -> Quantized:
    from emulator.tensor import quantize as quantize_tensor

    try:
        return quantize_tensor(x, chosen, axis=axis, seed=seed, threads=threads)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{source}: tensor {key!r}: {error}") from None


def _report(output: Path, done: dict[str, Quantized], chosen: Recipe, as_json: bool) -> None:
    bits = float(chosen.block_format.bits_per_element)
    if as_json:
        tensors = [
            {
                "key": key,
                "shape": list(q.shape),
                "axis": q.axis,
                "blocks": int(q.scales.size),
            }
            for key, q in done.items()
        ]
        print_json(
            {
                "output": str(output),
                "recipe": chosen.name,
                "bits_per_element": bits,
                "tensors": tensors,
            }
        )
        return
    if len(done) > 1:
        rows = [(k, _shape(q.shape), q.axis, f"{q.scales.size:,}") for k, q in done.items()]
        table(("tensor", "shape", "axis", "blocks"), rows, right=("axis", "blocks"))
    elements = sum(q.codes.size for q in done.values())
    say(
        f"{output}: {count(len(done), 'tensor')}, {count(elements, 'element')}, {chosen.name}, "
        f"{bits:g} bits per element"
    )


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def dequantize(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A .npz or .safetensors file by `quantize`.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .npy, .npz or .safetensors file to write.")
    ],
    keys: Keys = None,
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32, bfloat16 (.safetensors only) or float16.")
    ] = "float32",
    threads: Threads = None,
) -> None:
    """Decode what `quantize` wrote: one rounding of the exact product (spec §10)."""
    from emulator.files import FLOAT_OUTPUTS, FLOATS, check_suffix, read_quantized, write_floats
    from emulator.tensor import dequantize as dequantize_tensor

    if dtype not in FLOATS:
        raise ValueError(f"--dtype {dtype!r} is not one of {', '.join(FLOATS)}")
    check_suffix(output, FLOAT_OUTPUTS)
    _refuse_same(source, output)
    found = read_quantized(source, keys)
    done = {}
    with progress("dequantize") as show:
        for number, (key, q) in enumerate(found.items()):
            show(key, number, len(found))
            done[key] = dequantize_tensor(q, FLOATS[dtype], threads=threads)
    write_floats(output, done)
    elements = sum(x.size for x in done.values())
    say(f"{output}: {count(len(done), 'tensor')}, {count(elements, 'element')}, {dtype}")
