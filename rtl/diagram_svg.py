"""SVG of a diagram: deterministic, small, on white."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from rtl.diagram_columns import Columns, Item, arrange
from rtl.diagram_heights import PITCH, PORT, port_in, port_out, settle
from rtl.diagram_routes import TRACK, Wire, assign
from rtl.diagram_shapes import Diagram

MARGIN = 16.0
LANE = 18.0
ARROW = 7.0
BAR = 9.0

_STYLE = """
text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#1a1a1a}
.n{font-weight:bold;text-anchor:middle}.c{text-anchor:middle;font-size:11px}
.w{font-size:10px;fill:#44546a}.p{font-size:10px;fill:#44546a;text-anchor:end}
.u{fill:#e8f0fa;stroke:#2f5b93}.b{fill:#f3b95f;stroke:#9a6413}.t{fill:#fff;stroke:#444}
.l{fill:#f4f4f4;stroke:#777}.e{fill:none;stroke:#333}.k{fill:none;stroke:#9a6413}.d{fill:#333}
"""


def text_width(text: str, size: float = 12.0) -> float:
    """An upper estimate of the width of a text in a sans-serif font."""
    narrow, wide = "iljtfr.,:;|'()[] 1", "mwMW%×≥−+"
    units = sum(0.36 if c in narrow else 0.9 if c in wide else 0.61 for c in text)
    return units * size


def to_svg(diagram: Diagram, title: str) -> str:
    """Draw a diagram.

    Args:
        diagram: what to draw.
        title: of the picture, for readers that show no pictures.
    """
    return Drawing(diagram, title).svg()


class Drawing:
    """A diagram with all its places."""

    def __init__(self, diagram: Diagram, title: str) -> None:
        self.diagram, self.title = diagram, title
        self.columns: Columns = arrange(diagram)
        for column in self.columns.columns:
            for item in column:
                self._size(item)
            ports = [i for i in column if i.box is not None and i.box.kind == "port"]
            for item in ports:
                item.width = max(i.width for i in ports)
        settle(self.columns)
        self._shift()
        self.wires = self._wires()
        tracks = [assign(wires) for wires in self.wires]
        self._spread(tracks)

    def _size(self, item: Item) -> None:
        box = item.box
        if box is None:
            return
        ports = max(len(item.nets_in), len(item.nets_out), 1)
        if box.kind == "bar":
            item.width, item.height = BAR, (ports - 1) * PITCH
            return
        least = {"logic": 22.0, "port": PORT, "register": 30.0}.get(box.kind, 40.0)
        item.height = max(least, (ports - 1) * PITCH + least)
        item.width = max(text_width(box.label or "logic", 13.0) + 12, least)
        if box.count > 1:
            item.width += 6

    def _shift(self) -> None:
        """Let the drawing begin at the top margin."""
        items = [i for column in self.columns.columns for i in column]
        top = min(i.y - i.height / 2 for i in items)
        self.head = MARGIN + 26.0 if self.diagram.stages else MARGIN
        for item in items:
            item.y = round(item.y - top + self.head, 1)
        self.bottom = max(i.y + i.height / 2 for i in items)
        self.lanes = {
            n: self.bottom + LANE * (k + 1)
            for k, n in enumerate(dict.fromkeys(n for n, *_ in self.columns.back))
        }

    def _wires(self) -> list[list[Wire]]:
        """The nets of each gap; gap k is behind column k."""
        gaps: list[dict[tuple[int, bool], Wire]] = [{} for _ in self.columns.columns]
        for k, segments in enumerate(self.columns.segments):
            for s in segments:
                left = s.left.y + port_out(s.left, s.net)
                wire = gaps[k].setdefault((s.net, True), Wire(s.net, left))
                wire.rights.append(s.right.y + port_in(s.right, s.net))
        for n, start, source, end, sink in self.columns.back:
            left = source.y + port_out(source, n)
            gaps[start].setdefault((n, True), Wire(n, left)).lane = self.lanes[n]
            wire = gaps[end - 1].setdefault((n, False), Wire(n, None, lane=self.lanes[n]))
            wire.rights.append(sink.y + port_in(sink, n))
        return [list(gap.values()) for gap in gaps]

    def _label(self, net: int) -> tuple[str, str]:
        """Name and bits of a net; no name if the box before it has the same."""
        made = self.diagram.nets[net]
        source = self.diagram.boxes[made.source]
        alone = sum(n.source == made.source for n in self.diagram.nets) == 1
        same = made.label == source.label and source.kind != "bar" and alone
        return "" if same else made.label, made.bits

    def _spread(self, tracks: list[int]) -> None:
        """Widths of columns and gaps."""
        x = MARGIN
        self.left: list[float] = []
        self.right: list[float] = []
        self.track0: list[float] = []
        for k, column in enumerate(self.columns.columns):
            self.left.append(x)
            x += max(item.width for item in column)
            self.right.append(x)
            labels = [
                text_width(text, 10.0)
                for i in column
                if i.box
                for n in i.nets_out
                for text in self._label(n)
            ]
            x += max(labels, default=0.0) + 9
            self.track0.append(round(x, 1))
            x += tracks[k] * TRACK
            after = self.columns.columns[k + 1] if k + 1 < len(self.columns.columns) else []
            notes = [text_width(note, 10.0) + 6 for i in after if i.box for note in self._notes(i)]
            x += max(notes, default=0.0) + ARROW + 4
            x = round(x, 1)
        self.width = self.right[-1] + MARGIN
        foot = 20 if self.diagram.stages else 0
        self.height = self.bottom + max(LANE * len(self.lanes), foot) + MARGIN

    def _notes(self, item: Item) -> list[str]:
        return [self.diagram.nets[n].sinks.get(item.key, "") for n in item.nets_in]

    def svg(self) -> str:
        """The text of the file."""
        w, h = round(self.width), round(self.height)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
            f'viewBox="0 0 {w} {h}" role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<desc>diagram {self.diagram.digest}</desc>",
            f"<style>{_STYLE.strip()}</style>",
            f'<rect width="{w}" height="{h}" fill="#fff"/>',
            *self._bars(),
            *self._nets(),
            *(
                line
                for k, c in enumerate(self.columns.columns)
                for i in c
                for line in self._box(k, i)
            ),
            *self._texts(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _middle(self, k: int) -> float:
        return (self.left[k] + self.right[k]) / 2

    def _bars(self) -> Iterable[str]:
        """A register stage, as high as all that it holds."""
        for k, column in enumerate(self.columns.columns):
            bars = [i for i in column if i.box is not None and i.box.kind == "bar"]
            if not bars or bars[0].box is None:
                continue
            top, bottom = self.head - 10, self.bottom + 10
            if any(item.box is None for item in column):  # some nets pass without a register
                top, bottom = bars[0].y - PITCH / 2 - 2, bars[-1].y + PITCH / 2 + 2
            x, stage = self._middle(k), bars[0].box.stage
            yield f'<rect class="b" {_at(x - BAR / 2, top, BAR, bottom - top)}/>'
            yield f'<text class="n" x="{_n(x)}" y="{_n(top - 6)}">{escape(stage)}</text>'
            bits = f"{self.diagram.stages[stage]} bits"
            yield f'<text class="c" x="{_n(x)}" y="{_n(bottom + 13)}">{bits}</text>'

    def _box(self, k: int, item: Item) -> Iterable[str]:
        box = item.box
        if box is None or box.kind == "bar":
            return
        x, y = self._middle(k) - item.width / 2, item.y - item.height / 2
        w, h = item.width, item.height
        style = {"unit": "u", "logic": "l", "port": "t", "register": "b"}[box.kind]
        if box.count > 1:
            w -= 6
            for off in (6, 3):
                yield f'<rect class="{style}" {_at(x + off, y - off, w, h)} rx="3"/>'
        round_ = 3 if box.kind != "logic" else 11
        yield f'<rect class="{style}" {_at(x, y, w, h)} rx="{_n(round_)}"/>'
        middle, base = x + w / 2, item.y + 4
        label = box.label or "logic"
        if box.count > 1:
            yield f'<text class="n" x="{_n(middle)}" y="{_n(base - 6)}">{escape(label)}</text>'
            yield f'<text class="c" x="{_n(middle)}" y="{_n(base + 8)}">× {box.count}</text>'
        else:
            yield f'<text class="n" x="{_n(middle)}" y="{_n(base)}">{escape(label)}</text>'
        if box.clocked or box.kind == "register":
            b = y + h
            path = f"M{_n(middle - 5)} {_n(b)}L{_n(middle)} {_n(b - 6)}L{_n(middle + 5)} {_n(b)}"
            yield f'<path class="k" d="{path}"/>'

    def _edge(self, k: int, item: Item, right: bool) -> float:
        """Where the line of an item begins or ends."""
        if item.box is None:
            return self.right[k] if right else self.left[k]
        half = item.width / 2
        if not right:
            return self._middle(k) - half
        return self._middle(k) + half - (6 if item.box.count > 1 else 0)

    def _nets(self) -> Iterable[str]:
        for k, column in enumerate(self.columns.columns):
            for item in column:
                if item.box is None:
                    y = item.y
                    yield _line([(self.left[k], y), (self.right[k], y)])
        for k, wires in enumerate(self.wires):
            for wire in wires:
                yield from self._wire(k, wire)
        for n, start, _, end, _ in self.columns.back:
            lane = self.lanes[n]
            here = self._track(start, n, True)
            yield _line([(here, lane), (self._track(end - 1, n, False), lane)])

    def _track(self, k: int, net: int, outgoing: bool) -> float:
        for wire in self.wires[k]:
            if wire.net == net and wire.lane is not None and (wire.left is not None) == outgoing:
                return self._stands(k, wire)
        raise KeyError(net)

    def _stands(self, k: int, wire: Wire) -> float:
        """Where the vertical line of a wire stands, if it has one."""
        return self.track0[k] + (wire.track or 0) * TRACK

    def _wire(self, k: int, wire: Wire) -> Iterable[str]:
        """A net in a gap: from the left to its line, along it, and on to the right."""
        x = self._stands(k, wire)
        if wire.left is not None and wire.after is not None:
            yield _line([(self._stands(k, wire.after), wire.left), (x, wire.left)])
        elif wire.left is not None:
            item = next(i for i in self.columns.columns[k] if wire.net in i.nets_out)
            yield _line([(self._edge(k, item, True), wire.left), (x, wire.left)])
        if wire.bends:
            yield _line([(x, min(wire.heights)), (x, max(wire.heights))])
            for y in wire.branches:
                yield f'<circle class="d" cx="{_n(x)}" cy="{_n(y)}" r="2"/>'
        for item in self.columns.columns[k + 1]:
            if wire.net not in item.nets_in:
                continue
            y = item.y + port_in(item, wire.net)
            if y not in wire.rights:
                continue
            end = self._edge(k + 1, item, False)
            yield _line([(x, y), (end, y)])
            if item.box is not None and item.box.kind != "bar":
                yield (f'<path class="d" d="M{_n(end)} {_n(y)}l{_n(-ARROW)} -3.5v7z"/>')

    def _texts(self) -> Iterable[str]:
        for k, column in enumerate(self.columns.columns):
            for item in column:
                if item.box is None:
                    continue
                for n in item.nets_out:
                    y = item.y + port_out(item, n)
                    for text, base in zip(self._label(n), (y - 3, y + 10), strict=True):
                        if text:
                            x = _n(self.right[k] + 4)
                            yield f'<text class="w" x="{x}" y="{_n(base)}">{escape(text)}</text>'
                for n, note in zip(item.nets_in, self._notes(item), strict=True):
                    if note:
                        y = item.y + port_in(item, n) + 10
                        x = self.left[k] - ARROW - 2
                        yield f'<text class="p" x="{_n(x)}" y="{_n(y)}">{note}</text>'


def _n(value: float) -> str:
    """A number as short as it can be."""
    return f"{value:.1f}".removesuffix(".0")


def _at(x: float, y: float, w: float, h: float) -> str:
    return f'x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"'


def _line(points: list[tuple[float, float]]) -> str:
    return f'<path class="e" d="M{"L".join(f"{_n(x)} {_n(y)}" for x, y in points)}"/>'
