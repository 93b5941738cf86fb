"""What is drawn on a map, once for all sessions: the figures of its two faces, its atlas, its class map."""

import plotly.graph_objects as go

from explorer import atlas as atlases
from explorer import catalog, evaluation, figures, images, latent
from explorer.atlas import Atlas
from explorer.cache import cached
from explorer.maps import Map

__all__ = ["atlas", "codes_figure", "grid_figure"]

CLASS_MAP_SIDE = 100  # points along each side of a map that the classifier reads


@cached()
def codes_figure(map_: Map, shown: int, show_classes: bool = False) -> go.Figure:
    """Draw the codes face of a map, with the first so many test codes, over the class map if `show_classes`."""
    return figures.codes_map(
        map_.points[:shown],
        map_.model.codes.labels[:shown],
        map_.window,
        map_.axes,
        class_map=_class_map(map_) if show_classes else "",
    )


@cached("Decoding the grid …")
def grid_figure(map_: Map, n: int, show_classes: bool = False) -> go.Figure:
    """Draw the grid face of a map, with n x n decodes, under the class map if `show_classes`."""
    decodes = map_.decode(latent.grid(map_.window, n))
    return figures.grid_map(
        images.data_uri(images.tile(decodes, n)),
        map_.window,
        map_.axes,
        class_map=_class_map(map_) if show_classes else "",
    )


@cached()
def atlas(map_: Map) -> Atlas:
    """Decode a map's window for the lens."""
    return atlases.atlas(map_.decode, map_.window)


@cached("Reading the plane …")
def _class_map(map_: Map) -> str:
    """Colour each point of a map's window as the classifier reads its decode, paled by its confidence: a data URI."""
    decodes = map_.decode(latent.grid(map_.window, CLASS_MAP_SIDE))
    probabilities = evaluation.classify(catalog.classifier(map_.model), decodes)
    return images.data_uri(figures.class_colours(probabilities.reshape(CLASS_MAP_SIDE, CLASS_MAP_SIDE, -1)))
