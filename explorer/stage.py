"""The stage: both maps, a viewer between them, one legend below, and a strip for what a tool adds."""

from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import figures, selection
from explorer.components import latent_map
from explorer.maps import MapPair

__all__ = ["CHARTS", "Stage", "draw_legend", "draw_stage"]

CHARTS = ("map_autoencoder", "map_vae")  # the keys of the maps' charts


class Stage(NamedTuple):
    """The places of the stage; the charts themselves are put into `maps`."""

    maps: tuple[DeltaGenerator, DeltaGenerator]
    viewer: DeltaGenerator  # between the maps
    legend: DeltaGenerator
    faces: DeltaGenerator  # beside the legend: what the maps show
    strip: DeltaGenerator  # below: what the tool adds


def draw_stage(maps: MapPair) -> Stage:
    """Lay out the stage, with its headings; see `page.css` for its sizes."""
    st.segmented_control(  # on a phone, see `page.css`
        "Map", ["AE", "VAE"], default="VAE", required=True, label_visibility="collapsed", key="phone_map"
    )
    with st.container(key="stage"):
        left, middle, right = st.columns(3)
    for column, map_ in ((left, maps.ae), (right, maps.vae)):
        column.markdown(f"#### {map_.model.title}")
    with st.container(key="legend_row", horizontal=True, vertical_alignment="center"):
        legend = st.container(key="classes", width="stretch")  # its room is there before it is
        faces = st.container(horizontal=True, vertical_alignment="center", width="content")
    strip = st.container(key="strip")
    return Stage((left.container(), right.container()), middle.container(key="viewer"), legend, faces, strip)


def draw_legend(maps: MapPair) -> None:
    """Draw the one legend of both maps; in the fragment that shows the picks, which it may set."""
    names = [str(digit) for digit in range(len(figures.DIGIT_COLOURS))]
    latent_map.legend(CHARTS, names, figures.DIGIT_COLOURS, partial(_pick_typical, maps))


def _pick_typical(maps: MapPair, label: int) -> None:
    """Set the picks to a class' most typical codes, and ring the VAE's image; a callback."""
    for map_ in maps:
        image = map_.typical_image(label)
        if image is not None:
            selection.set_pick_to_code(map_, image)
            selection.RINGED_IMAGE.set(image)
