"""Generate: random codes, decoded by both models, and how many of them are digits."""

import math
from typing import Any, NamedTuple

import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, evaluation, images, map_layers, metrics, selection
from explorer.cache import MANY, cached
from explorer.choices import Choice, seed_input
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.evaluation import SAMPLES
from explorer.maps import Map
from explorer.models import Model, ModelPair
from training.checkpoint import CheckpointError

__all__ = ["render"]

Array = NDArray[Any]

SAMPLES_SHOWN = (10, 20, 40)
SHOWN, SEED = Choice("samples", SAMPLES_SHOWN[0]), Choice("seed", 0)
Wall = tuple[Map, str, str]  # whose decodes, of which codes (see `evaluation.samples`), and its title


def render(pair: ModelPair) -> None:
    """Draw the tab: three walls of decodes, where on the maps their codes fell, and how many are digits."""
    st.markdown(
        "**Random codes, decoded.** A VAE is fitted so that codes drawn from the standard Gaussian N(0, I), its prior, "
        "decode to digits; nothing tells an AE to do the same. Its fair chance is a Gaussian fitted to its own codes. "
        "Look for digits that never come up, and for pictures that are none. Below each: what a classifier reads, "
        "**?** if it is less than 90 % sure. Black dots on the maps: where the random codes fell."
    )
    maps = selection.chosen_maps(pair)
    walls: tuple[Wall, ...] = (
        (maps.ae, "prior", "AE, z ~ N(0, I)"),
        (maps.ae, "fitted", "AE, z ~ its own Gaussian"),
        (maps.vae, "prior", "VAE, the same z ~ N(0, I)"),
    )
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    places = []
    for column, (map_, source, title) in zip(st.columns(3), walls, strict=True):
        with column:
            st.markdown(f"#### {title}")
            places.append((st.container(), st.container()))
            figure = map_layers.codes_figure(map_, selection.CODES_SHOWN.value, small=True)
            latent_map.chart(figure, key=f"map_generated_{map_.model.name}_{source}", size="middle")
    _walls(walls, places, controls)
    for (map_, source, _), (_, place) in zip(walls, places, strict=True):
        with place, catalog.show_errors():
            _show_digit_rate(map_.model, source)


@st.fragment
def _walls(
    walls: tuple[Wall, ...], places: list[tuple[DeltaGenerator, DeltaGenerator]], controls: DeltaGenerator
) -> None:
    with controls:
        n = int(st.segmented_control("Samples", SAMPLES_SHOWN, default=SHOWN.default, required=True, **SHOWN.bound))
        seed = seed_input(SEED, "Again")
    for (map_, source, title), (place, _) in zip(walls, places, strict=True):
        with place, catalog.show_errors():
            model, samples = map_.model, _samples(map_, source, n, seed)
            pictures = [
                picture(
                    address,
                    f"{title}, sample {i + 1}",
                    name=f"{model.name}-{source}-{i + 1}",
                    caption=_digit(samples, i),
                )
                for i, address in enumerate(samples.pictures)
            ]
            latent_map.overlay(
                f"map_generated_{model.name}_{source}",
                [latent_map.dots(samples.points)],
                answer=markup(pictures, kind="wall"),
            )


class Samples(NamedTuple):
    """Latent points drawn at random, and their decodes."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    probabilities: Array | None  # of the classes, (n, 10), as the classifier reads the pictures; None without one


class DigitRate(NamedTuple):
    """How many decodes of random latent points the classifier reads as digits, and how evenly."""

    share: metrics.Estimate  # read with at least `metrics.MIN_CONFIDENCE` confidence
    entropy: float  # of the digits among those, in nats


@cached(entries=MANY)
def _samples(map_: Map, source: str, n: int, seed: int) -> Samples:
    """Draw random latent points and decode them; see `evaluation.samples`."""
    model = map_.model
    z = evaluation.samples(model, source, n, seed)
    decodes = model.decode(z)
    try:
        probabilities = evaluation.classify(catalog.classifier(model), decodes)
    except CheckpointError:
        probabilities = None  # `_digit_rate` says so
    return Samples(map_.project(z).tolist(), [images.data_uri(decode) for decode in decodes], probabilities)


@cached("Reading 2,000 samples …")
def _digit_rate(model: Model, source: str) -> DigitRate:
    """Compute how many of `evaluation.SAMPLES` random decodes are digits, and how evenly the digits come up.

    Raises:
        CheckpointError: there is no classifier for the dataset.
    """
    reader = catalog.classifier(model)
    probabilities = evaluation.classify(
        reader, model.decode(evaluation.samples(model, source, evaluation.SAMPLES, evaluation.SEED))
    )
    return DigitRate(metrics.digit_share(probabilities), metrics.digit_entropy(probabilities))


def _digit(samples: Samples, i: int) -> str:
    if samples.probabilities is None:
        return ""
    probabilities = samples.probabilities[i]
    return f"{probabilities.argmax()}" if probabilities.max() >= metrics.MIN_CONFIDENCE else "?"


def _show_digit_rate(model: Model, source: str) -> None:
    rate = _digit_rate(model, source)
    st.markdown(
        f"**{100 * rate.share.value:.1f} %** (± {100 * rate.share.error:.1f} %) of {SAMPLES:,} such pictures are "
        "read as a digit; "
        f"evenness of the digits among them: **{rate.entropy:.2f}** of {math.log(10):.2f} nats."
    )
