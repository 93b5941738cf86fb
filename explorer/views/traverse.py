"""Traverse: what each latent dimension does, from the pick on."""

import numpy as np
import streamlit as st

from explorer import images, library
from explorer.components import latent_map
from explorer.components.card import card, films, picture
from explorer.quality import SWITCHED_OFF
from explorer.state import State
from explorer.twins import Twins

__all__ = ["render"]

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
    with library.sentences():
        latent_map.chart(library.kl_figure(twins), key="kl")
        _rows(twins, state)


@st.fragment
def _rows(twins: Twins, state: State) -> None:
    with library.sentences():
        picks = [twin.plane.lift(state.pick(twin)) for twin in twins]
        left, right = st.columns([1, 2])
        with right:
            shown = state.dimensions_page(PAGE)
            strips = [
                library.traverse(twin, tuple(z.tolist()), tuple(shown)) for twin, z in zip(twins, picks, strict=True)
            ]
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
                        frames=library.TRAVERSE_FRAMES,
                        at=round(
                            (state.move(dimension) / library.TRAVERSE_SPREADS + 1) / 2 * (library.TRAVERSE_FRAMES - 1)
                        ),
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
