"""Finds and loads experiments from `checkpoints/`; all of it is computed once and shared by all sessions."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from explorer import atlas as atlases
from explorer import figures, images, latent, measures, posterior, quality
from explorer.atlas import Atlas
from explorer.text import escape_markdown
from explorer.twins import Twin, Twins, open_twins, spare_the_garbage_collector
from training.array_file import file_version
from training.checkpoint import (
    CheckpointError,
    checkpoint_path,
    fitted,
    other_betas,
)
from training.experiments import EXPERIMENTS
from training.folders import checkpoints_dir, data_dir
from training.study import Size, read_study, study_path

if TYPE_CHECKING:
    from training.classifier import Classifier
    from training.datasets import Data

__all__ = [
    "FILM_FRAMES",
    "HOW_TO_GET_ORIGINALS",
    "NEIGHBOURS_SHOWN",
    "TRAVERSE_FRAMES",
    "TRAVERSE_SPREADS",
    "Placed",
    "Reading",
    "Reconstruction",
    "Samples",
    "Slack",
    "active_dimensions",
    "atlas",
    "available",
    "betas",
    "binarised",
    "binarised_drawing",
    "classifier",
    "codes_figure",
    "curves_figure",
    "decoder_name",
    "details",
    "film",
    "generate",
    "grid_figure",
    "has_data",
    "is_torch_loaded",
    "kl_figure",
    "load",
    "measured",
    "original",
    "place",
    "posterior_figure",
    "ranked",
    "reading",
    "reading_picture",
    "reconstructions",
    "sentences",
    "slack",
    "snapshot_figure",
    "split_size",
    "study",
    "study_figure",
    "trade_off",
    "trade_off_figure",
    "traverse",
    "way",
    "widest_gap",
]

Array = NDArray[Any]

HOW_TO_GET_ORIGINALS = (
    "Everything else works without it. `python -m training fit` downloads the data set; README says how to copy it."
)
TRAVERSE_FRAMES, TRAVERSE_SPREADS = 13, 3  # from 3 standard deviations below to 3 above, half a one a frame
NEIGHBOURS_SHOWN = 3  # test images beside a drawn one
FILM_FRAMES = 24  # along a drawn path
READING_SIDE = 100  # places along each side of a map that the classifier reads


@contextmanager
def sentences() -> Iterator[None]:
    """A defective checkpoint is told in its sentence, where the page needed it; the rest of the page goes on."""
    try:
        yield
    except CheckpointError as error:
        st.error(escape_markdown(str(error)))


class Reconstruction(NamedTuple):
    """An image and what both models make of it."""

    digit: int
    pictures: list[str]  # the image, the AE's decode of its code, the VAE's; data URIs
    reconstructions: list[float]  # the AE's log p(x|f(x)), the VAE's log p(x|z) averaged over q(z|x), in nats
    kl: float  # of the VAE, in nats


class Placed(NamedTuple):
    """Where a picture lands in a latent space, and what becomes of it."""

    seen: Array  # the picture as the model sees it, (h, w), pixels in [0, 1]
    point: list[float]  # of its code on the map
    outline: list[list[float]]  # on the map: the encoder's Gaussian, if it has one
    decode: Array  # of its code, (h, w)
    reconstruction: float  # log p(x|z) of the picture binarised, in nats
    kl: float | None  # in nats; None for the AE
    nearest: list[int]  # the test images with the nearest codes, the nearest first


class Slack(NamedTuple):
    """What the encoder believes of an image, and what is true."""

    belief: posterior.Belief  # q(z|x)
    elbo: float
    truth: posterior.Posterior | None  # p(z|x) and log p(x); None with more than two dimensions


class Samples(NamedTuple):
    """Latent points drawn at random, and what the decoder makes of them."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    probabilities: Array | None  # of the classes, (n, 10), as the classifier reads the pictures; None without one


class Reading(NamedTuple):
    """What the classifier makes of many decodes of random latent points."""

    read: quality.Share  # with at least `quality.SURE` confidence
    entropy: float  # of the digits among those, in nats


class Way(NamedTuple):
    """Points of latent space, one after another, and what the decoder makes of them."""

    points: list[list[float]]  # on the map
    pictures: list[str]  # data URIs
    strip: str  # all of them side by side, a data URI


def available() -> list[str]:
    """The experiments that can be chosen: the folders in `checkpoints/`, the shipped recipes first."""
    found = fitted(checkpoints_dir())
    shipped = [name for name in EXPERIMENTS if name in found]
    return shipped + [name for name in found if name not in shipped] or list(EXPERIMENTS)


def load(
    name: str, dimensions: tuple[int, int] | None = None, *, embedded: bool = False, beta: float | None = None
) -> Twins:
    """The twins of an experiment.

    Args:
        name: a folder in `checkpoints/`.
        dimensions: the two latent dimensions that the maps show, from 0; None: the plane of the first two principal
            components, or, if there are but two dimensions, those.
        embedded: the maps show the codes as t-SNE lays them out.
        beta: one of `betas`; None: the recipe's.

    Raises:
        CheckpointError: a file is missing or defective, or the two do not belong together; no t-SNE was computed.
    """
    folder = checkpoints_dir() / name
    if beta not in other_betas(folder):
        beta = None
    paths = [checkpoint_path(folder, "autoencoder"), checkpoint_path(folder, "vae", beta)]
    versions = tuple(file_version(path) for path in paths)
    twins = _load(folder, versions, dimensions, beta)
    return _embed(twins, measured(twins).tsne) if embedded else twins


@st.cache_resource(show_spinner="Opening the checkpoints …", max_entries=16)
def _load(folder: Path, versions: tuple[int, ...], dimensions: tuple[int, int] | None, beta: float | None) -> Twins:
    return open_twins(folder, dimensions, beta)


def betas(name: str) -> list[float]:
    """The betas, in order, of an experiment's VAEs."""
    own = load(name).vae.checkpoint.experiment.beta
    return sorted({own, *other_betas(checkpoints_dir() / name)})


def trade_off(twins: Twins) -> list[tuple[float, float, float]]:
    """Beta, and the reconstruction and the KL of the test images, of each VAE of the twins' experiment, by beta."""
    name = twins.folder.name
    vaes = [load(name, beta=beta).vae.checkpoint for beta in betas(name)]
    return [(vae.experiment.beta, vae.test["reconstruction"], vae.test["kl"]) for vae in vaes]


def trade_off_figure(twins: Twins) -> go.Figure:
    """What each beta makes of reconstruction and KL, with the chosen one marked."""
    chosen = twins.vae.checkpoint.experiment.beta
    return figures.trade_off(trade_off(twins), chosen, twins.ae.checkpoint.test["reconstruction"])


def is_torch_loaded() -> bool:
    """Whether decoding can begin at once; the first decode of a server loads torch, which takes seconds."""
    return "torch" in sys.modules


def original(twins: Twins, image: int) -> Array | None:
    """The test image that a code was computed from: (h, w), pixels in [0, 1]; None if it is not on this computer."""
    data = _data(twins)
    return None if data is None else data.test.images[image].numpy() / 255


def reconstructions(twins: Twins, split: str, images_shown: tuple[int, ...]) -> list[Reconstruction]:
    """Some images of a split with what both models make of them; of `substitute` where the data set is missing."""
    from training.datasets import Split

    data = _data(twins) or substitute(twins)
    part: Split = getattr(data, split)
    chosen = list(images_shown)
    grey = part.images[chosen]
    decodes = [twin.reconstruct(grey.float() / 255) for twin in twins]
    # All of the test images are ranked, so theirs are known; another split is large, and only these are wanted.
    terms = [
        [None if each is None else each[chosen] for each in _test_terms(twin, twins)]
        if split == "test"
        else twin.terms(Split(grey, part.digits[chosen]))
        for twin in twins
    ]
    (ae, _), (vae, kl) = terms
    assert ae is not None
    assert vae is not None
    assert kl is not None
    return [
        Reconstruction(
            digit=int(part.digits[image]),
            pictures=[
                images.data_uri(picture) for picture in (grey[row].numpy() / 255, *(each[row] for each in decodes))
            ],
            reconstructions=[float(ae[row]), float(vae[row])],
            kl=float(kl[row]),
        )
        for row, image in enumerate(chosen)
    ]


def place(twin: Twin, picture: Array) -> Placed:
    """Where a picture in MNIST's form, uint8 (28, 28), lands. Its code is that of the grey picture."""
    import torch

    from training.datasets import Split, reduce

    recipe = twin.checkpoint.experiment
    seen = reduce(torch.as_tensor(picture)[None], recipe.image_size, binarised=recipe.binarised)
    grey = seen.float() / 255
    code, spread = twin.encode(grey)
    if spread is None:
        reconstruction, kl = float(twin.terms(Split(seen, torch.zeros(1, dtype=torch.uint8)))[0][0]), None
    else:  # as in the Posterior tab, to the last digit
        belief, elbo = _bound(twin, measures.binarised(seen)[0])
        reconstruction, kl = elbo + belief.kl, belief.kl
    return Placed(
        grey[0].numpy(),
        twin.plane.project(code)[0].tolist(),
        twin.outline(code[0], None if spread is None else spread[0]),
        twin.decode(code)[0],
        reconstruction,
        kl,
        latent.nearest_images(twin.codes.code, code[0], NEIGHBOURS_SHOWN),
    )


def binarised(twins: Twins, image: int) -> Array | None:
    """A test image as the reported figures see it, (h, w), zeros and ones; None if it is not on this computer."""
    return _binarised(twins)[image] if has_data(twins) else None


def binarised_drawing(twins: Twins, picture: Array) -> Array:
    """A picture in MNIST's form, uint8 (28, 28), as the figures of the Draw tab see it: (h, w), zeros and ones."""
    import torch

    from training.datasets import reduce

    recipe = twins.vae.checkpoint.experiment
    seen = reduce(torch.as_tensor(picture)[None], recipe.image_size, binarised=recipe.binarised)
    return measures.binarised(seen)[0]


def has_data(twins: Twins) -> bool:
    """Whether the images that the twins were fitted to are on this computer."""
    return _data(twins) is not None


def split_size(twins: Twins, split: str) -> int:
    """How many images a split has."""
    return len(getattr(_data(twins) or substitute(twins), split))


def ranked(twins: Twins, by: str) -> Array:
    """The test images from the worst to the best, by VAE ELBO (`vae`) or AE reconstruction (`autoencoder`)."""
    reconstruction, kl = _test_terms(twins.vae if by == "vae" else twins.ae, twins)
    return np.argsort(reconstruction if kl is None else reconstruction - kl, kind="stable")


def substitute(twins: Twins) -> "Data":
    """scikit-learn's bundled digits in the form of the twins' images."""
    return _substitute(twins.vae.checkpoint.experiment.image_size, twins.vae.checkpoint.experiment.binarised)


@st.cache_resource(show_spinner=False)
def _substitute(image_size: int, binarised: bool) -> "Data":
    from training.datasets import load as load_data

    return load_data("digits", data_dir(), image_size=image_size, binarised=binarised)


@st.cache_resource(show_spinner="Computing the likelihood of each test image …", max_entries=64)
def _test_terms_of(path: Path, version: int, present: bool, _twin: Twin, _twins: Twins) -> tuple[Array, Array | None]:
    data = _data(_twins)
    return _twin.terms((data or substitute(_twins)).test)


def _test_terms(twin: Twin, twins: Twins) -> tuple[Array, Array | None]:
    return _test_terms_of(twin.checkpoint.path, twin.version, has_data(twins), twin, twins)


def _data(twins: Twins) -> "Data | None":
    folder = data_dir()
    # They may be put there while the app runs: the folder's time of change is part of the cache's key.
    raw = [path.stat().st_mtime_ns for path in folder.glob("*/raw")]
    return _load_data(folder, tuple(raw), twins)


def details(twins: Twins) -> str:
    """What is to be known of the models, as a Markdown table: `st.table` would import pandas before the first map."""
    columns = [_details(twin) for twin in twins]
    rows = [["", *(twin.short for twin in twins)], ["---"] * 3]
    rows += [[f"**{name}**", *(column[name] for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _details(twin: Twin) -> dict[str, str]:
    recipe = twin.checkpoint.experiment
    return {
        "network": f"{recipe.network} and back",
        "bottleneck": "mean and log-variance" if twin.name == "vae" else "code",
        "objective": f"ELBO, beta {recipe.beta:g}" if twin.name == "vae" else "log p(x given f(x))",
        "epochs": str(recipe.epochs),
        "batch size": str(recipe.batch_size),
        "learning rate": f"{recipe.learning_rate:g}",
        "weight decay": f"{recipe.weight_decay:g}",
        "seed": str(recipe.seed),
        "fitted in": f"{twin.checkpoint.seconds / 60:.1f} min",
        "test images": f"{len(twin.codes.digit):,}",
    }


def _twin_key(twin: Twin) -> tuple[object, ...]:
    return str(twin.checkpoint.path), twin.version, twin.dimensions, twin.embedding is not None


def _twins_key(twins: Twins) -> tuple[tuple[object, ...], ...]:
    return tuple(_twin_key(twin) for twin in twins)


_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {Twin: _twin_key, Twins: _twins_key}


# Kept, because a twin keeps what is computed from its codes: neighbours in many dimensions take seconds.
@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=8)
def _embed(twins: Twins, places: dict[str, Array]) -> Twins:
    return Twins(*(replace(twin, embedding=places[twin.name]) for twin in twins))


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=16)
def _load_data(folder: Path, versions: tuple[int, ...], twins: Twins) -> "Data | None":
    from training.datasets import DataError
    from training.datasets import load as load_data

    recipe = twins.vae.checkpoint.experiment
    try:
        data = load_data(
            recipe.dataset, folder, image_size=recipe.image_size, binarised=recipe.binarised, download=False
        )
    except DataError:
        return None
    finally:
        spare_the_garbage_collector()
    return data if np.array_equal(data.test.digits.numpy(), twins.digits) else None


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=4)
def _binarised(twins: Twins) -> Array:
    data = _data(twins)
    assert data is not None
    return measures.binarised(data.test.images)


@st.cache_resource(show_spinner="Decoding the whole plane, once …", hash_funcs=_KEYS, max_entries=4)
def _lattice(vae: Twin) -> posterior.Lattice:
    return measures.lattice(vae)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def slack(vae: Twin, seen: Array) -> Slack:
    """What a VAE's encoder believes of an image, (h, w), zeros and ones, and what is true."""
    belief, elbo = _bound(vae, seen)
    if len(belief.mean) > 2:
        return Slack(belief, elbo, None)
    return Slack(belief, elbo, posterior.posterior(_lattice(vae), measures.decoder(vae), seen.ravel(), belief))


def _bound(vae: Twin, seen: Array) -> tuple[posterior.Belief, float]:
    belief = measures.beliefs(vae, seen[None])[0]
    return belief, posterior.elbo(measures.decoder(vae), seen.ravel(), belief)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def posterior_figure(vae: Twin, seen: Array, area: latent.Window) -> go.Figure:
    """The true posterior of an image over a part of the plane."""
    found = slack(vae, seen)
    assert found.truth is not None
    outline = np.array(vae.outline(found.belief.mean, 2 * found.belief.deviation))
    truth = found.truth.points[found.truth.depth <= 2]
    return figures.contours(*found.truth.raster(area), area, vae.axes, outline, truth)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def codes_figure(twin: Twin, shown: int, small: bool = False, read: bool = False) -> go.Figure:
    """The codes face of a map, with the first so many test codes, over what the classifier reads where it is asked."""
    reading = reading_picture(twin) if read else ""
    points, digits = twin.points[:shown], twin.codes.digit[:shown]
    return figures.codes_map(points, digits, twin.window, twin.axes, small=small, reading=reading)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def widest_gap(twin: Twin) -> latent.Gap:
    """The largest empty disc among the codes of a twin's map; see `latent.widest_gap`."""
    return latent.widest_gap(twin.points, twin.window)


@st.cache_resource(show_spinner="Decoding the grid …", hash_funcs=_KEYS, max_entries=64)
def grid_figure(twin: Twin, n: int, read: bool = False) -> go.Figure:
    """The grid face of a map, with n x n decodes, under what the classifier reads where it is asked."""
    reading = reading_picture(twin) if read else ""
    decodes = twin.decode(twin.plane.lift(latent.grid(twin.window, n)))
    return figures.grid_map(images.data_uri(images.tile(decodes, n)), twin.window, twin.axes, reading=reading)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def atlas(twin: Twin) -> Atlas:
    """The decodes of a twin's window."""
    return atlases.atlas(lambda points: twin.decode(twin.plane.lift(points)), twin.window)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def way(twin: Twin, start: tuple[float, ...], end: tuple[float, ...], frames: int) -> Way:
    """The straight way between two latent points, decoded: the slider along it decodes nothing."""
    codes = latent.path(start, end, frames)
    decodes = twin.decode(codes)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Way(twin.plane.project(codes).tolist(), pictures, images.data_uri(images.strip(decodes)))


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def film(twin: Twin, corners: tuple[tuple[float, float], ...]) -> Array:
    """The decodes along a path over a twin's map, `FILM_FRAMES` equally spaced ones: (n, h, w)."""
    return twin.decode(twin.plane.lift(latent.along(corners, FILM_FRAMES)))


def decoder_name(twin: Twin) -> str:
    """Tells the maps that a browser may meet apart: by their decoder, and by the plane that they show."""
    return hashlib.sha256(repr(_twin_key(twin)).encode()).hexdigest()[:12]


def classifier(twin: Twin) -> "Classifier":
    """The classifier of a twin's dataset.

    Raises:
        CheckpointError: missing or defective.
    """
    from training.classifier import classifier_path

    dataset = twin.checkpoint.experiment.dataset
    path = classifier_path(checkpoints_dir(), dataset)
    return _load_classifier(checkpoints_dir(), dataset, file_version(path))


@st.cache_resource(show_spinner=False, max_entries=8)
def _load_classifier(folder: Path, dataset: str, version: int) -> "Classifier":
    from training.classifier import load_classifier

    return load_classifier(folder, dataset)[0]


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def generate(twin: Twin, source: str, n: int, seed: int) -> Samples:
    """Random latent points, decoded; see `measures.samples`."""
    z = measures.samples(twin, source, n, seed)
    decodes = twin.decode(z)
    try:
        probabilities = measures.read(classifier(twin), decodes)
    except CheckpointError:
        probabilities = None  # `reading` tells it
    return Samples(twin.plane.project(z).tolist(), [images.data_uri(decode) for decode in decodes], probabilities)


@st.cache_resource(show_spinner="Reading 2,000 samples …", hash_funcs=_KEYS, max_entries=64)
def reading(twin: Twin, source: str) -> Reading:
    """How many of `measures.SAMPLES` random decodes are digits, and which.

    Raises:
        CheckpointError: there is no classifier for the dataset.
    """
    reader = classifier(twin)
    probabilities = measures.read(reader, twin.decode(measures.samples(twin, source, measures.SAMPLES, measures.SEED)))
    return Reading(quality.read_share(probabilities), quality.read_entropy(probabilities))


@st.cache_resource(show_spinner="Reading the plane …", hash_funcs=_KEYS, max_entries=64)
def reading_picture(twin: Twin) -> str:
    """A twin's window, each place in the colour of the digit that the classifier reads there, paled by its confidence:
    a data URI."""
    points = latent.grid(twin.window, READING_SIDE)
    probabilities = measures.read(classifier(twin), twin.decode(twin.plane.lift(points)))
    return images.data_uri(figures.reading_colours(probabilities.reshape(READING_SIDE, READING_SIDE, -1)))


def measured(twins: Twins) -> measures.Measures:
    """The numbers of an experiment.

    Raises:
        CheckpointError: see `measures.read_measures`.
    """
    path = measures.measures_path(twins.folder, twins.other_beta)
    return _read_measures(file_version(path), twins)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=32)
def _read_measures(version: int, twins: Twins) -> measures.Measures:
    return measures.read_measures(twins.folder, twins)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def traverse(twin: Twin, z: tuple[float, ...], dimensions: tuple[int, ...]) -> list[str]:
    """For each of some dimensions a film strip, a data URI: a latent point moved along it, by up to `TRAVERSE_SPREADS`
    standard deviations to either side."""
    steps = np.linspace(-TRAVERSE_SPREADS, TRAVERSE_SPREADS, TRAVERSE_FRAMES)
    moves = steps[None, :, None] * (np.eye(len(z)) * twin.spread)[list(dimensions), None]
    decodes = twin.decode((np.array(z) + moves).reshape(-1, len(z)))
    return [images.data_uri(images.strip(strip)) for strip in np.split(decodes, len(dimensions))]


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def kl_figure(twins: Twins) -> go.Figure:
    """How much each of the VAE's dimensions says."""
    return figures.kl_bars(twins.vae.kl_of_dimensions, quality.SWITCHED_OFF)


def study() -> list[Size]:
    """What models of several latent sizes reach.

    Raises:
        CheckpointError: see `training.study.read_study`.
    """
    return read_study(study_path(checkpoints_dir()))


def active_dimensions(size: Size) -> int:
    """How many of its dimensions a VAE of the study uses."""
    return sum(kl >= quality.SWITCHED_OFF for kl in size.kl_of_dimensions)


def study_figure() -> go.Figure:
    """The study as a chart; raises as `study`."""
    sizes = study()
    return figures.study(sizes, [active_dimensions(size) for size in sizes])


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def snapshot_figure(twin: Twin, update: int) -> go.Figure:
    """A map as it stood after so many weight updates, in the window of the codes at the end of the fit."""
    snapshots = twin.snapshots
    moment = int(np.searchsorted(snapshots.update, update, side="right")) - 1
    points, last = (twin.flat.project(snapshots.code[each]) for each in (moment, -1))
    axes = replace(twin, embedding=None).axes
    return figures.codes_map(points, snapshots.digit, latent.window(last, least=twin.least_side), axes, small=True)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def curves_figure(twins: Twins, x_axis: str, logarithmic: bool) -> go.Figure:
    """The training curves of both."""
    return figures.curves({twin.name: twin.history for twin in twins}, x_axis, logarithmic=logarithmic)
