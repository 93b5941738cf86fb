"""Draw: a digit of one's own, as MNIST would have it, and what both models make of it."""

from html import escape
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import (
    catalog,
    drawing,
    evaluation,
    images,
    inference,
    latent,
    map_layers,
    metrics,
    originals,
    selection,
    warmup,
)
from explorer.cache import cached
from explorer.components import latent_map
from explorer.components.card import card, markup, picture
from explorer.components.pad import pad, pad_script
from explorer.drawing import BRUSH, SIDE, mnist_form, rasterize
from explorer.maps import Map, MapPair
from explorer.models import ModelPair
from explorer.selection import Drawing
from explorer.text import nats, number, with_article
from training.checkpoint import CheckpointError

__all__ = ["encode_drawing", "render", "take_report"]

Array = NDArray[Any]

UPLOADER = "upload"  # the key of the uploader's place
NOT_TAKEN = "Picture not taken"
NEAREST = "Test images with the nearest codes"
NEIGHBOURS_SHOWN = 3  # test images beside a drawn one
BLANK = '<div class="blank"></div>'
WHAT_NATS_ARE = (
    "The cross is the code of the grey picture, and the picture that comes back the decode of that code. "
    "log p(x|z), KL and ELBO are those of the picture with each pixel drawn black or white once; the VAE's log p(x|z) "
    "is the mean over its encoder's Gaussian, the ellipse."
)


def render(pair: ModelPair) -> None:
    """Draw the tab: the pad, what it becomes in MNIST's form, where it lands on both maps, what comes back."""
    st.markdown(
        "**Draw a digit**, and watch where both encoders put it. Look at what comes back: what your digit has and "
        "MNIST's have not is lost, and what is no digit becomes one, at a price in nats."
    )
    pad_script()
    maps = selection.chosen_maps(pair)
    left, *columns = st.columns(3)
    left.markdown("##### Your digit")
    places = []
    for map_, column in zip(maps, columns, strict=True):
        with column:
            st.markdown(f"##### {map_.model.title}")
            figure = map_layers.codes_figure(map_, selection.CODES_SHOWN.value, small=True)
            latent_map.chart(figure, key=f"map_drawn_{map_.model.name}", size="beside_pad")
            places.append(st.container())
    _drawing(pair, maps, left.container(), places)
    st.caption(WHAT_NATS_ARE)
    # What takes seconds once, such as loading torch, is done before the first stroke, but behind the maps.
    if warmup.first_map_is_drawn("map_drawn_vae"):
        with catalog.show_errors():
            stroke = mnist_form(rasterize([[SIDE // 2, BRUSH, SIDE // 2, SIDE - BRUSH]]))
            assert stroke is not None
            for map_ in maps:
                _answer(pair, map_, encode_drawing(pair, map_, stroke))
            _digit(pair, stroke)


@st.fragment
def _drawing(pair: ModelPair, maps: MapPair, left: DeltaGenerator, places: list[DeltaGenerator]) -> None:
    on_pad = selection.drawing()
    drawn = on_pad.form
    seen = None
    for map_, place in zip(maps, places, strict=True):
        with place, catalog.show_errors():
            key = f"map_drawn_{map_.model.name}"
            if drawn is None:
                latent_map.overlay(key, [], answer=_no_answer(map_.model.short))
                continue
            encoded = encode_drawing(pair, map_, drawn)
            seen = encoded.seen
            marks = [latent_map.pick(*encoded.point)]
            if encoded.outline:
                marks.insert(0, latent_map.outline(encoded.outline))
            latent_map.overlay(key, marks, answer=_answer(pair, map_, encoded))
    pad_place, form_place = left.container(), left.container()
    with form_place:
        _form(pair, drawn, seen, on_pad.complaint)
        with st.container(key=UPLOADER):
            _picture_input(on_pad)
    # Last: the pad sends its next report when this one's answer is there.
    with pad_place:
        _pad(on_pad)


class EncodedDrawing(NamedTuple):
    """A picture's code on the map, its reconstruction, and the terms of its ELBO."""

    seen: Array  # the picture as the model sees it, (h, w), pixels in [0, 1]
    point: list[float]  # of its code on the map
    outline: list[list[float]]  # on the map: the encoder's Gaussian, if it has one
    decode: Array  # of its code, (h, w)
    reconstruction: float  # log p(x|z) of the picture binarised, in nats
    kl: float | None  # in nats; None for the AE
    nearest: list[int]  # the test images with the nearest codes, the nearest first


@cached()
def encode_drawing(pair: ModelPair, map_: Map, picture: Array) -> EncodedDrawing:
    """Encode a picture in MNIST's form, uint8 (28, 28), with a map's model. Its code is that of the grey picture."""
    import torch

    from training.datasets import Split

    model = map_.model
    seen = torch.as_tensor(originals.reduced(pair, picture))[None]
    grey = seen.float() / 255
    code, std = model.encode(grey)
    if std is None:
        reconstruction, kl = float(model.terms(Split(seen, torch.zeros(1, dtype=torch.uint8)))[0][0]), None
    else:  # as in the Posterior tab, to the last digit
        q, elbo = inference.bound(model, originals.binarised_drawing(pair, picture))
        reconstruction, kl = elbo + q.kl, q.kl
    return EncodedDrawing(
        grey[0].numpy(),
        map_.project(code)[0].tolist(),
        map_.outline(code[0], None if std is None else std[0]),
        model.decode(code)[0],
        reconstruction,
        kl,
        latent.nearest_images(model.codes.code, code[0], NEIGHBOURS_SHOWN),
    )


def _set_picture(form: Array | None) -> None:
    """Put a picture in MNIST's form on the pad, in place of all that is on it."""
    on_pad = selection.drawing()
    on_pad.form = on_pad.base = form
    on_pad.has_base, on_pad.strokes, on_pad.complaint = form is not None, [], ""
    on_pad.version += 1


def take_report(report: dict[str, Any]) -> None:
    """Take what the pad reports, see `components.pad`; a callback."""
    on_pad = selection.drawing()
    on_pad.answered = int(report["number"])
    if report["version"] != on_pad.version:  # a file came meanwhile
        return
    on_pad.strokes, on_pad.has_base, on_pad.complaint = report["strokes"], bool(report["based"]), ""
    if on_pad.has_base and not on_pad.strokes:
        on_pad.form = on_pad.base
        return
    ink = rasterize(on_pad.strokes)
    if on_pad.has_base and on_pad.base is not None:
        ink = np.maximum(ink, drawing.enlarged(on_pad.base))
    on_pad.form = mnist_form(ink)


def _picture_input(on_pad: Drawing) -> None:
    """Draw the widget that takes a file with a picture of a digit. It is empty again when it was read."""
    key = f"picture_{on_pad.uploads}"
    st.file_uploader(
        "Or a picture: drop it here, or paste it (Ctrl+V)",
        list(drawing.FILE_TYPES),
        key=key,
        on_change=_take_file,
        args=(key,),
        help="A photograph, a scan or a screenshot of one digit, dark on light or light on dark.",
    )


def _take_file(key: str) -> None:
    file, on_pad = st.session_state[key], selection.drawing()
    if file is None:
        return
    name = file.name if len(file.name) <= 24 else f"{file.name[:11]}…{file.name[-11:]}"
    try:
        _set_picture(mnist_form(drawing.open_picture(file.getvalue(), name)))
    except drawing.DrawingError as error:
        on_pad.complaint = str(error)
    on_pad.uploads += 1


def _pad(on_pad: Drawing) -> None:
    base = images.data_uri(on_pad.base / 255) if on_pad.has_base and on_pad.base is not None else ""
    pad(
        take_report,
        version=on_pad.version,
        base=base,
        strokes=on_pad.strokes,
        answered=on_pad.answered,
        uploader=UPLOADER,
    )


def _form(pair: ModelPair, drawn: Array | None, seen: Array | None, complaint: str) -> None:
    wrong = f'<span role="alert">{escape(complaint)}</span>' if complaint else ""
    if drawn is None:
        text = wrong or "Draw with the mouse, a pen, a finger, or the arrow keys and Space."
        card([BLANK], NOT_TAKEN if wrong else "Nothing drawn", text, kind="form")
        return
    pictures = [picture(images.data_uri(drawn / 255), "the drawing in MNIST's form", name="drawn")]
    if seen is not None and not np.array_equal(seen, drawn / np.float32(255)):
        pictures.append(picture(images.data_uri(seen), "the drawing as the models see it", name="seen"))
    title = NOT_TAKEN if wrong else "In MNIST's form"
    card(pictures, title, wrong or _digit(pair, drawn), kind="form")


def _digit(pair: ModelPair, drawn: Array) -> str:
    """Say which digit the classifier reads in the drawing, as HTML; nothing where there is no classifier."""
    try:
        probabilities = evaluation.classify(catalog.classifier(pair.vae), drawn[None] / 255)[0]
    except CheckpointError:
        return ""
    confidence = probabilities.max()
    digit = f"<b>{with_article(probabilities.argmax())}</b>, {confidence:.0%} sure".replace("%", "&nbsp;%")
    return (
        f"A classifier reads {digit}." if confidence >= metrics.MIN_CONFIDENCE else f"A classifier is unsure: {digit}."
    )


def _answer(pair: ModelPair, map_: Map, encoded: EncodedDrawing) -> str:
    """Show what becomes of the drawing, and the test images nearest to it, as HTML."""
    model, window = map_.model, map_.window
    test = model.checkpoint.test
    lines = [f"Test images: {number(test['reconstruction'], '.1f')} on average."]
    if encoded.kl is not None:
        elbo = encoded.reconstruction - encoded.kl
        lines.append(
            f"KL {number(encoded.kl, '.1f')}, so ELBO {number(elbo, '.1f')} "
            f"(test images: {number(test['elbo'], '.1f')})."
        )
    x, y = encoded.point
    if not (window.left <= x <= window.right and window.bottom <= y <= window.top):
        lines.append("<b>It lands beyond the map's edge</b>: zoom out.")
    shown = picture(
        images.data_uri(encoded.decode), f"the {model.short}'s reconstruction", name=f"reconstruction-{model.name}"
    )
    near = [original for image in encoded.nearest if (original := originals.original(pair, image)) is not None]
    if not near:  # the data set is not on this computer
        near = list(model.decode(model.codes.code[encoded.nearest]))
    neighbours = [
        picture(
            images.data_uri(original),
            f"test image {image}, {with_article(model.codes.labels[image])}",
            name=f"near-{model.name}-{rank}",
            caption=f"{model.codes.labels[image]} (image {image})",
        )
        for rank, (image, original) in enumerate(zip(encoded.nearest, near, strict=True), 1)
    ]
    back = markup([shown], f"log p(x|z) = {nats(encoded.reconstruction, '.1f')}", *lines, kind="drawn")
    return back + markup(neighbours, NEAREST, kind="near")


def _no_answer(short: str) -> str:
    """Return a placeholder with the answer's height, so that nothing moves when it comes."""
    text = f"What the {short} makes of your digit will stand here."
    neighbour = f"<figure>{BLANK}<figcaption>–</figcaption></figure>"
    back = markup([BLANK], "Nothing drawn", text, kind="drawn")
    return back + markup([neighbour] * NEIGHBOURS_SHOWN, NEAREST, kind="near")
