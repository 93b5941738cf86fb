"""The maps: figures of both faces, what the browser's lens needs, and what a classifier reads on them."""

import hashlib
from typing import Any

import plotly.graph_objects as go
from numpy.typing import NDArray

from explorer import atlas as atlases
from explorer import catalog, evaluation, figures, images, latent
from explorer.atlas import Atlas
from explorer.cache import cached
from explorer.models import Model

__all__ = ["atlas", "codes_figure", "grid_figure", "largest_empty_circle", "map_id"]

Array = NDArray[Any]

CLASS_MAP_SIDE = 100  # places along each side of a map that the classifier reads


@cached()
def codes_figure(model: Model, shown: int, small: bool = False, read: bool = False) -> go.Figure:
    """Draw the codes face of a map, with the first so many test codes, over the class map if `read`."""
    reading = _class_map(model) if read else ""
    points, digits = model.points[:shown], model.codes.labels[:shown]
    return figures.codes_map(points, digits, model.window, model.axes, small=small, reading=reading)


@cached("Decoding the grid …")
def grid_figure(model: Model, n: int, read: bool = False) -> go.Figure:
    """Draw the grid face of a map, with n x n decodes, under the class map if `read`."""
    reading = _class_map(model) if read else ""
    decodes = model.decode(model.plane.lift(latent.grid(model.window, n)))
    return figures.grid_map(images.data_uri(images.tile(decodes, n)), model.window, model.axes, reading=reading)


@cached()
def largest_empty_circle(model: Model) -> latent.Gap:
    """Find the largest empty disc among the codes of a model's map; see `latent.largest_empty_circle`."""
    return latent.largest_empty_circle(model.points, model.window)


@cached()
def atlas(model: Model) -> Atlas:
    """Decode a model's window for the lens."""
    return atlases.atlas(lambda points: model.decode(model.plane.lift(points)), model.window)


def map_id(model: Model) -> str:
    """Return a stable id of a decoder and a plane, so that the browser never uses another map's atlas."""
    return hashlib.sha256(repr(model.key).encode()).hexdigest()[:12]


@cached("Reading the plane …")
def _class_map(model: Model) -> str:
    """A model's window, each place in the colour of the digit that the classifier reads there, paled by its confidence:
    a data URI."""
    points = latent.grid(model.window, CLASS_MAP_SIDE)
    probabilities = evaluation.read(catalog.classifier(model), model.decode(model.plane.lift(points)))
    return images.data_uri(figures.class_colours(probabilities.reshape(CLASS_MAP_SIDE, CLASS_MAP_SIDE, -1)))
