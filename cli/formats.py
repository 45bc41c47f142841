"""The command that lists formats, and the codes of one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.show import Json, add, exact, print_json, say, table
from emulator.formats import FORMATS, Format, format_named

LISTED_BITS = 8
"""Formats of up to this many bits have their codes listed without being asked."""

_CODE_COLUMNS = ("code", "sign", "exponent", "fraction", "value", "decimal")


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
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
