"""Wall: what the class has drawn and sent, at its codes on both maps as it arrives; with controls for the teacher."""

import hmac
import io
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import images, originals, selection, tables
from explorer.cache import cached
from explorer.components.wall import COLUMNS, Encoded, show_drawings
from explorer.fragments import fragment
from explorer.maps import Map, MapPair
from explorer.models import ModelPair
from explorer.stage import Stage, chart_of, lay_over
from explorer.text import escape_markdown
from explorer.views import train
from explorer.wall import MAX_DRAWINGS, Standing, Wall, WallError, open_wall
from training.forms import MIN_IMAGES, AddError

__all__ = ["TEACHER_VARIABLE", "is_own_computer", "render", "standing_wall"]

Array = NDArray[Any]

TEACHER_VARIABLE = "LATENT_TEACHER"
TICK, STUDENT_TICK = 1.0, 3.0  # seconds: there is one teacher, and hundreds may look
# In the session, not in the URL.
CHOSEN = "wall_chosen"  # the number of the drawing that was clicked
COMPLAINT = "wall_complaint"  # what went wrong in a callback, and of which drawings that is said
NAMES = "wall_names"  # a widget
SEEN_NAMES = "wall_seen_names"  # whether nicknames were shown when the wall was seen last
CLEARED = "wall_cleared"  # how often this session has cleared the wall
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via")


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: the drawings over both maps, the one under the mouse large, and the teacher's controls below."""
    is_teacher = _is_teacher()
    for map_, answer in zip(stage.maps, stage.answers, strict=True):
        with answer:
            lay_over(map_, [], on_pick=partial(_choose, pair, map_), answer="")
    with stage.viewer:
        st.markdown(
            "**What the class has drawn**, each drawing where the encoder puts it. "
            "Point at one to see what comes back. Pale at an edge: it lies beyond."
        )
        with st.container(key="watched_wall", gap="xsmall"):
            watch = fragment(run_every=TICK if is_teacher else STUDENT_TICK)(_watch)
            watch(stage.maps, pair, is_teacher)
    with stage.strip:
        if is_teacher:
            _controls(pair, stage.maps)
        else:
            st.caption(
                "The teacher can hide drawings and clear the wall, on the server's own computer or with a key. "
                "README says how: *The wall*."
            )


def _is_teacher() -> bool:
    """Tell whether this session may hide and clear: it has given the key, or, without one, is on this computer."""
    key = os.environ.get(TEACHER_VARIABLE, "")
    if not key:
        return is_own_computer(st.context.ip_address, st.context.headers)
    given = str(st.session_state.get(selection.TEACHER, ""))
    return hmac.compare_digest(given.encode(errors="replace"), key.encode(errors="replace"))


def is_own_computer(ip_address: str | None, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser is on the server's computer; behind a proxy, where all seem to be, none is.

    Args:
        ip_address: of the connection, None if it comes from this computer.
        headers: of the request.
    """
    host = re.sub(r":\d+$", "", headers.get("Host", ""))
    return ip_address is None and host in LOOPBACK and not any(headers.get(name) for name in FORWARDED)


def standing_wall() -> Standing:
    """Return what is on the wall, read once for all sessions after each change."""
    wall = open_wall()
    version = wall.version()
    return _read(wall.place, version) if version else Standing()


@cached()
def _read(place: str, version: str) -> Standing:
    return open_wall().read()


@cached()
def _picture(standing: Standing) -> str:
    """Put all drawings that are shown in one picture."""
    return _tiled(standing.images / np.float32(255))


@cached()
def _encoded(pair: ModelPair, map_: Map, standing: Standing) -> Encoded:
    """Encode all drawings that are shown, and decode their codes."""
    model = map_.model
    codes, _ = originals.encoded(pair, model, standing.images)
    decodes = _tiled(model.decode(codes))
    return Encoded(chart_of(map_), model.short, model.name, map_.project(codes), decodes, pair.experiment.image_size)


def _tiled(pictures: Array) -> str:
    """Tile pictures of (n, h, w), `COLUMNS` in a row, the last row filled up with black."""
    missing = -len(pictures) % COLUMNS
    return images.data_uri(images.tile(np.pad(pictures, ((0, missing), (0, 0), (0, 0))), COLUMNS))


def _watch(maps: MapPair, pair: ModelPair, is_teacher: bool) -> None:
    """Show the wall as it stands; what is computed of it is computed only when it has changed."""
    try:
        standing = standing_wall()
    except WallError as error:
        st.error(escape_markdown(str(error)))
        return
    if st.session_state.get(SEEN_NAMES) not in (None, standing.shows_names):
        st.session_state[SEEN_NAMES] = standing.shows_names
        st.rerun()  # another teacher has changed it: the switch below is to say so
    st.session_state[SEEN_NAMES] = standing.shows_names
    shown = standing.shown
    complaint, numbers = st.session_state.get(COMPLAINT, ("", []))
    if complaint and numbers == _numbers(standing):
        st.error(escape_markdown(complaint))
    hidden = [drawing.number for drawing in standing.drawings if drawing.hidden]
    if shown:
        chosen = st.session_state.get(CHOSEN, 0)
        chosen = chosen if any(drawing.number == chosen for drawing in shown) else 0
        author = selection.author()
        show_drawings(
            shown,
            _picture(standing),
            [_encoded(pair, map_, standing) for map_ in maps],
            author=author,
            names=standing.shows_names,
            chosen=chosen,
        )
        own = sum(drawing.author == author for drawing in shown)
        yours = f" Yours: {own}, framed in red." if own else ""
        st.caption(f"{len(shown)} of at most {MAX_DRAWINGS} drawings. Ringed: the newest.{yours}")
        if is_teacher:
            # There without a choice, too: what is below would move under the mouse, and be clicked in its place.
            st.button(
                f"Hide drawing {chosen}" if chosen else "Click a drawing to hide it",
                key="hide_drawing",
                icon=":material/visibility_off:",
                disabled=not chosen,
                on_click=_hide,
                args=([chosen], True),
            )
    else:
        st.info(
            f"The wall is empty. Open *Draw*, draw {pair.classes.an_image}, and send it: it appears here at its code."
        )
    if is_teacher and hidden:
        label = f"Bring back {len(hidden)} hidden"
        st.button(label, icon=":material/visibility:", key="show_hidden", on_click=_hide, args=(hidden, False))


def _choose(pair: ModelPair, map_: Map, x: float, y: float) -> None:
    """Choose the drawing nearest to a point of a map; a callback."""
    try:
        standing = standing_wall()
    except WallError:
        return  # the page tells it
    if shown := standing.shown:
        points = _encoded(pair, map_, standing).points
        # Of two in the same place the later one, which lies on top.
        nearest = len(shown) - 1 - int(np.hypot(*(points - (x, y)).T)[::-1].argmin())
        st.session_state[CHOSEN] = shown[nearest].number


def _controls(pair: ModelPair, maps: MapPair) -> None:
    """Draw what the teacher may do with the whole wall."""
    try:
        st.session_state[NAMES] = standing_wall().shows_names
    except WallError:
        return  # told in the viewer
    with st.container(horizontal=True, vertical_alignment="center", key="wall_controls"):
        st.toggle("Show nicknames", key=NAMES, on_change=_show_names, help="To all who open the wall.")
        # Another one after each clearing: it is closed, and does not ask about what comes next.
        with st.popover("Clear all", icon=":material/delete:", key=f"clear_all_{st.session_state.get(CLEARED, 0)}"):
            st.markdown("Remove all drawings, for everyone, for good?")
            st.button("Remove them", key="clear_wall", on_click=_clear)
        st.button(
            "Fit to it",
            icon=":material/model_training:",
            on_click=_add,
            disabled=bool(why_not := selection.why_left_out("Train")),
            help=why_not
            or f"Makes a data set of the wall, for *Train*: from {MIN_IMAGES} drawings on. It has one class.",
        )
        st.download_button(
            "As data set",
            _npz,
            "wall.npz",
            on_click="ignore",
            icon=":material/download:",
            help=f"`python -m training add wall wall.npz` takes the file, from {MIN_IMAGES} drawings on.",
        )
        st.download_button(
            "As CSV",
            partial(_csv, pair, maps),
            "wall.csv",
            on_click="ignore",
            icon=":material/download:",
            help="A row a drawing: when it was sent, its codes, its pixels. Nicknames, if they are shown.",
        )


def _show_names() -> None:
    """Show nicknames, or do not; a callback."""
    _change(lambda wall: wall.show_names(bool(st.session_state[NAMES])))


def _hide(numbers: list[int], hidden: bool) -> None:
    """Hide drawings, or bring them back; a callback."""
    _change(lambda wall: wall.set_hidden(numbers, hidden))


def _clear() -> None:
    """Remove all drawings; a callback."""
    _change(lambda wall: wall.clear())
    st.session_state[CLEARED] = st.session_state.get(CLEARED, 0) + 1


def _change(act: Callable[[Wall], None]) -> None:
    """Change the wall; what goes wrong stands on the page until something goes well, or the wall is another."""
    try:
        act(open_wall())
        st.session_state.pop(COMPLAINT, None)
    except WallError as error:
        _complain(str(error))


def _complain(sentence: str) -> None:
    """Let the page say what went wrong with the drawings that are shown."""
    try:
        st.session_state[COMPLAINT] = sentence, _numbers(standing_wall())
    except WallError:
        return  # the page tells that


def _numbers(standing: Standing) -> list[int]:
    """Return the numbers of the drawings that are shown."""
    return [drawing.number for drawing in standing.shown]


def _npz() -> bytes:
    """Return the drawings that are shown, as `python -m training add` takes them."""
    file = io.BytesIO()
    np.savez_compressed(file, images=standing_wall().images)
    return file.getvalue()


def _csv(pair: ModelPair, maps: MapPair) -> bytes:
    standing = standing_wall()
    codes = {map_.model.short.lower(): originals.encoded(pair, map_.model, standing.images)[0] for map_ in maps}
    return tables.wall(standing, codes)


def _add() -> None:
    """Make a data set of the drawings that are shown, and open the form of a fit to it; a callback."""
    try:
        name = train.add_images("wall.npz", _npz())
    except (AddError, WallError, OSError) as error:
        _complain(f"The wall cannot be made a data set: {error}.")
        return
    st.session_state.pop(COMPLAINT, None)
    selection.show("Train", {train.DATASET: name})
