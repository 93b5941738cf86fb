"""What a session holds and the address does not: the browser keeps it, and hands it to the session that comes next.

The server may be restarted, or the proxy may choose another replica: Streamlit's page goes on by itself in a new
session, which knows the address and no more. What the browser hands over is the user's own, and may be anything:
whatever does not fit is left out, and told.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import drawing, selection
from explorer.classes import Classes
from explorer.components import reports
from explorer.components.keeper import keeper
from explorer.components.sessions import goes_on
from explorer.drawing import MAX_DIGITS, MAX_POINTS, MNIST_SIDE, SIDE
from explorer.selection import Drawing

__all__ = ["HELD", "keep", "pack", "rerun_on_reconnect", "unpack"]

Array = NDArray[Any]
T = TypeVar("T")

# By name in the session: how it is checked.
HELD: Mapping[str, Callable[[Any], Any]] = {
    "sample": reports.index,  # Generate: the one that is shown large
    "arranged": reports.text,  # Learn: the step whose choices were made
    "own_fit": reports.text,  # Train: the fit that was begun here
    "added": reports.texts,  # Train: what was found in the file that was dropped last
}
_DRAWING = "drawing"
_SETTLED = "is_settled"  # whether the session has something of its own, or was handed something
COUNTS, MOST = ("version", "answered", "uploads"), 10**9
NOT_KEPT = "A drawing that your browser kept cannot be read. Please draw it again."
LONG = timedelta(days=1)


@st.fragment(run_every=LONG)
def rerun_on_reconnect() -> None:
    """Draw nothing; once a page.

    Streamlit's page asks the server that it comes back to for a run only where a run was under way, or where something
    runs by itself. Without one, a new session does not know the page, and drops the first click.
    """


def keep(classes: Classes) -> None:
    """Let the browser keep what the address does not hold, and take what it has kept; before any of it is read."""
    held = _held()
    is_settled = bool(held) or bool(st.session_state.get(_SETTLED))
    handed = keeper(held, is_settled=is_settled)
    if is_settled or handed is not None:
        st.session_state[_SETTLED] = True
    if not is_settled and handed is not None and not _take(handed, classes):
        st.toast(NOT_KEPT, icon=":material/warning:", duration="long")


def _held() -> dict[str, Any]:
    found = {name: value for name in HELD if (value := st.session_state.get(name))}
    return found | ({_DRAWING: packed} if (packed := pack(selection.drawing())) else {})


def _take(handed: object, classes: Classes) -> bool:
    """Take what an earlier session held; return whether all of it could be read."""
    found = reports.mapping(handed)
    for name, check in HELD.items():
        if (value := check(found.get(name))) is not None:
            st.session_state[name] = value
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


def pack(on_pad: Drawing) -> dict[str, Any]:
    """Return a drawing as JSON has it, without what follows from the rest; empty if there is none."""
    if not (on_pad.strokes or on_pad.found or on_pad.base is not None):
        return {}
    remaining, strokes = MAX_POINTS, []
    for stroke in on_pad.strokes:  # no more than is drawn: see `drawing.rasterize`
        strokes.append(stroke[: 2 * remaining])
        remaining -= len(strokes[-1]) // 2
    return {
        "strokes": strokes,
        "base": "" if on_pad.base is None else _text_of(on_pad.base),
        "has_base": on_pad.has_base,
        "found": [_text_of(form) for form in on_pad.found],
        "taken": on_pad.taken,
        **{name: getattr(on_pad, name) for name in COUNTS},
    }


def unpack(report: object) -> Drawing | None:
    """Return the drawing that was packed, without its image; None for what is none."""
    found = reports.mapping(report)
    try:
        strokes = _given(reports.strokes(found.get("strokes"), SIDE))
        base = _form_of(found["base"]) if found.get("base") != "" else None
        forms = [_form_of(each) for each in found["found"][: MAX_DIGITS + 1]]
        version, answered, uploads = (_given(reports.index(found.get(name), MOST)) for name in COUNTS)
        taken = _given(reports.index(found.get("taken"), max(1, len(forms))))
        if sum(map(len, strokes)) > 2 * MAX_POINTS or len(forms) > MAX_DIGITS:
            return None
    except (KeyError, TypeError, ValueError):
        return None
    has_base = found.get("has_base") is True and base is not None
    return Drawing(None, strokes, base, has_base, version, answered, forms, taken, uploads)


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
