"""The peers: of each its library, version, evidence and the nearest exact recipe."""

from __future__ import annotations

from emulator.peers_fouroversix import FourOverSix
from emulator.peers_model import Peer
from emulator.peers_mxfp4 import TorchaoMx
from emulator.peers_nvfp4 import CompressedTensors, ModelOpt, Torchao
from emulator.peers_te import TransformerEngine
from emulator.peers_ue5m3 import AUTOROUND, FASOLI, SCHAEFER

_PACKAGE = "identical to the package on the CPU: tables and, where it is installed, live"
_MODULE = "identical to the module of the wheel, loaded by path: tables and, where installed, live"


def _torchao() -> list[Peer]:
    def nvfp4(mode: str, algorithm: Torchao, constant: str | None, exact: str, **more: str) -> Peer:
        return Peer(
            f"peer-torchao-nvfp4-{mode}",
            *("torchao", "0.18.0", 16, "ue4m3", constant),
            checked="restatement" if algorithm.cuda else "package",
            evidence=more.get("evidence", _PACKAGE),
            exact=exact,
            differs=more["differs"],
            dequantized="q * (p * s)" if constant else "q * s",
            algorithm=algorithm,
        )

    p = "per_tensor_scale p = amax / 2688"
    low = "no scale below 2^-6; elements times a float32 reciprocal"
    peers = [
        nvfp4("1level", Torchao(1), None, "ue4m3-absmax-b16", differs=low),
        nvfp4(
            "2level",
            Torchao(2),
            p,
            "ue4m3-absmax-h-b16",
            differs=f"{low}; scale (amax / 6) / p in two roundings",
        ),
        nvfp4(
            "2level-cuda",
            Torchao(2, cuda=True),
            f"{p}, as amax * fl(1/2688)",
            "ue4m3-absmax-h-b16",
            differs="as 2level, and the divisions by 6 and 2688 are products with reciprocals",
            evidence="the CPU model with the divisions that CUDA turns into products: a "
            "restatement, not run on a GPU",
        ),
    ]
    how = {
        "floor": ("floor", "none on finite numbers but in blocks below 2^-124"),
        "ceil": ("ceil", "next power of two above amax / 4, so one higher for amax / s in (4, 6]"),
        "even": ("even", "none on finite numbers but in blocks below 2^-124"),
        "rceil": ("ceil", "by a float32 logarithm, too low just above 6 * 2^k; byte 0 scales by 1"),
    }
    for mode, (rule, differs) in how.items():
        peers.append(
            Peer(
                f"peer-torchao-mxfp4-{mode}",
                *("torchao", "0.18.0", 32, "e8m0", None, "package", _PACKAGE),
                *(f"e8m0-{rule}-b32", differs, "q * 2^e"),
                algorithm=TorchaoMx(mode),
            )
        )
    return peers


def _transformer_engine() -> list[Peer]:
    def te(mode: str, exact: str, differs: str, algorithm: TransformerEngine) -> Peer:
        return Peer(
            f"peer-te-nvfp4{mode}",
            *("Transformer Engine", "2.20.2", 16, "ue4m3", "amax of the tensor", "module", _MODULE),
            *(exact, differs, f"((q * s) * amax) / (6 * {algorithm.e4m3_max})"),
            algorithm=algorithm,
        )

    peers = [
        te(
            "",
            "ue4m3-absmax-h-b16",
            "reciprocals; the sign of -0 is lost; nonzero elements under scale 0 become 6",
            TransformerEngine(),
        )
    ]
    for e4m3_max in (448, 256):
        for error in ("mae", "mse"):
            kind = "absolute" if error == "mae" else "squared"
            peers.append(
                te(
                    f"-4o6-{e4m3_max}-{error}",
                    f"ue4m3-4o6-{'h' if e4m3_max == 448 else 'h256'}-b16",
                    f"sums of {kind} errors in float32, lane by lane; scale 4 is 1.5 times the "
                    "unrounded scale 6; else as te-nvfp4",
                    TransformerEngine(e4m3_max, error),
                )
            )
    return peers


def _fouroversix() -> list[Peer]:
    clamp = "elements are not clamped: what rounds to 8 becomes code 8; the sign of -0 is lost"
    rules: dict[str, tuple[str | None, str, int]] = {
        "static-6": ("ue4m3-absmax-h-b16", f"reciprocals; {clamp}", 6 * 448),
        "static-4": (None, f"maps the largest element to 4; {clamp}", 4 * 448),
        "mse": ("ue4m3-4o6-h256-b16", f"float32 sums, lanes i and i + 8 first; {clamp}", 1536),
        "mae": ("ue4m3-4o6-h256-b16", f"absolute errors, summed as for mse; {clamp}", 1536),
        "abs-max": ("ue4m3-4o6-h256-b16", f"largest absolute error; {clamp}", 1536),
    }
    return [
        Peer(
            f"peer-fouroversix-{rule}",
            *("fouroversix", "1.0.5 with torch 2.13", 16, "ue4m3", "amax of the tensor"),
            *("package", _PACKAGE, exact, differs, f"((q * s) * amax) / {product}"),
            algorithm=FourOverSix(rule),
        )
        for rule, (exact, differs, product) in rules.items()
    ]


def _others() -> list[Peer]:
    ct = "global_scale g = fl(1 / amax) * 2688, 1 where that overflows"
    divides = "elements divided by the rounded s / g; a scale of 0 becomes 0.125"
    ue5m3 = (16, "ue5m3", None)
    return [
        Peer(
            "peer-compressed-tensors-nvfp4",
            *("compressed-tensors", "0.20.0", 16, "ue4m3", ct, "package", _PACKAGE),
            *("ue4m3-absmax-h-b16", f"{divides}; the sign of -0 is lost", "q * (s / g)"),
            algorithm=CompressedTensors(),
        ),
        Peer(
            "peer-compressed-tensors-nvfp4-bf16",
            *("compressed-tensors", "0.20.0 on bfloat16", 16, "ue4m3", f"{ct}, in bfloat16"),
            *("package", _PACKAGE, "ue4m3-absmax-h-b16"),
            *(f"amax / 6 and g rounded to bfloat16; {divides}", "q * (s / g)"),
            algorithm=CompressedTensors(bf16=True),
            bfloat16_only=True,
        ),
        Peer(
            "peer-modelopt-nvfp4",
            *("ModelOpt", "0.47.0", 16, "ue4m3", "weights_scaling_factor_2 w2 = amax / 2688"),
            *("module", _MODULE, "ue4m3-absmax-pz-h-b16"),
            "elements divided by the rounded s * w2; blocks of zeros get scale 1; the sign of -0 "
            "is lost",
            "q * (s * w2)",
            algorithm=ModelOpt(),
        ),
        Peer(
            "peer-autoround-ue5m3",
            *("auto-round", "0.16.1", *ue5m3, "module", _MODULE, "ue5m3-absmax-b16"),
            *("amax times the rounded 1/6; the sign of -0 is lost", "q * s"),
            algorithm=AUTOROUND,
        ),
        Peer(
            "peer-fasoli-ue5m3",
            *("microxcaling of Fasoli et al.", "code of arXiv 2601.19026", *ue5m3, "restatement"),
            "restated from the CUDA source, in which 0 / 0 of a block of scale 0 has no code (0 is "
            "given here); the package builds on a GPU only",
            *(
                "ue5m3-absmax-b16",
                "scales up to 61440; ties of scale and elements away from zero",
            ),
            "q * s",
            algorithm=FASOLI,
        ),
        Peer(
            "peer-schaefer-ue5m3",
            *("Schaefer and Tabak", "description of arXiv 2605.08565", *ue5m3, "description"),
            "described only, as nearest values with ties down: no code was to be had, and nothing "
            "was compared",
            *("ue5m3-absmax-b16", "ties of scale and elements towards zero", "q * s"),
            algorithm=SCHAEFER,
        ),
    ]


ALL = (*_torchao(), *_transformer_engine(), *_fouroversix(), *_others())
"""All peers, in the order in which they are listed."""
