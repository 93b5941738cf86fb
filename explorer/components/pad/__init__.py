"""A pad to draw on with mouse, pen, finger or keyboard; it reports the strokes while one draws."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from explorer.components import reports
from explorer.components.scripts import script
from explorer.components.sessions import session_name
from explorer.drawing import BRUSH, SIDE

__all__ = ["Drawn", "pad", "pad_script"]

_FOLDER = Path(__file__).parent
_script = st.components.v2.component(
    "pad_script", js=script(_FOLDER / "pad.js"), css=(_FOLDER / "pad.css").read_text(), isolate_styles=False
)
_pad = st.components.v2.component("pad", js=(_FOLDER / "mount.js").read_text(), isolate_styles=False)


class Drawn(NamedTuple):
    """What the pad reports."""

    number: int  # of the report
    version: int  # of what was drawn on
    based: bool  # whether the base is still there
    strokes: list[list[int]]  # as `drawing.rasterize` takes them


def pad_script() -> None:
    """Mount the pad's script; once a page, outside of what is run again at every stroke."""
    _script(key="pad_script", height=0)


def pad(
    on_draw: Callable[[Drawn], None],
    *,
    version: int,
    base: str,
    strokes: Sequence[Sequence[int]],
    answered: int,
    uploader: str,
    hint: str,
) -> None:
    """Mount the pad. It does not wait for the server: what is given here is drawn at the mount, and when it is new.

    Args:
        on_draw: called before the rerun with a report.
        version: of what is given here; another one replaces what is on the pad.
        base: a picture to draw on, as an address; empty: nothing.
        strokes: what is drawn.
        answered: the number of the last report that the page shows; the next is sent when its own is answered.
        uploader: the key of a container with a file uploader, to which pictures are handed that are pasted, or dropped
            on the pad.
        hint: stands on the empty pad.
    """

    def report() -> None:
        drawn = _checked(reports.last("pad", "drawn"))
        if drawn is not None:
            on_draw(drawn)

    data = {
        "session": session_name(),
        "side": SIDE,
        "brush": BRUSH,
        "version": version,
        "base": base,
        "strokes": tuple(strokes),
    }
    _pad(key="pad", data={**data, "answered": answered, "uploader": uploader, "hint": hint}, on_drawn_change=report)


def _checked(report: object) -> Drawn | None:
    found = reports.mapping(report)
    number, version = (reports.index(found.get(name)) for name in ("number", "version"))
    strokes = reports.strokes(found.get("strokes"), SIDE)
    if number is None or version is None or strokes is None:
        return None
    return Drawn(number, version, found.get("based") is True, strokes)
