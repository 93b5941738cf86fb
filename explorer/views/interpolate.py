"""Interpolate: the straight way from one point to another, decoded by both models."""

from functools import partial
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, images, latent, map_layers, selection
from explorer.cache import MANY, cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.components.card import films, markup, picture
from explorer.maps import Map, MapPair
from explorer.models import ModelPair

__all__ = ["FRAME", "FRAMES", "IMAGES", "KINDS", "TEST_DIGIT", "default_image", "render", "reset"]

TEST_DIGIT, PICK = "test digit", "pick"  # what an end can be
FRAMES = 21  # both ends included
FRAME = Choice("frame", FRAMES // 2)
# The first 2 and the first 6 of the test images: they share little, so the way is long.
START_DIGITS = {"from": 2, "to": 6}
LABELS = {"from": "From", "to": "To"}
KINDS = {end: Choice(end, TEST_DIGIT) for end in LABELS}
IMAGES = {end: Choice(f"{end}_image", 0) for end in LABELS}  # the default is of the models: see `default_image`


def render(pair: ModelPair) -> None:
    """Draw the tab: two ends, the slider, both maps with the way on them, both films."""
    st.markdown(
        "**Move the slider** along the straight way between two points. Look at the middle: does the picture stay a "
        "digit, and does it change evenly or all at once? A way across a gap shows in both."
    )
    maps = selection.chosen_maps(pair)
    controls = st.container()
    places = []
    for column, map_ in zip(st.columns(2), maps, strict=True):
        column.markdown(f"#### {map_.model.title}")
        map_place, frame_place = column.columns([3, 2])
        with map_place:
            figure = map_layers.codes_figure(map_, selection.CODES_SHOWN.value, small=True)
            latent_map.chart(figure, key=f"map_small_{map_.model.name}", size="small")
        places.append(frame_place)
    _ends(pair, maps, controls, places)


# One fragment: what reruns may write only where it wrote in the last full run, so no other may share the maps with it.
@st.fragment
def _ends(pair: ModelPair, maps: MapPair, controls: DeltaGenerator, places: list[DeltaGenerator]) -> None:
    with controls, catalog.show_errors():
        for column, end in zip(st.columns(2), LABELS, strict=True):
            with column:
                _end(end, pair, maps)
        at = st.slider(
            f"Frame: 0 is the start, {FRAMES - 1} the end",
            0,
            FRAMES - 1,
            FRAME.default,
            **FRAME.bound,
        )
        strips = st.container()
    with catalog.show_errors():
        interpolations = [_interpolation(map_, *(_end_point(end, pair, map_) for end in LABELS)) for map_ in maps]
        for place, map_, found in zip(places, maps, interpolations, strict=True):
            with place:
                latent_map.overlay(
                    f"map_small_{map_.model.name}",
                    [latent_map.path(found.points, at)],
                    on_pick=partial(selection.set_pick, map_) if any(map(_is_pick, LABELS)) else None,
                    answer=markup(
                        [
                            picture(
                                found.pictures[at],
                                f"{map_.model.short}: frame {at}",
                                name=f"frame-{map_.model.name}",
                            )
                        ],
                        kind="frame",
                    ),
                )
        with strips:
            films(
                {
                    model.short: (found.strip, f"the {model.short}'s decodes along the way")
                    for model, found in zip(pair, interpolations, strict=True)
                },
                name="way",
                frames=FRAMES,
                at=at,
            )


class Interpolation(NamedTuple):
    """Points along a line in latent space, and their decodes."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    strip: str  # all of them side by side, a data URI


@cached(entries=MANY)
def _interpolation(map_: Map, start: tuple[float, ...], end: tuple[float, ...]) -> Interpolation:
    """Decode the straight line between two latent points at once: the slider along it decodes nothing."""
    codes = latent.path(start, end, FRAMES)
    decodes = map_.model.decode(codes)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Interpolation(map_.project(codes).tolist(), pictures, images.data_uri(images.strip(decodes)))


def _end(end: str, pair: ModelPair, maps: MapPair) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            LABELS[end], [TEST_DIGIT, PICK], default=TEST_DIGIT, required=True, **KINDS[end].bound
        )
        if kind == PICK:
            _pick_end(end, maps)
        else:
            _digit_end(end, pair)


def _digit_end(end: str, pair: ModelPair) -> None:
    image = st.number_input(
        "Test image", 0, len(pair.labels) - 1, default_image(pair, end), width=90, **IMAGES[end].bound
    )
    class_key = f"{end}_class"  # follows the image; not in the URL
    st.session_state[class_key] = int(pair.labels[image])
    st.selectbox("Digit", range(10), key=class_key, on_change=_set_end_class, args=(pair, end), width=75)
    st.button("Another", key=f"{end}_another", on_click=_next_end_image, args=(pair, end))


def _pick_end(end: str, maps: MapPair) -> None:
    if end == "to" and _is_pick("from"):
        st.markdown("Both ends are the same pick: choose a test digit for one.")
        return
    for map_ in maps:
        selection.pick_inputs(map_)


def default_image(pair: ModelPair, end: str) -> int:
    """Return the test image of an end, `from` or `to`, until another is chosen."""
    return _another_image(pair, START_DIGITS[end], after=-1)


def reset(pair: ModelPair) -> None:
    """Reset both ends for another experiment, where the old images mean nothing."""
    for end in LABELS:
        IMAGES[end].set(default_image(pair, end))


def _another_image(pair: ModelPair, digit: int, after: int) -> int:
    """Return the next test image of a class, from the front again after the last; image 0 if there is none."""
    own = np.flatnonzero(pair.labels == digit)
    later = own[own > after]
    return int(later[0] if len(later) else own[0] if len(own) else 0)


def _set_end_class(pair: ModelPair, end: str) -> None:
    IMAGES[end].set(_another_image(pair, st.session_state[f"{end}_class"], after=-1))


def _next_end_image(pair: ModelPair, end: str) -> None:
    image = _end_image(pair, end)
    IMAGES[end].set(_another_image(pair, int(pair.labels[image]), after=image))


def _end_image(pair: ModelPair, end: str) -> int:
    return int(st.session_state.get(IMAGES[end].name, default_image(pair, end)))


def _is_pick(end: str) -> bool:
    return bool(st.session_state.get(KINDS[end].name) == PICK)


def _end_point(end: str, pair: ModelPair, map_: Map) -> tuple[float, ...]:
    """Return an end in a model's latent space: its code of the test image, or its pick."""
    if _is_pick(end):
        return tuple(map_.lift(selection.pick(map_)).tolist())
    return tuple(map_.model.codes.code[_end_image(pair, end)].tolist())
