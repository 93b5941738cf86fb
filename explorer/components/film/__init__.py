"""The film of a fit, on the maps: codes glide between recorded moments, in the browser, without a run of the server."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.components import reports
from explorer.components.scripts import script

__all__ = ["Trajectories", "film", "quantise"]

_FOLDER = Path(__file__).parent
_MAPS = _FOLDER.parent / "latent_map"
_film = st.components.v2.component(
    "film",
    js=script(
        *(_MAPS / name for name in ("plotly.js", "marks.js", "names.js", "symbols.js")),
        *(_FOLDER / name for name in ("paint.js", "film.js")),
    ),
    css=(_FOLDER / "film.css").read_text(),
    isolate_styles=False,
)
STEPS = 65535  # of a coordinate: far less than a pixel each


class Trajectories(NamedTuple):
    """The points of one map at all moments, as the browser takes them."""

    chart: str  # its key
    points: str  # base64 of little-endian uint16, (moments, n, 2): `low + value / 65535 * span`
    low: float
    span: float


def quantise(chart: str, points: NDArray[Any]) -> Trajectories:
    """Pack the points of a map, (moments, n, 2)."""
    low, high = float(points.min()), float(points.max())
    span = max(high - low, 1e-9)
    steps = np.round((points - low) / span * STEPS).astype("<u2")
    return Trajectories(chart, base64.b64encode(steps.tobytes()).decode(), low, span)


def film(
    trajectories: Sequence[Trajectories],
    labels: NDArray[Any],
    names: Sequence[str],
    colours: Sequence[str],
    symbols: Sequence[str],
    *,
    circled: bool,
    moments: Sequence[int],
    at: int,
    curves: str,
    when: Mapping[str, Sequence[float]],
    on_moment: Callable[[int], None],
) -> None:
    """Mount the film and its controls: play, pause, a slider, the speed.

    Args:
        trajectories: of the codes of each map.
        labels: the class of each point, (n,).
        names: of the classes.
        colours: of the classes.
        symbols: of the classes, as `figures.SYMBOLS`.
        circled: whether the names are so short that they stand in circles.
        moments: the weight updates at which the points were recorded.
        at: the index of the moment that is shown at first.
        curves: the key of the chart of the training curves, over which a line follows.
        when: where each moment is on its horizontal axis, a line each: by its colour, black if empty.
        on_moment: called with the index of the moment at which the film was stopped, or to which it was moved.
    """

    def report() -> None:
        moment = reports.index(reports.last("film", "moment"), len(moments))
        if moment is not None:
            on_moment(moment)

    data = {
        "trajectories": tuple(each._asdict() for each in trajectories),
        "labels": tuple(int(label) for label in labels),
        "names": tuple(names),
        "colours": tuple(colours),
        "symbols": tuple(symbols),
        "circled": circled,
        "moments": tuple(moments),
        "at": at,
        "curves": curves,
        "when": tuple({"colour": colour, "at": tuple(at)} for colour, at in when.items()),
    }
    _film(key="film", data=data, on_moment_change=report)
