"""A Plotly chart of the page and the overlay on it, which reports clicks as exact coordinates and draws marks.

The chart is drawn once and stays; marks and clicks travel alone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from explorer.latent import Window

__all__ = ["Mark", "atlas", "chart", "dots", "drawn", "ellipse", "moment", "overlay", "path", "pick", "ring"]

Mark = dict[str, Any]

_FOLDER = Path(__file__).parent
_overlay = st.components.v2.component("map_overlay", js=(_FOLDER / "overlay.js").read_text(), isolate_styles=False)
_atlas = st.components.v2.component("map_atlas", js=(_FOLDER / "atlas.js").read_text())


def chart(figure: go.Figure, *, key: str) -> None:
    """The chart; the page's style keeps those whose key begins with `map_` square."""
    st.plotly_chart(
        figure,
        key=key,
        height="stretch" if key.startswith("map_") else "content",
        config={
            "scrollZoom": key.startswith("map_"),
            "doubleClick": False,  # two quick clicks are two picks; the toolbar resets the axes
            "doubleClickDelay": 500,  # milliseconds, for the legend: 300, the default, are few on a busy computer
            "displaylogo": False,
            "toImageButtonOptions": {"filename": key, "scale": 2},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
    )


def atlas(chart: str, area: Window, n: int, image: str) -> None:
    """Send the atlas of a chart, which lets its overlay decode the point under the mouse without the server.

    Args:
        chart: the chart's key.
        area: what the atlas holds: the outermost of its decodes stand on the edges.
        n: decodes along each side.
        image: `images.atlas_uri` of the decodes.
    """
    data = {"chart": chart, "left": area.left, "top": area.top, "side": area.side, "n": n, "image": image}
    _atlas(key=f"atlas_{chart}", data=data, height=0)


def pick(x: float, y: float) -> Mark:
    """The point that the user chose: a cross."""
    return {"kind": "pick", "points": [[x, y]]}


def ring(x: float, y: float) -> Mark:
    """A test digit: a ring."""
    return {"kind": "ring", "points": [[x, y]]}


def ellipse(outline: Sequence[Sequence[float]]) -> Mark:
    """A closed line through points: the spread of a Gaussian."""
    return {"kind": "ellipse", "points": outline}


def dots(points: Sequence[Sequence[float]]) -> Mark:
    """Random points."""
    return {"kind": "dots", "points": points}


def path(points: Sequence[Sequence[float]], at: int) -> Mark:
    """A way with a dot at its point number `at`."""
    return {"kind": "path", "points": points, "at": at}


def moment(x: float) -> Mark:
    """A vertical line through all panels of a chart."""
    return {"kind": "moment", "points": [[x, 0]]}


def drawn(chart: str) -> bool:
    """Whether the browser has drawn a chart; False at first, and True in the rerun that it asks for once it has."""
    data = {"chart": chart, "marks": [], "reports": False, "answer": "", "asks": True}
    return bool(_overlay(key=f"drawn_{chart}", data=data, height=0, on_drawn_change=lambda: None).drawn)


def overlay(
    chart: str, marks: Sequence[Mark], on_pick: Callable[[float, float], None] | None = None, answer: str = ""
) -> None:
    """Mount the overlay of a chart.

    Args:
        chart: the chart's key.
        marks: what to draw on it.
        on_pick: called with the coordinates of a click, before the rerun; None: clicks are not reported.
        answer: HTML that stands where the overlay is called. It travels with the marks, so that after a click the
            browser draws one element, not many.
    """
    key = f"overlay_{chart}"

    def report() -> None:
        point = st.session_state[key].get("pick")
        if on_pick is not None and point is not None:
            on_pick(float(point["x"]), float(point["y"]))

    data = {"chart": chart, "marks": list(marks), "reports": on_pick is not None, "answer": answer, "asks": False}
    _overlay(key=key, data=data, on_pick_change=report)
