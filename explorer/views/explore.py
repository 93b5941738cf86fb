"""Explore: both latent spaces, and what the decoders make of any point of them."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, images, latent, maps, originals, selection, warmup
from explorer.cache import cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.components.card import card, markup, picture, reel
from explorer.models import Model, ModelPair
from explorer.text import number, vector, with_article

__all__ = ["FACE", "FILM_FRAMES", "render"]

Array = NDArray[Any]

FACE, GRID, PATH = Choice("face", "codes"), Choice("n", 20), Choice("path", False)
MAX_CORNERS = 200  # of a path
PICKED = "the point you picked"
DRAG = "Drag over the map: the decodes along your path appear here."
NO_OVERLAY = (
    "Clicks on the map and the live picture are missing: their script did not start. The numbers below still work."
)
FILM_FRAMES = 24  # along a drawn path
FILM_COLUMNS = FILM_FRAMES // 2  # two rows: frames large enough for the last row of a room
MIN_VISIBLE = 1e-3  # of a map's side: less cannot be told apart on it


class Controls(NamedTuple):
    """The row above the maps."""

    text: DeltaGenerator
    left: DeltaGenerator
    right: DeltaGenerator


@dataclass
class Half:
    """One model's half of the page, from top to bottom."""

    model: Model
    chart: DeltaGenerator
    film: DeltaGenerator
    answer: DeltaGenerator
    inputs: DeltaGenerator


def render(pair: ModelPair) -> None:
    """The tab: the maps, the picks, the ringed digit."""
    text, left, right = st.columns([10, 4.5, 5.5], vertical_alignment="bottom")
    controls = Controls(text, left, right.container(gap="xxsmall"))
    path_place = controls.right.container()
    halves = [_half(model, column) for model, column in zip(pair, st.columns(2), strict=True)]
    _maps(pair, controls, halves)
    # Loading torch takes seconds in which this server answers no browser, which asks for Plotly just now: maps first.
    if not warmup.first_map_is_drawn("map_vae"):
        with path_place:
            _path_input(disabled=True)
        st.caption("The decoders are being loaded …")
        warmup.wait_no_longer()
        return
    _picks(pair, path_place, halves)
    with catalog.show_errors():
        for model in pair if pair.vae.embedding is None else ():
            latent_map.atlas(f"map_{model.name}", maps.map_id(model), model.window, maps.atlas(model))


def _half(model: Model, column: DeltaGenerator) -> Half:
    column.markdown(f"#### {model.title}")
    return Half(model, column.container(), column.container(), column.container(), column.container(horizontal=True))


@st.fragment
def _maps(pair: ModelPair, controls: Controls, halves: list[Half]) -> None:
    if pair.vae.embedding is not None:
        more = (
            "t-SNE lays out the codes by who is near whom; distances and sizes mean nothing. From a place of such a "
            "map no way leads back to latent space, so a click picks the nearest code."
        )
    elif selection.SHOW_CLASS_MAP.value:
        more = (
            "Colours: the digit that a classifier reads in the decode of each place, the fainter the less sure it is. "
            "Look for faint seams between the digits, and for faint patches: gaps."
        )
    elif pair.latent_dim == 2:
        more = (
            "Look for gaps between the clusters and at what lies in them. Both models were trained on the same digits."
        )
    else:
        shares = " and ".join(f"{100 * model.flat.share:.0f} % ({model.short})" for model in pair)
        more = (
            f"A map is a plane in {pair.latent_dim}-dimensional space, with {shares} of the codes' variance: digits "
            "that lie on top of each other here can be far apart."
        )
    controls.text.markdown(f"**Click anywhere on a map** to see what its decoder makes of that point. {more}")
    face = controls.left.segmented_control(
        "What the maps show",
        ["codes", "grid"],
        default=FACE.default,
        required=True,
        help="*codes*: where the encoder puts each test image, in its grey original. "
        "*grid*: what the decoder makes of each place.",
        **FACE.bound,
    )
    n = controls.right.slider(
        "Decodes along each side of the grid",
        5,
        40,
        GRID.default,
        disabled=face != "grid",
        **GRID.bound,
    )
    for half in halves:
        with half.chart, catalog.show_errors():
            model = half.model
            read = selection.SHOW_CLASS_MAP.value and model.embedding is None
            if face == "grid":
                figure = maps.grid_figure(model, n, read)
            else:
                figure = maps.codes_figure(model, selection.CODES_SHOWN.value, read=read)
            latent_map.chart(figure, key=f"map_{model.name}")


@st.fragment
def _picks(pair: ModelPair, path_place: DeltaGenerator, halves: list[Half]) -> None:
    with path_place:
        _path_input(disabled=pair.vae.embedding is not None)
    # What the eye waits for is sent first.
    for half in halves:
        with catalog.show_errors():
            with half.answer:
                _pick(half.model, selection.ringed_image(pair))
            film = half.film.empty()
            if _draws(half.model):
                with film.container():
                    _film(half.model)
    with st.container(horizontal=True, vertical_alignment="center"), catalog.show_errors():
        _ringed(pair, selection.ringed_image(pair))
        selection.ringed_image_input(pair)
    for half in halves:
        with half.inputs:
            selection.pick_inputs(half.model)


def _pick(model: Model, ringed: int) -> None:
    point = selection.pick(model)
    z = model.plane.lift([point])
    near = selection.nearest(model, point)
    nearest_digit = model.codes.labels[near.image]
    percentile = latent.gap_percentile(near.neighbour_distance, model.neighbour_distances)
    where = vector(point)
    verdict = "In a gap" if percentile > 99 else "Where codes are thin" if percentile > 90 else "Among the codes"
    than = f"farther than that of {percentile:.0f} % of the codes"
    if near.neighbour_distance < MIN_VISIBLE * model.window.side:  # the codes of a collapsed posterior
        verdict, than = "Among the codes", "nearer than could be seen on the map"
    decode = images.data_uri(model.decode(z)[0])

    def answer(name: str) -> str:
        return markup(
            [picture(decode, f"{model.short}: decode of {where}", name=f"{name}-{model.name}", caption=PICKED)],
            f"Decode of {where}",
            f"Nearest test code: <b>{with_article(nearest_digit)}</b> (image {near.image}), {_away(near.distance)}.",
            f"<b>{verdict}</b>: its {latent.KTH}th nearest code is {_away(near.neighbour_distance)}, {than}.",
            kind="pick",
        )

    corners = _path(model)
    latent_map.overlay(
        f"map_{model.name}",
        [
            *([latent_map.path(corners)] if corners else []),
            *_spread(model, ringed),
            latent_map.ring(*model.points[ringed].tolist()),
            latent_map.pick(*point),
        ],
        on_pick=partial(selection.set_pick, model),
        on_path=partial(_set_path, model) if _draws(model) else None,
        title=model.title,
        lens="" if model.embedding is not None else maps.map_id(model),
        answer=answer("pick"),
    )
    st.html(f'<div class="instead"><p>{NO_OVERLAY}</p>{answer("typed")}</div>')


@cached()
def _film_of(model: Model, corners: tuple[tuple[float, float], ...]) -> Array:
    """The decodes along a path over a model's map, `FILM_FRAMES` equally spaced ones: (n, h, w)."""
    return model.decode(model.plane.lift(latent.resample_polyline(corners, FILM_FRAMES)))


def _draws(model: Model) -> bool:
    return PATH.value and model.embedding is None


def _path_input(disabled: bool) -> None:
    st.toggle(
        "Draw a path",
        PATH.default,
        disabled=disabled,
        help="Drag over a map, with the mouse or a finger: the decodes along the path become a film below it, and "
        "a GIF to save. By keyboard: Tab to the map, arrow keys move a cursor, Enter adds a corner, Shift and "
        "Enter ends the path.",
        **PATH.bound,
    )


def _path_key(model: Model) -> str:
    return f"{model.short.lower()}_path"  # not in the URL


def _set_path(model: Model, points: list[list[float]]) -> None:
    """Choose a path over a map; a callback."""
    farthest = selection.MAX_COORDINATE
    corners = np.clip(np.array(points, float)[:MAX_CORNERS, :2], -farthest, farthest)
    st.session_state[_path_key(model)] = (maps.map_id(model), tuple(map(tuple, corners.tolist())))


def _path(model: Model) -> tuple[tuple[float, float], ...]:
    """The path that the user drew over a map; empty if none."""
    drawn_on, corners = st.session_state.get(_path_key(model), ("", ()))
    return corners if PATH.value and drawn_on == maps.map_id(model) else ()


def _film(model: Model) -> None:
    corners = _path(model)
    decodes = _film_of(model, corners) if corners else None
    shown = ""
    if decodes is not None:
        about = f"the {model.short}'s decodes along the path, {FILM_COLUMNS} to a row"
        shown = picture(images.data_uri(images.tile(decodes, FILM_COLUMNS)), about, name=f"path-{model.name}")
    frames, save = st.columns([5, 1], vertical_alignment="bottom")
    with frames:
        reel(shown, DRAG)
    save.download_button(
        "GIF",
        b"" if decodes is None else partial(images.gif, decodes),
        f"{model.checkpoint.path.parent.name}-path-{model.name}.gif",
        key=f"gif_{model.name}",
        on_click="ignore",
        disabled=decodes is None,
        help="The film as a picture that moves, to save.",
    )


def _spread(model: Model, digit: int) -> list[latent_map.Mark]:
    """The encoder's Gaussian of a test image on the map, one standard deviation from its mean."""
    outline = model.outline(model.codes.code[digit], model.posterior_std(digit))
    return [latent_map.ellipse(outline)] if outline else []


def _ringed(pair: ModelPair, digit: int) -> None:
    pictures = [
        picture(
            images.data_uri(model.decode(model.codes.code[[digit]])[0]),
            f"the {model.short}'s decode of its own code",
            name=f"ringed-{model.name}",
            caption=f"{model.short}'s decode",
        )
        for model in pair
    ]
    original = originals.original(pair, digit)
    if original is not None:
        pictures.insert(0, picture(images.data_uri(original), "the original", name="original", caption="original"))
    said = f"It is {with_article(pair.labels[digit])}, and has a code in each space."
    card(pictures, "The same image at both rings", said, _about_spread(pair.vae, digit), kind="row")
    if original is None:
        st.caption("The original image is not on this computer.", help=originals.HOW_TO_GET_ORIGINALS)


def _away(distance: float) -> str:
    return f"{number(distance, '.2g')} away"


def _about_spread(vae: Model, digit: int) -> str:
    std = vae.posterior_std(digit)
    assert std is not None
    values = f"{std.min():.2g} to {std.max():.2g}" if len(std) > 2 else " and ".join(f"{each:.2g}" for each in std)
    return f"The VAE's encoder gives it a Gaussian with standard deviations {values}: the ellipse."
