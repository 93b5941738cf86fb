"""A data set of one's own, in one file: `data/<name>.safetensors`. Opening one never runs code.

The arrays, for n images: `images` uint8 (n, 28, 28), 0 black and 255 white; `labels` uint8 (n,), from 0; `split` uint8
(n,), an index of `SPLITS`. The settings: `format`; `classes`, their names by label; `source`, where the images came
from; `conversion`, what became of pictures that were not grey 28 x 28 with a dark background; `fingerprint`, of the
test images, which early files lack.

A file may hold the test images only: enough for every tool of the app, not for a fit.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.array_file import Array, ArrayFile, write_arrays

__all__ = [
    "DIGITS",
    "SPLITS",
    "OwnDataset",
    "dataset_path",
    "duplicates",
    "fingerprint",
    "read_dataset",
    "split_at_random",
    "write_dataset",
]

FORMAT = 1
SPLITS = ("train", "validation", "test")
DIGITS = tuple(map(str, range(10)))  # what the classes of digits are called
TEST_SHARE, VALIDATION_SHARE = 0.10, 0.08


@dataclass(frozen=True, kw_only=True)
class OwnDataset:
    """What the file holds; shapes as in the module's text."""

    images: Array
    labels: Array
    split: Array
    classes: tuple[str, ...]
    source: str
    conversion: dict[str, Any]

    def part(self, name: str) -> tuple[Array, Array]:
        """Return images and labels of a split."""
        chosen = self.split == SPLITS.index(name)
        return self.images[chosen], self.labels[chosen]


def dataset_path(data_dir: Path, name: str) -> Path:
    """Return the file of a data set."""
    return data_dir / f"{name}.safetensors"


def fingerprint(images: Array, labels: Array) -> str:
    """Return what tells a data set from all others: the SHA-256 of its test images and their labels.

    Of the test images alone, for their codes are what a checkpoint holds, and they alone come along everywhere.

    Args:
        images: uint8 (n, 28, 28), grey, as they come.
        labels: uint8 (n,).
    """
    digest = hashlib.sha256(np.ascontiguousarray(images, np.uint8).tobytes())
    digest.update(np.ascontiguousarray(labels, np.uint8).tobytes())
    return digest.hexdigest()


def duplicates(images: Array) -> Array:
    """Give images numbers so that the same image has the same number: uint8 (n, h, w) -> int (n,), from 0."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    whole = rows.view(np.dtype((np.void, rows.shape[1])))[:, 0]
    return np.unique(whole, return_inverse=True)[1].reshape(-1)


def split_at_random(images: Array, shares: Sequence[float], seed: int = 0) -> Array:
    """Hold out shares of some images, the same image always on the same side.

    Args:
        images: uint8 (n, h, w).
        shares: of each part that is held out, 1 is all.
        seed: of the draw.

    Returns:
        (n,): 0 what stays, 1 the first share, 2 the second, and so on.
    """
    number = duplicates(images)
    order = np.random.default_rng(seed).permutation(number.max() + 1)
    count = np.bincount(number)[order]
    # A part ends with the image at which its share is reached.
    ends = np.searchsorted(count.cumsum(), np.cumsum([round(share * len(images)) for share in shares]), side="left") + 1
    part_of_place = np.zeros(len(order), np.uint8)
    for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True), start=1):
        part_of_place[start:end] = part
    part_of_number = np.empty(len(order), np.uint8)
    part_of_number[order] = part_of_place
    return part_of_number[number]


def write_dataset(path: Path, dataset: OwnDataset) -> None:
    """Write a data set; a file that stood there stays until the new one is whole.

    Raises:
        OSError: no room, no permission; what stood there is unharmed.
    """
    write_arrays(
        path,
        {"images": dataset.images, "labels": dataset.labels, "split": dataset.split},
        {
            "format": FORMAT,
            "classes": dataset.classes,
            "source": dataset.source,
            "conversion": dataset.conversion,
            "fingerprint": fingerprint(*dataset.part("test")),
        },
    )


def read_dataset(path: Path) -> OwnDataset:
    """Read a data set.

    Raises:
        CheckpointError: missing, truncated, foreign, of another version, or its arrays do not belong together.
    """
    command = f"python -m training add {path.stem} PATH"
    file = ArrayFile(path, expected_format=FORMAT, verb="add", command=command)
    try:
        classes, source, conversion = (file.settings[name] for name in ("classes", "source", "conversion"))
        if not (classes and all(isinstance(name, str) for name in classes)):
            raise TypeError("the names of its classes are no texts")
        if not (isinstance(source, str) and isinstance(conversion, dict)):
            raise TypeError("its source or its conversion is of another type")
    except (KeyError, TypeError) as error:
        raise file.defect_error(f"has settings that cannot be read ({error!r:.200})") from error
    n = file.rows("images")
    file.expect("", {"images": ("U8", (n, 28, 28)), "labels": ("U8", (n,)), "split": ("U8", (n,))})
    arrays = file.group("")
    if arrays["labels"].max() >= len(classes):
        raise file.defect_error(f"has a label {arrays['labels'].max()}, and the names of {len(classes)} classes")
    if arrays["split"].max() >= len(SPLITS) or not (arrays["split"] == SPLITS.index("test")).any():
        raise file.defect_error("has a split that is none, or no test images")
    dataset = OwnDataset(**arrays, classes=tuple(classes), source=source, conversion=conversion)
    told = file.settings.get("fingerprint")
    if told is not None and told != fingerprint(*dataset.part("test")):
        raise file.defect_error("has other test images, or labels, than when it was written")
    return dataset
