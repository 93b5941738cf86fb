"""A Plotly chart of the page and the overlay on it, which reports clicks as exact coordinates and draws marks.

The chart is drawn once and stays; marks and clicks travel alone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

__all__ = ["Mark", "chart", "moment", "overlay", "path", "pick", "ring"]

Mark = dict[str, Any]

_overlay = st.components.v2.component("map_overlay", js=(Path(__file__).parent / "overlay.js").read_text())


def chart(figure: go.Figure, *, key: str) -> None:
    """The chart; the page's style keeps those whose key begins with `map_` square."""
    st.plotly_chart(
        figure,
        key=key,
        height="stretch" if key.startswith("map_") else "content",
        config={
            "scrollZoom": key.startswith("map_"),
            "doubleClick": False,  # two quick clicks are two picks; the toolbar resets the axes
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
    )


def pick(x: float, y: float) -> Mark:
    """The point that the user chose: a cross."""
    return {"kind": "pick", "points": [[x, y]]}


def ring(x: float, y: float) -> Mark:
    """A test digit: a ring."""
    return {"kind": "ring", "points": [[x, y]]}


def path(points: Sequence[Sequence[float]], at: int) -> Mark:
    """A way with a dot at its point number `at`."""
    return {"kind": "path", "points": points, "at": at}


def moment(x: float) -> Mark:
    """A vertical line through all panels of a chart."""
    return {"kind": "moment", "points": [[x, 0]]}


def overlay(chart: str, marks: Sequence[Mark], on_pick: Callable[[float, float], None] | None = None) -> None:
    """Mount the overlay of a chart.

    Args:
        chart: the chart's key.
        marks: what to draw on it.
        on_pick: called with the coordinates of a click, before the rerun; None: clicks are not reported.
    """
    key = f"overlay_{chart}"

    def report() -> None:
        point = st.session_state[key].get("pick")
        if on_pick is not None and point is not None:
            on_pick(float(point["x"]), float(point["y"]))

    data = {"chart": chart, "marks": list(marks), "reports": on_pick is not None}
    _overlay(key=key, data=data, on_pick_change=report)
