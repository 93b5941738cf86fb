"""What is drawn on a map, once for all sessions: the figures of its two faces, its atlas, its class map."""

import plotly.graph_objects as go

from explorer import atlas as atlases
from explorer import catalog, evaluation, figures, images, latent
from explorer.atlas import Atlas
from explorer.cache import cached
from explorer.latent import Window
from explorer.maps import Map

__all__ = ["atlas", "close_up_figure", "codes_figure", "grid_figure"]

CLASS_MAP_SIDE = 100  # points along each side of a map that the classifier reads


@cached()
def codes_figure(map_: Map, window: Window, shown: int, show_classes: bool = False, images: bool = False) -> go.Figure:
    """Draw the codes face of a window, with the first so many test codes, over the class map if `show_classes`."""
    return figures.codes_map(
        map_.points[:shown],
        map_.model.codes.labels[:shown],
        window,
        map_.axes,
        map_.model.classes,
        class_map=_class_map(map_, window) if show_classes else "",
        images=images,
    )


@cached()
def close_up_figure(map_: Map, window: Window, shown: int) -> go.Figure:
    """Draw a small part of the codes face, with the first so many test codes."""
    model = map_.model
    return figures.close_up(map_.points[:shown], model.codes.labels[:shown], window, map_.axes, model.classes)


@cached("Decoding the grid …")
def grid_figure(map_: Map, window: Window, n: int, show_classes: bool = False) -> go.Figure:
    """Draw the grid face of a window, with n x n decodes, under the class map if `show_classes`."""
    decodes = map_.decode(latent.grid(window, n))
    return figures.grid_map(
        images.data_uri(images.tile(decodes, n)),
        window,
        map_.axes,
        class_map=_class_map(map_, window) if show_classes else "",
    )


@cached()
def atlas(map_: Map, window: Window) -> Atlas:
    """Decode a window of a map for the lens, unless that was done when its model was measured."""
    return atlases.read_atlas(map_, window) or atlases.atlas(map_.decode, window)


@cached("Reading the plane …")
def _class_map(map_: Map, window: Window) -> str:
    """Colour each point of a window as the classifier reads its decode, paled by its confidence: a data URI."""
    decodes = map_.decode(latent.grid(window, CLASS_MAP_SIDE))
    probabilities = evaluation.classify(catalog.classifier(map_.model), decodes)
    return images.data_uri(figures.class_colours(probabilities.reshape(CLASS_MAP_SIDE, CLASS_MAP_SIDE, -1)))
