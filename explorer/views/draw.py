"""Draw: an image of one's own, as the data set would have it, and what both models make of it."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from html import escape
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer import (
    catalog,
    drawing,
    evaluation,
    images,
    inference,
    latent,
    metrics,
    originals,
    selection,
)
from explorer.cache import cached
from explorer.classes import Classes
from explorer.components import latent_map
from explorer.components.card import card, markup, picture
from explorer.components.pad import Drawn, pad, pad_script
from explorer.maps import Map
from explorer.models import Model, ModelPair
from explorer.selection import Drawing
from explorer.stage import Stage, lay_over
from explorer.text import escape_markdown, nats, number
from explorer.views.wall import standing_wall
from explorer.wall import MAX_NICKNAME, WallError, clean_nickname, open_wall
from training.checkpoint import CheckpointError

__all__ = ["encode_drawing", "render", "reset", "take_report"]

Array = NDArray[Any]

UPLOADER = "upload"  # the key of the uploader's place
NICKNAME = "nickname_input"  # a widget
NOT_TAKEN = "Picture not taken"
NEAREST = "nearest test images"
NEIGHBOURS_SHOWN = 3  # test images beside a drawn one
BLANK = '<div class="blank"></div>'
# Pictures are read one after the other, in one thread: each keeps memory that it once took, and a class has many.
_reader = ThreadPoolExecutor(1, "pictures")
WHAT_NATS_ARE = (
    "The cross is the code of the grey picture; what comes back is decoded from that code. "
    "log p(x|z), KL and ELBO are those of the picture with each pixel drawn black or white once."
)
WHAT_NATS_ARE_BINARISED = (
    "The cross is the code of the picture in black and white; what comes back is decoded from that code. "
    "log p(x|z), KL and ELBO are those of the same picture."
)
WHAT_A_VAE_GIVES = " The VAE's log p(x|z) is the mean over its encoder's Gaussian, the ellipse."


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: the pad, where what is drawn lands on both maps, what comes back, its form in the data set."""
    on_pad = selection.drawing()
    drawn = on_pad.image
    encoded = [None if drawn is None else encode_drawing(pair, map_, drawn) for map_ in stage.maps]
    for map_, answer, each in zip(stage.maps, stage.answers, encoded, strict=True):
        with answer:
            marks: list[latent_map.Mark] = []
            if each is not None:
                marks = [latent_map.pick_mark(*each.point)]
                if each.outline:
                    marks.insert(0, latent_map.outline_mark(each.outline))
            lay_over(
                map_,
                marks,
                answer=_answer(map_.model, each),
            )
    with stage.viewer:
        pad_script()
        pad_place = st.container()
    if on_pad.refused:
        st.error(escape_markdown(on_pad.refused))
    upload, form, *near = st.container(key="drawn").columns([3, 3, 4, 4])
    with upload, st.container(key=UPLOADER):
        if pair.classes.are_digits:
            _digit_input(on_pad)
        _picture_input(pair, on_pad)
    with stage.controls:
        _send_input(on_pad)
    with form:
        _form(pair, drawn, encoded[0].preprocessed if encoded[0] is not None else None, on_pad.complaint)
    for column, map_, each in zip(near, stage.maps, encoded, strict=False):
        with column:
            st.html(_neighbours(pair, map_, each))
            st.html(_in_nats(map_, each))
    classes = pair.classes
    encoders = "the encoder puts" if pair.lacking else "both encoders put"
    st.markdown(
        f"**Draw {classes.an_image}**, and watch where {encoders} it. Details that "
        f"{'MNIST digits' if classes.are_digits else 'the training images'} never have get lost. A "
        f"scribble comes back as {classes.recognised}, but the model says it is very unlikely: log p falls."
    )
    if not originals.has_data(pair):
        absent = "Test images are not on this computer: shown are their codes, decoded."
        st.caption(originals.missing(pair, absent))
    what = WHAT_NATS_ARE_BINARISED if pair.experiment.binarised else WHAT_NATS_ARE
    st.caption(what + (WHAT_A_VAE_GIVES if pair.find("vae") else ""))
    # Last: the pad sends its next report when this one's answer is there.
    with pad_place:
        _pad(classes, on_pad)


def _send_input(on_pad: Drawing) -> None:
    """Draw the widgets that send the drawing to the wall."""
    is_sent = _is_on_wall(on_pad)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.button(
            "On the wall" if is_sent else "To the wall",
            key="send_drawing",
            icon=":material/check:" if is_sent else ":material/send:",
            disabled=on_pad.image is None or is_sent,
            on_click=_send,
            help="Hangs your drawing on the class's wall: see the tool *Wall*.",
        )
        with st.popover("Name"):
            st.text_input(
                "Nickname on the wall",
                on_pad.nickname,
                MAX_NICKNAME,
                key=NICKNAME,
                on_change=_take_nickname,
                help="If you like. It is shown if your teacher says so.",
            )


def _take_nickname() -> None:
    selection.drawing().nickname = clean_nickname(st.session_state[NICKNAME])


def _is_on_wall(on_pad: Drawing) -> bool:
    """Tell whether the drawing was sent, and hangs there still: the teacher may have cleared the wall since."""
    if on_pad.image is None or on_pad.on_wall is None or not np.array_equal(on_pad.image, on_pad.on_wall):
        return False
    try:
        return any(np.array_equal(each.image, on_pad.image) for each in standing_wall().drawings)
    except WallError:
        return True  # as far as is known


def _send() -> None:
    """Send the drawing to the wall, once, however often it is clicked; a callback."""
    on_pad = selection.drawing()
    if on_pad.image is None or _is_on_wall(on_pad):
        return
    try:
        open_wall().send(on_pad.image, selection.author(), on_pad.nickname)
        on_pad.on_wall, on_pad.refused = on_pad.image, ""
    except WallError as error:
        on_pad.refused = str(error)


class EncodedDrawing(NamedTuple):
    """A picture's code on the map, its reconstruction, and the terms of its ELBO."""

    preprocessed: Array  # the picture as the model sees it, (h, w), pixels in [0, 1]
    point: list[float]  # of its code on the map
    outline: list[list[float]]  # on the map: the encoder's Gaussian, if it has one
    decode: Array  # of its code, (h, w)
    reconstruction: float  # log p(x|z) of the picture binarised, in nats
    kl: float | None  # in nats; None for the AE
    nearest: list[int]  # the test images with the nearest codes, the nearest first


@cached()
def encode_drawing(pair: ModelPair, map_: Map, picture: Array) -> EncodedDrawing:
    """Encode a picture in the data set's form, uint8 (28, 28), with a map's model; its code is the grey picture's."""
    import torch

    from training.datasets import Split

    model = map_.model
    preprocessed = originals.preprocessed(pair, picture)
    code, std = originals.encoded(pair, model, picture[None])
    if std is None:
        alone = Split(torch.as_tensor(preprocessed)[None], torch.zeros(1, dtype=torch.uint8))
        reconstruction, kl = float(model.elbo_terms(alone)[0][0]), None
    else:  # as in the Posterior tab, to the last digit
        q, elbo = inference.q_and_elbo(model, originals.binarised_drawing(pair, picture))
        reconstruction, kl = elbo + q.kl, q.kl
    return EncodedDrawing(
        preprocessed / np.float32(255),
        map_.project(code)[0].tolist(),
        map_.outline(code[0], None if std is None else std[0]),
        model.decode(code)[0],
        reconstruction,
        kl,
        latent.nearest_images(model.codes.code, code[0], NEIGHBOURS_SHOWN),
    )


def _set_picture(image: Array) -> None:
    """Put a picture in the data set's form on the pad, in place of all that is on it."""
    on_pad = selection.drawing()
    on_pad.image = on_pad.base = image
    on_pad.has_base, on_pad.strokes, on_pad.complaint, on_pad.refused = True, [], "", ""
    on_pad.version += 1


def take_report(classes: Classes, report: Drawn) -> None:
    """Take what the pad reports, see `components.pad`; a callback."""
    on_pad = selection.drawing()
    on_pad.answered = report.number
    if report.version != on_pad.version:  # a file came meanwhile
        return
    on_pad.strokes, on_pad.has_base, on_pad.complaint, on_pad.refused = report.strokes, report.based, "", ""
    _form_image(classes, on_pad)


def reset(pair: ModelPair) -> None:
    """Bring what is on the pad into the form of another data set."""
    _form_image(pair.classes, selection.drawing())


def _form_image(classes: Classes, on_pad: Drawing) -> None:
    on_pad.image = drawing.formed(
        on_pad.strokes, on_pad.base if on_pad.has_base else None, are_digits=classes.are_digits
    )


def _picture_input(pair: ModelPair, on_pad: Drawing) -> None:
    """Draw the widget that takes a file with a picture. It is empty again when it was read."""
    key = f"picture_{on_pad.uploads}"
    st.file_uploader(
        "Or a picture: drop or paste it",
        list(drawing.FILE_TYPES),
        key=key,
        on_change=_take_file,
        args=(key, pair),
        help="A photograph, a scan or a screenshot of a digit, dark on light or light on dark, on any paper."
        if pair.classes.are_digits
        else "A picture like those of the data set; what is not square gets a black margin.",
    )


def _take_file(key: str, pair: ModelPair) -> None:
    file, on_pad = st.session_state[key], selection.drawing()
    if file is None:
        return
    name = file.name if len(file.name) <= 24 else f"{file.name[:11]}…{file.name[-11:]}"
    have_light_borders = not pair.classes.are_digits and originals.have_light_borders(pair)
    reading = _reader.submit(_read_file, file.getvalue(), name, pair.classes.are_digits, have_light_borders)
    try:
        on_pad.found, on_pad.taken = reading.result(), 0
        _set_picture(on_pad.found[0])
    except drawing.DrawingError as error:
        on_pad.complaint = str(error)
    on_pad.uploads += 1
    # Streamlit keeps an upload as long as its session.
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def _read_file(file: bytes, name: str, are_digits: bool, have_light_borders: bool) -> list[Array]:
    """Bring the digits of a picture into the data set's form; of one of other things there is one."""
    if are_digits:
        return drawing.open_digits(file, name)
    picture = drawing.open_image(file, name)
    # Imported here: drawing on the pad does without.
    from training.imports import has_light_background, to_image

    levels = to_image(picture, inverted=has_light_background(picture) and not have_light_borders)
    if levels.min() == levels.max():
        raise drawing.DrawingError(f"Nothing can be seen on {name}; expected is a picture like those of the data set.")
    return [levels]


def _digit_input(on_pad: Drawing) -> None:
    """Draw the widget that chooses among the digits of a picture, where there are several."""
    n = len(on_pad.found)
    if n < 2 or not on_pad.has_base:
        return
    key = f"digit_found_{on_pad.uploads}"
    st.pills(
        f"{n} digits found; the {_ordinal(on_pad.taken)} is taken",
        range(n),
        default=on_pad.taken,
        required=True,
        format_func=lambda i: f"![{_ordinal(i)}]({images.address(images.png_of_levels(on_pad.found[i]))})",
        key=key,
        on_change=_take_digit,
        args=(key,),
    )


def _take_digit(key: str) -> None:
    on_pad = selection.drawing()
    on_pad.taken = st.session_state[key]
    _set_picture(on_pad.found[on_pad.taken])


def _ordinal(i: int) -> str:
    """Return 1st for 0, up to 20th for 19."""
    return f"{i + 1}{('st', 'nd', 'rd')[i] if i < 3 else 'th'}"


def _pad(classes: Classes, on_pad: Drawing) -> None:
    base = images.data_uri(on_pad.base / 255) if on_pad.has_base and on_pad.base is not None else ""
    pad(
        partial(take_report, classes),
        version=on_pad.version,
        base=base,
        strokes=on_pad.strokes,
        answered=on_pad.answered,
        uploader=UPLOADER,
        hint=f"Draw {classes.an_image} here",
    )


def _form(pair: ModelPair, drawn: Array | None, preprocessed: Array | None, complaint: str) -> None:
    wrong = f'<span role="alert">{escape(complaint)}</span>' if complaint else ""
    if drawn is None:
        text = wrong or "Draw with the mouse, a pen, a finger, or the arrow keys and Space."
        card([BLANK], NOT_TAKEN if wrong else "Nothing drawn", text, kind="form")
        return
    pictures = [picture(images.data_uri(drawn / 255), f"the drawing {_in_form(pair.classes)}", name="drawn")]
    if preprocessed is not None and not np.array_equal(preprocessed, drawn / np.float32(255)):
        pictures.append(picture(images.data_uri(preprocessed), "the drawing as the models see it", name="seen"))
    form = _in_form(pair.classes)
    card(pictures, NOT_TAKEN if wrong else form[0].upper() + form[1:], wrong or _read(pair, drawn), kind="form")


def _in_form(classes: Classes) -> str:
    return "in MNIST's form" if classes.are_digits else "as 28 x 28 pixels"


def _read(pair: ModelPair, drawn: Array) -> str:
    """Say which class the classifier reads in the drawing, as HTML."""
    try:
        probabilities = evaluation.classify(catalog.classifier(pair.either), drawn[None] / 255)[0]
    except CheckpointError:
        command = f"python -m training classifier {pair.experiment.dataset}"
        return f"No classifier can read it here: restore its file, or fit one: <code>{escape(command)}</code>."
    confidence = probabilities.max()
    read = f"reads <b>{escape(pair.classes.called(probabilities.argmax()))}</b>, {100 * confidence:.0f}&nbsp;% sure"
    return f"A classifier {read}." if confidence >= metrics.MIN_CONFIDENCE else f"At best, a classifier {read}."


def _answer(model: Model, encoded: EncodedDrawing | None) -> str:
    """Show what becomes of the drawing, as HTML; as high where nothing is drawn."""
    if encoded is None:
        return markup([f"<figure>{BLANK}<figcaption>Nothing drawn</figcaption></figure>"], kind="pick")
    shown = picture(
        images.data_uri(encoded.decode),
        f"the {model.short}'s reconstruction",
        name=f"reconstruction-{model.name}",
        caption=f"log p(x|z) = {nats(encoded.reconstruction, '.1f')}",
    )
    return markup([shown], kind="pick")


def _in_nats(map_: Map, encoded: EncodedDrawing | None) -> str:
    """Say what the drawing's figures are beside those of the test images, as HTML."""
    test = map_.model.checkpoint.test
    lines = [f"Test images: log p(x|z) = {number(test['reconstruction'], '.1f')} on average."]
    if encoded is None:
        return markup([], "In nats", *lines, kind="told")
    if encoded.kl is not None:
        elbo = encoded.reconstruction - encoded.kl
        lines.append(
            f"KL {number(encoded.kl, '.1f')}, so ELBO {number(elbo, '.1f')} "
            f"(test images: {number(test['elbo'], '.1f')})."
        )
    (x, y), window = encoded.point, map_.window
    if not (window.left <= x <= window.right and window.bottom <= y <= window.top):
        lines.append("<b>It lands beyond the map's edge</b>: zoom out.")
    return markup([], "In nats", *lines, kind="told")


def _neighbours(pair: ModelPair, map_: Map, encoded: EncodedDrawing | None) -> str:
    """Show the test images whose codes are nearest to the drawing's, as HTML; as high where nothing is drawn."""
    model, title = map_.model, f"{map_.model.short}: {NEAREST}"
    if encoded is None:
        neighbour = f"<figure>{BLANK}<figcaption>–</figcaption></figure>"
        return markup([neighbour] * NEIGHBOURS_SHOWN, title, kind="near")
    near = [original for image in encoded.nearest if (original := originals.original(pair, image)) is not None]
    if not near:  # the data set is not on this computer
        near = list(model.decode(model.codes.code[encoded.nearest]))
    neighbours = [
        picture(
            images.data_uri(original),
            f"test image {image}, {model.classes.called(model.codes.labels[image])}",
            name=f"near-{model.name}-{rank}",
            caption=f"{model.classes.short_names[model.codes.labels[image]]} (image {image})",
        )
        for rank, (image, original) in enumerate(zip(encoded.nearest, near, strict=True), 1)
    ]
    return markup(neighbours, title, kind="near")
