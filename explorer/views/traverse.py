"""Traverse: what each latent dimension does, from the pick on."""

from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from explorer import figures, images, metrics, selection
from explorer.cache import cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.components.card import film_strips, markup, picture
from explorer.maps import Map
from explorer.metrics import INACTIVE_KL
from explorer.models import Model, ModelPair
from explorer.stage import Stage, lay_over
from explorer.text import number

__all__ = ["render", "reset"]

Array = NDArray[Any]

FRAMES = 13  # half a standard deviation each
REACH = 3  # standard deviations to either side
PAGE = 8  # dimensions at a time
DIMENSIONS = Choice("dimensions", "")  # a page of them, as `1 to 8`


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: where on the maps the moved pick is, the mean KL of each dimension, a row for each dimension."""
    picks = [map_.lift(selection.pick(map_)) for map_ in stage.maps]
    moves = np.array([_offset(dimension) for dimension in range(pair.latent_dim)])
    for map_, z, answer in zip(stage.maps, picks, stage.answers, strict=True):
        with answer:
            _moved(map_, z, moves)
    with stage.viewer:
        st.button("Back to the pick", on_click=reset, args=(pair,))
        st.markdown(
            "**Each row moves one latent dimension** of your pick, by standard deviations (sd). "
            f"Click a map to pick another point. Look for rows in which nothing changes{_switched_off(pair)}."
        )
    rows, bars = st.columns([2, 1])
    with rows:
        _rows(pair, picks)
    if vae := pair.find("vae"):
        with bars:
            latent_map.chart(_kl_figure(vae), key="kl")
    selection.picks_inputs(stage.maps)


def _inactive(pair: ModelPair) -> Array:
    """Return which dimensions the VAE has switched off, (d,); none without a VAE."""
    vae = pair.find("vae")
    return np.zeros(pair.latent_dim, bool) if vae is None else vae.kl_per_dimension < INACTIVE_KL


def _switched_off(pair: ModelPair) -> str:
    if not pair.find("vae"):
        return ""
    inactive = _inactive(pair)
    return f": the VAE has switched {inactive.sum() or 'none'} of its {len(inactive)} dimensions off"


def _moved(map_: Map, z: Array, moves: Array) -> None:
    """Mark the pick and the moved point on a map, and show the moved point's decode."""
    model = map_.model
    at = z + moves * model.traversal_unit
    text = "the pick" + "".join(
        f", dimension {each + 1} by {number(moves[each], 'g')} sd" for each in np.flatnonzero(moves)
    )
    decode = images.data_uri(model.decode([at])[0])
    marks = [latent_map.pick_mark(*selection.pick(map_))]
    if moves.any():
        start, end = map_.project(np.stack([z, at])).tolist()
        marks.insert(0, latent_map.path_mark([end, start] if map_.is_plane else [end]))
    lay_over(
        map_,
        marks,
        on_pick=partial(selection.set_pick, map_),
        answer=markup(
            [picture(decode, f"{model.short}: {text}", name=f"moved-{model.name}", caption=text)], kind="pick"
        ),
    )


@cached()
def _strips(model: Model, z: tuple[float, ...], dimensions: tuple[int, ...]) -> list[str]:
    """Decode a film strip along each of some dimensions: `REACH` standard deviations to either side; data URIs."""
    steps = np.linspace(-REACH, REACH, FRAMES)
    moves = steps[None, :, None] * (np.eye(len(z)) * model.traversal_unit)[list(dimensions), None]
    decodes = model.decode((np.array(z) + moves).reshape(-1, len(z)))
    return [images.data_uri(images.side_by_side(strip)) for strip in np.split(decodes, len(dimensions))]


@cached()
def _kl_figure(vae: Model) -> go.Figure:
    """Draw the mean KL of each of the VAE's dimensions."""
    return figures.kl_bars(vae.kl_per_dimension, metrics.INACTIVE_KL)


def _rows(pair: ModelPair, picks: list[Array]) -> None:
    """Draw a slider and both models' film strips for each dimension."""
    shown = _page_input(pair.latent_dim)
    inactive = _inactive(pair)
    strips = [_strips(model, tuple(z.tolist()), tuple(shown)) for model, z in zip(pair, picks, strict=True)]
    for row, dimension in enumerate(shown):
        control, film = st.columns([1, 3], vertical_alignment="center")
        with control:
            _move_input(dimension, inactive[dimension])
        with film:
            film_strips(
                {
                    model.short: (pictures[row], f"the {model.short}'s decodes along dimension {dimension + 1}")
                    for model, pictures in zip(pair, strips, strict=True)
                },
                name=f"dimension-{dimension + 1}",
                frames=FRAMES,
                at=round((_offset(dimension) / REACH + 1) / 2 * (FRAMES - 1)),
            )


def _move(dimension: int) -> Choice[float]:
    """Return the choice of an offset from the pick along a dimension, from 0, in standard deviations."""
    return Choice(f"move_{dimension + 1}", 0.0)


def _offset(dimension: int) -> float:
    offset = float(_move(dimension).value)
    return offset if abs(offset) <= REACH else 0.0


def _move_input(dimension: int, inactive: bool) -> None:
    label = f"Dimension {dimension + 1} ± sd" + (", off" if inactive else "")
    st.slider(label, -float(REACH), float(REACH), 0.0, step=0.5, **_move(dimension).bound)


def reset(pair: ModelPair) -> None:
    """Reset all offsets: go back to the pick."""
    for dimension in range(pair.latent_dim):
        _move(dimension).set(0.0)


def _page_input(latent_dim: int) -> list[int]:
    """Draw the widget that pages through the dimensions, where there are more than a page; return those shown."""
    pages = [range(first, min(first + PAGE, latent_dim)) for first in range(0, latent_dim, PAGE)]
    if len(pages) == 1:
        return list(pages[0])
    names = [f"{page.start + 1} to {page.stop}" for page in pages]
    chosen = st.segmented_control("Dimensions", names, default=names[0], required=True, **DIMENSIONS.bound)
    return list(pages[names.index(chosen)])
