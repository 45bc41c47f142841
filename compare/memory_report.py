"""The page of the study of whole tensors: JSON, Markdown and a picture."""

from __future__ import annotations

import json
from pathlib import Path

from compare.cache import write_atomically
from compare.memory import ELEMENTS, MEMORIES
from compare.memory_study import MAPPED_WIDTH, MemoryStudy
from compare.report import template


def memory_page(study: MemoryStudy, picture: str) -> str:
    """The text of the page; ``picture`` is the picture's address, seen from it."""
    return template("memory.md.j2").render(
        study=study,
        picture=picture,
        elements=ELEMENTS,
        memories=MEMORIES,
        table=study.grid().markdown(),
        mapped_width=MAPPED_WIDTH,
        whole=study.whole_grid().markdown(),
        compared=sum(m.compared for m in study.points),
    )


def write_memory(study: MemoryStudy, folder: Path, page: Path | None = None) -> list[Path]:
    """Write memory.json, memory.svg and memory.md into a folder.

    The page goes to ``page`` too, with its picture in a folder ``charts`` beside it.
    """
    from compare.memory_plot import draw_memory

    data, text, picture = (folder / f"memory.{kind}" for kind in ("json", "md", "svg"))
    write_atomically(data, json.dumps(study.to_json(), indent=1, ensure_ascii=False) + "\n")
    draw_memory(study, picture)
    write_atomically(text, memory_page(study, picture.name))
    if page is not None:
        draw_memory(study, page.parent / "charts" / picture.name)
        write_atomically(page, memory_page(study, f"charts/{picture.name}"))
    return [data, text, picture]
