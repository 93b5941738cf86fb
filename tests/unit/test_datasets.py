"""Where the images come from, and what is said when they do not come."""

import gzip
import hashlib
import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets

from tests.unit.conftest import idx
from training.datasets import DATASETS, FILES, MD5, TRAINING_IMAGES, Data, DataError, binarise, load
from training.folders import data_dir


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Sixty training and twelve test images of noise, as the original files of every dataset of this format."""
    arrays = {}
    for name in MD5:
        checksums = []
        rng = np.random.default_rng(len(name))
        for split, n in (("train", 60), ("t10k", 12)):
            for file, array in (
                (f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28))),
                (f"{split}-labels-idx1-ubyte.gz", np.arange(n) % 10),
            ):
                packed = gzip.compress(idx(array))
                arrays[f"{name}/{file}"] = array
                checksums.append(hashlib.md5(packed).hexdigest())
                (tmp_path / name / "raw").mkdir(parents=True, exist_ok=True)
                (tmp_path / name / "raw" / file).write_bytes(packed)
        monkeypatch.setitem(MD5, name, tuple(checksums))
    return arrays


@pytest.mark.parametrize("name", MD5)
def test_files_are_those_that_torchvision_knows(name: str) -> None:
    assert list(zip(FILES, MD5[name], strict=True)) == getattr(torchvision.datasets, name).resources


@pytest.mark.parametrize("dataset", ["mnist", "kmnist"])
def test_splits_hold_every_image_once(dataset: str, raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    data = load(dataset, tmp_path, download=False)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [55, 5, 12]
    fitted_on = torch.cat([data.train.images, data.validation.images]).numpy()
    name = DATASETS[dataset]
    np.testing.assert_array_equal(fitted_on, raw[f"{name}/train-images-idx3-ubyte.gz"])
    np.testing.assert_array_equal(data.test.images.numpy(), raw[f"{name}/t10k-images-idx3-ubyte.gz"])
    np.testing.assert_array_equal(data.test.labels.numpy(), raw[f"{name}/t10k-labels-idx1-ubyte.gz"])


def test_bundled_digits_are_real_and_disjoint(digits: Data) -> None:
    splits = (digits.train, digits.validation, digits.test)
    assert [len(split) for split in splits] == [1197, 300, 300]
    assert len(digits.train) == TRAINING_IMAGES["digits"]
    for split in splits:
        assert split.images.shape[1:] == (28, 28)
        assert split.images.dtype == torch.uint8
        assert set(split.labels.tolist()) == set(range(10))
    assert digits.train.images.max() > 240


def test_unknown_dataset_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'emnist'; there are mnist, kmnist, digits; bring your own: "):
        load("emnist", tmp_path)


def test_missing_files_are_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"KMNIST is not in {tmp_path}/KMNIST/raw; copy its four original .gz files"):
        load("kmnist", tmp_path, download=False)


def test_mnist_comes_along_and_nothing_is_written() -> None:
    folder = data_dir() / "MNIST" / "raw"
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    data = load("mnist", data_dir(), download=False)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert len(data.train) == TRAINING_IMAGES["mnist"]
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


@pytest.mark.usefixtures("raw")
@pytest.mark.parametrize("download", [False, True])
def test_files_of_another_data_set_are_refused(download: bool, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "MNIST")
    shutil.copytree(tmp_path / "KMNIST", tmp_path / "MNIST")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is damaged, or not MNIST's: its MD5 sum is "):
        load("mnist", tmp_path, download=download)


def test_unpacked_files_of_another_data_set_are_refused(raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    unpacked = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    unpacked.write_bytes(idx(raw["MNIST/t10k-images-idx3-ubyte.gz"]))
    load("mnist", tmp_path, download=False)  # what older versions unpacked
    unpacked.write_bytes(idx(raw["KMNIST/t10k-images-idx3-ubyte.gz"]))
    with pytest.raises(DataError, match=rf"{unpacked} is not MNIST's: .* delete it"):
        load("mnist", tmp_path, download=False)
    for packed in unpacked.parent.glob("*.gz"):
        packed.unlink()
    with pytest.raises(DataError, match=r"MNIST is not in .* \(unpacked ones have no checksum\)"):
        load("mnist", tmp_path, download=False)


@pytest.mark.usefixtures("raw")
def test_truncated_file_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"{damaged} is damaged, or not MNIST's"):
        load("mnist", tmp_path)


@pytest.mark.usefixtures("raw")
@pytest.mark.parametrize("arrives", ["whole", "corrupt", "nothing"])
def test_a_download_counts_only_when_it_is_whole(arrives: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "MNIST" / "raw"
    served = {path.name: path.read_bytes() for path in folder.iterdir()}
    missing = folder / "t10k-labels-idx1-ubyte.gz"
    missing.unlink()

    def retrieve(url: str, path: str, *args: object) -> None:
        if arrives == "nothing":
            raise URLError("network is closed")
        content = served[url.split("/")[-1]]
        Path(path).write_bytes(content if arrives == "whole" else content[:-10])

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", retrieve)
    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", lambda url, max_hops: url)
    if arrives == "whole":
        assert len(load("mnist", tmp_path).test) == 12
    else:
        with pytest.raises(DataError, match=rf"{missing.name} could not be downloaded to {folder} \(http"):
            load("mnist", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        set(served) - {missing.name} | ({missing.name} if arrives == "whole" else set())
    )


def test_data_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    with pytest.raises(DataError, match=rf"train-images-idx3-ubyte.gz could not be downloaded to {file}/MNIST/raw"):
        load("mnist", file)


def test_data_directory_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"MNIST cannot be read from .* \(\[Errno 13\] Permission denied"):
        load("mnist", data_dir(), download=False)


def test_reduced_images_are_means_of_blocks_cut_at_one_half(raw: dict[str, np.ndarray], tmp_path: Path) -> None:
    small = load("mnist", tmp_path, image_size=14, download=False).test.images
    binary = load("mnist", tmp_path, image_size=14, binarised=True, download=False).test.images
    means = raw["MNIST/t10k-images-idx3-ubyte.gz"].reshape(12, 14, 2, 14, 2).mean((2, 4))
    np.testing.assert_array_equal(small, np.round(means))
    np.testing.assert_array_equal(binary, np.where(means >= 127.5, 255, 0))
    # What is binarised from the start stays what it is.
    np.testing.assert_array_equal(binarise(binary, torch.Generator()), binary > 0)
