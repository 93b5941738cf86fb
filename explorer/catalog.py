"""Which experiments there are, and what stands beside their models: classifier, evaluation, study of latent sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from numpy.typing import NDArray

from explorer import evaluation
from explorer.cache import cached
from explorer.maps import Map, MapPair
from explorer.models import Model, ModelPair, open_models
from explorer.sweeps import LatentSize, latent_sizes
from explorer.text import escape_markdown
from training.checkpoint import MODEL_WORDS, CheckpointError, checkpoint_path, experiment_names, other_betas
from training.experiments import EXPERIMENTS
from training.folders import checkpoints_dir
from training.live import is_first_fit
from training.sweep import LATENT_SIZES
from training.sweep_table import read_table, table_path

if TYPE_CHECKING:
    from training.classifier import Classifier

__all__ = [
    "available",
    "betas",
    "classifier",
    "classifier_file",
    "load",
    "load_evaluation",
    "map_pair",
    "show_errors",
    "study",
    "what_is_missing",
]

Array = NDArray[Any]


@contextmanager
def show_errors() -> Iterator[None]:
    """Show the error of a defective checkpoint where the page needed it; the rest of the page goes on."""
    try:
        yield
    except CheckpointError as error:
        st.error(escape_markdown(str(error)))


def available() -> list[str]:
    """Return the experiments that can be chosen: the folders in `checkpoints/`, the shipped ones first."""
    folder = checkpoints_dir()
    # What is being fitted for the first time is not there yet: see the tool Train.
    names = [name for name in experiment_names(folder) if not is_first_fit(folder / name)]
    shipped = [name for name in EXPERIMENTS if name in names]
    return shipped + [name for name in names if name not in shipped] or list(EXPERIMENTS)


def what_is_missing() -> str:
    """Say which experiments lack a model, in Markdown; empty, if none does. Opening one says how to bring it."""
    told = []
    for name in available():
        folder = checkpoints_dir() / name
        lacking = [word for each, word in MODEL_WORDS.items() if not checkpoint_path(folder, each).exists()]
        if lacking:
            told.append(escape_markdown(f"{name} has no {' and no '.join(lacking)}."))
    return " ".join([*told, "Open it to see how to bring what is missing."] if told else [])


def load(name: str, beta: float | None = None) -> ModelPair:
    """Open the models of an experiment, or find them open; one of the two may be lacking.

    Args:
        name: a folder in `checkpoints/`.
        beta: one of `betas`; None: the experiment's own.

    Raises:
        CheckpointError: both files are missing, one is defective, or the two do not belong together.
    """
    folder = checkpoints_dir() / name
    others = other_betas(folder)
    if beta not in others:  # a sweep may have kept VAEs of other betas only
        beta = others[0] if others and not checkpoint_path(folder, "vae").exists() else None
    return _open(checkpoint_path(folder, "autoencoder"), checkpoint_path(folder, "vae", beta), beta)


@cached("Opening the checkpoints …")
def _open(autoencoder: Path, vae: Path, beta: float | None) -> ModelPair:
    # Both paths are the key: either file may be replaced while the app runs.
    return open_models(vae.parent, beta)


def map_pair(pair: ModelPair, dimensions: tuple[int, int] | None = None, *, tsne: bool = False) -> MapPair:
    """Return the maps of a pair of models.

    Args:
        pair: the models.
        dimensions: the two latent dimensions that the maps show, from 0; None: the plane of the first two principal
            components, or, if there are but two dimensions, those.
        tsne: the maps show the codes as t-SNE lays them out.

    Raises:
        CheckpointError: no t-SNE was computed.
    """
    layouts = load_evaluation(pair).tsne if tsne else {}
    maps = {model.name: _map(model, dimensions, layouts.get(model.name)) for model in pair}
    return MapPair(maps.get("autoencoder"), maps.get("vae"), pair.lacking)


# Cached so that a map's own cached properties survive reruns.
@cached()
def _map(model: Model, dimensions: tuple[int, int] | None, layout: Array | None) -> Map:
    return Map(model, dimensions, layout)


def betas(name: str) -> list[float]:
    """Return the betas of an experiment's VAEs, in order; none, if it has no VAE of its own."""
    vae = load(name).find("vae")
    if vae is None:
        return []
    return sorted({vae.checkpoint.experiment.beta, *other_betas(checkpoints_dir() / name)})


def classifier_file(model: Model) -> Path:
    """Return the path of the classifier of a model's dataset, a key of caches: it may come while the app runs."""
    from training.classifier import classifier_path

    return classifier_path(checkpoints_dir(), model.checkpoint.experiment.dataset)


def classifier(model: Model) -> "Classifier":
    """Return the classifier of a model's dataset.

    Raises:
        CheckpointError: missing, defective, or of another number of classes.
    """
    path = classifier_file(model)
    found = _load_classifier(path, model.checkpoint.experiment.dataset)
    evaluation.check_classifier(found, path, model)
    return found


@cached()
def _load_classifier(path: Path, dataset: str) -> "Classifier":
    from training.classifier import load_classifier

    return load_classifier(path.parent, dataset)[0]


def load_evaluation(pair: ModelPair) -> evaluation.Evaluation:
    """Return the evaluation of a pair of models, as its file holds it.

    Raises:
        CheckpointError: see `evaluation.read_evaluation`.
    """
    return _read_evaluation(evaluation.evaluation_path(pair.folder, pair.other_beta), pair)


@cached()
def _read_evaluation(path: Path, pair: ModelPair) -> evaluation.Evaluation:
    return evaluation.read_evaluation(path.parent, pair)


def study() -> list[LatentSize]:
    """Return what models of several latent sizes reach.

    Raises:
        CheckpointError: see `training.sweep_table.read_table`; or it holds no latent size.
    """
    path = table_path(checkpoints_dir(), LATENT_SIZES.name)
    sizes = latent_sizes(read_table(path))
    if not sizes:
        raise CheckpointError(f"{path} is not complete; go on with it: python -m training sweep {LATENT_SIZES.name}")
    return sizes
