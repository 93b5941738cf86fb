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

from explorer import figures, images, latent
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
    from training.models import Autoencoder

__all__ = [
    "HOW_TO_GET_ORIGINALS",
    "Twin",
    "Twins",
    "atlas",
    "available",
    "codes_figure",
    "curves_figure",
    "details",
    "grid_figure",
    "is_torch_loaded",
    "load",
    "original",
    "sentences",
    "snapshot_figure",
    "way",
]

Array = NDArray[Any]

HOW_TO_GET_ORIGINALS = (
    "Everything else works without it. `python -m training fit` downloads the data set; README says how to copy it."
)
DIMENSIONS_SHOWN = 2
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
    """One model of an experiment: its codes, its window, its decoder. Read-only and shared."""

    checkpoint: Checkpoint
    title: str  # as headings say it
    short: str  # as labels say it
    codes: Codes
    window: latent.Window
    version: int  # the file's time of change; a fresh fit is another twin

    @property
    def name(self) -> str:
        """`autoencoder` or `vae`."""
        return self.checkpoint.model

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
        model = self.checkpoint.load_model()
        _spare_the_garbage_collector()
        return model

    def decode(self, z: ArrayLike) -> Array:
        """Decodes of latent points: (n, d) -> (n, 28, 28), the probability of white for each pixel."""
        model = self._model
        import torch

        # A decode is short: two threads would wait for each other, spinning, longer than it takes, while the browser
        # has the other core. Said at each call, because the number holds for the calling thread only, and Streamlit
        # runs every click in a new one.
        torch.set_num_threads(1)
        with torch.inference_mode():
            return model.decode(torch.as_tensor(np.asarray(z, np.float32))).sigmoid().numpy()


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
    def digits(self) -> Array:
        """The classes of the test images, (n,)."""
        return self.vae.codes.digit


class Way(NamedTuple):
    """Points of latent space, one after another, and what the decoder makes of them."""

    points: list[list[float]]
    pictures: list[str]  # data URIs
    strip: str  # all of them side by side, a data URI


def available() -> list[str]:
    """The experiments that can be chosen: the folders in `checkpoints/`, the shipped recipes first."""
    found = fitted(checkpoints_dir())
    shipped = [name for name in EXPERIMENTS if name in found]
    return shipped + [name for name in found if name not in shipped] or list(EXPERIMENTS)


def load(name: str) -> Twins:
    """The twins of an experiment.

    Raises:
        CheckpointError: a file is missing or defective, or the two do not belong together.
    """
    folder = checkpoints_dir() / name
    paths = [checkpoint_path(folder, model) for model in MODEL_NAMES]
    versions = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)
    return _load(name, folder, versions)


@st.cache_resource(show_spinner="Opening the checkpoints …", max_entries=16)
def _load(name: str, folder: Path, versions: tuple[int, ...]) -> Twins:
    twins = []
    names = (("Autoencoder (AE)", "AE"), ("Variational autoencoder (VAE)", "VAE"))
    for model, (title, short), version in zip(MODEL_NAMES, names, versions, strict=True):
        checkpoint = Checkpoint(checkpoint_path(folder, model))
        if checkpoint.experiment.latent_dim != DIMENSIONS_SHOWN:
            raise CheckpointError(
                f"{checkpoint.path} has {checkpoint.experiment.latent_dim} latent dimensions, the maps show "
                f"{DIMENSIONS_SHOWN}; choose another experiment"
            )
        codes = checkpoint.codes()
        twins.append(Twin(checkpoint, title, short, codes, latent.window(codes.code), version))
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


def original(twins: Twins, image: int) -> Array | None:
    """The test image that a code was computed from: (28, 28), pixels in [0, 1]; None if it is not on this computer."""
    folder = data_dir()
    # They may be put there while the app runs: the folder's time of change is part of the cache's key.
    raw = [path.stat().st_mtime_ns for path in folder.glob("*/raw")]
    images = _originals(twins.vae.checkpoint.experiment.dataset, folder, tuple(raw), twins)
    return None if images is None else images[image] / 255


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


def _twin_key(twin: Twin) -> tuple[str, int]:
    return str(twin.checkpoint.path), twin.version


def _twins_key(twins: Twins) -> tuple[tuple[str, int], ...]:
    return tuple(_twin_key(twin) for twin in twins)


_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {Twin: _twin_key, Twins: _twins_key}


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=16)
def _originals(dataset: str, folder: Path, versions: tuple[int, ...], twins: Twins) -> Array | None:
    from training.datasets import DataError
    from training.datasets import load as load_data

    try:
        test = load_data(dataset, folder, download=False).test
    except DataError:
        return None
    finally:
        _spare_the_garbage_collector()
    return test.images.numpy() if np.array_equal(test.digits.numpy(), twins.digits) else None


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def codes_figure(twin: Twin, shown: int, small: bool = False) -> go.Figure:
    """The codes face of a map, with the first so many test codes."""
    codes = twin.codes
    return figures.codes_map(codes.code[:shown], codes.digit[:shown], twin.window, twin.name, small=small)


@st.cache_resource(show_spinner="Decoding the grid …", hash_funcs=_KEYS, max_entries=64)
def grid_figure(twin: Twin, n: int) -> go.Figure:
    """The grid face of a map, with n x n decodes."""
    decodes = twin.decode(latent.grid(twin.window, n))
    return figures.grid_map(images.data_uri(images.tile(decodes, n)), twin.window, twin.name)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def atlas(twin: Twin) -> str:
    """The decodes of a twin's window, `ATLAS_SIDE` along each side; see `images.atlas_uri`."""
    return images.atlas_uri(twin.decode(latent.nodes(twin.window, ATLAS_SIDE)), ATLAS_SIDE)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def way(twin: Twin, start: tuple[float, ...], end: tuple[float, ...], frames: int) -> Way:
    """The straight way between two latent points, decoded: the slider along it decodes nothing."""
    points = latent.path(start, end, frames)
    decodes = twin.decode(points)
    pictures = [images.data_uri(decode) for decode in decodes]
    return Way(points.tolist(), pictures, images.data_uri(images.strip(decodes)))


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=256)
def snapshot_figure(twin: Twin, moment: int) -> go.Figure:
    """A map as it stood at a moment of the fit, in the window of the codes at its end."""
    snapshots = twin.snapshots
    area = latent.window(snapshots.code[-1].astype(np.float64))
    return figures.codes_map(snapshots.code[moment].astype(np.float64), snapshots.digit, area, twin.name, small=True)


@st.cache_resource(show_spinner=False, hash_funcs=_KEYS, max_entries=64)
def curves_figure(twins: Twins, x_axis: str, logarithmic: bool) -> go.Figure:
    """The training curves of both."""
    return figures.curves({twin.name: twin.history for twin in twins}, x_axis, logarithmic=logarithmic)
