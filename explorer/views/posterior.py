"""Posterior: what the VAE's encoder believes of an image, what is true, and the slack in the bound between them."""

from enum import StrEnum
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, figures, images, inference, latent, map_layers, originals, selection
from explorer.cache import cached
from explorer.choices import Choice, seed_input
from explorer.components import latent_map
from explorer.components.card import card, markup, picture
from explorer.evaluation import POSTERIORS
from explorer.inference import InferenceGap
from explorer.maps import Map
from explorer.models import Model, ModelPair
from explorer.posterior import DiagonalGaussian
from explorer.text import nats, vector
from training.checkpoint import CheckpointError

__all__ = ["CloseUp", "close_up_window", "posterior_figure", "render"]

Array = NDArray[Any]

OVERVIEW, DETAIL = "map_small_belief", "map_belief"  # the charts' keys


class Subject(StrEnum):
    """The image whose posterior is shown."""

    TEST_IMAGE = "test image"
    DRAWING = "what you drew"


class CloseUp(StrEnum):
    """What the close-up frames."""

    BOTH = "both"
    TRUTH = "the truth"
    BELIEF = "the belief"


SUBJECT, SEED = Choice("subject", str(Subject.TEST_IMAGE)), Choice("belief_seed", 0)
CLOSE_UP = Choice("close_up", str(CloseUp.BOTH))
WHAT_IT_MEANS = (
    "**What the encoder believes, and what is true.** The ellipses are what the encoder believes of where the image "
    "came from, q(z|x), the blue areas what is true, p(z|x), and the ELBO falls short of log p(x) by just what the "
    "belief misses of the truth: KL(q(z|x) || p(z|x))."
)
ELLIPSES = "Ellipses: 1 and 2 standard deviations of q(z|x). Dot: a z drawn from it."
LEGEND = (
    f"{ELLIPSES} Blue: the densest 39 %, 86 % and 99 % of p(z|x); of a Gaussian they would be 1, 2 and 3 standard "
    "deviations."
)
ONLY_IN_THE_PLANE = (
    "The true posterior p(z|x), and so log p(x) and the slack, can be computed on a grid in two dimensions only: with "
    "{} a grid would be too large. Shown is what the encoder believes, on the plane of the map, and the ELBO."
)


def render(pair: ModelPair) -> None:
    """Draw the tab: where on the map, a close-up of q(z|x) and p(z|x), the numbers."""
    st.markdown(WHAT_IT_MEANS)
    vae_map = selection.chosen_maps(pair).vae
    in_two_dimensions = pair.latent_dim == 2
    if not in_two_dimensions:
        st.info(ONLY_IN_THE_PLANE.format(pair.latent_dim))
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    overview, *close_up, numbers = st.columns([5, 7, 6] if in_two_dimensions else [10, 8])
    with overview:
        st.markdown("##### Where on the map")
        figure = map_layers.codes_figure(vae_map, selection.CODES_SHOWN.value, small=in_two_dimensions)
        if in_two_dimensions:
            latent_map.chart(figure, key=OVERVIEW, size="overview")
        else:
            latent_map.chart(figure, key=DETAIL, size="close_up")
        marks = st.container()
    close_up_place = close_up[0].container() if in_two_dimensions else None
    _posterior(pair, vae_map, controls, marks, close_up_place, numbers.container())


@st.fragment
def _posterior(
    pair: ModelPair,
    vae_map: Map,
    controls: DeltaGenerator,
    overview: DeltaGenerator,
    close_up: DeltaGenerator | None,
    numbers: DeltaGenerator,
) -> None:
    # What reruns may write only where it wrote in the last full run: a place in each, whether or not there is an image.
    overview, numbers = overview.container(), numbers.container()
    close_up = None if close_up is None else close_up.container()
    with controls:
        drawn = _subject_input(pair)
        seed = seed_input(SEED, "Resample")
    with catalog.show_errors():
        seen = (
            originals.binarised(pair, selection.ringed_image(pair))
            if drawn is None
            else originals.binarised_drawing(pair, drawn)
        )
        if seen is None:
            numbers.info(
                "The test images are not on this computer, and of an image that is not there nothing can be believed. "
                f"{originals.HOW_TO_GET_ORIGINALS} What you draw (Draw) can be shown here."
            )
            return
        gap = inference.inference_gap(pair.vae, seen)
        q = gap.q
        z = q.mean + q.std * np.random.default_rng(seed).standard_normal(len(q.mean))
        marks = _marks(vae_map, q, z)
        if close_up is None:
            with overview:
                latent_map.overlay(DETAIL, marks, title="The VAE's map with what the encoder believes")
                st.caption(ELLIPSES)
        else:
            with close_up:
                window = close_up_window(gap, _close_up_input())
                latent_map.chart(posterior_figure(vae_map, seen, window), key=DETAIL, size="close_up")
                latent_map.overlay(DETAIL, marks, title="What the encoder believes, and what is true")
                st.caption(LEGEND)
            with overview:
                _frame(vae_map, window)
        with numbers:
            _figures(pair, gap)
            _pictures(
                pair.vae, seen, z, f"test image {selection.ringed_image(pair)}" if drawn is None else "what you drew"
            )


@cached()
def posterior_figure(vae_map: Map, seen: Array, window: latent.Window) -> go.Figure:
    """Draw the true posterior of an image over a part of the plane."""
    gap = inference.inference_gap(vae_map.model, seen)
    assert gap.true_posterior is not None
    outline = np.array(vae_map.outline(gap.q.mean, 2 * gap.q.std))
    region = gap.true_posterior.points[gap.true_posterior.level <= 2]
    return figures.contours(*gap.true_posterior.rasterize(window), window, vae_map.axes, outline, region)


def _subject_input(pair: ModelPair) -> Array | None:
    """Draw the widgets that choose the image; return what was drawn, None for the ringed test image."""
    drawn = selection.drawing().form
    chosen = st.segmented_control(
        "Image",
        [str(each) for each in Subject],
        default=SUBJECT.default,
        required=True,
        disabled=drawn is None,
        help="What you drew comes from the Draw tab.",
        **SUBJECT.bound,
    )
    if chosen == Subject.DRAWING and drawn is not None:
        return drawn
    selection.ringed_image_input(pair)
    return None


def _close_up_input() -> str:
    return str(
        st.segmented_control(
            "Close-up of",
            [str(each) for each in CloseUp],
            default=CLOSE_UP.default,
            required=True,
            help="*both*: of the place that holds the belief and the truth. Where they lie far apart, both are "
            "small: look at either.",
            **CLOSE_UP.bound,
        )
    )


def _marks(vae_map: Map, q: DiagonalGaussian, z: Array) -> list[latent_map.Mark]:
    """Mark q(z|x), and a point drawn from it."""
    outlines = [vae_map.outline(q.mean, times * q.std) for times in (1, 2)]
    ellipses = [latent_map.outline(outline) for outline in outlines if outline]
    return [*ellipses, latent_map.dots([vae_map.project([z])[0].tolist()])]


def _frame(vae_map: Map, window: latent.Window) -> None:
    """Mark where on the map the close-up lies; ringed where it is small."""
    left, bottom, right, top = window.left, window.bottom, window.right, window.top
    marks = [latent_map.outline([[left, bottom], [right, bottom], [right, top], [left, top]])]
    wider = window.side > vae_map.window.side
    text = "The close-up is wider than this map." if wider else "The square is the close-up."
    if window.side < vae_map.window.side / 10:
        marks.append(latent_map.ring((left + right) / 2, (bottom + top) / 2))
        text = "The close-up is in the ring."
    latent_map.overlay(OVERVIEW, marks, title="The VAE's map with the place of the close-up")
    st.caption(text)


def _pictures(vae: Model, seen: Array, z: Array, what: str) -> None:
    place = vector(z, ".4f", shown=2)
    decode = images.data_uri(vae.decode([z])[0])
    pictures = [
        picture(
            images.data_uri(seen), f"{what}, black and white", name="subject", caption=f"x: {what}, black or white"
        ),
        picture(decode, f"the decode of z = {place}", name="resampled", caption="decode of z"),
    ]
    card(pictures, f"z = {place}", kind="belief")


def _figures(pair: ModelPair, gap: InferenceGap) -> None:
    elbo = f"<b>ELBO = {nats(gap.elbo)}</b>: reconstruction minus KL, averaged over q(z|x). "
    if gap.true_posterior is None:
        st.html(markup([], "The bound", elbo + "It is never more than log p(x).", kind="belief"))
        return
    evidence = gap.true_posterior.log_evidence
    lines = (
        f"<b>log p(x) = {nats(evidence)}</b>: the image's log-probability, whichever z it came from.",
        elbo + "It is what the fit maximises, and never more than log p(x).",
        f"<b>Slack = {nats(evidence - gap.elbo)}</b>: their difference, KL(q(z|x) || p(z|x)).{_average(pair)}",
    )
    st.html(markup([], "The slack in the bound", *lines, kind="belief"))


def _average(pair: ModelPair) -> str:
    try:
        values = catalog.measured(pair).values["vae"]
    except CheckpointError:
        return ""  # Compare tells it
    if "slack" not in values:
        return ""
    n = min(POSTERIORS, len(pair.labels))
    return f" Over {n} test images: {nats(values['slack'])} on average, {nats(values['slack_median'])} at the median."


def close_up_window(gap: InferenceGap, close_up: str) -> latent.Window:
    """Return a square that holds q(z|x), the true posterior, or both, and their labels."""
    assert gap.true_posterior is not None
    q = gap.q
    believed = np.stack([q.mean - 2.5 * q.std, q.mean + 2.5 * q.std])
    true = gap.true_posterior.points[gap.true_posterior.level <= 3.2]
    both = np.concatenate({CloseUp.TRUTH: [true], CloseUp.BELIEF: [believed]}.get(CloseUp(close_up), [true, believed]))
    low, high = both.min(axis=0), both.max(axis=0)
    side = 1.3 * float((high - low).max())
    left, bottom = ((low + high) / 2 - side / 2).tolist()
    return latent.Window(left, bottom, side)
