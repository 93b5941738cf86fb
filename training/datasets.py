"""The images: MNIST, which comes along, KMNIST through torchvision, scikit-learn's digits, or what was added.

Everything fits in memory many times over, so a dataset is three tensors and no loader. Of MNIST and KMNIST only the
four original packed files are read, and they are unpacked in memory. Any other name is that of a file in the data
directory, see `training.own_dataset`.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.array_file import CheckpointError, MissingError
from training.checkpoint import DatasetId
from training.own_dataset import DIGITS, SPLITS, dataset_path, fingerprint, read_dataset

__all__ = [
    "DATASETS",
    "IMAGE_SIZE",
    "TRAINING_IMAGES",
    "Data",
    "DataError",
    "MissingDataError",
    "Split",
    "available",
    "binarise",
    "check_splits",
    "load",
    "preprocess",
]

DATASETS = {"mnist": "MNIST", "kmnist": "KMNIST", "digits": "load_digits"}
# Of KMNIST, by label, as its authors give them: https://github.com/rois-codh/kmnist
CLASSES = {"mnist": DIGITS, "digits": DIGITS, "kmnist": ("お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を")}
TRAINING_IMAGES = {"mnist": 55_000, "kmnist": 55_000, "digits": 1_197}
IMAGE_SIZE = 28
# The original files and their MD5 sums: torchvision's, whose import takes seconds.
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
MD5 = {
    "MNIST": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "KMNIST": (
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
}
INSTEAD = "`digits-2d` needs no files"


class DataError(Exception):
    """The images cannot be had; the message is one sentence for the user."""


class MissingDataError(DataError):
    """There are no files of that name here, not even damaged ones."""


@dataclass(frozen=True)
class Split:
    """Grey images, uint8 of shape (n, h, w) with 0 black and 255 white, and their classes, uint8 of shape (n,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Data:
    """The three splits; `test` is never used for model selection. Of some data sets only `test` comes along."""

    train: Split
    validation: Split
    test: Split
    id: DatasetId


def check_splits(dataset: str, data: Data, data_dir: Path) -> None:
    """Check that there is something to fit to.

    Raises:
        DataError: of some data sets only the test images come along.
    """
    if not (len(data.train) and len(data.validation)):
        raise DataError(
            f"of {dataset} only the test images are in {data_dir}, and a fit needs the training images; "
            f"bring them: python -m training add {dataset} PATH"
        )


def load(
    dataset: str, data_dir: Path, *, image_size: int = IMAGE_SIZE, binarised: bool = False, download: bool = True
) -> Data:
    """Load the three splits of a dataset.

    MNIST and its relatives: the last twelfth of the training images (5,000 of 60,000) is held out for
    validation. Nothing is written but what has to be downloaded.

    Args:
        dataset: a key of `DATASETS`, or the name of a file in the data directory.
        data_dir: holds, or will hold, the files.
        image_size: 28, or 14: the mean of each 2 x 2 block.
        binarised: black (0) and white (255) only: white is what is at least half white.
        download: fetch what is missing.

    Raises:
        MissingDataError: unknown dataset, files missing.
        DataError: files damaged or of another data set, download failed.
    """
    classes = CLASSES.get(dataset, ())
    if dataset not in DATASETS:
        splits, classes = _own(dataset, data_dir)
    elif dataset == "digits":
        splits = _bundled_digits()
    else:
        train, test = _originals(DATASETS[dataset], data_dir / DATASETS[dataset] / "raw", download)
        held_out = len(train) // 12
        splits = [
            Split(train.images[:-held_out], train.labels[:-held_out]),
            Split(train.images[-held_out:], train.labels[-held_out:]),
            test,
        ]
    train, validation, test = (
        Split(preprocess(split.images, image_size, binarised=binarised), split.labels) for split in splits
    )
    grey = splits[-1]
    return Data(train, validation, test, DatasetId(fingerprint(grey.images.numpy(), grey.labels.numpy()), classes))


def available(data_dir: Path) -> list[str]:
    """Return the names of the data sets: those that this program knows, then what was added to the data directory."""
    return [*DATASETS, *sorted(path.stem for path in data_dir.glob("*.safetensors") if path.stem not in DATASETS)]


def preprocess(images: Tensor, image_size: int, *, binarised: bool) -> Tensor:
    """Reduce and binarise images as an experiment sees them: uint8 (n, 28, 28) -> uint8 (n, image_size, image_size).

    Args:
        images: grey.
        image_size: 28, or 14: the mean of each 2 x 2 block.
        binarised: then 255 where it is at least half white, else 0.
    """
    if image_size != IMAGE_SIZE:
        block = IMAGE_SIZE // image_size
        images = torch.nn.functional.avg_pool2d(images[:, None].float(), block)[:, 0].round().to(torch.uint8)
    return (images >= 128).to(torch.uint8) * 255 if binarised else images


def binarise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw each pixel from a Bernoulli with its grey value as the probability of white.

    Args:
        images: uint8 (*), 0 to 255.
        generator: on any device; on the CPU it draws the same wherever the images are.

    Returns:
        float32 (*), zeros and ones, P(1) = grey / 255 exactly.
    """
    # One random byte a pixel: three times as fast as torch.bernoulli on a CPU.
    threshold = torch.randint(0, 255, images.shape, dtype=torch.uint8, generator=generator, device=generator.device)
    # A byte becomes a float in a fifth of the time that a truth value takes.
    return (threshold.to(images.device) < images).view(torch.uint8).float()


def _own(dataset: str, data_dir: Path) -> tuple[list[Split], tuple[str, ...]]:
    """Read the splits of a data set that was added, and the names of its classes."""
    try:
        own = read_dataset(dataset_path(data_dir, dataset))
    except MissingError as error:
        raise MissingDataError(
            f"unknown dataset {dataset!r}; there are {', '.join(available(data_dir))}; "
            f"bring your own: python -m training add {dataset} PATH"
        ) from error
    except CheckpointError as error:
        raise DataError(str(error)) from error
    splits = [Split(*(torch.from_numpy(part) for part in own.part(name))) for name in SPLITS]
    return splits, own.classes


def _originals(name: str, folder: Path, download: bool) -> tuple[Split, Split]:
    """Read training and test images from the four original files.

    Args:
        name: a key of `MD5`.
        folder: holds, or will hold, them.
        download: fetch what is missing.
    """
    files = list(zip(FILES, MD5[name], strict=True))
    try:
        for file, md5 in files:
            if not (folder / file).is_file():
                if not download:
                    raise MissingDataError(
                        f"{name} is not in {folder}; copy its four original .gz files there (unpacked ones have no "
                        f"checksum); {INSTEAD}"
                    )
                _download(name, folder, file, md5)
        contents = [_unpacked(folder / file, md5, name) for file, md5 in files]
    except OSError as error:  # no such folder, no permission, disk full
        raise DataError(f"{name} cannot be read from {folder} ({error}); {INSTEAD}") from error
    # IDX, as the checksums have it: a header of 4 bytes, 4 for each axis, the bytes.
    train_images, train_labels, test_images, test_labels = (torch.frombuffer(c, dtype=torch.uint8) for c in contents)
    return tuple(
        Split(images[16:].view(-1, IMAGE_SIZE, IMAGE_SIZE), labels[8:])
        for images, labels in ((train_images, train_labels), (test_images, test_labels))
    )  # type: ignore[return-value]


def _unpacked(path: Path, md5: str, name: str) -> bytearray:
    """Unpack a file, if its checksum is that of the dataset's."""
    packed = path.read_bytes()
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(
            f"{path} is damaged, or not {name}'s: its MD5 sum is {found}, expected {md5}; "
            "put the original file there, or delete it to have it downloaded"
        )
    content = gzip.decompress(packed)
    beside = path.with_suffix("")
    if beside.is_file() and beside.read_bytes() != content:
        raise DataError(
            f"{beside} is not {name}'s: it differs from what {path.name} beside it holds; delete it, it is not needed"
        )
    return bytearray(content)


def _download(name: str, folder: Path, file: str, md5: str) -> None:
    """Fetch a file; it gets its name when it is whole."""
    try:
        import torchvision.datasets
        from torchvision.datasets.utils import download_url
    except ImportError as error:
        raise DataError(f"{name} needs torchvision, which does not import here ({error}); {INSTEAD}") from error

    part = folder / f".{file}.part"
    complaints = []
    try:
        for mirror in getattr(torchvision.datasets, name).mirrors:
            try:
                download_url(f"{mirror}{file}", folder, part.name, md5)
            except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: the checksum is not that of the file
                complaints.append(f"{mirror}: {error}")
                part.unlink(missing_ok=True)
            else:
                part.replace(folder / file)
                return
    except OSError as error:
        complaints.append(str(error))
    raise DataError(
        f"{file} could not be downloaded to {folder} ({'; '.join(complaints):.500}); copy the four original .gz files "
        f"there, or name another data directory; {INSTEAD}"
    )


def _bundled_digits() -> list[Split]:
    """Load scikit-learn's 1,797 digits, 8 x 8, upscaled; 1,197 / 300 / 300."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float()[:, None] / 16
    large = torch.nn.functional.interpolate(small, size=IMAGE_SIZE, mode="bicubic", align_corners=False)[:, 0]
    images = (large.clamp(0, 1) * 255).round().to(torch.uint8)
    labels = torch.from_numpy(bunch.target).to(torch.uint8)
    # The file is ordered by writer: shuffled, so that the splits share the writers.
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images, labels = images[order], labels[order]
    cuts = [1197, 300, 300]
    return [Split(*pair) for pair in zip(images.split(cuts), labels.split(cuts), strict=True)]
