"""The drawings of the wall, at their codes over the maps; the one under the mouse large, with its reconstructions."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.components.scripts import script
from explorer.wall import SIDE, WallDrawing

__all__ = ["COLUMNS", "Encoded", "show_drawings"]

Array = NDArray[Any]

COLUMNS = 25  # of the pictures that hold many
_FOLDER = Path(__file__).parent
_wall = st.components.v2.component(
    "wall",
    js=script(_FOLDER.parent / "latent_map" / "plotly.js", _FOLDER / "wall.js"),
    css=(_FOLDER / "wall.css").read_text(),
    isolate_styles=False,
)


class Encoded(NamedTuple):
    """What one model makes of the drawings."""

    chart: str  # the key of its map's chart
    short: str  # what the model is called
    name: str  # of the model: `autoencoder` or `vae`
    points: Array  # the codes on the map, (n, 2)
    decodes: str  # the reconstructions in one picture, `COLUMNS` in a row: a data URI
    size: int  # of each, in pixels


def show_drawings(
    drawings: Sequence[WallDrawing], picture: str, encoded: Sequence[Encoded], *, author: str, names: bool, chosen: int
) -> None:
    """Show drawings over the charts of the maps; when this is no longer called, the charts are as before.

    Args:
        drawings: n of them, at least one, the newest last.
        picture: all of them in one, `COLUMNS` in a row: a data URI.
        encoded: by each model that there is.
        author: whose drawings are marked.
        names: whether nicknames are shown; otherwise they do not reach the browser.
        chosen: the number of the drawing that is shown large while the mouse points at none; 0: the newest is.
    """
    models = tuple(
        each._asdict() | {"points": base64.b64encode(np.ascontiguousarray(each.points, "<f4").tobytes()).decode()}
        for each in encoded
    )
    data = {
        "models": models,
        "drawings": picture,
        "size": SIDE,
        "columns": COLUMNS,
        "numbers": tuple(each.number for each in drawings),
        "sent": tuple(each.sent for each in drawings),
        "own": tuple(each.author == author for each in drawings),
        "nicknames": tuple(each.nickname if names else "" for each in drawings),
        "chosen": chosen,
    }
    _wall(key="wall", data=data)
