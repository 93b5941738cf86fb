"""Own images: each form in which they come, what becomes of them, and what is refused, in one sentence."""

import csv
import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, png_header, rewrite, run_command
from tests.unit.conftest import idx
from training import array_file, forms
from training.__main__ import app
from training.checkpoint import MODEL_NAMES, Checkpoint, CheckpointError, checkpoint_path
from training.datasets import Data, load
from training.imports import AddError, Imported, contact_sheet, read, save, to_image
from training.own_dataset import dataset_path, duplicates, fingerprint, read_dataset

N = 400
DIGITS = tuple("0123456789")
NUMBERED = tuple(f"#{digit}" for digit in DIGITS)

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def images(digits: Data) -> np.ndarray:
    return digits.train.images[:N].numpy()


@pytest.fixture(scope="session")
def labels(digits: Data) -> np.ndarray:
    return digits.train.labels[:N].numpy()


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write_pictures(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    """A sub-folder a class, names in the order of the images."""
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / f"class {label}" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    return folder


def zipped(folder: Path, *, below: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, below + str(path.relative_to(folder)))
    return file.getvalue()


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def table(columns: np.ndarray, header: list[str] | None = None) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([header] if header else [])
    writer.writerows(columns.tolist())
    return file.getvalue().encode()


def assert_holds(imported: Imported, images: np.ndarray, labels: np.ndarray) -> None:
    """The same images with the same labels, in whatever order, pixel by pixel."""
    found, wanted = (
        sorted((image.tobytes(), int(label)) for image, label in zip(*pair, strict=True))
        for pair in ((imported.dataset.images, imported.dataset.labels), (images, labels))
    )
    assert found == wanted


def told(imported: Imported) -> str:
    return "\n".join(imported.sentences)


# Forms


def test_a_folder_of_pictures_and_its_zip_are_the_same(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "mine", images, labels)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("none either")
    imported = read(folder)
    assert_holds(imported, images, labels)
    assert imported.dataset.classes == tuple(f"class {i}" for i in range(10))
    assert imported.dataset.conversion == {"inverted": False, "transposed": False, "resized": False}
    assert f"mine: {N} images, 28 x 28 pixels" in imported.sentences
    assert "files left out, for they are no pictures: 1" in imported.sentences
    (tmp_path / "mine.zip").write_bytes(zipped(folder))
    for again in (
        read(tmp_path / "mine.zip"),
        read(Path("mine.zip"), zipped(folder)),
        read(Path("mine.zip"), zipped(folder, below="wrapped/twice/")),
    ):
        for name in ("images", "labels", "split", "classes", "conversion"):
            np.testing.assert_array_equal(getattr(again.dataset, name), getattr(imported.dataset, name))


def test_pictures_without_folders_are_one_class(images: np.ndarray, tmp_path: Path) -> None:
    for i, image in enumerate(images[:250]):
        (tmp_path / f"{i}.png").write_bytes(png(image))
    imported = read(tmp_path)
    assert imported.dataset.classes == (tmp_path.name,)
    assert f"no labels: one class, {tmp_path.name}" in imported.sentences
    assert not imported.dataset.labels.any()
    contact_sheet(imported.dataset)
    only = tmp_path / "all" / "cats"
    only.mkdir(parents=True)
    for path in tmp_path.glob("*.png"):
        path.rename(only / path.name)
    assert read(tmp_path).dataset.classes == ("cats",)


def test_folders_called_train_and_test_are_the_split(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    write_pictures(tmp_path / "Train", images[:300], labels[:300])
    write_pictures(tmp_path / "test", images[300:], labels[300:])
    imported = read(tmp_path)
    assert_holds(imported, images, labels)
    test_images, _ = imported.dataset.part("test")
    np.testing.assert_array_equal(np.sort(test_images, 0), np.sort(images[300:], 0))
    assert (imported.dataset.split == 1).sum() == 24


def test_ones_are_white_where_there_is_nothing_brighter(images: np.ndarray, tmp_path: Path) -> None:
    binary = images >= 128
    for values in (binary, binary.astype(np.uint8), binary.astype(np.float32)):
        imported = read(npz(tmp_path / "binary.npz", images=values))
        np.testing.assert_array_equal(imported.dataset.images, binary * np.uint8(255))
        assert "values from 0 to 1 were spread to 0 to 255" in imported.sentences


NAMES = {
    "keras": ("x_{}", "y_{}", ("train", "test")),
    "medmnist": ("{}_images", "{}_labels", ("train", "val", "test")),
}


@pytest.mark.parametrize("form", NAMES)
def test_given_splits_of_npz_are_kept(form: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    images_name, labels_name, parts = NAMES[form]
    cuts = [300, 330][: len(parts) - 1]
    arrays: Arrays = {}
    for part, x, y in zip(parts, np.split(images, cuts), np.split(labels, cuts), strict=True):
        arrays |= {images_name.format(part): x, labels_name.format(part): y[:, None] if form == "medmnist" else y}
    dataset = read(npz(tmp_path / "given.npz", **arrays)).dataset
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.labels, labels)
    assert (dataset.split[cuts[-1] :] == 2).all()
    if form == "medmnist":
        np.testing.assert_array_equal(dataset.split, np.repeat([0, 1, 2], [300, 30, 70]))
    else:
        assert np.bincount(dataset.split[:300]).tolist() == [276, 24]


def test_plain_npz_has_names_for_its_classes(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    names = [f"digit {i}" for i in range(10)]
    path = npz(tmp_path / "plain.npz", images=images, labels=labels, class_names=names)
    imported = read(path)
    np.testing.assert_array_equal(imported.dataset.images, images)
    np.testing.assert_array_equal(imported.dataset.labels, labels)
    assert imported.dataset.classes == tuple(names)
    assert np.bincount(imported.dataset.split).tolist() == [328, 32, 40]
    assert "split, validation and test drawn at random: train 328, validation 32, test 40" in imported.sentences


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.reshape(-1, 784),
        lambda images: images[..., None],
        lambda images: images[:, None],
        lambda images: images.astype(np.float32) / 255,
        lambda images: images.astype(np.int64),
        lambda images: images[..., None].repeat(3, 3),
    ],
    ids=["flat", "channel last", "channel first", "0 to 1", "int64", "colours"],
)
def test_arrays_of_other_forms_hold_the_same_images(
    change: Callable[[np.ndarray], np.ndarray], images: np.ndarray, tmp_path: Path
) -> None:
    dataset = read(npz(tmp_path / "images.npz", images=change(images))).dataset
    np.testing.assert_array_equal(dataset.images, images)
    assert dataset.classes == ("images",)


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray, *, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in (("train", slice(None, 300)), ("t10k" if not prefix else "test", slice(300, None))):
        for kind, array in (("images-idx3", images[chosen]), ("labels-idx1", labels[chosen])):
            path = folder / f"{prefix}{part}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_found_by_its_folder_and_by_each_file(
    packed: bool, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    folder = tmp_path / "raw"
    write_idx(folder, "", images, labels, packed=packed)
    for path in (tmp_path, folder, *folder.iterdir()):
        dataset = read(path).dataset
        np.testing.assert_array_equal(dataset.images, images)
        np.testing.assert_array_equal(dataset.labels, labels)
        assert (dataset.split[300:] == 2).all()
        assert (dataset.split[:300] < 2).all()


def test_the_command_line_says_how_not_to_invert(images: np.ndarray, tmp_path: Path) -> None:
    path = npz(tmp_path / "paper.npz", images=255 - images)
    arguments = ("add", "paper", path, "--data-dir", tmp_path, "--dry-run")
    assert "Then say --no-invert\n" in run_command(app, *arguments).stdout
    assert "Then say" not in run_command(app, *arguments, "--invert").stdout


def test_emnist_is_turned_and_its_letters_have_names(images: np.ndarray, tmp_path: Path) -> None:
    letters = np.arange(N) % 26 + 1
    for folder, stored in (("stored", images.swapaxes(1, 2)), ("turned already", images)):
        write_idx(tmp_path / folder, "emnist-letters-", stored, letters, packed=True)
        imported = read(tmp_path / folder / "emnist-letters-test-labels-idx1-ubyte.gz")
        np.testing.assert_array_equal(imported.dataset.images, images)
        assert imported.dataset.classes == tuple("abcdefghijklmnopqrstuvwxyz")
        assert imported.dataset.conversion["transposed"] == (folder == "stored")
        assert ("turned, for EMNIST" in told(imported)) == (folder == "stored")
    kept = read(tmp_path / "stored", transpose=False).dataset
    np.testing.assert_array_equal(kept.images, images.swapaxes(1, 2))
    write_idx(tmp_path / "other", "", images, letters, packed=True)
    turned = read(tmp_path / "other", transpose=True)
    np.testing.assert_array_equal(turned.dataset.images, images.swapaxes(1, 2))
    assert "turned, as asked" in turned.sentences


def test_files_that_lie_there_once_more_are_left_alone(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    write_idx(tmp_path, "", images, labels, packed=False)
    again = tmp_path / "train-images-idx3-ubyte.folder" / "train-images-idx3-ubyte"
    again.parent.mkdir()
    again.write_bytes((tmp_path / again.name).read_bytes())
    np.testing.assert_array_equal(read(tmp_path).dataset.images, images)


PIXELS = [f"pixel{i}" for i in range(784)]


@pytest.mark.parametrize(
    ("name", "place", "header"),
    [
        ("train.csv", 0, ["label", *PIXELS]),
        ("last.csv", 784, [*PIXELS, "class"]),
        ("middle.csv", 5, [*PIXELS[:5], "Label", *PIXELS[5:]]),
        ("unnamed.csv", 784, [*PIXELS, "what"]),
        ("mnist_5k.csv.gz", 784, None),
        ("first.csv", 0, None),
    ],
)
def test_csv_has_its_label_anywhere(
    name: str, place: int, header: list[str] | None, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    content = table(np.insert(images.reshape(N, -1), place, labels, axis=1), header)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    imported = read(path) if place else read(Path(name), path.read_bytes())
    np.testing.assert_array_equal(imported.dataset.images, images)
    np.testing.assert_array_equal(imported.dataset.labels, labels)
    assert imported.dataset.classes == tuple("0123456789")
    assert f"the labels are in column {place + 1}" in imported.sentences


def test_csv_with_texts_as_labels_and_without_labels(images: np.ndarray, labels: np.ndarray) -> None:
    pixels = images.reshape(N, -1)
    texts = np.array(["NA", *"bcdefghij"], object)[labels]  # no missing value
    named = read(Path("texts.csv"), table(np.column_stack([texts, pixels.astype(object)]))).dataset
    np.testing.assert_array_equal(named.labels, labels)
    assert named.classes == ("NA", *"bcdefghij")
    alone = read(Path("alone.csv"), table(pixels)).dataset
    np.testing.assert_array_equal(alone.images, images)
    assert alone.classes == ("alone",)


# What becomes of pictures


def test_small_grey_pictures_stay_what_they_are(images: np.ndarray) -> None:
    for image in images[:20]:
        np.testing.assert_array_equal(to_image(Image.fromarray(image), inverted=False), image)
        np.testing.assert_array_equal(to_image(Image.fromarray(image), inverted=True), 255 - image)


def test_other_sizes_keep_their_aspect_and_are_padded_with_the_background() -> None:
    tall = np.full((90, 30), 40, np.uint8)
    tall[30:60, 10:20] = 200
    image = to_image(Image.fromarray(tall), inverted=False)
    assert image.shape == (28, 28)
    assert (image[:, :9] == 40).all()
    assert (image[:, 19:] == 40).all()
    assert abs(int(image[14, 14]) - 200) < 20
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
        picture = Image.fromarray(tall.astype(np.uint16) * 256) if mode == "I;16" else Image.fromarray(tall)
        converted = to_image(picture if mode == "I;16" else picture.convert(mode), inverted=False)
        if mode != "1":
            np.testing.assert_allclose(converted, image, atol=2)
    assert to_image(Image.new("L", (5_000, 1), 9), inverted=False).shape == (28, 28)


@pytest.mark.parametrize("ink", [0, 255])
def test_what_is_transparent_becomes_background(ink: int, images: np.ndarray, tmp_path: Path) -> None:
    for i, image in enumerate(images):
        drawing = np.full((*image.shape, 4), ink, np.uint8)
        drawing[..., 3] = image
        (tmp_path / f"{i:04}.png").write_bytes(png(drawing))
    imported = read(tmp_path)
    np.testing.assert_allclose(imported.dataset.images, images, atol=1)  # Pillow's rounding
    assert imported.dataset.conversion["inverted"] == (ink == 0)


def test_light_backgrounds_are_inverted_unless_it_is_said(images: np.ndarray, tmp_path: Path) -> None:
    path = npz(tmp_path / "paper.npz", images=255 - images)
    imported = read(path)
    np.testing.assert_array_equal(imported.dataset.images, images)
    assert imported.dataset.conversion["inverted"]
    assert "inverted, for the background was light" in imported.sentences
    np.testing.assert_array_equal(read(path, invert=False).dataset.images, 255 - images)
    half = npz(tmp_path / "half.npz", images=np.where(np.arange(N)[:, None, None] % 2, images, 255 - images))
    assert "backgrounds differ: 50% of the pictures have a light one" in read(half).sentences


def test_large_colour_pictures_are_reduced(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    large = 255 - images.repeat(3, 1).repeat(3, 2)
    imported = read(npz(tmp_path / "large.npz", images=large[..., None].repeat(3, 3), labels=labels))
    assert imported.dataset.conversion == {"inverted": True, "transposed": False, "resized": True}
    assert "reduced to grey, 28 x 28 pixels, aspect kept" in imported.sentences
    correlation = np.corrcoef(imported.dataset.images.ravel(), images.ravel())[0, 1]
    assert correlation > 0.98


# The split


def test_numbered_classes_are_digits_where_the_images_are(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    clothes, classes = read_dataset(dataset_path(ROOT / "data", "fashion-mnist")).part("test")
    mnist = load("mnist", ROOT / "data", download=False).test
    noise = np.random.default_rng(0).integers(0, 256, (N, 28, 28), np.uint8) * (classes[:N, None, None] > 0)
    for shown, numbers, named in (
        (images, labels, DIGITS),
        (mnist.images[:N].numpy(), mnist.labels[:N].numpy(), DIGITS),
        (255 - mnist.images[-N:].numpy(), mnist.labels[-N:].numpy(), DIGITS),
        (mnist.images[:N].numpy(), (mnist.labels[:N].numpy() + 1) % 10, NUMBERED),
        (clothes[:N], classes[:N], NUMBERED),
        (noise, classes[:N], NUMBERED),
    ):
        imported = read(npz(tmp_path / "numbered.npz", images=shown, labels=numbers))
        assert imported.dataset.classes == named
        assert ("their classes are called #0 to #9" in told(imported)) == (named == NUMBERED)
    given = npz(tmp_path / "named.npz", images=clothes[:N], labels=classes[:N], class_names=np.array(DIGITS))
    assert read(given).dataset.classes == DIGITS  # who names them knows


def test_an_npz_of_a_name_that_is_known_has_its_names(tmp_path: Path) -> None:
    shipped = read_dataset(dataset_path(ROOT / "data", "fashion-mnist"))
    clothes, classes = shipped.part("test")
    imported = read(npz(tmp_path / "fashion_mnist.npz", x_train=clothes[:N], y_train=classes[:N]))
    assert imported.dataset.classes == shipped.classes


def test_colours_that_are_lost_are_told(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    coloured = np.stack([images, images, images], axis=3)
    found = [read(npz(tmp_path / "a.npz", images=shown, labels=labels)) for shown in (images, coloured)]
    assert ["reduced to grey" in told(imported) for imported in found] == [False, True]
    np.testing.assert_array_equal(found[0].dataset.images, found[1].dataset.images)
    folder = write_pictures(tmp_path / "pictures", images, labels)
    assert "grey" not in told(read(folder))
    (folder / "class 3" / "red.png").write_bytes(png(coloured[0] // np.array([1, 2, 2], np.uint8)))
    assert "reduced to grey" in told(read(folder))


def test_copies_are_told_and_stay_on_one_side(images: np.ndarray, tmp_path: Path) -> None:
    twice = np.concatenate([images, images[:150]])
    imported = read(npz(tmp_path / "twice.npz", images=twice))
    assert "150 images are copies of others; copies stay on one side of the split" in imported.sentences
    number = duplicates(imported.dataset.images)
    sides = {(n, s) for n, s in zip(number.tolist(), imported.dataset.split.tolist(), strict=True)}
    assert len(sides) == len(set(number.tolist()))
    assert np.bincount(imported.dataset.split) == pytest.approx([451, 44, 55], abs=2)


def test_test_images_among_those_to_fit_to_are_told(images: np.ndarray, tmp_path: Path) -> None:
    path = npz(tmp_path / "leak.npz", x_train=images, x_test=images[:30])
    assert "30 test images are also among the images to fit to, as they were given" in read(path).sentences


def test_the_same_images_are_split_the_same(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    path = npz(tmp_path / "plain.npz", images=images, labels=labels)
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        save(read(path).dataset, folder, "mine")
    assert dataset_path(first, "mine").read_bytes() == dataset_path(second, "mine").read_bytes()


# What is refused


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["images", "labels", "class_names"])
def test_a_pickle_is_never_run(name: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    objects = np.empty(N, object)
    objects[:] = [Payload(trace)] * N
    arrays: Arrays = {"images": images, "labels": labels, name: objects}
    path = tmp_path / "payload.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(AddError, match=rf"{name} in payload.npz is a pickle, which may run code; save it as"):
        read(path)
    for suffix in (".pt", ".pkl"):
        path = tmp_path / f"payload{suffix}"
        path.write_bytes(pickle.dumps(Payload(trace)))
        with pytest.raises(AddError, match=r"may run code when it is opened, so it is not"):
            read(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # it would have


def arrays_of(images: np.ndarray, labels: np.ndarray) -> dict[str, tuple[dict[str, Any], str]]:
    """Arrays that are no data set, and what is said."""
    return {
        "few": ({"images": images[:199]}, "199 images were found, expected are 200 to 200,000; add some$"),
        "none": ({"images": images[:0]}, "no images were found"),
        "fewer labels": (
            {"images": images, "labels": labels[1:]},
            r"labels in .*npz has shape \(399,\) for 400 images",
        ),
        "two labels": ({"images": images, "labels": np.stack([labels] * 2, 1)}, r"shape \(400, 2\) for 400 images"),
        "some labels": ({"x_train": images, "y_train": labels, "x_test": images}, "labels for some of its images only"),
        "complex labels": ({"images": images, "labels": labels * 1j}, "labels in .*npz are complex128; expected are"),
        "sizes": ({"x_train": images, "x_test": images[:, 2:-2]}, "images of several sizes; make all of them 28 x 28"),
        "negative": ({"images": images - 1.0}, "values other than 0 to 255; make 0 black"),
        "no number": ({"images": images * np.nan}, "values other than 0 to 255"),
        "shape": ({"images": images.ravel()}, r"has shape \(313600,\); expected is \(number, height, width\)"),
        "names": ({"pictures": images, "b": images}, "holds b, pictures; expected are x_train and y_train"),
        "twice": ({"images": images, "x_train": images}, r"holds images under several names \(images, x_train\)"),
        "classes": ({"images": images, "labels": np.arange(N)}, "400 classes were found, at most 62 can be told apart"),
        "few names": (
            {"images": images, "labels": labels, "class_names": ["a", "b"]},
            "labels go from 0 to 9, and class_names has 2; give each its name",
        ),
        "same names": ({"images": images, "labels": labels, "class_names": ["a"] * 10}, "two classes have the same"),
        "long name": ({"images": images, "labels": ["x" * 101] * N}, "a name of more than 100 letters"),
        "number names": ({"images": images, "labels": labels, "class_names": labels}, "class_names in .* are uint8"),
        "alike": ({"images": images[[0] * N]}, "400 images are too much alike for three parts"),
    }


@pytest.mark.parametrize("defect", arrays_of(np.zeros((N, 28, 28)), np.zeros(N)))
def test_arrays_that_are_no_data_set_are_refused(
    defect: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    arrays, sentence = arrays_of(images, labels)[defect]
    with pytest.raises(AddError, match=sentence):
        read(npz(tmp_path / "wrong.npz", **arrays))


def test_too_many_images_are_refused(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MAX_IMAGES", N - 1)
    with pytest.raises(AddError, match="400 images were found, expected are 200 to 399; leave some out"):
        read(npz(tmp_path / "many.npz", images=images))
    with pytest.raises(AddError, match="400 images were found"):
        read(Path("many.csv"), table(images.reshape(N, -1)))


def test_what_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MAX_BYTES", 2**20)
    bomb = np.zeros((1_000, 64, 64), np.uint8)
    refusals = "unpacks to more than 1 MB; leave some of it out"
    with pytest.raises(AddError, match=refusals):
        read(npz(tmp_path / "bomb.npz", images=bomb))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bomb.tobytes())
    with pytest.raises(AddError, match=refusals):
        read(Path("bomb.zip"), content.getvalue())
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(bomb)))
    with pytest.raises(AddError, match=refusals):
        read(tmp_path / "train-images-idx3-ubyte.gz")
    lines = (b",".join([b"0"] * 784) + b"\n") * 1_000
    with pytest.raises(AddError, match=refusals):
        read(Path("bomb.csv.gz"), gzip.compress(lines))


def test_a_zip_that_says_less_than_it_unpacks_to_is_not_believed(images: np.ndarray, tmp_path: Path) -> None:
    content = bytearray(zipped(write_pictures(tmp_path, images, np.zeros(N, int))))
    size = int(zipfile.ZipFile(io.BytesIO(content)).infolist()[0].file_size)
    place = content.rindex(size.to_bytes(4, "little"), 0, len(content))
    content[place : place + 4] = (10).to_bytes(4, "little")
    imported = read(Path("lies.zip"), bytes(content))
    assert len(imported.dataset.images) >= N - 2
    assert "left out, for they cannot be read" in told(imported)


def test_a_header_that_asks_for_more_than_there_is_is_refused(images: np.ndarray) -> None:
    array, content = io.BytesIO(), io.BytesIO()
    np.save(array, images)
    forged = array.getvalue().replace(b"(400, 28, 28), }    ", b"(4000000, 28, 28), }")
    assert forged != array.getvalue()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("images.npy", forged)
    with pytest.raises(AddError, match=r"images in forged.npz cannot be read \(its header does not fit its size\)"):
        read(Path("forged.npz"), content.getvalue())


def test_a_class_of_a_zip_may_have_a_colon(images: np.ndarray) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for at, picture in enumerate(images):
            archive.writestr(f"{('no: 1', 'no: 2')[at % 2]}/{at}.png", png(picture))
    assert read(Path("colons.zip"), content.getvalue()).dataset.classes == ("no: 1", "no: 2")


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "..\\a.png", "C:\\a.png"])
def test_a_zip_that_climbs_out_of_its_folder_is_refused(name: str, images: np.ndarray, tmp_path: Path) -> None:
    content = io.BytesIO(zipped(write_pictures(tmp_path / "in", images, np.zeros(N, int))))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(name, png(images[0]))
    with pytest.raises(AddError, match="which climbs out of its folder; pack it again"):
        read(Path("climber.zip"), content.getvalue())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_links_that_lead_out_of_a_folder_are_not_followed(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    folder = write_pictures(tmp_path / "in", images[:300], labels[:300])
    outside = write_pictures(tmp_path / "out", images[300:], labels[300:])
    (folder / "class 0" / "file.png").symlink_to(next(outside.rglob("*.png")))
    (folder / "class z").symlink_to(outside / "class 1", target_is_directory=True)
    imported = read(folder)
    assert_holds(imported, images[:300], labels[:300])
    assert "links not followed, for they lead elsewhere: 2" in imported.sentences


def test_a_picture_that_is_none_is_named_and_many_are_refused(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    folder = write_pictures(tmp_path, images, labels)
    (folder / "class 3" / "text.png").write_text("no picture")
    (folder / "class 3" / "bomb.png").write_bytes(png_header(20_000, 20_000))
    (folder / "class 3" / "cut.jpg").write_bytes(png(images[0])[:-100])
    (folder / "class 3" / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    imported = read(folder)
    assert_holds(imported, images, labels)
    for name in ("bomb.png", "cut.jpg", "script.png"):
        assert f"class 3/{name} (" in told(imported)
    assert "class 3/script.png (no picture of PNG, JPEG, GIF, BMP, WEBP, TIFF or PPM)" in told(imported)
    (folder / "class 3" / "empty.png").write_text("")
    with pytest.raises(AddError, match=r"5 of 405 pictures cannot be read; replace or remove them: class 3/bomb.png"):
        read(folder)


def test_pictures_beside_folders_are_refused(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path, images, labels)
    (folder / "stray.png").write_bytes(png(images[0]))
    with pytest.raises(AddError, match=r"stray\.png lies beside the folders of the classes; put it into one of them"):
        read(folder)


ROW = ",".join(["0"] * 785)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has 0 columns; expected are 784 pixels, and a label"),
        (b"1,2,3\n" * 300, "has 3 columns; expected are 784 pixels, and a label"),
        (b"x" * 100_000, r"line 1 of .* has more than 65,536 bytes; expected is one image a line"),
        (f"{ROW}\n".encode() * 300 + b"x" * 100_000, r"line 301 of .* has more than 65,536 bytes"),
        ((f"{ROW}\n" * 300 + f"{ROW},0\n").encode(), "is no table .*Expected 785 fields"),
        ((f"{ROW}\n" * 300 + "0,0\n").encode(), "has pixels that are no whole numbers"),
        ((f"{ROW}\n" * 300).replace("0,0,0", "0,256,0", 1).encode(), "has values other than 0 to 255"),
        ((f"{ROW}\n" * 300).replace("0,0,0", "0,-1,0", 1).encode(), "has values other than 0 to 255"),
        ((f"{ROW}\n" * 300).replace("0,0,0", "0,0.5,0", 1).encode(), "has pixels that are no whole numbers"),
        ((f"{ROW}\n" * 300).replace("0,0,0", "0,,0", 1).encode(), "has pixels that are no whole numbers"),
        ((f"{ROW}\n" * 300).replace("0,0,0", "0,x,0", 1).encode(), "has pixels that are no whole numbers"),
        (("x" * 101 + ROW[1:] + "\n").encode() * 300, "has a label of more than 100 letters"),
        (f"{ROW}\n".encode() * 300 + b"\xff" + ROW.encode(), "is no table .*can't decode byte"),
        (",".join(["label", *PIXELS]).encode() + b"\n", "has no rows; expected is one an image"),
        ("".join(f"{i},{ROW[4:]},{i}\n" for i in range(200)).encode(), "has no labels in its first or last column"),
    ],
)
def test_tables_that_are_no_data_set_are_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(AddError, match=sentence):
        read(Path("table.csv"), content)


def test_damaged_and_unknown_files_are_refused(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", "", images, labels, packed=False)
    path = tmp_path / "idx" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AddError, match=rf"{path} is no IDX file of bytes along 3 axes, or is damaged"):
        read(tmp_path / "idx")
    path.unlink()
    (tmp_path / "idx" / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "idx" / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(AddError, match="the images or the labels are missing; put both into the same folder"):
        read(tmp_path / "idx")
    for kind in ("a-", "b-"):
        write_idx(tmp_path / "two", kind, images, labels, packed=False)
    with pytest.raises(AddError, match="holds several data sets; name one of the files: "):
        read(tmp_path / "two")
    for name, content, sentence in (
        ("x.npz", b"nonsense", "x.npz cannot be read .*not a zip file.*; get it once more, or name another"),
        ("x.zip", zipped(tmp_path / "two")[:-40], "x.zip cannot be read"),
        ("x.csv.gz", gzip.compress(ROW.encode())[:-9], "x.csv.gz cannot be read"),
        ("x.h5", b"", "x.h5 is of no form that is known here; expected is a folder or zip of pictures, .npz"),
    ):
        with pytest.raises(AddError, match=sentence):
            read(Path(name), content)
    with pytest.raises(AddError, match="nowhere is neither a file nor a folder; name what is to be added"):
        read(Path("/nowhere"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(AddError, match="no images were found"):
        read(empty)


def test_zips_that_are_locked_or_packed_otherwise_are_refused(images: np.ndarray) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", png(images[0]))
    with pytest.raises(AddError, match="is packed in a way that is not read here; pack it again as a plain zip"):
        read(Path("lzma.zip"), content.getvalue())
    locked = io.BytesIO()
    with zipfile.ZipFile(locked, "w") as archive:
        archive.writestr("a.png", png(images[0]))
        archive.infolist()[0].flag_bits |= 1
    with pytest.raises(AddError, match=r"locked\.zip asks for a password; pack it again without"):
        read(Path("locked.zip"), locked.getvalue())
    newer = io.BytesIO()
    with zipfile.ZipFile(newer, "w") as archive:
        archive.writestr("a.png", png(images[0]))
        archive.infolist()[0].extract_version = 255
    with pytest.raises(AddError, match=r"newer\.zip cannot be read \(zip file version 25\.5\)"):
        read(Path("newer.zip"), newer.getvalue())


# The command


def test_what_is_added_is_loaded_and_fitted(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "birds", images, labels)
    data_dir, checkpoints = tmp_path / "data", tmp_path / "checkpoints"
    tried = run_command(app, "add", "birds", folder, "--data-dir", data_dir, "--dry-run")
    assert tried.exit_code == 0
    assert not data_dir.exists()
    done = run_command(app, "add", "birds", folder, "--data-dir", data_dir)
    assert done.exit_code == 0
    assert "birds: 400 images, 28 x 28 pixels\n10 classes: class 0 (" in done.stdout
    assert sorted(path.name for path in data_dir.iterdir()) == ["birds.contact-sheet.png", "birds.safetensors"]
    assert str(data_dir / "birds.contact-sheet.png") in done.stdout
    with Image.open(data_dir / "birds.contact-sheet.png") as sheet:
        assert sheet.height == 10 * 58
    data = load("birds", data_dir)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [328, 32, 40]
    assert data.id.classes == tuple(f"class {i}" for i in range(10))
    assert "python -m training fit mnist-2d --dataset birds --name birds-2d" in done.stdout

    fit: list[str | Path] = [
        "fit",
        "digits-2d",
        "--dataset",
        "birds",
        "--data-dir",
        data_dir,
        "--checkpoints",
        checkpoints,
    ]
    unnamed = run_command(app, *fit, "--epochs", 1)
    assert unnamed.exit_code == 1
    assert "--dataset birds makes another experiment of digits-2d; give it a --name" in unnamed.stderr
    assert run_command(app, *fit, "--epochs", 1, "--name", "birds-2d").exit_code == 0
    for model in MODEL_NAMES:
        checkpoint = Checkpoint(checkpoint_path(checkpoints / "birds-2d", model))
        assert checkpoint.experiment.dataset == "birds"
        assert checkpoint.experiment.title == "birds, 2 latent dimensions"
        assert checkpoint.dataset == data.id


def test_a_name_that_exists_is_refused_unless_it_is_to_be_replaced(images: np.ndarray, tmp_path: Path) -> None:
    one, other = npz(tmp_path / "one.npz", images=images), npz(tmp_path / "other.npz", images=images[:300])
    add: list[str | Path] = ["add", "mine", "--data-dir", tmp_path]
    assert run_command(app, *add, one).exit_code == 0
    before = dataset_path(tmp_path, "mine").read_bytes()
    refused = run_command(app, *add, other)
    assert refused.exit_code == 1
    assert "mine.safetensors is there already; take another name, or replace it with --replace" in refused.stderr
    assert dataset_path(tmp_path, "mine").read_bytes() == before
    assert run_command(app, *add, other, "--replace").exit_code == 0
    assert len(read_dataset(dataset_path(tmp_path, "mine")).images) == 300


def test_training_images_join_the_test_images_that_come_along(images: np.ndarray, tmp_path: Path) -> None:
    whole = npz(tmp_path / "whole.npz", x_train=images[:300], x_test=images[300:])
    other = npz(tmp_path / "other.npz", x_train=images[:300], x_test=images[301:])
    dataset = read(whole).dataset
    is_test = dataset.split == 2
    arrays = {name: getattr(dataset, name)[is_test] for name in ("images", "labels", "split")}
    array_file.write_arrays(
        dataset_path(tmp_path, "mine"),
        arrays,
        {"format": 1, "classes": dataset.classes, "source": "", "conversion": {}},
    )
    assert "is there already" in run_command(app, "add", "mine", other, "--data-dir", tmp_path).stderr
    assert run_command(app, "add", "mine", whole, "--data-dir", tmp_path).exit_code == 0
    assert len(load("mine", tmp_path).train) == 276


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnist", "mnist is a data set that comes along; take another name"),
        ("../mine", "name is '../mine'; it must be letters, digits"),
    ],
)
def test_names_of_others_and_of_folders_are_refused(
    name: str, sentence: str, images: np.ndarray, tmp_path: Path
) -> None:
    done = run_command(app, "add", name, npz(tmp_path / "x.npz", images=images), "--data-dir", tmp_path / "data")
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert not (tmp_path / "data").exists()


def test_nothing_is_written_when_it_fails(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = tmp_path / "data"
    good, bad = npz(tmp_path / "good.npz", images=images), npz(tmp_path / "bad.npz", images=images[:9])
    refused = run_command(app, "add", "mine", bad, "--data-dir", data_dir)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: 9 images were found, expected are 200 to 200,000")
    assert refused.stderr.count("\n") == 1
    assert not data_dir.exists()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(array_file.os, "fsync", full)
    failed = run_command(app, "add", "mine", good, "--data-dir", data_dir)
    assert "could not write to" in failed.stderr
    assert list(data_dir.iterdir()) == []


def test_the_conversion_is_plain_json(images: np.ndarray, tmp_path: Path) -> None:
    dataset = read(npz(tmp_path / "x.npz", images=255 - images)).dataset
    assert json.loads(json.dumps(dataset.conversion)) == {"inverted": True, "transposed": False, "resized": False}


def test_the_file_holds_its_fingerprint_and_is_refused_with_another(images: np.ndarray, tmp_path: Path) -> None:
    save(read(npz(tmp_path / "x.npz", images=images)).dataset, tmp_path, "mine")
    path = dataset_path(tmp_path, "mine")
    told = []
    rewrite(path, lambda arrays, settings: told.append(settings["fingerprint"]))
    assert told == [fingerprint(*read_dataset(path).part("test"))]
    rewrite(path, lambda arrays, settings: arrays.update(images=arrays["images"] // 2))
    with pytest.raises(CheckpointError, match="has other test images, or labels, than when it was written"):
        read_dataset(path)
    rewrite(path, lambda arrays, settings: settings.pop("fingerprint"))
    assert len(read_dataset(path).images) == len(images)  # a file of an earlier version
