"""The order of bits in a word: the only place that knows it (spec §11).

A *word* is what one block occupies on a stream port or on one line of a hex file. In NumPy a
column of words is a uint8 array of shape ``(n, nbytes)``, least significant byte first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emulator.blocks import BlockFormat
from emulator.errors import FileFormatError
from emulator.formats import Format

Words = npt.NDArray[np.uint8]

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Field:
    """``count`` equally wide parts of a word, part i at bit ``offset + i * width``."""

    name: str
    offset: int
    width: int
    count: int = 1

    @property
    def dtype(self) -> np.dtype:
        """Smallest unsigned NumPy dtype that holds one part."""
        return np.dtype(f"u{max(1, 1 << max(0, (self.width - 1).bit_length() - 3))}")


@dataclass(frozen=True)
class WordLayout:
    """Fields of a word, from bit 0 up, without gaps between them."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits of the word."""
        last = self.fields[-1]
        return last.offset + last.width * last.count

    @property
    def nbytes(self) -> int:
        """Bytes that hold the word; unused top bits are 0."""
        return -(-self.width // 8)

    @property
    def digits(self) -> int:
        """Hex digits of the word on a line."""
        return -(-self.width // 4)

    @property
    def _plain(self) -> bool:
        """Whether a word is one field of whole bytes: then no bit has to be moved."""
        return len(self.fields) == 1 and self.fields[0].width == 8 * self.fields[0].dtype.itemsize

    def field(self, name: str) -> Field:
        """Return the field of that name (KeyError if there is none)."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def pack(self, **parts: npt.NDArray[np.unsignedinteger]) -> Words:
        """Pack one array per field, of shape ``(n, count)`` or ``(n,)``, into words.

        Raises:
            ValueError: if a field is missing or a part does not fit its width.
        """
        if set(parts) != {f.name for f in self.fields}:
            raise ValueError(f"fields {sorted(parts)} are not {[f.name for f in self.fields]}")
        n = len(next(iter(parts.values())))
        if self._plain:
            (f,) = self.fields
            part = np.ascontiguousarray(parts[f.name]).reshape(n, f.count)
            if part.size and int(part.max()) >> f.width:
                raise ValueError(f"field {f.name}: {int(part.max()):#x} exceeds {f.width} bits")
            return part.astype(f.dtype.newbyteorder("<")).view(np.uint8).reshape(n, self.nbytes)
        bits = np.zeros((n, self.nbytes * 8), np.uint8)
        for f in self.fields:
            part = np.ascontiguousarray(parts[f.name]).reshape(n, f.count)
            if part.size and int(part.max()) >> f.width:
                raise ValueError(f"field {f.name}: {int(part.max()):#x} exceeds {f.width} bits")
            raw = part.astype(f.dtype.newbyteorder("<")).view(np.uint8)
            lanes = raw.reshape(n, f.count, f.dtype.itemsize)
            spread = np.unpackbits(lanes, axis=2, count=f.width, bitorder="little")
            end = f.offset + f.width * f.count
            bits[:, f.offset : end] = spread.reshape(n, end - f.offset)
        return np.packbits(bits, axis=1, bitorder="little")

    def unpack(self, words: Words) -> dict[str, npt.NDArray[np.unsignedinteger]]:
        """Return an array of shape ``(n, count)`` per field; the inverse of `pack`."""
        n = len(words)
        if self._plain:
            (f,) = self.fields
            little = np.ascontiguousarray(words).view(f.dtype.newbyteorder("<"))
            return {f.name: little.reshape(n, f.count).astype(f.dtype)}
        bits = np.unpackbits(np.ascontiguousarray(words), axis=1, bitorder="little")
        out: dict[str, npt.NDArray[np.unsignedinteger]] = {}
        for f in self.fields:
            end = f.offset + f.width * f.count
            lanes = bits[:, f.offset : end].reshape(n, f.count, f.width)
            raw = np.zeros((n, f.count, f.dtype.itemsize), np.uint8)
            packed = np.packbits(lanes, axis=2, bitorder="little")
            raw[:, :, : packed.shape[2]] = packed
            out[f.name] = raw.view(f.dtype.newbyteorder("<")).reshape(n, f.count).astype(f.dtype)
        return out


def input_layout(input_format: Format, block_size: int) -> WordLayout:
    """The word of one input block: lane i at bit ``i * width`` (spec §11.1)."""
    return WordLayout((Field("x", 0, input_format.width, block_size),))


TENSOR_SCALE_FIELDS = {"h": (8, 23), "h256": (8, 23), "hbf16": (8, 7), "hp2": (8, 0)}
"""Exponent and fraction bits in which a word carries a tensor scale of each kind."""


def tensor_scale_bits(kind: str) -> int:
    """Bits in which a word carries a tensor scale: a float's, or an exponent field's."""
    exponent, fraction = TENSOR_SCALE_FIELDS[kind]
    return exponent + fraction + (fraction > 0)


def scaled_input_layout(input_format: Format, block_size: int, kind: str) -> WordLayout:
    """The word of an input block and its tensor scale, which stands on top."""
    lanes = input_format.width * block_size
    return WordLayout(
        (
            Field("x", 0, input_format.width, block_size),
            Field("g", lanes, tensor_scale_bits(kind)),
        )
    )


def tensor_amax_layout(input_format: Format, lanes: int) -> WordLayout:
    """A word of a tensor: its lanes, and above them whether it is the last."""
    end = input_format.width * lanes
    return WordLayout((Field("x", 0, input_format.width, lanes), Field("last", end, 1)))


def output_layout(block_format: BlockFormat) -> WordLayout:
    """The word of one quantized block: element codes from bit 0, scale code on top (spec §11.2)."""
    element, n = block_format.element, block_format.block_size
    return WordLayout(
        (
            Field("codes", 0, element.width, n),
            Field("scale", element.width * n, block_format.scale.storage_bits),
        )
    )


def code_layout(fmt: Format, lanes: int) -> WordLayout:
    """The word of independent codes: lane i at bit ``i * storage_bits``."""
    return WordLayout((Field("codes", 0, fmt.storage_bits, lanes),))


def block_layout(block_format: BlockFormat) -> WordLayout:
    """The input word of a dequantizer: the quantized block, its tensor scale on top.

    The field ``g`` is missing without a tensor scale.
    """
    block = output_layout(block_format)
    kind = block_format.tensor_scale
    more = () if kind is None else (Field("g", block.width, tensor_scale_bits(kind)),)
    return WordLayout((*block.fields, *more))


def to_hex(words: Words, layout: WordLayout) -> list[str]:
    """One line of ``layout.digits`` hex digits per word, top digit first (spec §11.3)."""
    text = np.ascontiguousarray(words[:, ::-1]).tobytes().hex()
    step = 2 * layout.nbytes
    drop = step - layout.digits
    return [text[i + drop : i + step] for i in range(0, len(text), step)]


def from_hex(lines: Iterable[str], layout: WordLayout, source: str = "hex") -> Words:
    """Parse lines written by `to_hex`.

    Raises:
        FileFormatError: naming ``source`` and the line that is not such a word.
    """
    out = bytearray()
    fill = "0" * (2 * layout.nbytes - layout.digits)
    limit = 1 << layout.width
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        if len(text) != layout.digits or not _HEX.issuperset(text):
            raise FileFormatError(
                f"{source}:{number}: {text[:80]!r} is not a word of {layout.digits} "
                "lower-case hex digits"
            )
        if int(text, 16) >= limit:
            raise FileFormatError(f"{source}:{number}: {text!r} exceeds {layout.width} bits")
        out += bytes.fromhex(fill + text)[::-1]
    return np.frombuffer(bytes(out), np.uint8).reshape(-1, layout.nbytes)
