"""The images: MNIST and its relatives through torchvision, or scikit-learn's bundled digits.

Everything fits in memory many times over, so a dataset is three tensors and no loader.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["DATASETS", "IMAGE_SIZE", "Data", "DataError", "Split", "binarise", "load", "reduce"]

DATASETS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "digits": "load_digits"}
IMAGE_SIZE = 28


class DataError(Exception):
    """The images cannot be had; the message is one sentence for the user."""


@dataclass(frozen=True)
class Split:
    """Grey images, uint8 of shape (n, h, w) with 0 black and 255 white, and their classes, uint8 of shape (n,)."""

    images: Tensor
    digits: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.digits.to(device))


@dataclass(frozen=True)
class Data:
    """Fit on `train`, watch `validation`, report on `test`, which chooses nothing."""

    train: Split
    validation: Split
    test: Split


def load(
    dataset: str, data_dir: Path, *, image_size: int = IMAGE_SIZE, binarised: bool = False, download: bool = True
) -> Data:
    """The three splits of a dataset.

    MNIST and its relatives: the last twelfth of the training images (5,000 of 60,000) is held out for
    validation. torchvision downloads what is missing, with a progress bar, and verifies the checksums.

    Args:
        dataset: a key of `DATASETS`.
        data_dir: holds, or will hold, the files.
        image_size: 28, or 14: the mean of each 2 x 2 block.
        binarised: black (0) and white (255) only: white is what is at least half white.
        download: fetch what is missing.

    Raises:
        DataError: unknown dataset, files missing or damaged, download failed.
    """
    if dataset not in DATASETS:
        raise DataError(f"unknown dataset {dataset!r}; there are {', '.join(DATASETS)}")
    if dataset == "digits":
        splits = _bundled_digits()
    else:
        train, test = (_torchvision_split(dataset, data_dir, train, download) for train in (True, False))
        held_out = len(train) // 12
        splits = [
            Split(train.images[:-held_out], train.digits[:-held_out]),
            Split(train.images[-held_out:], train.digits[-held_out:]),
            test,
        ]
    return Data(*(Split(reduce(split.images, image_size, binarised=binarised), split.digits) for split in splits))


def reduce(images: Tensor, image_size: int, *, binarised: bool) -> Tensor:
    """Images as an experiment sees them: uint8 (n, 28, 28) -> uint8 (n, image_size, image_size).

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
    """Each pixel drawn from a Bernoulli with its grey value as the probability of white.

    Args:
        images: uint8 (*), 0 to 255.
        generator: on any device; on the CPU it draws the same wherever the images are.

    Returns:
        float32 (*), zeros and ones, P(1) = grey / 255 exactly.
    """
    # One random byte a pixel: three times as fast as torch.bernoulli on a CPU.
    threshold = torch.randint(0, 255, images.shape, dtype=torch.uint8, generator=generator, device=generator.device)
    return (threshold.to(images.device) < images).float()


def _torchvision_split(dataset: str, data_dir: Path, train: bool, download: bool) -> Split:
    name = DATASETS[dataset]
    folder = data_dir / name / "raw"
    instead = "`digits-2d` needs no files"
    if not download and not folder.is_dir():
        raise DataError(f"{name} is not in {folder}; copy its four original .gz files there; {instead}")
    try:
        # Imported here: it takes seconds, and the app opens without original images.
        import torchvision.datasets
        from torchvision.datasets.utils import check_integrity

        kind = getattr(torchvision.datasets, name)
        # torchvision unpacks only when it may download, which it does not when the packed files are whole.
        packed = all(check_integrity(str(folder / file), md5) for file, md5 in kind.resources)
        source = kind(data_dir, train=train, download=download or packed)
        images, digits = source.data, source.targets.to(torch.uint8)
    except ImportError as error:
        raise DataError(f"{name} needs torchvision, which does not import here ({error}); {instead}") from error
    except OSError as error:  # no such folder, no permission, disk full, no network
        raise DataError(
            f"{name} could not be downloaded to {folder} ({error}); "
            f"copy its four original .gz files there, or name another data directory; {instead}"
        ) from error
    except Exception as error:
        # torchvision says RuntimeError for files that are missing or fail their checksum, and
        # whatever the parser stumbles over for files that were damaged after they were unpacked.
        if "not found" in str(error) or "downloading" in str(error):
            raise DataError(
                f"{name} is not in {folder} ({error}); "
                f"copy its four original .gz files there, or name another data directory; {instead}"
            ) from error
        raise DataError(
            f"a file of {name} in {folder} is damaged ({type(error).__name__}: {error}); "
            "delete the unpacked files there, those without .gz, and try again"
        ) from error
    if images.shape != (len(digits), IMAGE_SIZE, IMAGE_SIZE) or images.dtype != torch.uint8 or len(digits) < 12:
        raise DataError(
            f"{name} in {folder} holds images of shape {tuple(images.shape)} with {len(digits)} labels, "
            f"expected (n, {IMAGE_SIZE}, {IMAGE_SIZE}) with n labels; put the original files there"
        )
    return Split(images, digits)


def _bundled_digits() -> list[Split]:
    """scikit-learn's 1,797 digits, 8 x 8, upscaled; 1,197 / 300 / 300."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float()[:, None] / 16
    large = torch.nn.functional.interpolate(small, size=IMAGE_SIZE, mode="bicubic", align_corners=False)[:, 0]
    images = (large.clamp(0, 1) * 255).round().to(torch.uint8)
    digits = torch.from_numpy(bunch.target).to(torch.uint8)
    # The file is ordered by writer: shuffled, so that the splits share the writers.
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images, digits = images[order], digits[order]
    cuts = [1197, 300, 300]
    return [Split(*pair) for pair in zip(images.split(cuts), digits.split(cuts), strict=True)]
