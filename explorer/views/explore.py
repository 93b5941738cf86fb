"""Explore: both latent spaces, and what the decoders make of any point of them."""

import math
from functools import partial
from html import escape
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, figures, images, latent, originals, selection
from explorer.cache import cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.components.card import card, film_rows, markup, picture
from explorer.fragments import fragment
from explorer.maps import Map, MapPair
from explorer.models import Model, ModelPair
from explorer.stage import Laid, Stage, draw_close_ups, lay_over
from explorer.text import number, percent, vector

__all__ = ["FILM_FRAMES", "draw_pick", "render", "reset"]

Array = NDArray[Any]

PATH = Choice("path", False)
# The paths that were drawn, by model: their corners as `x~y~x~y`.
DRAWN_PATHS = {"autoencoder": Choice("ae_path", ""), "vae": Choice("vae_path", "")}
MAX_CORNERS = 40  # of a path: more are thinned, for the sake of the link
PICKED = "your pick"
DRAG = "Drag over the map: the images decoded along your path appear here."
NO_OVERLAY = (
    "Clicks on the map and the live picture are missing: their script did not start. The numbers below still work."
)
FILM_FRAMES = 24  # along a drawn path
FILM_COLUMNS = FILM_FRAMES // 2  # two rows: frames large enough for the last row of a room
KTH_NEAREST = f"Its {latent.SPARSITY_K}th nearest code"


def render(pair: ModelPair, stage: Stage, close_ups: bool = False) -> None:
    """Draw the tool: the picks, the ringed image, the films of drawn paths; `close_ups`: of what is small, too."""
    with stage.controls:
        _path_input(disabled=not stage.maps.either.is_plane)
    stage.viewer.markdown(_what_to_look_for(pair, stage.maps))
    # No `empty`: Streamlit does not know by which fragment that is made, and refuses what `_picks` writes into it.
    close_up = stage.viewer.container() if close_ups else None
    _picks(pair, stage.maps, stage.answers, stage.strip.container(), close_up)


@fragment()  # a click reruns no more than what it changes
def _picks(
    pair: ModelPair,
    maps: MapPair,
    answers: tuple[DeltaGenerator, ...],
    strip: DeltaGenerator,
    close_up: DeltaGenerator | None,
) -> None:
    # What the eye waits for is sent first.
    laid = []
    for map_, answer in zip(maps, answers, strict=True):
        with answer, catalog.show_errors():
            laid.append(draw_pick(pair, map_, selection.ringed_image(pair), draws=PATH.value))
    if close_up:
        with close_up.container():
            draw_close_ups(laid)
    with strip.container():
        films = [column.empty() for column in st.columns(2)] if PATH.value and maps.either.is_plane else []
        for film, map_ in zip(films, maps, strict=False):
            with film.container(), catalog.show_errors():
                _film(map_)
        with st.container(horizontal=True):
            selection.picks_inputs(maps)
            selection.ringed_image_input(pair)
        with catalog.show_errors():
            _ringed(pair, selection.ringed_image(pair))


def _what_to_look_for(pair: ModelPair, maps: MapPair) -> str:
    latent_dim = maps.either.model.latent_dim
    if not maps.either.is_plane:
        more = (
            "t-SNE keeps neighbours together; distances and sizes mean nothing. A click picks the nearest code: "
            "no path leads from such a map back to latent space."
        )
    elif selection.SHOW_CLASS_MAP.value:
        more = (
            f"Colours: the {pair.classes.noun} that a classifier reads at each place, fainter where it is less sure. "
            f"Look for faint seams, and for faint patches: gaps. {figures.shared_colours(len(pair.classes))}"
        )
    elif latent_dim == 2:
        more = "Look for gaps between the clusters, and at what lies in them."
    else:
        shares = " and ".join(f"{percent(map_.variance_share, 0)} ({map_.model.short})" for map_ in maps)
        more = (
            f"A map is a plane in {latent_dim} dimensions, with {shares} of the codes' variance. "
            f"{pair.classes.nouns.capitalize()} that overlap here can be far apart."
        )
    return f"**Click a map** to decode any point of it. {more}"


def draw_pick(pair: ModelPair, map_: Map, ringed: int, draws: bool = False) -> Laid:
    """Mark the pick and the ringed image on a map, and show the pick's decode; `draws`: dragging draws a path."""
    model = map_.model
    point = selection.pick(map_)
    near = selection.nearest(map_, point)
    nearest_class = escape(model.classes.called(model.codes.labels[near.image]))
    percentile = latent.sparsity_percentile(near.kth_distance, model.kth_neighbour_distances)
    where = vector(point)
    verdict = "In a gap" if percentile > 99 else "At the edge of a cluster" if percentile > 90 else "Among the codes"
    than = f"sparser than at {percentile:.0f}\u00a0% of the codes" if percentile < 100 else "sparser than at any code"
    if near.kth_distance < map_.least_visible:  # the codes of a collapsed posterior
        verdict, than = "Among the codes", "its nearest codes lie less than a dot away"
    decode, original = _decode_of(map_, point), _original(pair, map_, near.image)

    def answer(name: str) -> str:
        return markup(
            [picture(decode, f"{model.short}: decode of {where}", name=f"{name}-{model.name}", caption=PICKED)],
            f"Decoded at {where}",
            f"{original}Nearest test code: <b>{nearest_class}</b> (image {near.image}), {_away(near.distance)}.",
            f'<span title="{KTH_NEAREST} is {_away(near.kth_distance)}"><b>{verdict}</b>: {than}.</span>',
            kind="pick",
        )

    corners = _path(map_) if draws else ()
    laid = lay_over(
        map_,
        [
            *([latent_map.path_mark(corners)] if corners else []),
            *_ellipse(map_, ringed),
            latent_map.ring_mark(*map_.points[ringed].tolist()),
            latent_map.pick_mark(*point),
        ],
        on_pick=partial(selection.set_pick, map_),
        on_path=partial(_set_path, map_) if draws and map_.is_plane else None,
        answer=answer("pick"),
    )
    st.html(f'<div class="instead"><p>{NO_OVERLAY}</p>{answer("typed")}</div>')
    return laid


@cached()
def _decode_of(map_: Map, point: tuple[float, float]) -> str:
    """Decode a point of a map, a data URI; a click changes one pick, and not the other."""
    return images.data_uri(map_.decode([point])[0])


@cached()
def _decode_of_code(model: Model, image: int) -> str:
    """Decode the code of a test image, a data URI."""
    return images.data_uri(model.decode(model.codes.code[[image]])[0])


@cached()
def _film_of(map_: Map, corners: tuple[tuple[float, float], ...]) -> Array:
    """Decode `FILM_FRAMES` equally spaced points of a path over a map: (n, h, w)."""
    return map_.decode(latent.resample_polyline(corners, FILM_FRAMES))


def _original(pair: ModelPair, map_: Map, image: int) -> str:
    """Return a test image as small HTML; nothing where the images are not on this computer."""
    original = originals.original(pair, image)
    if original is None:
        return ""
    shown = picture(images.data_uri(original), f"test image {image}", name=f"near-{map_.model.name}")
    return f'<span class="original">{shown}</span>'


def _path_input(disabled: bool) -> None:
    st.toggle(
        "Draw a path",
        PATH.default,
        disabled=disabled,
        help="A path needs a plane: choose one with the button at the top."
        if disabled
        else "Drag over a map, with the mouse or a finger. The images decoded along the path become a film below it, "
        "and a GIF to save. By keyboard: Tab to the map, arrow keys move a cursor, Enter adds a corner. Shift and "
        "Enter ends the path.",
        **PATH.bound,
    )


def _set_path(map_: Map, points: list[list[float]]) -> None:
    """Set the path over a map; a callback."""
    corners = np.array(points, float)[:, :2].clip(-selection.MAX_COORDINATE, selection.MAX_COORDINATE)
    if len(corners) > MAX_CORNERS:
        corners = latent.resample_polyline(corners, MAX_CORNERS)
    decimals = max(0, 3 - math.floor(math.log10(map_.window.side)))  # a thousandth of the map
    DRAWN_PATHS[map_.model.name].keep("~".join(f"{each:.{decimals}f}" for each in corners.ravel()))


def _path(map_: Map) -> tuple[tuple[float, float], ...]:
    """Return the path that the user drew over a map; empty if none."""
    if not PATH.value:
        return ()
    try:
        corners = np.array(DRAWN_PATHS[map_.model.name].value.split("~"), float).reshape(-1, 2)[:MAX_CORNERS]
    except ValueError:
        return ()  # none, or a link that was cut short
    if not np.isfinite(corners).all():
        return ()
    return tuple((x, y) for x, y in corners.clip(-selection.MAX_COORDINATE, selection.MAX_COORDINATE).tolist())


def reset(pair: ModelPair) -> None:
    """Forget the paths: they lie in another latent space."""
    for path in DRAWN_PATHS.values():
        path.keep(path.default)


def _film(map_: Map) -> None:
    model, corners = map_.model, _path(map_)
    decodes = _film_of(map_, corners) if corners else None
    shown = ""
    if decodes is not None:
        about = f"the {model.short}'s decodes along the path, {FILM_COLUMNS} to a row"
        shown = picture(images.data_uri(images.tile(decodes, FILM_COLUMNS)), about, name=f"path-{model.name}")
    frames, save = st.columns([5, 1], vertical_alignment="bottom")
    with frames:
        film_rows(shown, DRAG)
    save.download_button(
        "GIF",
        b"" if decodes is None else partial(images.gif, decodes),
        f"{model.checkpoint.path.parent.name}-path-{model.name}.gif",
        key=f"gif_{model.name}",
        on_click="ignore",
        disabled=decodes is None,
        help="The film as a picture that moves, to save.",
    )


def _ellipse(map_: Map, image: int) -> list[latent_map.Mark]:
    """Outline the encoder's Gaussian of a test image on the map, one standard deviation from its mean."""
    outline = map_.outline(map_.model.codes.code[image], map_.model.posterior_std(image))
    return [latent_map.outline_mark(outline)] if outline else []


def _ringed(pair: ModelPair, image: int) -> None:
    pictures = [
        picture(
            _decode_of_code(model, image),
            f"the {model.short}'s decode of its own code",
            name=f"ringed-{model.name}",
            caption=f"decoded by the {model.short}",
        )
        for model in pair
    ]
    original = originals.original(pair, image)
    if original is not None:
        pictures.insert(0, picture(images.data_uri(original), "the original", name="original", caption="original"))
    said = f"It is {escape(pair.classes.of(pair.labels[image]))}"
    lines = [f"{said}." if pair.lacking else f"{said}, and has a code in each space."]
    if vae := pair.find("vae"):
        lines.append(_about_std(vae, image))
    card(pictures, "The image at the ring" if pair.lacking else "The same image at both rings", *lines, kind="row")
    if original is None:
        st.caption(originals.missing(pair, "The original image is not on this computer."))


def _away(distance: float) -> str:
    return f"{number(distance, '.2g')} away"


def _about_std(vae: Model, image: int) -> str:
    std = vae.posterior_std(image)
    assert std is not None
    values = f"{std.min():.2g} to {std.max():.2g}" if len(std) > 2 else " and ".join(f"{each:.2g}" for each in std)
    return f"The VAE's encoder gives it a Gaussian with standard deviations {values}: the ellipse."
