"""Traverse: what each latent dimension does, from the pick on."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from explorer import catalog, figures, images, quality
from explorer.cache import cached
from explorer.components import latent_map
from explorer.components.card import card, films, picture
from explorer.quality import SWITCHED_OFF
from explorer.state import TRAVERSE_REACH, State
from explorer.twins import Twin, Twins

__all__ = ["render"]

FRAMES = 13  # half a standard deviation each
PAGE = 8  # dimensions at a time


def render(twins: Twins, state: State) -> None:
    """The tab: how much each dimension says, and a slider and two films for each."""
    kl = twins.vae.kl_of_dimensions
    off = int((kl < SWITCHED_OFF).sum())
    st.markdown(
        "**Each row moves one latent dimension**, from 3 standard deviations below your pick (Explore) to 3 above. "
        f"Look for rows in which nothing changes: the VAE has switched {off or 'none'} of its {len(kl)} dimensions "
        "off. The bars say how much a dimension tells the decoder of an image."
    )
    with catalog.show_errors():
        latent_map.chart(_kl_figure(twins), key="kl")
        _rows(twins, state)


@cached()
def _strips(twin: Twin, z: tuple[float, ...], dimensions: tuple[int, ...]) -> list[str]:
    """For each of some dimensions a film strip, a data URI: a latent point moved along it, by up to `TRAVERSE_REACH`
    standard deviations to either side."""
    steps = np.linspace(-TRAVERSE_REACH, TRAVERSE_REACH, FRAMES)
    moves = steps[None, :, None] * (np.eye(len(z)) * twin.spread)[list(dimensions), None]
    decodes = twin.decode((np.array(z) + moves).reshape(-1, len(z)))
    return [images.data_uri(images.strip(strip)) for strip in np.split(decodes, len(dimensions))]


@cached()
def _kl_figure(twins: Twins) -> go.Figure:
    """How much each of the VAE's dimensions says."""
    return figures.kl_bars(twins.vae.kl_of_dimensions, quality.SWITCHED_OFF)


@st.fragment
def _rows(twins: Twins, state: State) -> None:
    with catalog.show_errors():
        picks = [twin.plane.lift(state.pick(twin)) for twin in twins]
        left, right = st.columns([1, 2])
        with right:
            shown = state.dimensions_page(PAGE)
            strips = [_strips(twin, tuple(z.tolist()), tuple(shown)) for twin, z in zip(twins, picks, strict=True)]
            for row, dimension in enumerate(shown):
                control, film = st.columns([1, 2], vertical_alignment="center")
                with control:
                    state.move_input(dimension, twins.vae.kl_of_dimensions[dimension] < SWITCHED_OFF)
                with film:
                    films(
                        {
                            twin.short: (pictures[row], f"the {twin.short}'s decodes along dimension {dimension + 1}")
                            for twin, pictures in zip(twins, strips, strict=True)
                        },
                        name=f"dimension-{dimension + 1}",
                        frames=FRAMES,
                        at=round((state.move(dimension) / TRAVERSE_REACH + 1) / 2 * (FRAMES - 1)),
                    )
        with left:
            moves = np.array([state.move(dimension) for dimension in range(twins.latent_dim)])
            told = "the pick" + "".join(f", dimension {at + 1} by {moves[at]:g} sd" for at in np.flatnonzero(moves))
            for twin, z, place in zip(twins, picks, st.columns(2), strict=True):
                decode = twin.decode([z + moves * twin.spread])[0]
                with place:
                    st.markdown(f"#### {twin.short}")
                    card(
                        [picture(images.data_uri(decode), f"{twin.short}: {told}", name=f"moved-{twin.name}")],
                        kind="frame",
                    )
            st.button("Back to the pick", on_click=state.unmove)
