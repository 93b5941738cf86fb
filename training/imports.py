"""What people have, as a data set of the project's own.

`read` finds out of which form it is, see `training.forms`, converts the images and splits them; `save` writes the file.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from training.array_file import Array, CheckpointError, write_atomically
from training.forms import MAX_CLASSES, MAX_NAME, AddError, File, Found, check_number, find, readable, some
from training.own_dataset import (
    DIGITS,
    SPLITS,
    TEST_SHARE,
    VALIDATION_SHARE,
    OwnDataset,
    dataset_path,
    duplicates,
    fingerprint,
    read_dataset,
    split_at_random,
    write_dataset,
)

__all__ = [
    "AddError",
    "Imported",
    "contact_sheet",
    "contact_sheet_path",
    "has_light_background",
    "may_replace",
    "read",
    "save",
    "to_image",
]

SIDE = 28  # pixels
MAX_PICTURE_BYTES, MAX_PIXELS = 2**26, 2**25  # of one picture: enough for a camera's
MAX_UNREADABLE = 0.01  # of the pictures
SAMPLE = 500  # pictures that say whether the background is light
LIGHT = 128  # grey values from there on
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
OUTLINE = 12  # pixels
KNOWN_DIGITS = 0.35  # the share of digits that must be read as what they are called
TRAIN, VALIDATION, TEST = range(len(SPLITS))
SHEET_COLUMNS, SHEET_SCALE, SHEET_MARGIN, SHEET_ROWS_OF_ONE_CLASS = 12, 2, 160, 8


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A data set, not yet written, and what is to be said of it, a sentence each."""

    dataset: OwnDataset
    sentences: tuple[str, ...]


def to_image(picture: Image.Image, *, inverted: bool) -> Array:
    """Bring a picture into the form of a data set: grey, aspect kept, padded with its background.

    A grey picture of 28 x 28 pixels stays as it is, unless it is inverted.

    Args:
        picture: of any size and mode. Transparent parts become background: black in the result.
        inverted: as in the data set's `conversion`: whether its pictures have a light background.

    Returns:
        uint8 (28, 28), 0 black and 255 white.

    Raises:
        OSError, ValueError, SyntaxError: the picture is damaged.
    """
    grey = _grey(ImageOps.exif_transpose(picture), 255 if inverted else 0)
    width, height = grey.size
    if width == height and width % SIDE == 0:
        grey = grey.reduce(width // SIDE)  # to the byte what was enlarged so many times, as pictures of the page are
    else:
        background = round(float(np.median(_border(np.asarray(grey)))))
        scale = SIDE / max(grey.size)
        width, height = (max(1, round(scale * side)) for side in grey.size)
        small = grey.resize((width, height), Image.Resampling.BICUBIC)
        grey = Image.new("L", (SIDE, SIDE), background)
        grey.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    image = np.array(grey)
    return 255 - image if inverted else image


def has_light_background(picture: Image.Image) -> bool:
    """Tell whether a picture has a light background; a transparent one counts as light under what is dark.

    Raises:
        OSError, ValueError, SyntaxError: the picture is damaged.
    """
    alpha = np.zeros(1)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = np.asarray(picture.getchannel("A"), np.float64)
    # Without its alpha: the colours alone.
    grey = np.asarray(_grey(picture.convert("RGB") if alpha.any() else picture, 0))
    if alpha.any() and np.median(_border(alpha)) < LIGHT:
        return bool(np.average(grey, weights=alpha) < LIGHT)
    return bool(np.median(_border(grey)) >= LIGHT)


def read(
    path: Path,
    content: bytes | None = None,
    *,
    invert: bool | None = None,
    transpose: bool | None = None,
    progress: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> Imported:
    """Read images, bring them into the form of a data set and split them. Nothing is written.

    Args:
        path: a folder or file of one of the forms.
        content: of the file, where it is not on the disk; then `path` is only its name.
        invert: make black of white; None: where the background is light.
        transpose: exchange rows and columns; None: where they are EMNIST's, which is stored so.
        progress: wraps the pictures while they are read, as tqdm does.

    Raises:
        AddError: of no form that is known, damaged, dangerous; images too few, too many; classes too many.
    """
    try:
        found = find(path, content)
        check_number(len(found.pictures))
        converted = _convert(found, invert, transpose, progress)
    except (OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile) as error:
        raise AddError(f"{path} cannot be read ({error!s:.200}); get it once more, or name another") from error
    name = readable(path.resolve().name if content is None and path.is_dir() else path.name)
    kept, images = converted.kept, converted.images
    check_number(len(images))
    if found.labels is None:
        labels = np.zeros(len(images), np.uint8)
        classes: tuple[str, ...] = (name.partition(".")[0] or name,)
    else:
        labels, classes = _classes(found.labels[kept], found.class_names)
    numbered: tuple[str, ...] = ()
    if classes == DIGITS and found.class_names is None and not _are_digits(images, labels):
        classes = tuple(f"#{name}" for name in DIGITS)
        numbered = (f"the images are no digits: their classes are called {classes[0]} to {classes[-1]}",)
    split, split_sentence = _split(images, None if found.split is None else found.split[kept])
    counts = np.bincount(labels, minlength=len(classes))
    named = ", ".join(f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True))
    sentences = (
        f"{name}: {len(images):,} images, {converted.sizes}",
        f"{len(classes)} class{'es' * (len(classes) > 1)}: {named}"
        if found.labels is not None
        else f"no labels: one class, {classes[0]}",
        *numbered,
        *found.notes,
        *converted.notes,
        split_sentence,
        *_repetitions(images, split, found.split is not None),
    )
    dataset = OwnDataset(
        images=images, labels=labels, split=split, classes=classes, source=name, conversion=converted.conversion
    )
    return Imported(dataset=dataset, sentences=sentences)


def contact_sheet(dataset: OwnDataset) -> bytes:
    """Draw examples of each class, a row a class, as PNG."""
    rows = []
    for label, name in enumerate(dataset.classes):
        members = np.flatnonzero(dataset.labels == label)
        columns = SHEET_COLUMNS * (SHEET_ROWS_OF_ONE_CLASS if len(dataset.classes) == 1 else 1)
        shown = members[np.linspace(0, len(members) - 1, min(columns, len(members))).astype(int)]
        rows += [(name, shown[i : i + SHEET_COLUMNS]) for i in range(0, len(shown), SHEET_COLUMNS)]
    cell = SIDE * SHEET_SCALE + 2
    sheet = Image.new("L", (SHEET_MARGIN + SHEET_COLUMNS * cell, len(rows) * cell), 64)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, (name, shown) in enumerate(rows):
        draw.text((6, (row + 0.5) * cell), name, 255, font, anchor="lm")
        for column, image in enumerate(dataset.images[shown]):
            large = Image.fromarray(image.repeat(SHEET_SCALE, 0).repeat(SHEET_SCALE, 1))
            sheet.paste(large, (SHEET_MARGIN + column * cell, row * cell + 1))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def contact_sheet_path(data_dir: Path, name: str) -> Path:
    """Return where the contact sheet of a data set lies: beside its file."""
    return data_dir / f"{name}.contact-sheet.png"


def may_replace(path: Path, dataset: OwnDataset) -> bool:
    """Tell whether nothing is lost if a data set is written: no file is there, or only the same test images are."""
    if not path.exists():
        return True
    try:
        there = read_dataset(path)
    except CheckpointError:
        return False
    return bool((there.split == TEST).all()) and fingerprint(*there.part("test")) == fingerprint(*dataset.part("test"))


def save(dataset: OwnDataset, data_dir: Path, name: str) -> None:
    """Write a data set, and a contact sheet beside it; what stood there is replaced.

    Raises:
        OSError: no room, no permission; a data set that stood there is unharmed, or the new one is whole.
    """
    write_dataset(dataset_path(data_dir, name), dataset)
    write_atomically(contact_sheet_path(data_dir, name), contact_sheet(dataset))


@dataclass(frozen=True, kw_only=True)
class _Converted:
    """Images in the form of a data set, and what became of the n pictures that were found."""

    images: Array  # uint8 (m, 28, 28)
    kept: Array  # which could be read, bool (n,)
    sizes: str  # of the pictures, for the user
    conversion: dict[str, bool]  # as in `OwnDataset`
    notes: tuple[str, ...]  # for the user


def _convert(
    found: Found, invert: bool | None, transpose: bool | None, progress: Callable[[Sequence[Any]], Iterable[Any]]
) -> _Converted:
    light = _share_with_light_background(found.pictures)
    inverted = light > 0.5 if invert is None else invert
    sizes, have_colours = set(), isinstance(found.pictures, np.ndarray) and found.pictures.ndim == 4
    unreadable: dict[int, str] = {}
    if isinstance(found.pictures, np.ndarray) and found.pictures.shape[1:] == (SIDE, SIDE):
        images = 255 - found.pictures if inverted else found.pictures  # as `to_image` has it, all at once
        sizes.add((SIDE, SIDE))
    else:
        images = np.empty((len(found.pictures), SIDE, SIDE), np.uint8)
        for i in progress(range(len(found.pictures))):
            try:
                picture = _opened(found.pictures[i])
                images[i] = to_image(picture, inverted=inverted)
                sizes.add(picture.size)
                have_colours |= len(picture.getbands()) > 2 or picture.mode == "P"
            except Exception as error:  # decoders raise whatever they stumble over
                unreadable[i] = f"{found.pictures[i][0]} ({error!s:.80})"
    if len(unreadable) > max(1, MAX_UNREADABLE * len(images)):
        raise AddError(
            f"{len(unreadable):,} of {len(images):,} pictures cannot be read; "
            f"replace or remove them: {some(unreadable.values())}"
        )
    kept = ~np.isin(np.arange(len(images)), list(unreadable))
    images = images[kept]
    transposed = _lie_on_their_side(found.origin, images) if transpose is None else transpose
    if transposed:
        images = images.swapaxes(1, 2)
    smallest, largest = (" x ".join(map(str, pick(sizes, key=math.prod))) for pick in (min, max))
    conversion = {"inverted": inverted, "transposed": transposed, "resized": sizes != {(SIDE, SIDE)}}
    told = {
        f"left out, for they cannot be read: {some(unreadable.values())}": unreadable,
        "reduced to grey, 28 x 28 pixels, aspect kept": conversion["resized"],
        "reduced to grey": have_colours and not conversion["resized"],
        "inverted, for the background was light": inverted and invert is None,
        "inverted, as asked": inverted and invert,
        f"backgrounds differ: {light:.0%} of the pictures have a light one": 0.1 < light < 0.9,
        "turned, for EMNIST stores rows as columns": transposed and transpose is None,
        "turned, as asked": transposed and transpose,
    }
    return _Converted(
        images=images,
        kept=kept,
        sizes=f"{smallest} pixels" if smallest == largest else f"{smallest} to {largest} pixels",
        conversion=conversion,
        notes=tuple(sentence for sentence, is_so in told.items() if is_so),
    )


def _opened(picture: Array | File) -> Image.Image:
    """Open a picture, which may be large or none."""
    if isinstance(picture, np.ndarray):
        return Image.fromarray(picture)
    _, open_file = picture
    with open_file() as file:
        content = file.read(MAX_PICTURE_BYTES + 1)
    if len(content) > MAX_PICTURE_BYTES:
        raise ValueError(f"more than {MAX_PICTURE_BYTES >> 20} MB are too many")
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"no picture of {', '.join(FORMATS[:-1])} or {FORMATS[-1]}") from None
    if opened.width * opened.height > MAX_PIXELS:
        raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
    return opened


def _grey(picture: Image.Image, paper: int) -> Image.Image:
    """Convert to shades of grey, transparent parts over paper of a shade."""
    if picture.mode.startswith("I;16"):  # 16 bits, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        page = Image.new("RGBA", picture.size, (paper, paper, paper, 255))
        page.alpha_composite(picture.convert("RGBA"))
        picture = page
    return picture.convert("L")


def _border(image: Array) -> Array:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _share_with_light_background(pictures: Array | list[File]) -> float:
    """Look at some of the pictures."""
    are_light = []
    for i in np.linspace(0, len(pictures) - 1, min(SAMPLE, len(pictures))).astype(int):
        with suppress(Exception):  # whoever converts it says so
            are_light.append(has_light_background(_opened(pictures[i])))
    return float(np.mean(are_light)) if are_light else 0.0


def _lie_on_their_side(origin: str, images: Array) -> bool:
    """Tell whether images are EMNIST's as they are stored, transposed.

    Handwriting is taller than wide: MNIST's digits by 1.46. Letters are less clearly so; only what stands upright
    beyond doubt is left as it is. What is not called EMNIST is left, too: clothes may be wider than tall. So are
    pictures in folders, which were made to be looked at.
    """
    if "emnist" not in origin.lower():
        return False
    sample = images[:: max(1, len(images) // 2_000)]
    position = np.arange(SIDE)
    height, width = (
        np.sqrt(np.cov(position, fweights=sample.sum((0, axis), dtype=np.int64), ddof=0)) for axis in (2, 1)
    )
    return bool(height < 1.1 * width)


def _classes(labels: Array, class_names: Sequence[str] | None) -> tuple[Array, tuple[str, ...]]:
    """Count classes from 0, as uint8 (n,), and name them."""
    values, numbers = np.unique(labels, return_inverse=True)
    if len(values) > MAX_CLASSES:
        raise AddError(
            f"{len(values):,} classes were found, at most {MAX_CLASSES} can be told apart here; leave some out"
        )
    if class_names is None:
        names = tuple(map(str, values))
    elif values.dtype.kind in "iu" and values[0] >= 0 and values[-1] < len(class_names):
        names = tuple(class_names[value] for value in values)
    else:
        raise AddError(
            f"labels go from {values[0]} to {values[-1]}, and class_names has {len(class_names)}; give each its name"
        )
    if max(map(len, names)) > MAX_NAME:
        raise AddError(f"a class has a name of more than {MAX_NAME} letters; expected is a word or two")
    if len(set(names)) < len(names):
        raise AddError(f"two classes have the same name ({some(names)}); give each its own")
    return numbers.astype(np.uint8), names


def _are_digits(images: Array, labels: Array) -> bool:
    """Tell whether images are of the digits 0 to 9 that their labels say: scikit-learn's digits know most of them.

    Of MNIST's 10,000 test images they know 62 %, of Fashion-MNIST's 10 %, as many as blind guesses.
    """
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    known = load_digits()
    sample = np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(int)
    neighbours = KNeighborsClassifier(3).fit([_outline(image) for image in known.images * (255 / 16)], known.target)
    read = neighbours.predict([_outline(image) for image in images[sample]])
    return bool((read == labels[sample]).mean() > KNOWN_DIGITS)


def _outline(image: Array) -> Array:
    """Reduce what is on an image to 12 x 12 pixels, wherever it lies and however large it is: (h, w) -> (144,)."""
    is_bright = image > image.max() / 3
    rows, columns = (np.flatnonzero(is_bright.any(axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros(OUTLINE**2, np.uint8)
    drawn = Image.fromarray(image.astype(np.uint8)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    small = ImageOps.pad(drawn, (OUTLINE, OUTLINE), Image.Resampling.BILINEAR)
    return np.asarray(small).ravel()


def _split(images: Array, given: Array | None) -> tuple[Array, str]:
    """Hold out what is not given: uint8 (n,), an index of `SPLITS`, and a sentence."""
    split = np.full(len(images), TRAIN, np.uint8) if given is None or not (given == TRAIN).any() else given.copy()
    shares = {VALIDATION: VALIDATION_SHARE, TEST: TEST_SHARE}
    missing = [part for part in shares if not (split == part).any()]
    if missing:
        drawn = split_at_random(images[split == TRAIN], [shares[part] for part in missing])
        split[split == TRAIN] = np.array([TRAIN, *missing], np.uint8)[drawn]
    counts = np.bincount(split, minlength=len(SPLITS))
    if not counts.all():
        raise AddError(f"{len(images):,} images are too much alike for three parts; add different ones")
    drawn_parts = " and ".join(SPLITS[part] for part in missing)
    how = f"{drawn_parts} drawn at random" if missing else "as it was given"
    return split, f"split, {how}: " + ", ".join(f"{name} {n:,}" for name, n in zip(SPLITS, counts, strict=True))


def _repetitions(images: Array, split: Array, is_given: bool) -> Iterator[str]:
    """Tell of images that are there more than once."""
    number = duplicates(images)
    copies = len(images) - number.max() - 1
    if not copies:
        return
    yield f"{copies:,} images are copies of others" + ("" if is_given else "; copies stay on one side of the split")
    leaked = np.isin(number[split == TEST], number[split != TEST]).sum()
    if leaked:
        yield f"{leaked:,} test images are also among the images to fit to, as they were given"
