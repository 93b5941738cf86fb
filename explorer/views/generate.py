"""Generate: random codes, decoded by both models, and how many of them a classifier reads."""

import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, evaluation, images, metrics
from explorer.cache import cached
from explorer.choices import Choice, seed_input
from explorer.classes import Classes
from explorer.components import latent_map
from explorer.components.card import card, markup, picture
from explorer.evaluation import SAMPLES
from explorer.maps import Map, MapPair
from explorer.models import Model, ModelPair
from explorer.stage import Laid, Stage, draw_close_ups, lay_over
from explorer.text import escape_markdown, percent
from explorer.views.compare import offer_measuring
from training.array_file import CheckpointError, MissingError

__all__ = ["DRAWS", "render"]

Array = NDArray[Any]

SAMPLES_SHOWN = (10, 20, 40)
DRAWS = 4000  # at most, until enough of a class are found
ANY = "any"
SHOWN, SEED, WANTED = Choice("samples", SAMPLES_SHOWN[0]), Choice("seed", 0), Choice("class", ANY)
FITTED_FOR_AE = Choice("fitted", False)  # whether the AE's map and picture are of its own Gaussian
# Of each model's samples, with the title of their pictures.
SOURCES = {
    "autoencoder": {"prior": "AE, z ~ N(0, I)", "fitted": "AE, z ~ its own Gaussian"},
    "vae": {"prior": "VAE, the same z ~ N(0, I)"},
}
# Where a class is asked for, each model keeps others of the same draws.
SOURCES_OF_CLASS = SOURCES | {"vae": {"prior": "VAE, z ~ N(0, I)"}}
CHOSEN = "sample"  # the sample that is shown large, from 0; in the session, not in the URL


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: where on the maps random codes fell, one of them large, all of them, and how many are read."""
    maps = stage.maps
    fitted = False
    if maps.find("autoencoder"):
        with stage.controls:
            fitted = st.toggle(
                "AE: its own Gaussian",
                FITTED_FOR_AE.default,
                help="On the AE's map: codes of the Gaussian that is fitted to the AE's own codes, not of N(0, I).",
                **FITTED_FOR_AE.bound,
            )
    with stage.viewer:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            n = int(st.segmented_control("Samples", SAMPLES_SHOWN, default=SHOWN.default, required=True, **SHOWN.bound))
            label = _wanted_input(pair.classes)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            seed = seed_input(SEED, "Again")
        told = st.empty()
    drawn = {
        (map_, source): _samples(map_, source, n, seed, label, catalog.classifier_file(map_.model))
        for map_ in maps
        for source in SOURCES[map_.model.name]
    }
    shown = {map_: drawn[map_, "fitted" if fitted and map_.model.name == "autoencoder" else "prior"] for map_ in maps}
    told.markdown(_all_of_them(pair) if label is None else _those_kept(pair.classes, label, shown))
    laid = []
    for map_, answer in zip(maps, stage.answers, strict=True):
        with answer:
            laid.append(_chosen(map_, shown[map_]))
    with stage.viewer:
        draw_close_ups(laid)
    _walls(maps, drawn, label)


def _wanted_input(classes: Classes) -> int | None:
    """Draw the widget that chooses a class; return it, None for any."""
    options = [ANY, *map(str, range(len(classes)))]
    WANTED.set(WANTED.value if WANTED.value in options else ANY)
    # Not bound: see `choices.renamed_input`.
    wanted = st.selectbox(
        classes.noun.capitalize(),
        options,
        key=WANTED.name,
        format_func=lambda option: ANY if option == ANY else classes.names[int(option)],
        width=80 if classes.fit_labels else 118,
        help="A VAE has no label to ask for: codes are drawn until the classifier reads enough of that "
        f"{classes.noun}.",
    )
    WANTED.write(wanted)
    return None if wanted == ANY else int(wanted)


class Samples(NamedTuple):
    """Latent points drawn at random, and their decodes."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    probabilities: Array | None  # of the classes, (n, classes), as the classifier reads the pictures; None without one
    draws: int  # how many points were drawn for these


class ReadRate(NamedTuple):
    """How many decodes of random latent points the classifier reads, and how evenly."""

    share: metrics.Estimate  # read with at least `metrics.MIN_CONFIDENCE` confidence
    entropy: float  # of the classes among those, in nats


def _all_of_them(pair: ModelPair) -> str:
    """Say what is drawn and decoded, and why."""
    fair = " To be fair to the AE, we also draw from a Gaussian fitted to its codes."
    return (
        "**Random codes, decoded.** A VAE is fitted so that codes drawn from N(0, I), its prior, decode to "
        f"{'digits' if pair.classes.are_digits else 'images of its classes'}. Nothing tells an AE to do the same."
        + (fair if pair.find("autoencoder") else "")
    )


def _those_kept(classes: Classes, label: int, shown: dict[Map, Samples]) -> str:
    """Say which of the random codes are kept, and the share of them, by model."""
    called = escape_markdown(classes.called(label))
    shares = [
        f"{map_.model.short} {_share_kept(samples)}"
        for map_, samples in shown.items()
        if samples.probabilities is not None
    ]
    return (
        f"**Random codes that decode to {called}.** A VAE has no label to ask for: codes are drawn, and those kept "
        f"that a classifier reads as {called}." + (f" Kept: **{', '.join(shares)}**." if shares else "")
    )


def _share_kept(samples: Samples) -> str:
    return f"{100 * len(samples.pictures) / samples.draws:.2g} %"


def _chosen(map_: Map, samples: Samples) -> Laid:
    """Mark random codes on a map, and show one of them large: that nearest to a click."""
    model, points = map_.model, samples.points
    chosen = min(int(st.session_state.get(CHOSEN, 0)), len(points) - 1)
    marks: list[latent_map.Mark] = [latent_map.dots_mark(points)] if points else []
    shown = '<figure><div class="blank"></div><figcaption>none found</figcaption></figure>'
    if points:
        marks.append(latent_map.ring_mark(*points[chosen]))
        what = f"sample {chosen + 1}"
        caption = f"{what}: {_read(model.classes, samples, chosen)}" if samples.probabilities is not None else what
        shown = picture(
            samples.pictures[chosen], f"{model.short}: {what}", name=f"sample-{model.name}", caption=caption
        )
    return lay_over(
        map_,
        marks,
        on_pick=partial(_choose_nearest, points) if points else None,
        answer=markup([shown], kind="pick"),
    )


def _choose_nearest(points: list[list[float]], x: float, y: float) -> None:
    """Choose the sample nearest to a point of the map; a callback."""
    st.session_state[CHOSEN] = int(np.hypot(*(np.array(points) - (x, y)).T).argmin())


def _walls(maps: MapPair, drawn: dict[tuple[Map, str], Samples], label: int | None) -> None:
    classes = maps.either.model.classes
    is_read = False
    place = st.container()
    with catalog.show_errors():
        try:
            catalog.classifier(maps.either.model)
            is_read = True
        except MissingError:
            offer_measuring(maps.models, "No classifier reads these pictures yet: measuring fits one.")
    for column, ((map_, source), samples) in zip(place.columns(len(drawn)), drawn.items(), strict=True):
        title = (SOURCES if label is None else SOURCES_OF_CLASS)[map_.model.name][source]
        with column:
            st.markdown(f"##### {title}")
            pictures = [
                picture(
                    address,
                    f"{title}, sample {i + 1}",
                    name=f"{map_.model.name}-{source}-{i + 1}",
                    caption=_read(classes, samples, i),
                )
                for i, address in enumerate(samples.pictures)
            ]
            card(pictures, kind="wall")
            if label is not None:
                _show_kept(map_.model, samples, label)
            elif is_read:
                _show_read_rate(map_.model, source)
    if is_read:
        st.caption(
            f"Below each picture: the {classes.noun} that a classifier reads in it, **?** if it is less than 90 % "
            f"sure. Look for {f'{classes.nouns} that never come up' if label is None else 'the share that was kept'}."
        )


@cached()
def _samples(map_: Map, source: str, n: int, seed: int, label: int | None, classifier: Path) -> Samples:
    """Draw random latent points and decode them; see `evaluation.samples`.

    Args:
        map_: whose model decodes.
        source: of the points.
        n: how many.
        seed: of the noise.
        label: if not None, points are drawn until so many decodes are read as this class, at most `DRAWS`.
        classifier: the file of what reads them, which may be missing.
    """
    model = map_.model
    z = evaluation.samples(model, source, n if label is None else DRAWS, seed)
    decodes, draws = model.decode(z), n
    try:
        probabilities = evaluation.classify(catalog.classifier(model), decodes)
    except CheckpointError:
        probabilities = None  # `_read_rate` says so
    if label is not None and probabilities is not None:
        is_kept = (probabilities.argmax(axis=1) == label) & (probabilities.max(axis=1) >= metrics.MIN_CONFIDENCE)
        kept = np.flatnonzero(is_kept)[:n]
        draws = int(kept[-1]) + 1 if len(kept) == n else DRAWS
        z, decodes, probabilities = z[kept], decodes[kept], probabilities[kept]
    elif label is not None:
        z, decodes = z[:0], decodes[:0]
    points: list[list[float]] = map_.project(z).tolist() if len(z) else []
    return Samples(points, [images.data_uri(decode) for decode in decodes], probabilities, draws)


@cached("Reading 2,000 samples …")
def _read_rate(model: Model, source: str, classifier: Path) -> ReadRate:
    """Compute how many of `evaluation.SAMPLES` random decodes are read, and how evenly the classes come up.

    Raises:
        CheckpointError: there is no classifier for the dataset.
    """
    reader = catalog.classifier(model)
    probabilities = evaluation.classify(
        reader, model.decode(evaluation.samples(model, source, evaluation.SAMPLES, evaluation.SEED))
    )
    return ReadRate(metrics.confident_share(probabilities), metrics.class_entropy(probabilities))


def _read(classes: Classes, samples: Samples, i: int) -> str:
    if samples.probabilities is None:
        return ""
    probabilities = samples.probabilities[i]
    return classes.short_names[probabilities.argmax()] if probabilities.max() >= metrics.MIN_CONFIDENCE else "?"


def _show_read_rate(model: Model, source: str) -> None:
    rate = _read_rate(model, source, catalog.classifier_file(model))
    classes = model.classes
    st.markdown(
        f"**{percent(rate.share.value)}** (± {percent(rate.share.error)}) of {SAMPLES:,} such pictures are "
        f"read as {classes.recognised}. Entropy of the {classes.nouns}: **{rate.entropy:.2f}** nats "
        f"({classes.all_equally} equally: {math.log(len(classes)):.2f})."
    )


def _show_kept(model: Model, samples: Samples, label: int) -> None:
    if samples.probabilities is None:
        command = f"python -m training classifier {model.checkpoint.experiment.dataset}"
        noun = model.classes.noun
        st.markdown(f"Without a classifier no {noun} can be asked for: choose *any*, or fit one, `{command}`.")
        return
    kept = len(samples.pictures)
    called = escape_markdown(model.classes.called(label))
    st.markdown(f"**{kept} of {samples.draws:,} draws kept ({_share_kept(samples)})**: those read as {called}.")
    if not kept:
        st.markdown(f"None came up: choose another {model.classes.noun}, or another seed.")
