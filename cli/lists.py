"""Commands that list recipes and variants, and explain their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.show import Json, add, exact, print_json, say, table
from emulator.blocks import TENSOR_SCALES
from emulator.recipes import (
    ALIASES,
    AVAILABLE_RULES,
    BLOCK_SIZES,
    CHOOSING_SELECTIONS,
    ERROR_BITS,
    GRAMMAR,
    LIMITED_SELECTIONS,
    RULES,
    SELECTIONS,
    VOTING_SELECTIONS,
    Recipe,
    recipe,
    recipe_names,
)

RULE_TEXT: Mapping[str, str] = {
    "absmax": "amax / 6, rounded to the scale format (spec §8.1)",
    "4o6": "the better of amax / 6 and amax / 4, by exact squared error (spec §15.1)",
    "4o6t": "amax / 6 or amax / 4, by a sum of small table values (spec §17.6)",
    "3c": "the best of amax / 6, one code below it, and amax / 4 (spec §15.1)",
    "6c": "the best of amax / 6, amax / 4 and the codes beside both (spec §15.1)",
    "search": "the best of all scale codes (spec §15.5)",
    "top2": "amax / 6 or amax / 4, by the second largest magnitude (spec §18.4)",
    "top3": "amax / 6 or amax / 4, by the second and third largest (spec §18.4)",
    "pop": "amax / 6 or amax / 4, by counts of magnitudes in four ranges (spec §18.6)",
    "floor": "2^(floor(log2 amax) - 2), as in OCP MX v1.0 (spec §8.4)",
    "ceil": "smallest power of two with amax / scale <= 6 (spec §8.5)",
    "even": "power of two with amax / scale in [3.5, 7) (spec §8.6)",
    "fc": "the better of floor and ceil, by exact squared error (spec §15.6)",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        app,
        recipes,
        "$ finescale recipes nvfp4",
        "ue4m3-absmax-h-b16: 16 e2m1 elements per ue4m3 scale, 4.5 bits per element",
        "scale: amax / 6, rounded to the scale format (spec §8.1)",
        "tensor scale: the tensor's amax / (6 * 448) as float32 (spec §14.2)",
        "available",
    )
    add(
        app,
        variants,
        "$ finescale variants quantizer-e8m0-ceil-b8-fp16-cutao",
        "quantizer-e8m0-ceil-b8-fp16-cutao: Block quantizer of recipe ...",
        "module quantizer_e8m0_ceil_b8_fp16_cutao; registers: a = after ...",
    )


def _describe_recipe(name: str) -> dict[str, Any]:
    r = recipe(name)
    return {
        **r.describe(),
        "alias": name if name in ALIASES else None,
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
    say(f"scale: {_rule_text(r)}")
    if r.prevent_zero:
        say("pz: scale code 0 is replaced by 1 (spec §8.3)")
    if r.tensor_scale is not None:
        say(f"tensor scale: {_tensor_scale_text(r)}")
    if r.sr_bits is not None:
        say(f"elements: rounded at random, {r.sr_bits} random bits each (spec §19.2)")
    say(r.unavailable or "available")


def _rule_text(r: Recipe) -> str:
    """How the scale is chosen, limited width included."""
    text = RULE_TEXT[r.rule]
    if r.error_bits is None:
        return text
    choice = text.partition(" (")[0].partition(", by exact")[0]
    return f"{choice}; errors seen through {r.error_bits} bits (spec §17.3)"


def _tensor_scale_text(r: Recipe) -> str:
    limit = exact(r.scale.max)
    return {
        "h": f"the tensor's amax / (6 * {limit}) as float32 (spec §14.2)",
        "h256": "the tensor's amax / (6 * 256) as float32 (spec §14.3)",
        "hbf16": f"the tensor's amax / (6 * {limit}) as bfloat16 (spec §14.4)",
        "hp2": f"smallest power of two g with the tensor's amax / (6 * g) <= {limit} (spec §14.5)",
    }[str(r.tensor_scale)]


def _recipes_tables() -> None:
    rows = []
    for selection in (
        *SELECTIONS,
        *CHOOSING_SELECTIONS,
        *LIMITED_SELECTIONS,
        *VOTING_SELECTIONS,
    ):
        sizes = [recipe(f"{selection}-b{b}") for b in BLOCK_SIZES]
        bits = [f"{float(r.block_format.bits_per_element):g}" for r in sizes]
        text = _rule_text(sizes[0]) + ("; code 0 becomes 1" if sizes[0].prevent_zero else "")
        rows.append((f"{selection}-bN", *bits, text))
    sized = [f"N={b}" for b in BLOCK_SIZES]
    table(("recipe", *sized, "how the scale is chosen"), rows, right=sized)
    say("\nNumbers: bits per element at block size N, which may be any power of two, 2 to 256.")
    say(f"Names: {GRAMMAR}")
    say("Aliases: " + ", ".join(f"{a} = {r}" for a, r in ALIASES.items()))
    say(
        f"Tensor scales, with each recipe of ue4m3 or ue5m3: {', '.join(TENSOR_SCALES)} "
        "(h256: ue4m3 only; 4o6t: hp2 only; spec §14)"
    )
    say(
        f"Widths of a selection's errors, with 4o6, 3c and 6c: -e{ERROR_BITS[0]} to "
        f"-e{ERROR_BITS[-1]} (spec §17)"
    )
    say("Stochastic rounding, with each recipe: -sr<bits>, 1 to 32, before -pz (spec §19)")
    say("\nUnderstood in names, but not available yet:")
    for rule in RULES:
        if rule not in AVAILABLE_RULES:
            say(f"  rule {rule}: {RULE_TEXT[rule]}")
    say("  element formats other than e2m1")


def variants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="VARIANT", help="Variants to explain.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List hardware variants; with a VARIANT, its ports.

    Names follow quantizer-RECIPE-INPUT[-cutLETTERS]: INPUT is bf16, fp16 or fp32; each letter
    is a register stage: i input, a after amax, s after the scale, t after the thresholds,
    o output. Without -cut the stages are aso. Quantizers that choose among scales (4o6, 3c, 6c,
    fc) also have e after the element codes and f after their errors, aseo unless told; with
    -turn after INPUT one set of lanes tries one candidate per cycle, aeo unless told. Those that
    vote (top2, top3, pop) also have v after the votes, avo unless told. With stochastic
    rounding (-sr<bits>) the letters are iato, ao unless told, and -r1, -r3 or -r9 after INPUT does
    so many of the 27 rounds of the cipher per cycle; where a scale is chosen, too, letters are
    those of the choice, then r after the thresholds and w before the output.
    """
    from rtl.exported import Exported, exported
    from rtl.tensor_quantizer_variant import GRAMMAR as TENSOR_GRAMMAR
    from rtl.tensor_quantizer_variant import SCHEDULES, TensorQuantizerVariant
    from rtl.variant import Variant
    from rtl.variants import CUTS, UNITS, default_variants

    chosen: list[Exported] = [exported(n) for n in names or ()]
    if not names:
        chosen = [*default_variants(), *TensorQuantizerVariant.defaults()]
    if as_json:
        print_json([v.describe() for v in chosen])
    elif names:
        for v in chosen:
            if isinstance(v, Variant):
                each = (
                    "one word per cycle" if v.interval == 1 else f"a word every {v.interval} cycles"
                )
                say(f"{v.name}: {v.title}; latency {v.latency}, {each}")
                say(f"module {v.module}; registers: {v.registers}")
            else:
                say(f"{v.name}: {v.title}")
                say(f"module {v.module}; {v.summary}")
            ports = [(p, *d, v.meanings.get(p, "")) for p, d in v.ports.items()]
            table(("port", "direction", "bits", "meaning"), ports, right=("bits",))
    else:
        rows = [
            (v.name, v.latency, v.interval, v.input_layout.width, v.output_layout.width)
            for v in chosen
            if isinstance(v, Variant)
        ]
        columns = ("variant", "latency", "interval", "i_payload", "o_payload")
        table(columns, rows, right=columns[1:])
        parts = [
            (v.name, v.width, v.reads, v.schedule) for v in chosen if not isinstance(v, Variant)
        ]
        say()
        table(("tensor quantizer", "bytes", "reads", "schedule"), parts, right=("bytes", "reads"))
        say("\nThese stand for many more. Latency and interval in cycles, ports in bits.")
        say("Names: " + "\n       ".join(unit.grammar for unit in UNITS.values()))
        say(f"       {TENSOR_GRAMMAR}")
        say("Schedules: " + "; ".join(f"{name} {text}" for name, text in SCHEDULES.items()))
        say("Letters of -cut: " + "; ".join(f"{c} {text}" for c, text in CUTS.items()))
