"""Explore: both latent spaces, and what the decoders make of any point of them."""

from functools import partial

import streamlit as st

from explorer import images, latent, library
from explorer.components import latent_map
from explorer.components.card import card, picture
from explorer.library import Twin, Twins
from explorer.state import Key, State

__all__ = ["render"]


def render(twins: Twins, state: State) -> None:
    """The tab: the maps, the picks, the ringed digit."""
    _maps(twins)
    _picks(twins, state)


@st.fragment
def _maps(twins: Twins) -> None:
    text, left, right = st.columns([5, 2, 3], vertical_alignment="bottom")
    text.markdown(
        "**Click anywhere on a map** to see what its decoder makes of that point. Look for gaps between the clusters "
        "and at what lies in them. Both models were trained on the same digits."
    )
    face = left.segmented_control(
        "What the maps show",
        ["codes", "grid"],
        default="codes",
        required=True,
        key=Key.FACE,
        bind="query-params",
        help="*codes*: where the encoder puts each test image, in its grey original. "
        "*grid*: what the decoder makes of each place.",
    )
    n = right.slider(
        "Decodes along each side of the grid", 5, 40, 20, key=Key.GRID, bind="query-params", disabled=face != "grid"
    )
    with library.sentences():
        for column, twin in zip(st.columns(2), twins, strict=True):
            with column:
                st.markdown(f"#### {twin.title}")
                figure = library.grid_figure(twin, n) if face == "grid" else library.codes_figure(twin, State.shown())
                latent_map.chart(figure, key=f"map_{twin.name}")


@st.fragment
def _picks(twins: Twins, state: State) -> None:
    with library.sentences():
        halves = st.columns(2)
        left, right = st.columns(2, vertical_alignment="center")
        with left:  # first: a link may name the digit that both maps ring
            digit = state.digit_input()
            st.markdown(f"**The same image at both rings**, a {twins.digits[digit]}: it has a code in each space.")
        for half, twin in zip(halves, twins, strict=True):
            with half:
                _pick(twin, state, digit)
        with right:
            _ringed(twins, digit)


def _pick(twin: Twin, state: State, digit: int) -> None:
    left, right = st.columns([2, 3])
    with right, st.container(horizontal=True):
        state.pick_inputs(twin)
    point = state.pick(twin)
    latent_map.overlay(
        f"map_{twin.name}",
        [latent_map.ring(*twin.codes.code[digit].tolist()), latent_map.pick(*point)],
        on_pick=partial(state.set_pick, twin),
    )
    near = latent.nearest(twin.codes.code, point)
    nearest_digit = twin.codes.digit[near.image]
    percentile = latent.gap_percentile(near.neighbour_distance, twin.neighbour_distances)
    where = f"({point[0]:.3g}, {point[1]:.3g})".replace("-", "−")
    verdict = "In a gap" if percentile > 99 else "Where codes are thin" if percentile > 90 else "Among the codes"
    with left:
        card(
            [
                picture(
                    images.data_uri(twin.decode([point])[0]),
                    f"{twin.short}: decode of {where}",
                    name=f"pick-{twin.name}",
                )
            ]
        )
    with right:
        card(
            [],
            f"Decode of {where}",
            f"Nearest test code: <b>a {nearest_digit}</b> (image {near.image}), {near.distance:.3g} away.",
            f"<b>{verdict}</b>: its {latent.NEIGHBOUR}th nearest code is {near.neighbour_distance:.3g} away. "
            f"{percentile:.0f} % of the codes have theirs nearer.",
            kind="text",
        )


def _ringed(twins: Twins, digit: int) -> None:
    pictures = [
        picture(
            images.data_uri(twin.decode(twin.codes.code[[digit]])[0]),
            f"the {twin.short}'s decode of its own code",
            name=f"ringed-{twin.name}",
            caption=f"{twin.short}'s decode",
        )
        for twin in twins
    ]
    original = library.original(twins, digit)
    if original is not None:
        pictures.insert(0, picture(images.data_uri(original), "the original", name="original", caption="original"))
    card(pictures, kind="row")
    if original is None:
        st.caption("The original image is not on this computer.", help=library.HOW_TO_GET_ORIGINALS)
