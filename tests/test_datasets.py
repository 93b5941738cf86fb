"""Where the images come from, and what is said when they do not come."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import cannot_run
from training.datasets import DATASETS, Data, DataError, binarise, load
from training.folders import data_dir


def write_idx(path: Path, array: np.ndarray) -> None:
    """A file in MNIST's own format: two zeros, type (8: unsigned byte), number of axes, their sizes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, np.ndarray]:
    """Sixty training and twelve test images of noise, as the files of every dataset of this format."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 60), ("t10k", 12)):
        arrays[f"{split}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 28, 28))
        arrays[f"{split}-labels-idx1-ubyte"] = np.arange(n) % 10
    for name in DATASETS.values():
        for file, array in arrays.items():
            write_idx(tmp_path / name / "raw" / file, array)
    return arrays


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "kmnist"])
def test_splits_hold_every_image_once(dataset: str, raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    data = load(dataset, tmp_path, download=False)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [55, 5, 12]
    fitted_on = torch.cat([data.train.images, data.validation.images]).numpy()
    np.testing.assert_array_equal(fitted_on, raw["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test.images.numpy(), raw["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test.digits.numpy(), raw["t10k-labels-idx1-ubyte"])


def test_bundled_digits_are_real_and_disjoint(digits: Data) -> None:
    splits = (digits.train, digits.validation, digits.test)
    assert [len(split) for split in splits] == [1197, 300, 300]
    for split in splits:
        assert split.images.shape[1:] == (28, 28)
        assert split.images.dtype == torch.uint8
        assert set(split.digits.tolist()) == set(range(10))
    assert digits.train.images.max() > 240


def test_unknown_dataset_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'emnist'; there are mnist, fashion-mnist, kmnist, digits"):
        load("emnist", tmp_path)


def test_missing_files_are_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"MNIST is not in {tmp_path}/MNIST/raw; copy its four original .gz files"):
        load("mnist", tmp_path, download=False)


def test_packed_files_are_enough_without_download(tmp_path: Path) -> None:
    # The real files, copied as README says: torchvision unpacks them, the network is not asked.
    original = data_dir() / "MNIST" / "raw"
    packed = list(original.glob("*.gz"))
    if len(packed) < 4:
        cannot_run("MNIST's four .gz files are not in data/MNIST/raw: see README")
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for file in packed:
        shutil.copy(file, tmp_path / "MNIST" / "raw")
    data = load("mnist", tmp_path, download=False)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]


def test_damaged_file_is_told(raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    damaged = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a file of MNIST .* is damaged .* delete the unpacked files there"):
        load("mnist", tmp_path, download=False)


def test_corrupt_download_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The checksum of a file that is there fails, and the network, here closed, cannot replace it.
    import torchvision.datasets.mnist as torchvision_mnist

    def closed(*args: object, **kwargs: object) -> None:
        raise OSError("network is closed")

    monkeypatch.setattr(torchvision_mnist, "download_and_extract_archive", closed)
    corrupt = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    corrupt.parent.mkdir(parents=True)
    corrupt.write_bytes(b"not what was asked for")
    with pytest.raises(DataError, match=r"MNIST could not be downloaded .*network is closed"):
        load("mnist", tmp_path)
    assert corrupt.exists()


def test_data_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    with pytest.raises(DataError, match=rf"MNIST could not be downloaded to {file}/MNIST/raw"):
        load("mnist", file)


def test_reduced_images_are_means_of_blocks_cut_at_one_half(raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    small = load("mnist", tmp_path, image_size=14, download=False).test.images
    binary = load("mnist", tmp_path, image_size=14, binarised=True, download=False).test.images
    means = raw["t10k-images-idx3-ubyte"].reshape(12, 14, 2, 14, 2).mean((2, 4))
    np.testing.assert_array_equal(small, np.round(means))
    np.testing.assert_array_equal(binary, np.where(means >= 127.5, 255, 0))
    # What is binarised from the start stays what it is.
    np.testing.assert_array_equal(binarise(binary, torch.Generator()), binary > 0)
