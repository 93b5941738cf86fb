"""The stage: both maps, a viewer between them, one legend below, and a strip for what a tool adds.

The charts are drawn once an experiment. A tool lays its marks over them, fills the viewer, and may use the strip; a
change of tool reruns the tool alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, figures, map_layers, originals, selection, warmup
from explorer.choices import Choice
from explorer.classes import Classes
from explorer.components import latent_map
from explorer.fragments import fragment
from explorer.latent import Window
from explorer.maps import CROWD_SHARE, Map, MapPair
from explorer.models import TITLES
from explorer.text import escape_markdown, percent
from training.checkpoint import MODEL_NAMES

__all__ = [
    "ALL",
    "CHARTS",
    "CROWD",
    "EXTENT",
    "FACE",
    "Laid",
    "Places",
    "Stage",
    "chart_of",
    "close_up_window",
    "draw_close_ups",
    "draw_legend",
    "draw_stage",
    "grid_input",
    "lay_over",
    "open_stage",
    "send_codes",
]

FACE, GRID = Choice("face", "codes"), Choice("n", 20)
CROWD, ALL = "crowd", "all codes"
EXTENT = Choice("view", CROWD)  # how much of the maps is shown; the name is that of old links
SMALL = 0.085  # of a map's side, some 40 pixels: marks that are smaller get a close-up
WIDER = 1.6  # so many times as wide as the marks is their close-up
GRID_SIDES = (5, 40)  # fewest and most decodes along each side of the grid


def chart_of(map_: Map) -> str:
    """Return the key of a map's chart."""
    return f"map_{map_.model.name}"


CHARTS = ("map_autoencoder", "map_vae")  # of both


class Places(NamedTuple):
    """The parts of the page that a tool may fill."""

    viewer: DeltaGenerator  # between the maps
    legend: DeltaGenerator
    controls: DeltaGenerator  # beside the legend
    strip: DeltaGenerator  # below


class Stage(NamedTuple):
    """The maps, and where a tool writes; anew for each of its runs."""

    maps: MapPair
    answers: tuple[DeltaGenerator, ...]  # at the top of the viewer: what the model of each map makes of something
    beside: DeltaGenerator | None  # where a model is lacking, the place of its answer
    viewer: DeltaGenerator  # below the answers
    legend: DeltaGenerator
    controls: DeltaGenerator
    strip: DeltaGenerator

    def page(self) -> DeltaGenerator:
        """Return a place for a tool that needs no maps: they are out of sight while it is there."""
        return self.strip.container(key="page")


def draw_stage(maps: MapPair) -> Places:
    """Lay out the stage and draw its charts; see `page.css` for its sizes."""
    st.segmented_control(  # on a phone, see `page.css`
        "Map",
        ["AE", "VAE"],
        default=maps.either.model.short,
        required=True,
        label_visibility="collapsed",
        key="phone_map",
    )
    with st.container(key="stage"):
        left, middle, right = st.columns(3)
    for column, (title, _) in zip((left, right), TITLES.values(), strict=True):
        column.markdown(f"#### {title}")
    with st.container(key="legend_row", horizontal=True, vertical_alignment="center"):
        legend = st.container(key="classes", width="stretch")  # its room is there before it is
        controls = st.container(width="content")
        faces = st.container(key="faces", horizontal=True, vertical_alignment="center", width="content")
    strip = st.container(key="strip")
    _charts(maps, _sides(maps, left, right), faces)
    return Places(middle.container(key="viewer"), legend, controls, strip)


def _sides(maps: MapPair, left: DeltaGenerator, right: DeltaGenerator) -> tuple[DeltaGenerator, ...]:
    """Return a place of each map, at its own side; where a model is lacking its side says so."""
    places = []
    for side, model_name in ((left, "autoencoder"), (right, "vae")):
        if maps.find(model_name):
            places.append(side.container())
        else:
            side.info(escape_markdown(f"The {maps.either.model.short} is alone: {maps.lacking}"))
    return tuple(places)


@fragment()
def _charts(maps: MapPair, places: tuple[DeltaGenerator, ...], faces: DeltaGenerator) -> None:
    face = faces.segmented_control(
        "What the maps show",
        ["codes", "images", "grid"],
        default=FACE.default,
        required=True,
        label_visibility="collapsed",
        help="*codes*: where the encoder puts each test image. *images*: these images themselves, as many as fit. "
        "*grid*: what the decoder makes of each place.",
        **FACE.bound,
    )
    extent = CROWD
    if any(map_.crowd != map_.window for map_ in maps):
        extent = faces.segmented_control(
            "How much of the maps is shown",
            [CROWD, ALL],
            default=EXTENT.default,
            required=True,
            label_visibility="collapsed",
            help=f"*crowd*: where {percent(CROWD_SHARE, 0)} of the codes are. *all codes*: how lopsided the "
            "space is. A number at an edge of a map: so many codes lie beyond it.",
            **EXTENT.bound,
        )
    show_classes = False
    if selection.SHOW_CLASS_MAP.value:
        with faces, catalog.show_errors():  # without a classifier the maps are there all the same
            catalog.classifier(maps.either.model)
            show_classes = True
    # While torch is not loaded, the first map is not drawn: this is asked again then.
    if face == "images" and warmup.is_torch_loaded() and not originals.has_data(pair := maps.models):
        faces.caption(originals.missing(pair, "Dots: the test images are not on this computer."))
    for place, map_ in zip(places, maps, strict=True):
        with place, catalog.show_errors():
            window = _shown(map_, extent)
            with_classes = show_classes and map_.is_plane
            if face == "grid":
                figure = map_layers.grid_figure(map_, window, int(GRID.value), with_classes)
            else:
                figure = map_layers.codes_figure(
                    map_, window, selection.CODES_SHOWN.value, show_classes=with_classes, images=face == "images"
                )
            latent_map.chart(figure, key=chart_of(map_), size="stage", title=map_.model.title)


def _shown(map_: Map, extent: str) -> Window:
    return map_.window if extent == ALL else map_.crowd


def grid_input() -> None:
    """Draw the widget that chooses how fine the grid is."""
    st.number_input("Images along each side of the grid", *GRID_SIDES, GRID.default, **GRID.bound)


def open_stage(maps: MapPair, places: Places) -> Stage:
    """Return fresh containers for one run of a tool, inside `places`: a fragment may write nowhere else."""
    viewer = places.viewer.container()
    answers = viewer.container(key="answers").columns(2, gap="xsmall")
    sides = dict(zip(MODEL_NAMES, (side.container() for side in answers), strict=True))
    return Stage(
        maps,
        tuple(sides.pop(map_.model.name) for map_ in maps),
        next(iter(sides.values()), None),
        viewer.container(key="tool"),
        places.legend.container(),
        places.controls.container(),
        places.strip.container(),
    )


def send_codes(map_: Map) -> None:
    """Send a map's codes to the browser, which says what is near the point under the mouse."""
    if not map_.is_plane:
        return
    latent_map.send_codes(
        chart_of(map_),
        map_.id,
        points=map_.points,
        residuals=map_.residuals,
        spacings=map_.model.kth_neighbour_distances,
        labels=map_.model.codes.labels,
        names=[escape(map_.model.classes.called(label)) for label in range(len(map_.model.classes))],
        invisible=map_.least_visible,
    )


class Laid(NamedTuple):
    """What was laid over a map, for its close-up."""

    map_: Map
    marks: Sequence[latent_map.Mark]
    on_pick: Callable[[float, float], None] | None


def lay_over(
    map_: Map,
    marks: Sequence[latent_map.Mark],
    answer: str,
    on_pick: Callable[[float, float], None] | None = None,
    on_path: Callable[[list[list[float]]], None] | None = None,
) -> Laid:
    """Lay marks over a map, and show an answer where this is called; see `latent_map.overlay`."""
    lens = map_.id if map_.is_plane else ""  # between the codes of other maps there is nothing to look at
    model = map_.model
    zoom = f"zoom_{model.short.lower()}"
    latent_map.overlay(chart_of(map_), marks, on_pick, on_path, title=model.title, zoom=zoom, lens=lens, answer=answer)
    return Laid(map_, marks, on_pick)


def close_up_window(map_: Map, marks: Sequence[latent_map.Mark], extent: str) -> Window | None:
    """Return a square around the paths, dots and outlines on a map, with a margin; None unless they are small there.

    The pick is in it, too, unless it is far from them.

    Args:
        map_: the map.
        marks: on it.
        extent: how much of the map is shown at first: `CROWD` or `ALL`.
    """
    points = [point for mark in marks if mark["kind"] in ("path", "dots", "outline") for point in mark["points"]]
    picked = [point for mark in marks if mark["kind"] == "pick" for point in mark["points"]]
    if not points or not map_.is_plane:
        return None
    for shown in (points + picked, points):
        low, high = np.min(shown, axis=0), np.max(shown, axis=0)
        width = float((high - low).max())
        if 0 < width < SMALL * _shown(map_, extent).side:
            left, bottom = ((low + high) / 2 - WIDER * width / 2).tolist()
            return Window(left, bottom, WIDER * width)
    return None


def draw_close_ups(laid: Sequence[Laid]) -> None:
    """Draw a close-up of each map on which the marks are small; side by side, if of both."""
    windows = [close_up_window(each.map_, each.marks, str(EXTENT.value)) for each in laid]
    small = [(each, window) for each, window in zip(laid, windows, strict=True) if window]
    for column, (each, window) in zip(st.columns(len(small)) if small else (), small, strict=True):
        model = each.map_.model
        key = _close_up_of(each.map_)
        with column:
            figure = map_layers.close_up_figure(each.map_, window, selection.CODES_SHOWN.value)
            latent_map.chart(figure, key=key, size="small", title=f"{model.short}, close-up")
            latent_map.overlay(key, each.marks, each.on_pick, title=f"close-up of the {model.title}")
            what = f"A close-up of the marks on the {model.short}'s map"
            st.caption(f"{what}: click it, too." if each.on_pick else f"{what}.")


def _close_up_of(map_: Map) -> str:
    """Return the key of a map's close-up."""
    return f"close_up_{map_.model.name}"


def draw_legend(maps: MapPair, classes: Classes) -> None:
    """Draw the one legend of both maps, and of close-ups; in the fragment that shows the picks, which it may set."""
    colours, symbols = zip(*map(figures.look, range(len(classes))), strict=True)
    outlines = {
        theme: figures.outlines(background, len(classes))
        for theme, background in (("light", figures.LIGHT), ("dark", figures.DARK))
    }
    latent_map.legend(
        [key for map_ in maps for key in (chart_of(map_), _close_up_of(map_))],
        classes.names,
        classes.short_names,
        colours,
        symbols,
        outlines,
        partial(_pick_typical, maps),
    )


def _pick_typical(maps: MapPair, label: int) -> None:
    """Set the picks to a class' most typical codes, and ring the VAE's image; a callback."""
    for map_ in maps:
        image = map_.typical_image(label)
        if image is not None:
            selection.set_pick_to_code(map_, image)
            selection.RINGED_IMAGE.set(image)
