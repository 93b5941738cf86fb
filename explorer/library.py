"""Finds and loads experiments from `checkpoints/`; all of it is computed once and shared by all sessions."""

import atexit
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from explorer import figures, images, latent, quality
from training.checkpoint import (
    MODEL_NAMES,
    Checkpoint,
    CheckpointError,
    Codes,
    Curve,
    Snapshots,
    checkpoint_path,
    fitted,
)
from training.experiments import EXPERIMENTS
from training.folders import checkpoints_dir, data_dir

if TYPE_CHECKING:
    from torch import Tensor

    from training.datasets import Data, Split
    from training.models import Autoencoder

__all__ = [
    "ATLAS_SIDE",
    "HOW_TO_GET_ORIGINALS",
    "TRAVERSE_FRAMES",
    "TRAVERSE_SPREADS",
    "Reconstruction",
    "Twin",
    "Twins",
    "atlas",
    "available",
    "codes_figure",
    "curves_figure",
    "details",
    "grid_figure",
    "has_data",
    "is_torch_loaded",
    "kl_figure",
    "load",
    "original",
    "ranked",
    "reconstructions",
    "sentences",
    "snapshot_figure",
    "split_size",
    "traverse",
    "way",
]

Array = NDArray[Any]

HOW_TO_GET_ORIGINALS = (
    "Everything else works without it. `python -m training fit` downloads the data set; README says how to copy it."
)
LIKELIHOOD_SAMPLES = 5  # posterior samples of each image: fewer, and the worst images would be the unlucky ones
TRAVERSE_FRAMES, TRAVERSE_SPREADS = 13, 3  # from 3 standard deviations below to 3 above, half a one a frame
ATLAS_SIDE = 120  # decodes: so many that what lies between them is right to 0.002, and no more than a megabyte


@contextmanager
def sentences() -> Iterator[None]:
    """A defective checkpoint is told in its sentence, where the page needed it; the rest of the page goes on."""
    try:
        yield
    except CheckpointError as error:
        st.error(str(error))


@dataclass(eq=False)
class Twin:
    """One model of an experiment: its codes, its map, its decoder. Read-only and shared."""

    checkpoint: Checkpoint
    title: str  # as headings say it
    short: str  # as labels say it
    codes: Codes
    dimensions: tuple[int, int] | None  # that the map shows, from 0; None: all there are, or the principal plane
    version: int  # the file's time of change; a fresh fit is another twin

    @property
    def name(self) -> str:
        """`autoencoder` or `vae`."""
        return self.checkpoint.model

    @cached_property
    def plane(self) -> latent.Plane:
        """What the map shows of latent space."""
        code = self.codes.code
        if self.dimensions is None and code.shape[1] > 2:
            return latent.principal_plane(code)
        return latent.dimensions_plane(code, *(self.dimensions or (0, 1)))

    @cached_property
    def points(self) -> Array:
        """The codes on the map, (n, 2)."""
        return self.plane.project(self.codes.code)

    @cached_property
    def window(self) -> latent.Window:
        """What the map shows at first."""
        return latent.window(self.points)

    @cached_property
    def axes(self) -> figures.Axes:
        """What the map's coordinates are."""
        scale = ["no fixed scale"] * 2 if self.name == "autoencoder" else ["standard deviations of the prior"] * 2
        if self.name == "vae":
            scale[1] = "st. dev. of the prior"  # the map is less high than wide, with its title
        if self.dimensions is None and self.codes.code.shape[1] > 2:
            names = ["principal component 1", "principal component 2"]
        else:
            names = [f"latent dimension {dimension + 1}" for dimension in self.dimensions or (0, 1)]
        x, y = (f"{name} ({unit})" for name, unit in zip(names, scale, strict=True))
        if self.name == "autoencoder":
            return figures.Axes(x, y)
        origin = self.plane.project(np.zeros((1, len(self.plane.centre))))[0].tolist()
        return figures.Axes(x, y, (origin[0], origin[1]))

    @cached_property
    def spread(self) -> Array:
        """What one standard deviation is, (d,): of the prior for the VAE, of its codes for the AE."""
        code = self.codes.code
        return np.ones(code.shape[1]) if self.name == "vae" else code.std(axis=0, dtype=np.float64)

    @cached_property
    def kl_of_dimensions(self) -> Array:
        """See `quality.kl_of_dimensions`; of the VAE."""
        assert self.codes.log_variance is not None
        return quality.kl_of_dimensions(self.codes.code, self.codes.log_variance)

    @cached_property
    def history(self) -> dict[str, Curve]:
        return self.checkpoint.history()

    @cached_property
    def snapshots(self) -> Snapshots:
        return self.checkpoint.snapshots()

    @cached_property
    def neighbour_distances(self) -> Array:
        """See `latent.neighbour_distances`."""
        return latent.neighbour_distances(self.codes.code)

    @cached_property
    def _model(self) -> "Autoencoder":
        return _load_model(self.checkpoint.path, self.version)

    def decode(self, z: ArrayLike) -> Array:
        """Decodes of latent points: (n, d) -> (n, 28, 28), the probability of white for each pixel."""
        model = self._model
        import torch

        # A decode is short: two threads would wait for each other, spinning, longer than it takes, while the browser
        # has the other core. Said at each call, because the number holds for the calling thread only, and Streamlit
        # runs every click in a new one.
        torch.set_num_threads(1)
        with torch.inference_mode():
            parts = torch.as_tensor(np.asarray(z, np.float32)).split(256)  # a convolution's features are large
            return torch.cat([model.decode(part).sigmoid() for part in parts]).numpy()

    def reconstruct(self, grey: "Tensor") -> Array:
        """Decodes of images' own codes: (n, h, w) with pixels in [0, 1] -> (n, h, w)."""
        import torch

        with torch.inference_mode():
            return self.decode(self._model.code(grey).numpy())

    def likelihoods(self, images: "Split") -> Array:
        """The VAE's ELBO or the AE's log p(x|f(x)) of each image, (n,), in nats."""
        import torch

        from training.objective import evaluate_each

        torch.set_num_threads(1)  # see `decode`
        each = evaluate_each(self._model, images, samples=LIKELIHOOD_SAMPLES)
        return (each.reconstruction if each.elbo is None else each.elbo).numpy()


def _spare_the_garbage_collector() -> None:
    """To be called after a large import. Streamlit collects garbage after every run, before the last of its answer is
    sent; without this it walks, at every click, the hundreds of thousands of objects that torch and torchvision leave
    behind for good: 150 ms on two cores. What becomes garbage later is still collected."""
    gc.collect()
    gc.freeze()


# Or the frozen objects are reported as leaks when the server stops.
atexit.register(gc.unfreeze)


@dataclass(eq=False)
class Twins:
    """The AE and the VAE of an experiment, side by side as on the page."""

    ae: Twin
    vae: Twin

    def __iter__(self) -> Iterator[Twin]:
        return iter((self.ae, self.vae))

    @property
    def latent_dim(self) -> int:
        """The size of their latent spaces."""
        return self.vae.checkpoint.experiment.latent_dim

    @property
    def digits(self) -> Array:
        """The classes of the test images, (n,)."""
        return self.vae.codes.digit


class Reconstruction(NamedTuple):
    """An image and what both models make of it."""

    digit: int
    pictures: list[str]  # the image, the AE's decode of its code, the VAE's; data URIs
    nats: list[float]  # the AE's log p(x|f(x)), the VAE's ELBO


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


def load(name: str, dimensions: tuple[int, int] | None = None) -> Twins:
    """The twins of an experiment.

    Args:
        name: a folder in `checkpoints/`.
        dimensions: the two latent dimensions that the maps show, from 0; None: the plane of the first two principal
            components, or, if there are but two dimensions, those.

    Raises:
        CheckpointError: a file is missing or defective, or the two do not belong together.
    """
    folder = checkpoints_dir() / name
    paths = [checkpoint_path(folder, model) for model in MODEL_NAMES]
    versions = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)
    return _load(name, folder, versions, dimensions)


@st.cache_resource(show_spinner="Opening the checkpoints …", max_entries=16)
def _load(name: str, folder: Path, versions: tuple[int, ...], dimensions: tuple[int, int] | None) -> Twins:
    twins = []
    names = (("Autoencoder (AE)", "AE"), ("Variational autoencoder (VAE)", "VAE"))
    for model, (title, short), version in zip(MODEL_NAMES, names, versions, strict=True):
        checkpoint = Checkpoint(checkpoint_path(folder, model))
        twins.append(Twin(checkpoint, title, short, checkpoint.codes(), dimensions, version))
    ae, vae = twins
    same_data = np.array_equal(ae.codes.digit, vae.codes.digit)
    if not same_data or not np.array_equal(ae.snapshots.update, vae.snapshots.update):
        raise CheckpointError(
            f"{ae.checkpoint.path} and {vae.checkpoint.path} were not fitted to the same data in the same steps; "
            f"fit both: python -m training fit {name}"
        )
    return Twins(ae, vae)


def is_torch_loaded() -> bool:
    """Whether decoding can begin at once; the first decode of a server loads torch, which takes seconds."""
    return "torch" in sys.modules


@st.cache_resource(show_spinner=False, max_entries=32)
def _load_model(path: Path, version: int) -> "Autoencoder":
    model = Checkpoint(path).load_model()
    _spare_the_garbage_collector()
    return model


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
    nats = [
        # All of the test images are ranked, so theirs are known; another split is large, and only these are wanted.
        _likelihoods(twin, twins)[chosen] if split == "test" else twin.likelihoods(Split(grey, part.digits[chosen]))
        for twin in twins
    ]
    return [
        Reconstruction(
            digit=int(part.digits[image]),
            pictures=[
                images.data_uri(picture) for picture in (grey[row].numpy() / 255, *(each[row] for each in decodes))
            ],
            nats=[float(each[row]) for each in nats],
        )
        for row, image in enumerate(chosen)
    ]


def has_data(twins: Twins) -> bool:
    """Whether the images that the twins were fitted to are on this computer."""
    return _data(twins) is not None


def split_size(twins: Twins, split: str) -> int:
    """How many images a split has."""
    return len(getattr(_data(twins) or substitute(twins), split))


def ranked(twins: Twins, by: str) -> Array:
    """The test images from the worst to the best, by VAE ELBO (`vae`) or AE reconstruction (`autoencoder`)."""
    twin = twins.vae if by == "vae" else twins.ae
    return np.argsort(_likelihoods(twin, twins), kind="stable")


def substitute(twins: Twins) -> "Data":
    """scikit-learn's bundled digits in the form of the twins' images."""
    return _substitute(twins.vae.checkpoint.experiment.image_size, twins.vae.checkpoint.experiment.binarised)


@st.cache_resource(show_spinner=False)
def _substitute(image_size: int, binarised: bool) -> "Data":
    from training.datasets import load as load_data

    return load_data("digits", data_dir(), image_size=image_size, binarised=binarised)


@st.cache_resource(show_spinner="Computing the likelihood of each test image …", max_entries=64)
def _likelihoods_of(path: Path, version: int, present: bool, _twin: Twin, _twins: Twins) -> Array:
    data = _data(_twins)
    return _twin.likelihoods((data or substitute(_twins)).test)


def _likelihoods(twin: Twin, twins: Twins) -> Array:
    return _likelihoods_of(twin.checkpoint.path, twin.version, has_data(twins), twin, twins)


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
    return str(twin.checkpoint.path), twin.version, twin.dimensions


def _twins_key(twins: Twins) -> tuple[tuple[object, ...], ...]:
    return tuple(_twin_key(twin) for twin in twins)


_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {Twin: _twin_key, Twins: _twins_key}


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
        _spare_the_garbage_collector()
    return data if np.array_equal(data.test.digits.numpy(), twins.digits) else None


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def codes_figure(twin: Twin, shown: int, small: bool = False) -> go.Figure:
    """The codes face of a map, with the first so many test codes."""
    codes = twin.codes
    return figures.codes_map(twin.points[:shown], codes.digit[:shown], twin.window, twin.axes, small=small)


@st.cache_resource(show_spinner="Decoding the grid …", hash_funcs=_KEYS, max_entries=64)
def grid_figure(twin: Twin, n: int) -> go.Figure:
    """The grid face of a map, with n x n decodes."""
    decodes = twin.decode(twin.plane.lift(latent.grid(twin.window, n)))
    return figures.grid_map(images.data_uri(images.tile(decodes, n)), twin.window, twin.axes)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def atlas(twin: Twin) -> str:
    """The decodes of a twin's window, `ATLAS_SIDE` along each side; see `images.atlas_uri`."""
    return images.atlas_uri(twin.decode(twin.plane.lift(latent.nodes(twin.window, ATLAS_SIDE))), ATLAS_SIDE)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def way(twin: Twin, start: tuple[float, ...], end: tuple[float, ...], frames: int) -> Way:
    """The straight way between two latent points, decoded: the slider along it decodes nothing."""
    codes = latent.path(start, end, frames)
    decodes = twin.decode(codes)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Way(twin.plane.project(codes).tolist(), pictures, images.data_uri(images.strip(decodes)))


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


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def snapshot_figure(twin: Twin, moment: int) -> go.Figure:
    """A map as it stood at a moment of the fit, in the window of the codes at its end."""
    snapshots = twin.snapshots
    points, last = (twin.plane.project(snapshots.code[each]) for each in (moment, -1))
    return figures.codes_map(points, snapshots.digit, latent.window(last), twin.axes, small=True)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def curves_figure(twins: Twins, x_axis: str, logarithmic: bool) -> go.Figure:
    """The training curves of both."""
    return figures.curves({twin.name: twin.history for twin in twins}, x_axis, logarithmic=logarithmic)
