"""Generate: random codes, decoded by both models, and how many of them are digits."""

import math
from typing import Any, NamedTuple

import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, evaluation, images, maps, metrics, selection
from explorer.cache import MANY, cached
from explorer.choices import Choice, seed_input
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.evaluation import SAMPLES
from explorer.models import Model, ModelPair
from training.checkpoint import CheckpointError

__all__ = ["render"]

Array = NDArray[Any]

SAMPLES_SHOWN = (10, 20, 40)
SHOWN, SEED = Choice("samples", SAMPLES_SHOWN[0]), Choice("seed", 0)
Wall = tuple[Model, str, str]  # whose decodes, of which codes (see `evaluation.samples`), and its title


def render(pair: ModelPair) -> None:
    """The tab: three walls of decodes, where on the maps their codes fell, and how many are digits."""
    st.markdown(
        "**Random codes, decoded.** A VAE is fitted so that codes drawn from the standard Gaussian N(0, I), its prior, "
        "decode to digits; nothing tells an AE to do the same. Its fair chance is a Gaussian fitted to its own codes. "
        "Look for digits that never come up, and for pictures that are none. Below each: what a classifier reads, "
        "**?** if it is less than 90 % sure. Black dots on the maps: where the random codes fell."
    )
    walls: tuple[Wall, ...] = (
        (pair.ae, "prior", "AE, z ~ N(0, I)"),
        (pair.ae, "fitted", "AE, z ~ its own Gaussian"),
        (pair.vae, "prior", "VAE, the same z ~ N(0, I)"),
    )
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    places = []
    for column, (model, source, title) in zip(st.columns(3), walls, strict=True):
        with column:
            st.markdown(f"#### {title}")
            places.append((st.container(), st.container()))
            chart = f"map_generated_{model.name}_{source}"
            latent_map.chart(maps.codes_figure(model, selection.CODES_SHOWN.value, small=True), key=chart)
    _walls(walls, places, controls)
    for (model, source, _), (_, place) in zip(walls, places, strict=True):
        with place, catalog.show_errors():
            _reading(model, source)


@st.fragment
def _walls(
    walls: tuple[Wall, ...], places: list[tuple[DeltaGenerator, DeltaGenerator]], controls: DeltaGenerator
) -> None:
    with controls:
        n = int(st.segmented_control("Samples", SAMPLES_SHOWN, default=SHOWN.default, required=True, **SHOWN.bound))
        seed = seed_input(SEED, "Again")
    for (model, source, title), (place, _) in zip(walls, places, strict=True):
        with place, catalog.show_errors():
            samples = _samples(model, source, n, seed)
            pictures = [
                picture(
                    address,
                    f"{title}, sample {i + 1}",
                    name=f"{model.name}-{source}-{i + 1}",
                    caption=_read(samples, i),
                )
                for i, address in enumerate(samples.pictures)
            ]
            latent_map.overlay(
                f"map_generated_{model.name}_{source}",
                [latent_map.dots(samples.points)],
                answer=markup(pictures, kind="wall"),
            )


class Samples(NamedTuple):
    """Latent points drawn at random, and what the decoder makes of them."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    probabilities: Array | None  # of the classes, (n, 10), as the classifier reads the pictures; None without one


class Reading(NamedTuple):
    """What the classifier makes of many decodes of random latent points."""

    read: metrics.Share  # with at least `metrics.MIN_CONFIDENCE` confidence
    entropy: float  # of the digits among those, in nats


@cached(entries=MANY)
def _samples(model: Model, source: str, n: int, seed: int) -> Samples:
    """Random latent points, decoded; see `evaluation.samples`."""
    z = evaluation.samples(model, source, n, seed)
    decodes = model.decode(z)
    try:
        probabilities = evaluation.read(catalog.classifier(model), decodes)
    except CheckpointError:
        probabilities = None  # `_how_many_are_read` tells it
    return Samples(model.plane.project(z).tolist(), [images.data_uri(decode) for decode in decodes], probabilities)


@cached("Reading 2,000 samples …")
def _how_many_are_read(model: Model, source: str) -> Reading:
    """How many of `evaluation.SAMPLES` random decodes are digits, and which.

    Raises:
        CheckpointError: there is no classifier for the dataset.
    """
    reader = catalog.classifier(model)
    probabilities = evaluation.read(
        reader, model.decode(evaluation.samples(model, source, evaluation.SAMPLES, evaluation.SEED))
    )
    return Reading(metrics.read_share(probabilities), metrics.read_entropy(probabilities))


def _read(samples: Samples, i: int) -> str:
    if samples.probabilities is None:
        return ""
    belief = samples.probabilities[i]
    return f"{belief.argmax()}" if belief.max() >= metrics.MIN_CONFIDENCE else "?"


def _reading(model: Model, source: str) -> None:
    reading = _how_many_are_read(model, source)
    st.markdown(
        f"**{100 * reading.read.value:.1f} %** (± {100 * reading.read.error:.1f} %) of {SAMPLES:,} such pictures are "
        "read as a digit; "
        f"evenness of the digits among them: **{reading.entropy:.2f}** of {math.log(10):.2f} nats."
    )
