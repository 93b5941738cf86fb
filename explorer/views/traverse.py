"""Traverse: what each latent dimension does, from the pick on."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from explorer import catalog, figures, images, metrics, selection
from explorer.cache import MANY, cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.components.card import card, films, picture
from explorer.metrics import INACTIVE_KL
from explorer.models import Model, ModelPair

__all__ = ["render", "reset"]

FRAMES = 13  # half a standard deviation each
REACH = 3  # standard deviations to either side
PAGE = 8  # dimensions at a time
DIMENSIONS = Choice("dimensions", "")  # a page of them, as `1 to 8`


def render(pair: ModelPair) -> None:
    """Draw the tab: the mean KL of each dimension, and a slider and two film strips for each."""
    kl = pair.vae.kl_of_dimensions
    inactive = int((kl < INACTIVE_KL).sum())
    st.markdown(
        "**Each row moves one latent dimension**, from 3 standard deviations below your pick (Explore) to 3 above. "
        "Look for rows in which nothing changes: the VAE has switched "
        f"{inactive or 'none'} of its {len(kl)} dimensions off. The bars say how much a dimension tells the decoder of "
        "an image."
    )
    with catalog.show_errors():
        latent_map.chart(_kl_figure(pair), key="kl")
        _rows(pair)


@cached(entries=MANY)
def _strips(model: Model, z: tuple[float, ...], dimensions: tuple[int, ...]) -> list[str]:
    """Decode a film strip along each of some dimensions: `REACH` standard deviations to either side; data URIs."""
    steps = np.linspace(-REACH, REACH, FRAMES)
    moves = steps[None, :, None] * (np.eye(len(z)) * model.traversal_unit)[list(dimensions), None]
    decodes = model.decode((np.array(z) + moves).reshape(-1, len(z)))
    return [images.data_uri(images.strip(strip)) for strip in np.split(decodes, len(dimensions))]


@cached()
def _kl_figure(pair: ModelPair) -> go.Figure:
    """Draw the mean KL of each of the VAE's dimensions."""
    return figures.kl_bars(pair.vae.kl_of_dimensions, metrics.INACTIVE_KL)


@st.fragment
def _rows(pair: ModelPair) -> None:
    with catalog.show_errors():
        picks = [map_.lift(selection.pick(map_)) for map_ in selection.chosen_maps(pair)]
        left, right = st.columns([1, 2])
        with right:
            shown = _page_input(pair.latent_dim)
            strips = [_strips(model, tuple(z.tolist()), tuple(shown)) for model, z in zip(pair, picks, strict=True)]
            for row, dimension in enumerate(shown):
                control, film = st.columns([1, 2], vertical_alignment="center")
                with control:
                    _move_input(dimension, pair.vae.kl_of_dimensions[dimension] < INACTIVE_KL)
                with film:
                    films(
                        {
                            model.short: (pictures[row], f"the {model.short}'s decodes along dimension {dimension + 1}")
                            for model, pictures in zip(pair, strips, strict=True)
                        },
                        name=f"dimension-{dimension + 1}",
                        frames=FRAMES,
                        at=round((_offset(dimension) / REACH + 1) / 2 * (FRAMES - 1)),
                    )
        with left:
            moves = np.array([_offset(dimension) for dimension in range(pair.latent_dim)])
            text = "the pick" + "".join(f", dimension {at + 1} by {moves[at]:g} sd" for at in np.flatnonzero(moves))
            for model, z, place in zip(pair, picks, st.columns(2), strict=True):
                decode = model.decode([z + moves * model.traversal_unit])[0]
                with place:
                    st.markdown(f"#### {model.short}")
                    card(
                        [picture(images.data_uri(decode), f"{model.short}: {text}", name=f"moved-{model.name}")],
                        kind="frame",
                    )
            st.button("Back to the pick", on_click=reset, args=(pair,))


def _move(dimension: int) -> Choice[float]:
    """Return the choice of an offset from the pick along a dimension, from 0, in standard deviations."""
    return Choice(f"move_{dimension + 1}", 0.0)


def _offset(dimension: int) -> float:
    offset = float(_move(dimension).value)
    return offset if abs(offset) <= REACH else 0.0


def _move_input(dimension: int, inactive: bool) -> None:
    label = f"Dimension {dimension + 1} (sd)" + (", off" if inactive else "")
    st.slider(label, -float(REACH), float(REACH), 0.0, step=0.5, **_move(dimension).bound)


def reset(pair: ModelPair) -> None:
    """Reset all offsets: go back to the pick."""
    for dimension in range(pair.latent_dim):
        _move(dimension).set(0.0)


def _page_input(latent_dim: int) -> list[int]:
    """Draw the widget that pages through the dimensions, where there are more than a page; return those shown."""
    pages = [range(first, min(first + PAGE, latent_dim)) for first in range(0, latent_dim, PAGE)]
    if len(pages) == 1:
        return list(pages[0])
    names = [f"{page.start + 1} to {page.stop}" for page in pages]
    chosen = st.segmented_control("Dimensions", names, default=names[0], required=True, **DIMENSIONS.bound)
    return list(pages[names.index(chosen)])
