"""Commands that list what there is: formats, recipes, variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.show import Json, add, exact, print_json, say, table
from emulator.blocks import TENSOR_SCALES
from emulator.formats import FORMATS, Format, format_named
from emulator.recipes import (
    ALIASES,
    AVAILABLE_RULES,
    BLOCK_SIZES,
    GRAMMAR,
    RULES,
    SELECTIONS,
    Recipe,
    recipe,
    recipe_names,
)

LISTED_BITS = 8
"""Formats of up to this many bits have their codes listed without being asked."""

RULE_TEXT: Mapping[str, str] = {
    "absmax": "amax / 6, rounded to the scale format (spec §8.1)",
    "4o6": "the better of amax / 6 and amax / 4, by exact squared error",
    "4o6t": "4o6 in table form",
    "3c": "the best of amax / 6, one code below it, and amax / 4",
    "6c": "the best of amax / 6, amax / 4 and the codes beside both",
    "search": "the best of all scale codes",
    "top2": "chosen from the two largest magnitudes",
    "top3": "chosen from the three largest magnitudes",
    "pop": "chosen by a count of set bits",
    "floor": "2^(floor(log2 amax) - 2), as in OCP MX v1.0 (spec §8.4)",
    "ceil": "smallest power of two with amax / scale <= 6 (spec §8.5)",
    "even": "power of two with amax / scale in [3.5, 7) (spec §8.6)",
    "fc": "the better of floor and ceil, by exact squared error",
}

_CODE_COLUMNS = ("code", "sign", "exponent", "fraction", "value", "decimal")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        formats,
        "$ finescale formats ue4m3",
        "ue4m3: 0/4/3 bits (sign/exponent/fraction), bias 7, stored in 8 bits",
        "max 448 (7e), smallest above zero 2^-9 (01), NaN 7f, no infinity",
        "code  sign  exponent  fraction     value      decimal",
        "...",
        "01    -     0000      001       1 * 2^-9  0.001953125",
        "...",
    )
    add(
        app,
        recipes,
        "$ finescale recipes nvfp4",
        "ue4m3-absmax-h-b16: 16 e2m1 elements per ue4m3 scale, 4.5 bits per element",
        "scale: amax / 6, rounded to the scale format (spec §8.1)",
        "tensor scale 'h' is not available yet",
    )
    add(
        app,
        variants,
        "$ finescale variants quantizer-e8m0-ceil-b8-fp16-cutao",
        "quantizer-e8m0-ceil-b8-fp16-cutao: latency 2, one block of 8 per cycle",
        "module quantizer_e8m0_ceil_b8_fp16_cutao; registers after the amax tree, ...",
    )


def _hex(code: int, fmt: Format) -> str:
    return f"{code:0{-(-fmt.storage_bits // 4)}x}"


def _describe_format(fmt: Format) -> dict[str, Any]:
    return {
        "name": fmt.name,
        "sign_bits": int(fmt.signed),
        "exponent_bits": fmt.exponent_bits,
        "fraction_bits": fmt.fraction_bits,
        "storage_bits": fmt.storage_bits,
        "bias": fmt.bias,
        "max": float(fmt.max),
        "max_code": _hex(fmt.max_code, fmt),
        "min_positive": float(fmt.min_positive),
        "has_zero": fmt.has_zero,
        "nan_code": None if fmt.nan_code is None else _hex(fmt.nan_code, fmt),
        "inf_code": None if fmt.inf_code is None else _hex(fmt.inf_code, fmt),
    }


def _code_row(code: int, fmt: Format) -> dict[str, Any]:
    row: dict[str, Any] = {"code": _hex(code, fmt), "value": None, "decimal": None}
    negative = bool(code & fmt.sign_mask)
    if fmt.is_nan(code):
        row["value"] = "NaN"
    elif fmt.is_inf(code):
        row["value"] = "-Inf" if negative else "Inf"
    else:
        _, c, q = fmt.parts(code)
        row["value"] = f"{'-' if negative else ''}{c} * 2^{q}" if c else "-0" if negative else "0"
        row["decimal"] = -0.0 if negative and not c else float(fmt.value(code))
    return row


def _code_cells(code: int, fmt: Format) -> tuple[str, ...]:
    row = _code_row(code, fmt)
    bits = f"{code:0{fmt.width}b}"
    at = int(fmt.signed)
    sign, field, fraction = bits[:at], bits[at : at + fmt.exponent_bits], bits[-fmt.fraction_bits :]
    decimal = "" if row["decimal"] is None else repr(row["decimal"]).removesuffix(".0")
    fraction = fraction if fmt.fraction_bits else ""
    return row["code"], sign or "-", field, fraction or "-", row["value"], decimal


def formats(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Formats; all if none.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="List all codes, also of wider formats.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List number formats; with a NAME, all codes of it with their exact values."""
    chosen = [format_named(n) for n in names] if names else list(FORMATS.values())
    listed = [f for f in chosen if values or (names and f.width <= LISTED_BITS)]
    for fmt in listed:
        if fmt.width > 16:
            raise ValueError(f"{fmt.name} has 2^{fmt.width} codes; up to 16 bits are listed")
    if as_json:
        rows = [_describe_format(f) for f in chosen]
        for row, fmt in zip(rows, chosen, strict=True):
            if fmt in listed:
                row["codes"] = [_code_row(c, fmt) for c in range(1 << fmt.width)]
        print_json(rows)
    elif not names and not values:
        _formats_table(chosen)
    else:
        for fmt in chosen:
            _show_format(fmt, fmt in listed)


def _formats_table(chosen: list[Format]) -> None:
    columns = ("name", "s/e/f", "stored", "bias", "max", "min > 0", "max code", "NaN", "Inf")
    rows = []
    for f in chosen:
        nan = "-" if f.nan_code is None else _hex(f.nan_code, f)
        inf = "-" if f.inf_code is None else _hex(f.inf_code, f)
        limits = exact(f.max), exact(f.min_positive), _hex(f.max_code, f)
        rows.append((f.name, f.bits, f.storage_bits, f.bias, *limits, nan, inf))
    table(columns, rows, right=("stored", "bias", "max", "min > 0"))
    say("\ns/e/f: bits of sign, exponent and fraction. Codes are hexadecimal, without sign bit.")
    say("`finescale formats NAME` lists the codes of one format.")


def _show_format(fmt: Format, with_codes: bool) -> None:
    nan = "no NaN" if fmt.nan_code is None else f"NaN {_hex(fmt.nan_code, fmt)}"
    inf = "no infinity" if fmt.inf_code is None else f"infinity {_hex(fmt.inf_code, fmt)}"
    least = "smallest above zero" if fmt.has_zero else "no zero, smallest"
    code = _hex(1 if fmt.has_zero else 0, fmt)
    say(
        f"{fmt.name}: {fmt.bits} bits (sign/exponent/fraction), bias {fmt.bias}, stored in "
        f"{fmt.storage_bits} bits"
    )
    say(
        f"max {exact(fmt.max)} ({_hex(fmt.max_code, fmt)}), {least} {exact(fmt.min_positive)} "
        f"({code}), {nan}, {inf}"
    )
    if with_codes:
        rows = (_code_cells(c, fmt) for c in range(1 << fmt.width))
        table(_CODE_COLUMNS, rows, right=("value", "decimal"))
    elif fmt.width <= 16:
        say(f"{1 << fmt.width:,} codes: --values lists them")


def _describe_recipe(name: str) -> dict[str, Any]:
    r = recipe(name)
    return {
        "name": r.name,
        "alias": name if name in ALIASES else None,
        "element": r.element.name,
        "scale": r.scale.name,
        "rule": r.rule,
        "prevent_zero": r.prevent_zero,
        "tensor_scale": r.tensor_scale,
        "block_size": r.block_size,
        "bits_per_element": float(r.block_format.bits_per_element),
        "available": r.unavailable is None,
        "reason": r.unavailable,
    }


def recipes(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Recipes to explain.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List recipes: how the scale and the element codes of a block are chosen.

    Names follow [ELEMENT.]SCALE-RULE[-pz][-h]-bN: element format (e2m1 if left out), scale
    format, rule, pz for "never scale code 0", h for a tensor scale, elements per block.
    """
    if as_json:
        print_json([_describe_recipe(n) for n in names or recipe_names()])
    elif names:
        for name in names:
            _show_recipe(recipe(name))
    else:
        _recipes_tables()


def _show_recipe(r: Recipe) -> None:
    say(
        f"{r.name}: {r.block_size} {r.element.name} elements per {r.scale.name} scale, "
        f"{float(r.block_format.bits_per_element):g} bits per element"
    )
    say(f"scale: {RULE_TEXT[r.rule]}")
    if r.prevent_zero:
        say("pz: scale code 0 is replaced by 1 (spec §8.3)")
    say(r.unavailable or "available")


def _recipes_tables() -> None:
    rows = []
    for selection in SELECTIONS:
        sizes = [recipe(f"{selection}-b{b}") for b in BLOCK_SIZES]
        bits = [f"{float(r.block_format.bits_per_element):g}" for r in sizes]
        text = RULE_TEXT[sizes[0].rule] + ("; code 0 becomes 1" if sizes[0].prevent_zero else "")
        rows.append((f"{selection}-bN", *bits, text))
    sized = [f"N={b}" for b in BLOCK_SIZES]
    table(("recipe", *sized, "how the scale is chosen"), rows, right=sized)
    say("\nNumbers: bits per element at block size N, which may be any power of two, 2 to 256.")
    say(f"Names: {GRAMMAR}")
    say("Aliases: " + ", ".join(f"{a} = {r}" for a, r in ALIASES.items()))
    say("\nUnderstood in names, but not available yet:")
    for rule in RULES:
        if rule not in AVAILABLE_RULES:
            say(f"  rule {rule}: {RULE_TEXT[rule]}")
    say(f"  tensor scales: {', '.join(TENSOR_SCALES)}")
    say("  element formats other than e2m1; -e (width of an error datapath); -sr (random bits)")


def variants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="VARIANT", help="Variants to explain.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List hardware variants; with a VARIANT, its ports.

    Names follow quantizer-RECIPE-INPUT[-cutLETTERS]: INPUT is bf16, fp16 or fp32; each letter
    is a register stage: i input, a after amax, s after the scale, t after the thresholds,
    o output. Without -cut the stages are aso.
    """
    from rtl.variants import CUTS, GRAMMAR, default_variants, variant

    chosen = [variant(n) for n in names] if names else default_variants()
    if as_json:
        print_json(
            [
                {
                    "name": v.name,
                    "module": v.module,
                    "recipe": v.recipe.name,
                    "input": v.input.name,
                    "cuts": v.cuts,
                    "latency": v.latency,
                    "interval": 1,
                    "ports": {
                        port: {"direction": direction, "width": width}
                        for port, (direction, width) in v.ports.items()
                    },
                }
                for v in chosen
            ]
        )
    elif names:
        for v in chosen:
            size = v.recipe.block_size
            say(f"{v.name}: latency {v.latency}, one block of {size} per cycle")
            say(f"module {v.module}; registers {', '.join(CUTS[c] for c in v.cuts)}")
            table(
                ("port", "direction", "bits"),
                [(p, *d) for p, d in v.ports.items()],
                right=("bits",),
            )
    else:
        rows = [(v.name, v.latency, v.input_layout.width, v.output_layout.width) for v in chosen]
        columns = ("variant", "latency", "i_payload", "o_payload")
        table(columns, rows, right=columns[1:])
        say("\nThese are what `finescale compare` ranks. Latency in cycles, ports in bits.")
        say(f"Names: {GRAMMAR}")
        say("Letters: " + "; ".join(f"{c} {text}" for c, text in CUTS.items()))
