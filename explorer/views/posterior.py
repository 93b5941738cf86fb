"""Posterior: the VAE's approximate posterior of an image, the true one, and the slack in the bound between them."""

from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, figures, images, inference, latent, originals, selection
from explorer.cache import cached
from explorer.choices import Choice, renamed_input, seed_input
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.evaluation import POSTERIORS
from explorer.inference import InferenceGap
from explorer.maps import Map
from explorer.models import ModelPair
from explorer.posterior import DiagonalGaussian
from explorer.stage import Stage, lay_over
from explorer.text import nats, vector
from training.checkpoint import CheckpointError

__all__ = ["NEEDS", "CloseUp", "close_up_window", "posterior_figure", "render"]

Array = NDArray[Any]

NEEDS = ("vae",)
CLOSE_UP_CHART = "map_posterior"  # the close-up's key


class Subject(StrEnum):
    """The image whose posterior is shown."""

    TEST_IMAGE = "test image"
    DRAWING = "what you drew"


class CloseUp(StrEnum):
    """What the close-up frames."""

    BOTH = "both"
    TRUE = "the truth"
    APPROXIMATE = "the belief"


CLOSE_UP_WORDS = {
    str(CloseUp.BOTH): "both",
    str(CloseUp.TRUE): "exact posterior p(z|x)",
    str(CloseUp.APPROXIMATE): "encoder's guess q(z|x)",
}
SUBJECT, SEED = Choice("subject", str(Subject.TEST_IMAGE)), Choice("belief_seed", 0)
CLOSE_UP = Choice("close_up", str(CloseUp.BOTH))
WHAT_IT_MEANS = (
    "**The encoder's guess and the exact posterior.** The ellipses are the encoder's guess q(z|x) of where the image "
    "came from, the blue areas the exact posterior p(z|x). log p(x) − ELBO = KL(q(z|x) || p(z|x)): the better the "
    "ellipses fit the blue, the smaller the gap."
)
WHAT_A_GUESS_MEANS = (
    "**The encoder's guess.** The ellipses are the encoder's guess q(z|x) of where the image came from. How far it is "
    "from the exact posterior p(z|x) can be seen in experiments of two dimensions."
)
ELLIPSES = "Ellipses: 1 and 2 standard deviations of q(z|x). Dot: a z drawn from it."
LEGEND = (
    f"{ELLIPSES} Blue: the densest 39 %, 86 % and 99 % of p(z|x). Of a Gaussian they would be 1, 2 and 3 standard "
    "deviations."
)
ONLY_IN_THE_PLANE = (
    "The exact posterior p(z|x), and so log p(x), can be computed on a grid in two dimensions only. With "
    "{} dimensions a grid would be too large. Shown are the encoder's guess, on the plane of the map, and the ELBO."
)


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: q(z|x) on the map, a close-up of it and of p(z|x), the numbers."""
    vae_map, vae = stage.maps.vae, pair.vae
    in_two_dimensions = pair.latent_dim == 2
    with st.container(horizontal=True, vertical_alignment="bottom"):
        drawn = _subject_input(pair)
        seed = seed_input(SEED, "Resample")
        look = _close_up_input() if in_two_dimensions else ""
    if not in_two_dimensions:
        st.info(ONLY_IN_THE_PLANE.format(pair.latent_dim))
    image = selection.ringed_image(pair)
    binary = originals.binarised(pair, image) if drawn is None else originals.binarised_drawing(pair, drawn)
    if binary is None:
        st.info(originals.missing(pair, "This tool needs the test images, or a drawing (Draw)."))
        for map_, answer in zip(stage.maps, stage.answers, strict=True):
            with answer:
                lay_over(map_, [], answer="")
        return
    what = f"test image {image}" if drawn is None else "what you drew"
    gap = inference.inference_gap(vae, binary)
    q = gap.q
    z = q.mean + q.std * np.random.default_rng(seed).standard_normal(len(q.mean))
    window = close_up_window(gap, look) if in_two_dimensions else None
    *ae_answer, vae_answer = stage.answers
    subject = picture(images.data_uri(binary), f"{what}, black and white", name="subject", caption=f"x: {what}")
    for answer in ae_answer:
        with answer:
            ae_map = stage.maps.ae
            lay_over(
                ae_map,
                [latent_map.ring_mark(*ae_map.points[image].tolist())] if drawn is None else [],
                answer=markup([subject], kind="pick given"),
            )
    if stage.beside:
        stage.beside.html(markup([subject], kind="pick given"))
    with vae_answer:
        place = vector(z, ".4f", shown=2)
        lay_over(
            vae_map,
            [*_marks(vae_map, q, z), *(_frame(vae_map, window) if window else ())],
            on_pick=partial(_take_nearest, vae_map) if drawn is None else None,
            answer=markup(
                [
                    picture(
                        images.data_uri(vae.decode([z])[0]),
                        f"the decode of z = {place}",
                        name="resampled",
                        caption="decoded from z",
                    )
                ],
                kind="pick",
            ),
        )
    with stage.viewer:
        if window is not None:
            figure, title = posterior_figure(vae_map, binary, window), "The encoder's guess, and the exact posterior"
            latent_map.chart(figure, key=CLOSE_UP_CHART, size="close_up", title=title)
            latent_map.overlay(CLOSE_UP_CHART, _marks(vae_map, q, z), title=title)
            outside = window.side > vae_map.window.side
            where = "wider than the map" if outside else "framed on the VAE's map"
            st.caption(f"The close-up is {where}.", help=LEGEND)
        else:
            st.caption(ELLIPSES)
    st.html(markup([], f"z = {place}", kind="posterior"))
    _draw_metrics(pair, gap)
    st.markdown(WHAT_IT_MEANS if in_two_dimensions else WHAT_A_GUESS_MEANS)


def _take_nearest(vae_map: Map, x: float, y: float) -> None:
    """Show the test image whose code is nearest to a point of the map; a callback."""
    selection.set_pick(vae_map, x, y)


@cached()
def posterior_figure(vae_map: Map, binary: Array, window: latent.Window) -> go.Figure:
    """Draw the true posterior of an image over a part of the plane."""
    gap = inference.inference_gap(vae_map.model, binary)
    assert gap.true_posterior is not None
    outline = np.array(vae_map.outline(gap.q.mean, 2 * gap.q.std))
    region = gap.true_posterior.points[gap.true_posterior.credible_radius <= 2]
    return figures.contours(*gap.true_posterior.rasterize(window), window, vae_map.axes, outline, region)


def _subject_input(pair: ModelPair) -> Array | None:
    """Draw the widgets that choose the image; return what was drawn, None for the ringed test image."""
    drawn = selection.drawing().image
    chosen = st.segmented_control(
        "Image",
        [str(each) for each in Subject],
        default=SUBJECT.default,
        required=True,
        disabled=drawn is None,
        help=f"Nothing is drawn yet: draw {pair.classes.an_image} in the Draw tool." if drawn is None else None,
        **SUBJECT.bound,
    )
    if chosen == Subject.DRAWING and drawn is not None:
        return drawn
    selection.ringed_image_input(pair)
    return None


def _close_up_input() -> str:
    return renamed_input(
        "Close-up of",
        CLOSE_UP,
        CLOSE_UP_WORDS,
        help="*both*: the place that holds the encoder's guess and the exact posterior. Where they lie far apart, "
        "both are small: look at either.",
    )


def _marks(vae_map: Map, q: DiagonalGaussian, z: Array) -> list[latent_map.Mark]:
    """Mark q(z|x), and a point drawn from it."""
    outlines = [vae_map.outline(q.mean, times * q.std) for times in (1, 2)]
    ellipses = [latent_map.outline_mark(outline) for outline in outlines if outline]
    return [*ellipses, latent_map.dots_mark([vae_map.project([z])[0].tolist()])]


def _frame(vae_map: Map, window: latent.Window) -> list[latent_map.Mark]:
    """Mark where on the map the close-up lies; ringed where it is small."""
    left, bottom, right, top = window.left, window.bottom, window.right, window.top
    marks = [latent_map.outline_mark([[left, bottom], [right, bottom], [right, top], [left, top]])]
    if window.side < vae_map.window.side / 10:
        marks.append(latent_map.ring_mark((left + right) / 2, (bottom + top) / 2))
    return marks


def _draw_metrics(pair: ModelPair, gap: InferenceGap) -> None:
    elbo = f"<b>ELBO = {nats(gap.elbo)}</b>: reconstruction minus KL, averaged over q(z|x). "
    if gap.true_posterior is None:
        st.html(markup([], "The bound", elbo + "It is never more than log p(x).", kind="posterior"))
        return
    evidence = gap.true_posterior.log_evidence
    lines = (
        f"<b>log p(x) = {nats(evidence)}</b>: the image's log-probability, whichever z it came from.",
        elbo
        + f"{'It is what the fit maximises, and' if pair.experiment.beta == 1 else 'It is'} never more than log p(x).",
        f"<b>Gap = {nats(evidence - gap.elbo)}</b>: their difference, KL(q(z|x) || p(z|x)).{_average(pair)}",
    )
    st.html(markup([], "The gap between ELBO and log p(x)", *lines, kind="posterior"))


def _average(pair: ModelPair) -> str:
    try:
        values = catalog.load_evaluation(pair).values["vae"]
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
    approximate = np.stack([q.mean - 2.5 * q.std, q.mean + 2.5 * q.std])
    true = gap.true_posterior.points[gap.true_posterior.credible_radius <= 3.2]
    both = np.concatenate(
        {CloseUp.TRUE: [true], CloseUp.APPROXIMATE: [approximate]}.get(CloseUp(close_up), [true, approximate])
    )
    low, high = both.min(axis=0), both.max(axis=0)
    side = 1.3 * float((high - low).max())
    left, bottom = ((low + high) / 2 - side / 2).tolist()
    return latent.Window(left, bottom, side)
