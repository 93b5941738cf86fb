"""The images that the models were fitted to, where they are on this computer; else scikit-learn's small digits."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer import catalog, drawing, evaluation, images
from explorer.cache import cached
from explorer.memory import freeze_gc
from explorer.models import ElboTerms, Model, ModelPair
from explorer.text import duration, escape_markdown
from training.array_file import CheckpointError
from training.folders import data_dir

if TYPE_CHECKING:
    from training.datasets import Data, Split

__all__ = [
    "all_binarised",
    "binarised",
    "binarised_drawing",
    "encoded",
    "has_data",
    "has_split",
    "have_light_borders",
    "how_to_add",
    "missing",
    "original",
    "preprocessed",
    "split",
    "sprite",
    "test_terms",
]

Array = NDArray[Any]

EVERYTHING_ELSE = "Everything else works."
LOOK_AGAIN = 1.0  # seconds after which the folder of images is looked at again: a click has no time for it
_seen: dict[Path, tuple[float, tuple[int, ...]]] = {}


def has_data(pair: ModelPair) -> bool:
    """Return whether the images that a pair was fitted to are on this computer."""
    return _data(pair) is not None


def has_split(pair: ModelPair, name: str) -> bool:
    """Return whether a split can be shown, `train`, `validation` or `test`: of some data sets only `test` comes along.

    In place of missing digits scikit-learn's can be shown; of other data sets nothing.
    """
    return (has_data(pair) or pair.classes.are_digits) and len(split(pair, name)) > 0


def missing(pair: ModelPair, absent: str) -> str:
    """Say why the images of a pair are not shown, and how to get them, in Markdown.

    Args:
        pair: without its data set.
        absent: the sentence where there is no data set of that name on this computer; damaged files tell of themselves.
    """
    from training.datasets import DATASETS

    dataset = pair.experiment.dataset
    if (folder := data_dir()).is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        return f"{escape_markdown(str(folder))} may not be read; allow it, or name another folder. " + EVERYTHING_ELSE
    if isinstance(found := _found(pair), str):
        if found:
            return f"{escape_markdown(found)}. {EVERYTHING_ELSE}"
    else:
        absent = escape_markdown(f"On this computer are other images of {dataset} than these models were fitted to.")
    get = "`python -m training fit` downloads the data set; README says how to copy it."
    if dataset not in DATASETS:
        get = f"{how_to_add(dataset)} brings the data set."
    return f"{absent} {EVERYTHING_ELSE} {get}"


def have_light_borders(pair: ModelPair) -> bool:
    """Return whether the images that a pair was fitted to have mostly light borders; where they are not here: no."""
    data = _data(pair)
    return data is not None and drawing.has_light_border(data.test.images.numpy().mean(axis=0) / 255)


def how_to_add(dataset: str) -> str:
    """Return the command that brings the images of a data set, in Markdown."""
    return f"`python -m training add {dataset.replace('`', '')} PATH`"


def original(pair: ModelPair, image: int) -> Array | None:
    """Return the test image that a code was computed from: (h, w), pixels in [0, 1]; None if it is not here."""
    data = _data(pair)
    return None if data is None else data.test.images[image].numpy() / 255


def sprite(pair: ModelPair, columns: int) -> bytes:
    """Put all test images into one picture, so many to a row, a PNG; empty if they are not here."""
    return _sprite(pair, columns) if has_data(pair) else b""


@cached()
def _sprite(pair: ModelPair, columns: int) -> bytes:
    data = _data(pair)
    assert data is not None
    shown = data.test.images.numpy()
    rest = -len(shown) % columns
    tiled = images.tile(np.pad(shown, ((0, rest), (0, 0), (0, 0))), columns)
    return images.png_of_levels(tiled)


def binarised(pair: ModelPair, image: int) -> Array | None:
    """Return a test image binarised with `EVALUATION_SEED`, (h, w), zeros and ones; None if it is not here."""
    return all_binarised(pair)[image] if has_data(pair) else None


def preprocessed(pair: ModelPair, pictures: Array) -> Array:
    """Preprocess pictures in the data set's form as the models' images were: uint8 (..., 28, 28) -> (..., h, w)."""
    import torch

    from training.datasets import preprocess

    experiment = pair.experiment
    found = preprocess(
        torch.tensor(pictures).reshape(-1, *pictures.shape[-2:]),  # a copy: torch warns of arrays that are read-only
        experiment.image_size,
        binarised=experiment.binarised,
    )
    return found.reshape(*pictures.shape[:-2], *found.shape[1:]).numpy()


def encoded(pair: ModelPair, model: Model, pictures: Array) -> tuple[Array, Array | None]:
    """Preprocess and encode pictures in the data set's form, uint8 (n, 28, 28); see `Model.encode_with_std`."""
    import torch

    return model.encode_with_std(torch.as_tensor(preprocessed(pair, pictures)).float() / 255)


def binarised_drawing(pair: ModelPair, picture: Array) -> Array:
    """Preprocess and binarise a picture in the data set's form: uint8 (28, 28) -> (h, w), zeros and ones."""
    import torch

    return evaluation.binarised(torch.as_tensor(preprocessed(pair, picture))[None])[0]


def split(pair: ModelPair, name: str) -> "Split":
    """Return a split of the images, `train`, `validation` or `test`; of scikit-learn's where digits are missing."""
    found: Split = getattr(_data(pair) or _substitute(pair), name)
    return found


def test_terms(model: Model, pair: ModelPair) -> ElboTerms:
    """Return the terms of the ELBO of each test image: as they were measured, or computed, with progress told."""
    if has_data(pair):
        with suppress(CheckpointError):  # not measured, or not these models
            if found := catalog.load_evaluation(pair).terms.get(model.name):
                return found
    return _test_terms(model, pair, has_data(pair))


@cached()
def _test_terms(model: Model, pair: ModelPair, present: bool) -> ElboTerms:
    bar, begun = st.empty(), time.monotonic()

    def tell(share: float) -> None:
        seconds = time.monotonic() - begun
        left = f", {duration(seconds / share - seconds)} left" if share else ""
        bar.progress(share, f"Computing the likelihood of each test image under the {model.short}, once{left}")

    found = model.elbo_terms(split(pair, "test"), tell)
    bar.empty()
    return found


@cached()
def all_binarised(pair: ModelPair) -> Array:
    """Return all test images binarised with `EVALUATION_SEED`, (n, h, w), zeros and ones; they must be here."""
    data = _data(pair)
    assert data is not None
    return evaluation.binarised(data.test.images)


def _substitute(pair: ModelPair) -> "Data":
    experiment = pair.experiment
    data = _load(data_dir(), (), "digits", experiment.image_size, experiment.binarised)
    assert not isinstance(data, str)  # scikit-learn brings them along
    return data


def _data(pair: ModelPair) -> "Data | None":
    """Load the data set, if it is here and is the one that the pair was fitted to."""
    data = _found(pair)
    if isinstance(data, str) or data.id != pair.either.checkpoint.dataset or len(data.test) != len(pair.labels):
        return None
    return data


def _found(pair: ModelPair) -> "Data | str":
    """Load the data set of that name; else what is wrong with its files, nothing where there are none."""
    folder = data_dir()
    experiment = pair.experiment
    return _load(folder, _versions(folder), experiment.dataset, experiment.image_size, experiment.binarised)


def _versions(folder: Path) -> tuple[int, ...]:
    """Return when the folders of images changed last, as of this second: they may come while the app runs."""
    now = time.monotonic()
    seen = _seen.get(folder)
    if seen is None or now - seen[0] > LOOK_AGAIN:
        seen = _seen[folder] = (
            now,
            tuple(_changed(path) for pattern in ("*/raw", "*.safetensors") for path in folder.glob(pattern)),
        )
    return seen[1]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # it may not be looked at, or has just gone
        return 0


@cached()
def _load(folder: Path, versions: tuple[int, ...], dataset: str, image_size: int, binarised: bool) -> "Data | str":
    from training.datasets import DataError, MissingDataError
    from training.datasets import load as load_data

    try:
        return load_data(dataset, folder, image_size=image_size, binarised=binarised, download=False)
    except MissingDataError:
        return ""
    except DataError as error:
        return str(error)
    finally:
        freeze_gc()
