"""What a session holds and the address does not: the browser keeps it, and hands it to the session that comes next.

The server may be restarted, or the proxy may choose another replica: Streamlit's page goes on by itself in a new
session, which knows the address and no more. What the browser hands over is the user's own, and may be anything:
whatever does not fit is left out, and told.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import drawing, selection, stage
from explorer.choices import Choice, chosen_texts, is_usable
from explorer.classes import Classes
from explorer.components import reports
from explorer.components.keeper import keeper
from explorer.components.sessions import goes_on
from explorer.drawing import MAX_DIGITS, MAX_POINTS, MNIST_SIDE, SIDE
from explorer.selection import AUTHOR, TEACHER, Drawing
from explorer.wall import clean_nickname

__all__ = ["HELD", "HELD_BY_PAGE", "keep", "pack", "rerun_on_reconnect", "unpack"]

Array = NDArray[Any]
T = TypeVar("T")

# By name in the session: how it is checked.
HELD: Mapping[str, Callable[[Any], Any]] = {
    "own_fit": reports.text,  # Train: the fit that was begun here
    "added": reports.texts,  # Train: the data set that was made of a file, and what was found in it
    AUTHOR: reports.text,  # Wall: the mark of what was sent from here
    TEACHER: reports.text,  # Wall: the key that was given, which is compared again
}
HELD_BY_PAGE: Mapping[str, Callable[[Any], Any]] = {  # not where the page is opened anew, by a link for all
    "sample": reports.index,  # Generate: the one that is shown large
    "arranged": reports.text,  # Learn: the step whose choices were made
    "wall_chosen": reports.index,  # Wall: the drawing that was clicked
}
# Drawn with every tool, so that the address holds them.
_ALWAYS_DRAWN = {
    each.name for module in (stage, selection) for each in vars(module).values() if isinstance(each, Choice)
}
_ALWAYS_DRAWN -= {selection.RINGED_IMAGE.name}
MOST_CHOICES = 200
_DRAWING, _CHOICES = "drawing", "choices"
_SETTLED = "is_settled"  # whether the session has something of its own that must stay, or was handed something
COUNTS, MOST = ("version", "answered", "uploads"), 10**9
NOT_KEPT = "A drawing that your browser kept cannot be read. Please draw it again."
LONG = timedelta(days=1)


@st.fragment(run_every=LONG)
def rerun_on_reconnect() -> None:
    """Draw nothing; once a page.

    Streamlit's page asks the server that it comes back to for a run only where a run was under way, or where something
    runs by itself. Without one, a new session does not know the page, and drops the first click.
    """


def keep(classes: Classes, tool: ModuleType) -> None:
    """Let the browser keep what the address does not hold, and take what it has kept; before any of it is read.

    Args:
        classes: of what is drawn.
        tool: the one that is open: the address holds its choices.
    """
    held = _held(tool)
    # A mark is made as soon as the wall is seen, and a key comes with the link: neither is a reason to take nothing.
    own = held.keys() & {*HELD, _DRAWING} - {AUTHOR, TEACHER}
    is_settled = bool(st.session_state.get(_SETTLED)) or bool(own)
    handed = keeper(held, is_settled=is_settled)
    st.session_state[_SETTLED] = is_settled or handed is not None
    if not is_settled and handed is not None and not _take(handed, classes):
        st.toast(NOT_KEPT, icon=":material/warning:", duration="long")


def _held(tool: ModuleType) -> dict[str, Any]:
    in_address = _ALWAYS_DRAWN | {each.name for each in vars(tool).values() if isinstance(each, Choice)}
    found: dict[str, Any] = {name: st.session_state.get(name) for name in (*HELD, *HELD_BY_PAGE)}
    found[_DRAWING] = pack(selection.drawing())
    found[_CHOICES] = {name: text for name, text in chosen_texts().items() if name not in in_address}
    return {name: value for name, value in found.items() if value}


def _take(handed: object, classes: Classes) -> bool:
    """Take what an earlier session held; return whether all of it could be read."""
    found = reports.mapping(handed)
    for name, check in ({**HELD, **HELD_BY_PAGE} if goes_on() else HELD).items():
        if (value := check(found.get(name))) is not None:
            st.session_state[name] = value
    if goes_on():
        _take_choices(reports.mapping(found.get(_CHOICES)))
    if _DRAWING not in found:
        return found is handed
    on_pad = unpack(found[_DRAWING])
    if on_pad is None:
        return False
    if not goes_on():
        on_pad.version += 1  # the page is a new one, and its pad was empty
    base_shown = on_pad.base if on_pad.has_base else None
    on_pad.image = drawing.formed(on_pad.strokes, base_shown, are_digits=classes.are_digits)
    selection.put_drawing(on_pad)
    return True


def _take_choices(texts: Mapping[str, Any]) -> None:
    """Put into the address what it lacks: there it is checked where its widget is drawn, as what a link says."""
    for name, text in list(texts.items())[:MOST_CHOICES]:
        is_lacking = re.fullmatch(r"\w{1,40}", name) and name not in st.query_params
        if is_lacking and reports.text(text) is not None and is_usable(text):
            st.query_params[name] = text


def pack(on_pad: Drawing) -> dict[str, Any]:
    """Return a drawing as JSON has it, without what follows from the rest; empty if there is none."""
    has_picture = on_pad.base is not None or on_pad.on_wall is not None
    if not (has_picture or on_pad.strokes or on_pad.found or on_pad.nickname):
        return {}
    remaining, strokes = MAX_POINTS, []
    for stroke in on_pad.strokes:  # no more than is drawn: see `drawing.rasterize`
        strokes.append(stroke[: 2 * remaining])
        remaining -= len(strokes[-1]) // 2
    return {
        "strokes": strokes,
        "base": "" if on_pad.base is None else _text_of(on_pad.base),
        "on_wall": "" if on_pad.on_wall is None else _text_of(on_pad.on_wall),
        "has_base": on_pad.has_base,
        "found": [_text_of(form) for form in on_pad.found],
        "taken": on_pad.taken,
        "nickname": on_pad.nickname,
        **{name: getattr(on_pad, name) for name in COUNTS},
    }


def unpack(report: object) -> Drawing | None:
    """Return the drawing that was packed, without its image; None for what is none."""
    found = reports.mapping(report)
    try:
        strokes = _given(reports.strokes(found.get("strokes"), SIDE))
        base, on_wall = (_form_of(found[name]) if found.get(name) != "" else None for name in ("base", "on_wall"))
        forms = [_form_of(each) for each in found["found"][: MAX_DIGITS + 1]]
        version, answered, uploads = (_given(reports.index(found.get(name), MOST)) for name in COUNTS)
        taken = _given(reports.index(found.get("taken"), max(1, len(forms))))
        nickname = clean_nickname(_given(reports.text(found.get("nickname"))))
        if sum(map(len, strokes)) > 2 * MAX_POINTS or len(forms) > MAX_DIGITS:
            return None
    except (KeyError, TypeError, ValueError):
        return None
    has_base = found.get("has_base") is True and base is not None
    pad = Drawing(None, strokes, base, has_base, version, answered, forms, taken, uploads)
    return replace(pad, on_wall=on_wall, nickname=nickname)


def _given(value: T | None) -> T:
    if value is None:
        raise ValueError("what was handed over has not the form that it was kept in")
    return value


def _text_of(form: Array) -> str:
    return base64.b64encode(form.tobytes()).decode()


def _form_of(text: object) -> Array:
    """Return a picture in the data set's form, uint8 (28, 28); raises ValueError for what is none."""
    if not isinstance(text, str) or len(text) > 2 * MNIST_SIDE**2:
        raise ValueError("what was handed over is no picture")
    return np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(MNIST_SIDE, MNIST_SIDE)
