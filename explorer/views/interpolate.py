"""Interpolate: the straight way from one point to another, decoded by both models."""

from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, images, latent, maps
from explorer.cache import cached
from explorer.components import latent_map
from explorer.components.card import films, markup, picture
from explorer.state import END_KINDS, FRAMES, Key, State
from explorer.twins import Twin, Twins

__all__ = ["render"]

ENDS = {"from": "From", "to": "To"}


def render(twins: Twins, state: State) -> None:
    """The tab: two ends, the slider, both maps with the way on them, both films."""
    st.markdown(
        "**Move the slider** along the straight way between two points. Look at the middle: does the picture stay a "
        "digit, and does it change evenly or all at once? A way across a gap shows in both."
    )
    controls = st.container()
    places = []
    for column, twin in zip(st.columns(2), twins, strict=True):
        column.markdown(f"#### {twin.title}")
        map_place, frame_place = column.columns([3, 2])
        with map_place:
            latent_map.chart(maps.codes_figure(twin, State.shown(), small=True), key=f"map_small_{twin.name}")
        places.append(frame_place)
    _ends(twins, state, controls, places)


# One fragment: what reruns may write only where it wrote in the last full run, so no other may share the maps with it.
@st.fragment
def _ends(twins: Twins, state: State, controls: DeltaGenerator, places: list[DeltaGenerator]) -> None:
    with controls, catalog.show_errors():
        for column, end in zip(st.columns(2), ENDS, strict=True):
            with column:
                _end(end, twins, state)
        at = st.slider(
            f"Frame: 0 is the start, {FRAMES - 1} the end",
            0,
            FRAMES - 1,
            FRAMES // 2,
            key=Key.FRAME,
            bind="query-params",
        )
        strips = st.container()
    with catalog.show_errors():
        ways = [_way(twin, state.end_point("from", twin), state.end_point("to", twin)) for twin in twins]
        for place, twin, way in zip(places, twins, ways, strict=True):
            with place:
                latent_map.overlay(
                    f"map_small_{twin.name}",
                    [latent_map.path(way.points, at)],
                    on_pick=partial(state.set_pick, twin) if state.is_pick("from") or state.is_pick("to") else None,
                    answer=markup(
                        [picture(way.pictures[at], f"{twin.short}: frame {at}", name=f"frame-{twin.name}")],
                        kind="frame",
                    ),
                )
        with strips:
            films(
                {
                    twin.short: (way.strip, f"the {twin.short}'s decodes along the way")
                    for twin, way in zip(twins, ways, strict=True)
                },
                name="way",
                frames=FRAMES,
                at=at,
            )


class Way(NamedTuple):
    """Points of latent space, one after another, and what the decoder makes of them."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    strip: str  # all of them side by side, a data URI


@cached()
def _way(twin: Twin, start: tuple[float, ...], end: tuple[float, ...]) -> Way:
    """The straight way between two latent points, decoded: the slider along it decodes nothing."""
    codes = latent.path(start, end, FRAMES)
    decodes = twin.decode(codes)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Way(twin.plane.project(codes).tolist(), pictures, images.data_uri(images.strip(decodes)))


def _end(end: str, twins: Twins, state: State) -> None:
    kind_key, *_ = state.end_keys(end)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            ENDS[end], list(END_KINDS), default=END_KINDS[0], required=True, key=kind_key, bind="query-params"
        )
        if kind == "pick":
            _pick_end(end, twins, state)
        else:
            _digit_end(end, twins, state)


def _digit_end(end: str, twins: Twins, state: State) -> None:
    _, image_key, class_key = state.end_keys(end)
    image = st.number_input(
        "Test image",
        0,
        len(twins.digits) - 1,
        state.default_image(end),
        key=image_key,
        bind="query-params",
        width=90,
    )
    st.session_state[class_key] = int(twins.digits[image])
    st.selectbox("Digit", range(10), key=class_key, on_change=state.take_class, args=(end,), width=75)
    st.button("Another", key=f"{end}_another", on_click=state.take_another, args=(end,))


def _pick_end(end: str, twins: Twins, state: State) -> None:
    if end == "to" and state.is_pick("from"):
        st.markdown("Both ends are the same pick: choose a test digit for one.")
        return
    for twin in twins:
        state.pick_inputs(twin)
