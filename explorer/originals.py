"""The images that the models were fitted to, where they are on this computer; else scikit-learn's small digits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer import measures
from explorer.cache import cached
from explorer.twins import Twin, Twins, spare_the_garbage_collector
from training.folders import data_dir

if TYPE_CHECKING:
    from training.datasets import Data, Split

__all__ = [
    "HOW_TO_GET_ORIGINALS",
    "binarised",
    "binarised_drawing",
    "has_data",
    "original",
    "reduced",
    "split",
    "test_terms",
]

Array = NDArray[Any]

HOW_TO_GET_ORIGINALS = (
    "Everything else works without it. `python -m training fit` downloads the data set; README says how to copy it."
)


def has_data(twins: Twins) -> bool:
    """Whether the images that the twins were fitted to are on this computer."""
    return _data(twins) is not None


def original(twins: Twins, image: int) -> Array | None:
    """The test image that a code was computed from: (h, w), pixels in [0, 1]; None if it is not on this computer."""
    data = _data(twins)
    return None if data is None else data.test.images[image].numpy() / 255


def binarised(twins: Twins, image: int) -> Array | None:
    """A test image as the reported figures see it, (h, w), zeros and ones; None if it is not on this computer."""
    return _binarised(twins)[image] if has_data(twins) else None


def reduced(twins: Twins, picture: Array) -> Array:
    """A picture in MNIST's form as the models see it: uint8 (28, 28) -> uint8 (h, w)."""
    import torch

    from training.datasets import reduce

    recipe = twins.vae.checkpoint.experiment
    return reduce(torch.as_tensor(picture)[None], recipe.image_size, binarised=recipe.binarised)[0].numpy()


def binarised_drawing(twins: Twins, picture: Array) -> Array:
    """A picture in MNIST's form, uint8 (28, 28), as the figures of the Draw tab see it: (h, w), zeros and ones."""
    import torch

    return measures.binarised(torch.as_tensor(reduced(twins, picture))[None])[0]


def split(twins: Twins, name: str) -> "Split":
    """A split of the images, `train`, `validation` or `test`; of `substitute` where the data set is missing."""
    found: Split = getattr(_data(twins) or _substitute_for(twins), name)
    return found


def test_terms(twin: Twin, twins: Twins) -> tuple[Array, Array | None]:
    """log p(x|z) of each test image, and its KL, which the AE lacks: (n,), in nats. All are known, to be ranked."""
    return _test_terms(twin, twins, has_data(twins))


@cached("Computing the likelihood of each test image …")
def _test_terms(twin: Twin, twins: Twins, present: bool) -> tuple[Array, Array | None]:
    return twin.terms(split(twins, "test"))


@cached()
def _binarised(twins: Twins) -> Array:
    data = _data(twins)
    assert data is not None
    return measures.binarised(data.test.images)


def _substitute_for(twins: Twins) -> "Data":
    recipe = twins.vae.checkpoint.experiment
    return _substitute(recipe.image_size, recipe.binarised)


@cached()
def _substitute(image_size: int, binarised: bool) -> "Data":
    from training.datasets import load as load_data

    return load_data("digits", data_dir(), image_size=image_size, binarised=binarised)


def _data(twins: Twins) -> "Data | None":
    folder = data_dir()
    # They may be put there while the app runs: the folder's time of change is part of the cache's key.
    raw = [path.stat().st_mtime_ns for path in folder.glob("*/raw")]
    return _load_data(folder, tuple(raw), twins)


@cached()
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
