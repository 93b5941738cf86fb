"""The maps: figures of both faces, what the browser's lens needs, and what a classifier reads on them."""

import hashlib
from typing import Any

import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer import atlas as atlases
from explorer import catalog, figures, images, latent, measures
from explorer.atlas import Atlas
from explorer.cache import cached
from explorer.twins import Twin

__all__ = ["atlas", "codes_figure", "decoder_name", "grid_figure", "widest_gap"]

Array = NDArray[Any]

READING_SIDE = 100  # places along each side of a map that the classifier reads


@cached()
def codes_figure(twin: Twin, shown: int, small: bool = False, read: bool = False) -> go.Figure:
    """The codes face of a map, with the first so many test codes, over what the classifier reads where it is asked."""
    reading = _reading_picture(twin) if read else ""
    points, digits = twin.points[:shown], twin.codes.digit[:shown]
    return figures.codes_map(points, digits, twin.window, twin.axes, small=small, reading=reading)


@cached("Decoding the grid …")
def grid_figure(twin: Twin, n: int, read: bool = False) -> go.Figure:
    """The grid face of a map, with n x n decodes, under what the classifier reads where it is asked."""
    reading = _reading_picture(twin) if read else ""
    decodes = twin.decode(twin.plane.lift(latent.grid(twin.window, n)))
    return figures.grid_map(images.data_uri(images.tile(decodes, n)), twin.window, twin.axes, reading=reading)


@cached()
def widest_gap(twin: Twin) -> latent.Gap:
    """The largest empty disc among the codes of a twin's map; see `latent.widest_gap`."""
    return latent.widest_gap(twin.points, twin.window)


@cached()
def atlas(twin: Twin) -> Atlas:
    """The decodes of a twin's window."""
    return atlases.atlas(lambda points: twin.decode(twin.plane.lift(points)), twin.window)


def decoder_name(twin: Twin) -> str:
    """Tells the maps that a browser may meet apart: by their decoder, and by the plane that they show."""
    return hashlib.sha256(repr(twin.key).encode()).hexdigest()[:12]


@cached("Reading the plane …")
def _reading_picture(twin: Twin) -> str:
    """A twin's window, each place in the colour of the digit that the classifier reads there, paled by its confidence:
    a data URI."""
    points = latent.grid(twin.window, READING_SIDE)
    probabilities = measures.read(catalog.classifier(twin), twin.decode(twin.plane.lift(points)))
    return images.data_uri(figures.reading_colours(probabilities.reshape(READING_SIDE, READING_SIDE, -1)))
