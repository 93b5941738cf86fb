"""A Plotly chart of the page and the overlay on it, which reports clicks as exact coordinates and draws marks.

The chart is drawn once and stays; marks and clicks travel alone.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from explorer import images
from explorer.atlas import Atlas
from explorer.components import reports
from explorer.components.kept import kept_picture
from explorer.components.scripts import script
from explorer.components.sessions import session_name
from explorer.latent import Window

__all__ = [
    "Mark",
    "chart",
    "dots_mark",
    "is_drawn",
    "legend",
    "outline_mark",
    "overlay",
    "overlays",
    "path_mark",
    "pick_mark",
    "ring_mark",
    "send_atlas",
    "send_codes",
    "send_originals",
]

Array = NDArray[Any]
Mark = dict[str, Any]
Size = Literal["stage", "close_up", "small"]

_FOLDER = Path(__file__).parent
_PICTURES = _FOLDER.parent / "pictures.js"
_MODULES = (
    "plotly.js",
    "address.js",
    "webgl.js",
    "marks.js",
    "edges.js",
    "names.js",
    "labels.js",
    "words.js",
    "images.js",
    "drawings.js",
    "glide.js",
    "lens.js",
    "gestures.js",
    "keys.js",
    "overlay.js",
)


_overlays = st.components.v2.component(
    "map_overlays",
    js=script(*(_FOLDER / name for name in _MODULES)),
    css=(_FOLDER / "map.css").read_text(),
    isolate_styles=False,
)
_overlay = st.components.v2.component("map_overlay", js=(_FOLDER / "mount.js").read_text(), isolate_styles=False)
_atlas = st.components.v2.component("map_atlas", js=script(_PICTURES, _FOLDER / "atlas.js"))
_codes = st.components.v2.component("map_codes", js=script(_PICTURES, _FOLDER / "codes.js"))
_legend = st.components.v2.component(
    "map_legend",
    js=script(_FOLDER / "plotly.js", _FOLDER / "symbols.js", _FOLDER / "legend.js"),
    isolate_styles=False,
)


def overlays() -> None:
    """Mount the script of all overlays; once a page."""
    _overlays(key="overlays", height=0)


def chart(
    figure: go.Figure,
    *,
    key: str,
    size: Size | None = None,
    title: str = "",
    on_select: Callable[[], None] | None = None,
) -> None:
    """Draw a chart.

    Args:
        figure: the chart.
        key: tells the charts of a page apart; also the name of a saved picture.
        size: of a map, which is square and zooms by the wheel; see `page.css`. None: the figure's own height.
        title: stands above a saved picture; empty: the figure has titles of its own.
        on_select: called when a point of the chart was clicked; the selection is in the session under the key.
    """
    place = st.container(key=f"{size}_map_of_{key}") if size else st.container()
    place.plotly_chart(
        figure,
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
        height="stretch" if size else "content",
        config={
            "scrollZoom": size is not None,
            "doubleClick": False,  # two quick clicks are two picks; the toolbar resets the axes
            "doubleClickDelay": 500,  # milliseconds, for the legend: 300, the default, are few on a busy computer
            "displaylogo": False,
            "toImageButtonOptions": {"filename": key, "title": title},  # see `save_picture`, which saves the marks, too
            "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d", "autoScale2d"],
        },
    )


def send_atlas(chart: str, map_id: str, window: Window, sent: Atlas, part: str = "", *, is_kept: bool = True) -> None:
    """Send the atlas of a chart, which lets its overlay decode the point under the mouse without the server.

    Args:
        chart: the chart's key.
        map_id: tells atlases apart.
        window: what the atlas holds: the outermost of its decodes stand on the edges.
        sent: the atlas.
        part: names a finer atlas of a part of the map; empty: the whole.
        is_kept: whether it does not change, so that browsers may keep it.
    """
    key = f"atlas_{chart}_{part}"
    image = kept_picture(sent.image, "image/avif", key) if is_kept else images.address(sent.image, "avif")
    place = {"left": window.left, "top": window.top, "side": window.side, "n": sent.side}
    data = {"chart": chart, "part": part, "id": map_id, "image": image}
    _atlas(key=key, data=data | place, height=0)


def send_codes(
    chart: str,
    map_id: str,
    *,
    points: Array,
    residuals: Array,
    spacings: Array,
    labels: Array,
    names: Sequence[str],
    invisible: float,
) -> None:
    """Send the codes of a map, from which its overlay says what is near a point without the server.

    Args:
        chart: the chart's key.
        map_id: tells maps apart.
        points: of the codes on the map, (n, 2).
        residuals: the codes' distances from the map's plane, (n,).
        spacings: see `latent.kth_neighbour_distances`, (n,).
        labels: of the codes, (n,).
        names: what an image of each class is called, as HTML.
        invisible: a distance that cannot be seen on the map.
    """
    packed = {
        name: base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
        for name, values in (("points", points), ("residuals", residuals), ("spacings", spacings))
    }
    others = {
        "labels": base64.b64encode(np.ascontiguousarray(labels, np.uint8).tobytes()).decode(),
        "names": tuple(names),
        "invisible": invisible,
    }
    none = {"originals": "", "size": 0, "columns": 0}
    _codes(key=f"codes_{chart}", data={"chart": chart, "id": map_id} | packed | others | none, height=0)


def send_originals(picture: bytes, size: int, columns: int) -> None:
    """Send the originals of all test images in one picture, once a page.

    Args:
        picture: a PNG: the images in reading order.
        size: of an image, in pixels.
        columns: how many stand side by side.
    """
    none = {"points": "", "residuals": "", "spacings": "", "labels": "", "names": (), "invisible": 0.0}
    address = kept_picture(picture, "image/png", "originals")
    data = {"chart": "", "id": "", "originals": address, "size": size, "columns": columns}
    _codes(key="originals", data=none | data, height=0)


def legend(
    charts: Sequence[str],
    names: Sequence[str],
    shown: Sequence[str],
    colours: Sequence[str],
    symbols: Sequence[str],
    outlines: Mapping[str, Sequence[str]],
    on_typical: Callable[[int], None],
) -> None:
    """Mount one legend for several charts of codes, whose traces have a class' number as their `legendgroup`.

    Args:
        charts: their keys.
        names: of the classes.
        shown: the same, cut where they are long.
        colours: of the classes.
        symbols: of the classes, as `figures.SYMBOLS`.
        outlines: of the classes' dots, on a `light` and on a `dark` page.
        on_typical: called with a class' number when a typical image of it is wanted.
    """

    def report() -> None:
        wanted = reports.index(reports.last("legend", "typical"), len(names))
        if wanted is not None:
            on_typical(wanted)

    looks = {"colours": tuple(colours), "symbols": tuple(symbols), "outlines": dict(outlines)}
    data = {"charts": tuple(charts), "names": tuple(names), "shown": tuple(shown)}
    _legend(key="legend", data=data | looks, on_typical_change=report)


def pick_mark(x: float, y: float) -> Mark:
    """Mark the point that the user chose: a cross."""
    return {"kind": "pick", "points": [[x, y]]}


def ring_mark(x: float, y: float) -> Mark:
    """Mark a test image: a ring."""
    return {"kind": "ring", "points": [[x, y]]}


def outline_mark(points: Sequence[Sequence[float]]) -> Mark:
    """Mark a closed line through points: the ellipse of a Gaussian, the frame of a close-up."""
    return {"kind": "outline", "points": points}


def dots_mark(points: Sequence[Sequence[float]]) -> Mark:
    """Mark random points."""
    return {"kind": "dots", "points": points}


def path_mark(points: Sequence[Sequence[float]], at: int = 0) -> Mark:
    """Mark a path, with a dot at its point number `at`."""
    return {"kind": "path", "points": points, "at": at}


def is_drawn(chart: str) -> bool:
    """Return whether the browser has drawn a chart: False at first, True in the rerun that it then asks for."""
    place = st.empty()
    with place:
        notice = _overlay(
            key=f"drawn_{chart}", data=_data(chart, notifies=True), height=0, on_drawn_change=lambda: None
        )
    if notice.drawn:
        place.empty()
    return bool(notice.drawn)


def _data(chart: str, **others: Any) -> dict[str, Any]:
    words = {"title": "", "zoom": "", "lens": "", "answer": ""}
    gestures = {"reports": False, "draws": False, "notifies": False}
    return {"chart": chart, "session": session_name(), "marks": (), "answered": 0} | words | gestures | others


def overlay(
    chart: str,
    marks: Sequence[Mark],
    on_pick: Callable[[float, float], None] | None = None,
    on_path: Callable[[list[list[float]]], None] | None = None,
    *,
    title: str = "",
    zoom: str = "",
    lens: str = "",
    answer: str = "",
) -> None:
    """Mount the overlay of a chart.

    Args:
        chart: the chart's key.
        marks: what to draw on it.
        on_pick: called with the coordinates of a click, before the rerun; None: clicks are not reported.
        on_path: called with the corners of a path that was drawn; None: dragging is Plotly's.
        title: what the map shows, for those who do not see it.
        zoom: which parameter of the page's address holds how the map is zoomed; empty: none.
        lens: which atlas shows the decode of the point under the mouse; empty: none does.
        answer: HTML that stands where the overlay is called. It travels with the marks, so that after a click the
            browser draws one element, not many.
    """
    key = f"overlay_{chart}"
    answered = f"{key}_answered"  # the number of the last click whose answer this is

    def report_pick() -> None:
        point = reports.mapping(reports.last(key, "pick"))
        x, y = reports.finite(point.get("x")), reports.finite(point.get("y"))
        if on_pick is not None and x is not None and y is not None:
            st.session_state[answered] = reports.index(point.get("number")) or 0
            on_pick(x, y)

    def report_path() -> None:
        corners = reports.points(reports.mapping(reports.last(key, "path")).get("points"))
        if on_path is not None and corners is not None:
            on_path(corners)

    data = _data(
        chart,
        title=title,
        zoom=zoom,
        marks=tuple(marks),
        lens=lens,
        answer=answer,
        answered=st.session_state.get(answered, 0),
        reports=on_pick is not None,
        draws=on_path is not None,
    )
    _overlay(key=key, data=data, on_pick_change=report_pick, on_path_change=report_path)
