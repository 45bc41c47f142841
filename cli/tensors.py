"""Commands on tensors in files: quantize, dequantize."""

from __future__ import annotations

import json
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
    layout: Annotated[
        str,
        typer.Option(
            "--layout", help="finescale, or compressed-tensors: a .safetensors file for vLLM."
        ),
    ] = "finescale",
    copy_others: Annotated[
        bool,
        typer.Option(
            "--copy-others",
            help="With --layout compressed-tensors: copy the tensors that --key does not name.",
        ),
    ] = False,
    tensor_scale: Annotated[
        str | None,
        typer.Option(
            "--tensor-scale",
            metavar="NUMBER",
            help="For recipes with a tensor scale: this one for all tensors instead of their own "
            "(spec §14.6). A decimal, 0x1.8p-3, or the bits of a float32, fp32:3e400000.",
        ),
    ] = None,
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

    With --layout compressed-tensors each weight K becomes K_packed, K_scale and K_global_scale
    (spec §20.7), and what has to stand in the model's config.json is printed.
    """
    from emulator.files import OUTPUTS, check_suffix, read_tensors, write_quantized
    from emulator.recipes import recipe

    chosen = recipe(recipe_name).require_available()
    g = None if tensor_scale is None else _given(tensor_scale, chosen)
    check_suffix(output, OUTPUTS)
    _refuse_same(source, output)
    compressed = _compressed(layout, copy_others, chosen, output)
    found = read_tensors(source, keys, dtype, skip_others=skip_others or (copy_others and not keys))
    options = {"axis": axis, "tensor_scale": g, "seed": seed, "threads": threads}
    done: dict[str, Quantized] = {}
    with progress("quantize", off=as_json) as show:
        for number, (key, x) in enumerate(found.items()):
            show(key, number, len(found))
            done[key] = _quantized(source, key, x, chosen, options, compressed)
    config = None
    if compressed:
        config = _write_compressed(source, output, done, chosen, copy_others)
    else:
        write_quantized(output, done)
    _report(output, done, chosen, as_json, config)


def _compressed(layout: str, copy_others: bool, chosen: Recipe, output: Path) -> bool:
    """Whether the layout is that of compressed-tensors; refuses what does not go with it."""
    if layout not in ("finescale", "compressed-tensors"):
        raise ValueError(f"--layout {layout!r} is not one of finescale, compressed-tensors")
    if layout == "finescale":
        if copy_others:
            raise ValueError("--copy-others goes with --layout compressed-tensors only")
        return False
    from emulator.compressed_tensors_io import layout_of
    from emulator.files import check_suffix

    layout_of(chosen)
    check_suffix(output, (".safetensors",))
    return True


def _write_compressed(
    source: Path, output: Path, done: dict[str, Quantized], chosen: Recipe, copy_others: bool
) -> dict[str, Any]:
    """Write a file of compressed-tensors; returns the model's quantization_config."""
    from emulator.compressed_tensors_io import compressed_tensors_config, write_compressed_tensors
    from emulator.files import list_tensors

    stored = list_tensors(source) if copy_others else {}
    others = {key: s for key, s in stored.items() if key not in done}
    write_compressed_tensors(output, done, {key: s.read() for key, s in others.items()})
    modules = (k for k, s in others.items() if k.endswith(".weight") and len(s.shape) == 2)
    return compressed_tensors_config(chosen, [k.removesuffix(".weight") for k in modules])


def _given(text: str, chosen: Recipe) -> float:
    """The tensor scale in a text, if the recipe can express it (spec §14.6)."""
    from cli.numbers import float32_number
    from emulator.tensor_scale import given_scale

    if chosen.tensor_scale is None:
        raise ValueError(f"--tensor-scale {text}: {chosen.name} has no tensor scale")
    value = float32_number(text, "--tensor-scale")
    try:
        return given_scale(value, chosen)
    except ValueError as error:
        reason = str(error).partition(" is ")[2]
        raise ValueError(f"--tensor-scale {text} is {reason}") from None


def _quantized(
    source: Path, key: str, x: Any, chosen: Recipe, options: dict[str, Any], keep: bool
) -> Quantized:
    from emulator.compressed_tensors_io import kept_tensor_scale
    from emulator.tensor import quantize as quantize_tensor

    try:
        q = quantize_tensor(x, chosen, **options)
        if keep and q.tensor_scale is not None and options["tensor_scale"] is None:  # spec §20.11
            g = kept_tensor_scale(q.tensor_scale)
            if g != q.tensor_scale:
                kept: dict[str, Any] = {**options, "tensor_scale": g}
                q = quantize_tensor(x, chosen, **kept)
        return q
    except (TypeError, ValueError) as error:
        raise type(error)(f"{source}: tensor {key!r}: {error}") from None


def _report(
    output: Path,
    done: dict[str, Quantized],
    chosen: Recipe,
    as_json: bool,
    config: dict[str, Any] | None,
) -> None:
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
        extra = {} if config is None else {"quantization_config": config}
        print_json(
            {
                "output": str(output),
                "recipe": chosen.name,
                "bits_per_element": bits,
                "tensors": tensors,
                **extra,
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
    if config is not None:
        say(f'for config.json: "quantization_config": {json.dumps(config)}')


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def dequantize(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A .npz or .safetensors file by `quantize`, or one of compressed-tensors.",
        ),
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
