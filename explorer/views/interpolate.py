"""Interpolate: the straight path from one point to another, decoded by both models."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, images, latent, originals, selection
from explorer.cache import cached
from explorer.choices import Choice, renamed_input
from explorer.components import latent_map
from explorer.components.card import film_strips, markup, picture
from explorer.maps import Map
from explorer.models import Model, ModelPair
from explorer.stage import Stage, draw_close_ups, lay_over

__all__ = ["FRAME", "FRAMES", "IMAGES", "KINDS", "TEST_IMAGE", "default_image", "render", "reset", "start_classes"]

Array = NDArray[Any]

TEST_IMAGE, PICK, DRAWING = "test digit", "pick", "what you drew"  # what an end can be; the first is that of old links
FRAMES = 21  # both ends included
FRAME = Choice("frame", FRAMES // 2)
# The first 2 and the first 6 of MNIST's test images share little, so the way is long.
START_CLASSES = (2, 6)
LABELS = {"from": "From", "to": "To"}
KINDS = {end: Choice(end, TEST_IMAGE) for end in LABELS}
IMAGES = {end: Choice(f"{end}_image", 0) for end in LABELS}  # the default is of the models: see `default_image`


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: two ends, the slider, the path on both maps, both films."""
    maps = stage.maps
    at = st.slider(f"Frame: 0 is the start, {FRAMES - 1} the end", 0, FRAMES - 1, FRAME.default, **FRAME.bound)
    with st.container(horizontal=True, gap="large", key="ends"):
        for end in LABELS:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
                _end(end, pair)
    strips = st.container()
    with stage.viewer, catalog.show_errors():
        if any(map(_is_pick, LABELS)):
            st.caption("Click a map to move its pick.")
        if selection.drawing().image is None and any(KINDS[end].value == DRAWING for end in LABELS):
            st.caption(f"{_nothing_drawn(pair)}. Until then a test {pair.classes.image} stands for it.")
        if all(map(_is_pick, LABELS)):
            st.markdown(f"Both ends are the same pick: choose a test {pair.classes.image} for one.")
    interpolations = [_interpolation(map_, *(_end_point(end, pair, map_) for end in LABELS)) for map_ in maps]
    laid = []
    for answer, map_, found in zip(stage.answers, maps, interpolations, strict=True):
        short = map_.model.short
        with answer:
            shown = picture(
                found.pictures[at], f"{short}: frame {at}", name=f"frame-{map_.model.name}", caption=f"frame {at}"
            )
            laid.append(
                lay_over(
                    map_,
                    [latent_map.path_mark(found.points, at)],
                    on_pick=partial(selection.set_pick, map_) if any(map(_is_pick, LABELS)) else None,
                    answer=markup([shown], kind="pick"),
                )
            )
    with stage.viewer:
        draw_close_ups(laid)
    with strips:
        film_strips(
            {
                model.short: (found.strip, f"the {model.short}'s decodes along the path")
                for model, found in zip(pair, interpolations, strict=True)
            },
            name="way",
            frames=FRAMES,
            at=at,
        )
    st.markdown(
        "**Move the slider** along the straight path between two points. Look at the middle: is it still "
        f"{pair.classes.recognised}, and does it change evenly or all at once?"
    )
    if any(map(_is_pick, LABELS)):
        selection.picks_inputs(maps)


class Interpolation(NamedTuple):
    """Points along a line in latent space, and their decodes."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    strip: str  # all of them side by side, a data URI


@cached()
def _interpolation(map_: Map, start: tuple[float, ...], end: tuple[float, ...]) -> Interpolation:
    """Decode the straight line between two latent points at once: the slider along it decodes nothing."""
    codes = latent.linear_interpolation(start, end, FRAMES)
    decodes = map_.model.decode(codes)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Interpolation(map_.project(codes).tolist(), pictures, images.data_uri(images.side_by_side(decodes)))


def _end(end: str, pair: ModelPair) -> None:
    drawn = selection.drawing().image is not None
    words = {TEST_IMAGE: f"test {pair.classes.image}", PICK: PICK}
    if drawn or KINDS[end].value == DRAWING:  # of a page that is loaded anew, the browser hands the drawing over later
        words[DRAWING] = DRAWING
    nothing = f"{_nothing_drawn(pair)}, and it can be an end, too."
    st.markdown(f"**{LABELS[end]}**", help=None if drawn else nothing, width="content")
    kind = renamed_input(LABELS[end], KINDS[end], words, label_visibility="collapsed")
    if kind == TEST_IMAGE or (kind == DRAWING and not drawn):
        _image_end(end, pair)


def _nothing_drawn(pair: ModelPair) -> str:
    return f"Nothing is drawn yet: draw {pair.classes.an_image} in the Draw tool"


def _image_end(end: str, pair: ModelPair) -> None:
    image = st.number_input(
        "Test image",
        0,
        len(pair.labels) - 1,
        default_image(pair, end),
        label_visibility="collapsed",
        icon=":material/image:",
        width=110,
        **IMAGES[end].bound,
    )
    class_key = f"{end}_class"  # follows the image; not in the URL
    st.session_state[class_key] = int(pair.labels[image])
    st.selectbox(
        pair.classes.noun.capitalize(),
        np.unique(pair.labels).tolist(),
        key=class_key,
        format_func=pair.classes.called if pair.classes.are_digits else pair.classes.names.__getitem__,
        label_visibility="collapsed",
        on_change=_set_end_class,
        args=(pair, end),
        width=100 if pair.classes.fit_labels else 170,
    )
    st.button("Another", key=f"{end}_another", on_click=_next_end_image, args=(pair, end))


def default_image(pair: ModelPair, end: str) -> int:
    """Return the test image of an end, `from` or `to`, until another is chosen."""
    start, stop = start_classes(pair)
    first = _another_image(pair, start, after=-1)
    return first if end == "from" else _another_image(pair, stop, after=first if start == stop else -1)


def start_classes(pair: ModelPair) -> tuple[int, int]:
    """Return the classes of both ends until others are chosen: the first and the last where there are no 2 and 6."""
    labels = np.unique(pair.labels).tolist()
    if set(START_CLASSES) <= set(labels):
        return START_CLASSES
    return labels[0], labels[-1]


def reset(pair: ModelPair) -> None:
    """Reset both ends for another experiment, where the old images mean nothing."""
    for end in LABELS:
        IMAGES[end].set(default_image(pair, end))


def _another_image(pair: ModelPair, label: int, after: int) -> int:
    """Return the next test image of a class, from the front again after the last; image 0 if there is none."""
    own = np.flatnonzero(pair.labels == label)
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


@cached()
def _code_of_drawing(pair: ModelPair, model: Model, drawn: Array) -> tuple[float, ...]:
    """Encode a picture in the data set's form, uint8 (28, 28)."""
    code, _ = originals.encoded(pair, model, drawn[None])
    return tuple(np.asarray(code[0], float).tolist())


def _end_point(end: str, pair: ModelPair, map_: Map) -> tuple[float, ...]:
    """Return an end in a model's latent space: its code of the test image, its pick, or its code of what is drawn."""
    drawn = selection.drawing().image
    if st.session_state.get(KINDS[end].name) == DRAWING and drawn is not None:
        return _code_of_drawing(pair, map_.model, drawn)
    if _is_pick(end):
        return tuple(map_.lift(selection.pick(map_)).tolist())
    return tuple(map_.model.codes.code[_end_image(pair, end)].tolist())
