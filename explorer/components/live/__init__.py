"""A fit as it goes, on the maps: each time that codes are sent, they glide there from where they were."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.components.scripts import script
from explorer.latent import Window

__all__ = ["Moment", "show_live"]

Array = NDArray[Any]

_FOLDER = Path(__file__).parent
_live = st.components.v2.component(
    "live",
    js=script(
        *(_FOLDER.parent / "latent_map" / name for name in ("plotly.js", "names.js", "symbols.js")),
        _FOLDER.parent / "film" / "paint.js",
        _FOLDER / "live.js",
    ),
    isolate_styles=False,
)


class Moment(NamedTuple):
    """The codes of one model as it stands, on its map."""

    chart: str  # the map's key
    points: Array  # (n, 2)
    window: Window  # what the map shows
    titles: tuple[str, str]  # of its axes, which may be others than the open experiment's


def show_live(
    moments: Sequence[Moment],
    labels: Array,
    names: Sequence[str],
    colours: Sequence[str],
    symbols: Sequence[str],
    *,
    circled: bool,
) -> None:
    """Show the codes of a fit over the charts of the maps; when this is no longer called, the charts are as before.

    Args:
        moments: of each model that has begun.
        labels: the class of each code, (n,).
        names: of the classes.
        colours: of the classes.
        symbols: of the classes, as `figures.SYMBOLS`.
        circled: whether the names are so short that they stand in circles.
    """
    data = {
        "maps": tuple(
            {
                "chart": chart,
                "points": base64.b64encode(np.ascontiguousarray(points, "<f4").tobytes()).decode(),
                "window": tuple(map(float, window)),
                "titles": titles,
            }
            for chart, points, window, titles in moments
        ),
        "labels": base64.b64encode(np.ascontiguousarray(labels, np.uint8).tobytes()).decode(),
        "names": tuple(names),
        "colours": tuple(colours),
        "symbols": tuple(symbols),
        "circled": circled,
    }
    _live(key="live", data=data, height=0)
