"""The forms in which people have images: folders and zips of pictures, `.npz`, IDX, CSV.

Nothing is unpacked to the disk, no link is followed out of a folder, and nothing that a file holds is run.
"""

import csv
import gzip
import io
import math
import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import IO

import numpy as np

from training.array_file import Array
from training.own_dataset import SPLITS

__all__ = ["MAX_CLASSES", "MAX_NAME", "AddError", "File", "Found", "check_number", "find", "readable", "some"]

SIDE = 28  # pixels
MIN_IMAGES, MAX_IMAGES, MAX_CLASSES = 200, 200_000, 62  # EMNIST's digits and letters are 62 classes
MAX_BYTES = 2**30  # of all that a file unpacks to
MAX_LINE = 2**16  # bytes of a line of CSV
MAX_NAME = 100  # letters of a class's name
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
EXECUTABLE = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt")  # opening a pickle runs what it holds
FORMS = "a folder or zip of pictures, .npz, IDX or CSV"
TRAIN, VALIDATION, TEST = range(len(SPLITS))
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing", "t10k"), TEST),
}
IDX_NAME = re.compile(r"(?P<set>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?")
LABEL_NAMES = ("label", "labels", "class", "target", "y", "digit")

File = tuple[str, Callable[[], IO[bytes]]]  # a picture's name, and what opens it


class AddError(Exception):
    """What was given makes no data set; the message is one sentence for the user."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a file or folder holds, as it comes."""

    pictures: Array | list[File]  # arrays: uint8 (n, h, w) or (n, h, w, channels)
    labels: Array | None  # numbers or texts, (n,)
    split: Array | None = None  # as in `OwnDataset`, where it is given
    class_names: Sequence[str] | None = None  # by label
    origin: str = ""  # the name under which it was given away, as `emnist-letters-train.csv`
    notes: tuple[str, ...] = ()  # for the user


def find(path: Path, content: bytes | None) -> Found:
    """Find out which form a path is of, and look into it."""
    name = path.name.lower()
    if content is None and path.is_dir():
        files, left_out = _files(path)
        if any(IDX_NAME.fullmatch(file.name) for file in files):
            return _idx(files, path)
        pictures = [(file.relative_to(path), _opener(file)) for file in files if _is_picture(file)]
        return _sorted_into_folders(pictures, len(files) - len(pictures), left_out)
    if content is None and not path.is_file():
        raise AddError(f"{path} is neither a file nor a folder; name what is to be added")
    if name.endswith(EXECUTABLE):
        raise AddError(f"{path} may run code when it is opened, so it is not; save the arrays as .npz")
    if content is None and IDX_NAME.fullmatch(path.name):
        return _idx(sorted(file for file in path.parent.iterdir() if file.is_file()), path)
    source = path if content is None else io.BytesIO(content)
    if name.endswith(".npz"):
        return _npz(source, path.name)
    if name.endswith(".zip"):
        return _zip(source, path.name)
    if name.endswith((".csv", ".csv.gz")):
        packed = source.open("rb") if isinstance(source, Path) else source
        with packed, gzip.open(packed) if name.endswith(".gz") else packed as file:
            return _csv(file, path)
    raise AddError(f"{path} is of no form that is known here; expected is {FORMS}")


def check_number(n: int) -> None:
    if not MIN_IMAGES <= n <= MAX_IMAGES:
        many = f"{n:,} images were found" if n else "no images were found"
        what_to_do = "add some" if n < MIN_IMAGES else "leave some out"
        raise AddError(f"{many}, expected are {MIN_IMAGES} to {MAX_IMAGES:,}; {what_to_do}")


def _check_size(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise AddError(
            f"{name} unpacks to more than {MAX_BYTES >> 20:,} MB; leave some of it out, or reduce the images"
        )


def readable(name: str) -> str:
    """Return a name of a file, which need not be UTF-8, as a text that can be shown."""
    return os.fsencode(name).decode("utf-8", "replace")


def some(names: Iterable[str]) -> str:
    """List the first few."""
    first = list(islice(names, 4))
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")


def _numbers(labels: Array) -> Array:
    """Return labels as whole numbers where all of them are, else as texts."""
    try:
        values = labels.astype(np.float64)
    except ValueError:
        return np.char.strip(labels.astype(str))
    is_whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**31)
    return values.astype(np.int64) if is_whole.all() else labels.astype(str)


def _known_names(origin: str, labels: Array) -> Sequence[str] | None:
    """Return the names that a well-known data set gives its labels, as far as its files' names tell it."""
    origin = origin.lower()
    if not any(each in origin for each in ("emnist", "fashion", "kmnist")):
        return None
    from torchvision.datasets import EMNIST, FashionMNIST

    from training.datasets import CLASSES

    names: Sequence[str]
    if "emnist" in origin:
        names = next((names for kind, names in EMNIST.classes_split_dict.items() if kind in origin), ())
    else:
        names = FashionMNIST.classes if "fashion" in origin else CLASSES["kmnist"]
    fits = len(labels) and labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() == len(names) - 1
    return names if fits else None


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _is_picture(path: PurePath) -> bool:
    return path.suffix.lower() in PICTURES


def _files(folder: Path) -> tuple[list[Path], int]:
    """List the files of a folder and its sub-folders; links that lead out of it are counted, not followed."""

    def stop(error: OSError) -> None:
        raise error

    files, left_out = [], 0
    root = folder.resolve()
    for where, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        left_out += sum(Path(where, name).is_symlink() for name in folders)  # os.walk does not follow them
        for path in (Path(where, name) for name in sorted(names) if not name.startswith(".")):
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                left_out += 1
            elif path.is_file():
                files.append(path)
    return files, left_out


def _sorted_into_folders(
    pictures: Sequence[tuple[PurePath, Callable[[], IO[bytes]]]], others: int, links: int = 0
) -> Found:
    """Take the classes from the sub-folders, and the split where they are called train and test."""
    check_number(len(pictures))
    places = [path.parts for path, _ in pictures]
    around = PurePath(os.path.commonpath([path.parent for path, _ in pictures])).parts
    places = [place[len(around) :] for place in places]
    split = None
    outer = {place[0].lower() for place in places}
    if outer <= PARTS.keys() and len(outer) > 1:
        split = np.array([PARTS[place[0].lower()] for place in places], np.uint8)
        places = [place[1:] for place in places]
    stray = [readable(str(path)) for (path, _), place in zip(pictures, places, strict=True) if len(place) == 1]
    if 0 < len(stray) < len(places):
        raise AddError(f"{stray[0]} lies beside the folders of the classes; put it into one of them")
    folders = [place[0] for place in places] if not stray else [around[-1]] * len(places) if around else []
    labels = np.array([readable(each) for each in folders]) if folders else None
    notes = {
        f"files left out, for they are no pictures: {others:,}": others,
        f"links not followed, for they lead elsewhere: {links:,}": links,
    }
    return Found(
        pictures=[(readable(str(path)), open_file) for path, open_file in pictures],
        labels=labels,
        split=split,
        notes=tuple(sentence for sentence, count in notes.items() if count),
    )


def _zip(source: Path | io.BytesIO, name: str) -> Found:
    """Look into a zip of pictures; they are read in memory, one at a time."""
    archive = zipfile.ZipFile(source)  # stays open, for the pictures are read later
    members = [info for info in archive.infolist() if not info.is_dir()]
    _check_members(members, name)
    paths = {info: PurePosixPath(info.filename.replace("\\", "/")) for info in members}
    for path in paths.values():
        if not path.parts or PureWindowsPath(path).anchor or ".." in path.parts:  # a root, or a drive
            raise AddError(f"{name} holds {str(path)!r:.80}, which climbs out of its folder; pack it again")
    visible = {
        info: path for info, path in paths.items() if not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    }
    pictures = sorted(
        ((path, partial(archive.open, info)) for info, path in visible.items() if _is_picture(path)),
        key=lambda picture: picture[0],
    )
    return _sorted_into_folders(pictures, len(visible) - len(pictures))


def _check_members(members: Sequence[zipfile.ZipInfo], name: str) -> None:
    """Check what a zip says of its members; zipfile never unpacks more of one than is said."""
    _check_size(sum(info.file_size for info in members), name)
    for info in members:
        if info.flag_bits & 1:
            raise AddError(f"{name} asks for a password; pack it again without")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise AddError(f"{name} is packed in a way that is not read here; pack it again as a plain zip")


def _npz(source: Path | io.BytesIO, name: str) -> Found:
    """Read arrays in the forms of Keras, of MedMNIST, or `images` and `labels`."""
    with zipfile.ZipFile(source) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        named = [
            (part, images.format(part), labels.format(part))
            for images, labels in (("x_{}", "y_{}"), ("{}_images", "{}_labels"))
            for part in ("train", "val", "test")
        ]
        found = [each for each in (*named, ("train", "images", "labels")) if each[1] in members]
        if not found:
            raise AddError(
                f"{name} holds {some(sorted(members)) or 'nothing'}; "
                "expected are x_train and y_train, train_images and train_labels, or images and labels"
            )
        if len({part for part, *_ in found}) < len(found):
            raise AddError(f"{name} holds images under several names ({some(sorted(members))}); keep one of them")
        wanted = [each for _, *names in found for each in names] + ["class_names"]
        _check_members([members[each] for each in wanted if each in members], name)
        arrays = {each: _array(archive, members[each], name) for each in wanted if each in members}
    raw = [arrays[images_name] for _, images_name, _ in found]
    pictures, labels, split = [], [], []
    for part, images_name, labels_name in found:
        pictures.append(_as_pictures(arrays[images_name], f"{images_name} in {name}"))
        split.append(np.full(len(pictures[-1]), PARTS[part], np.uint8))
        if labels_name in arrays:
            labels.append(_as_labels(arrays[labels_name], len(pictures[-1]), f"{labels_name} in {name}"))
    if labels and len(labels) < len(pictures):
        raise AddError(f"{name} has labels for some of its images only; give all of them, or none")
    if len({part.shape[1:] for part in pictures}) > 1:
        raise AddError(f"{name} has images of several sizes; make all of them {SIDE} x {SIDE}")
    class_names = arrays.get("class_names")
    if class_names is not None and (class_names.ndim != 1 or class_names.dtype.kind not in "U"):
        raise AddError(f"class_names in {name} are {class_names.dtype}; expected is a list of texts")
    numbers = _numbers(np.concatenate(labels)) if labels else None
    known = None if numbers is None else _known_names(name, numbers)
    return Found(
        pictures=np.concatenate(pictures),
        labels=numbers,
        split=np.concatenate(split) if len(split) > 1 else None,
        class_names=known if class_names is None else class_names.tolist(),
        origin=name,
        notes=("values from 0 to 1 were spread to 0 to 255",) if any(map(_is_fraction, raw)) else (),
    )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
    """Read one array, if its header fits what is there; an array of objects, which is a pickle, is not read."""
    shown = f"{info.filename.removesuffix('.npy')} in {name}"
    try:
        with archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                version, np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            if dtype.hasobject:
                raise AddError(
                    f"{shown} is a pickle, which may run code; save it as one array of numbers or texts, "
                    "all images of one size"
                )
            if file.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
                raise ValueError("its header does not fit its size")
        with archive.open(info) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise AddError(f"{shown} cannot be read ({error!s:.100}); save it again with numpy.savez") from error


def _as_pictures(array: Array, shown: str) -> Array:
    """Bring an array into uint8 (n, h, w) or (n, h, w, 3 or 4)."""
    if array.ndim == 2 and array.shape[1] == SIDE**2:
        array = array.reshape(-1, SIDE, SIDE)
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3, 4):
        array = np.moveaxis(array, 1, 3)  # as PyTorch has it
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (3, 4))) or 0 in array.shape[1:]:
        raise AddError(f"{shown} has shape {array.shape}; expected is (number, height, width), with or without colours")
    if _is_fraction(array):
        return (array * np.float32(255)).round().astype(np.uint8)
    return _as_bytes(array, shown)


def _is_fraction(array: Array) -> bool:
    """Tell whether 1 is white."""
    return array.dtype.kind in "biuf" and array.size > 0 and bool(array.min() >= 0 and array.max() <= 1)


def _as_bytes(values: Array, shown: str) -> Array:
    """Bring grey values of any type of number into uint8."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "iuf" or not ((values >= 0) & (values <= 255)).all():
        raise AddError(f"{shown} has values other than 0 to 255; make 0 black and 255 white")
    return values.round().astype(np.uint8)


def _as_labels(array: Array, n: int, shown: str) -> Array:
    """Check that labels are one a picture: (n,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (n,):
        raise AddError(f"{shown} has shape {array.shape} for {n:,} images; expected is one label an image")
    if array.dtype.kind not in "biufU":
        raise AddError(f"{shown} are {array.dtype}; expected are whole numbers or texts")
    return array


def _idx(files: Sequence[Path], path: Path) -> Found:
    """Read the files of a data set in MNIST's own form: pairs of images and labels, packed or not."""
    sets: dict[tuple[Path, str], dict[tuple[int, str], Path]] = defaultdict(dict)
    for file in files:
        if match := IDX_NAME.fullmatch(file.name):
            sets[file.parent, match["set"]][PARTS[match["part"]], match["kind"]] = file
    if path.is_file() and (chosen := IDX_NAME.fullmatch(path.name)):
        sets = {key: found for key, found in sets.items() if key == (path.parent, chosen["set"])}
    # Some keep a file once more, in a folder by itself.
    pairs = [found for found in sets.values() if {kind for _, kind in found} == {"images", "labels"}]
    found, *others = pairs or sets.values()
    if others:
        raise AddError(f"{path} holds several data sets; name one of the files: {some(map(str, files))}")
    pictures, labels, split = [], [], []
    for part in (TRAIN, TEST):
        if (part, "images") not in found:
            continue
        file = found[part, "images"]
        pictures.append(_idx_array(file, 3))
        split.append(np.full(len(pictures[-1]), part, np.uint8))
        if (part, "labels") in found:
            file = found[part, "labels"]
            labels.append(_as_labels(_idx_array(file, 1), len(pictures[-1]), str(file)))
    if not pictures or 0 < len(labels) < len(pictures):
        raise AddError(f"of {path} the images or the labels are missing; put both into the same folder")
    if len({part.shape[1:] for part in pictures}) > 1:
        raise AddError(f"{path} has images of several sizes; it is no data set of the kind of MNIST")
    origin = "/".join(file.absolute().parts[-3:])
    all_labels = _numbers(np.concatenate(labels)) if labels else None
    return Found(
        pictures=np.concatenate(pictures),
        labels=all_labels,
        split=np.concatenate(split) if len(split) > 1 else None,
        class_names=None if all_labels is None else _known_names(origin, all_labels),
        origin=origin,
    )


def _idx_array(path: Path, axes: int) -> Array:
    """Unpack an array: two zeros, the type (8: bytes), the number of axes, their sizes in 4 bytes each, the values."""
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    _check_size(len(content), str(path))
    start = 4 + 4 * axes
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if content[:4] != bytes([0, 0, 8, axes]) or len(content) != start + math.prod(sizes) or 0 in sizes:
        raise AddError(f"{path} is no IDX file of bytes along {axes} axes, or is damaged; get it once more")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def _csv(file: io.BufferedIOBase, path: Path) -> Found:
    """Read rows of 784 pixels with a label first, last, or where the header has it."""
    import pandas as pd

    lines = _lines(file, path)
    first = next(lines, b"").decode("utf-8-sig", "replace")
    separator = max(",;\t", key=first.count)
    header = [field.strip().lower() for field in next(csv.reader([first], delimiter=separator), [])]
    width = len(header)
    if width not in (SIDE**2, SIDE**2 + 1):
        raise AddError(f"{path} has {width:,} columns; expected are {SIDE**2} pixels, and a label")
    has_header = sum(map(_is_number, header)) < width / 2
    named = [i for i, field in enumerate(header) if field in LABEL_NAMES]
    if not (has_header and width > SIDE**2 and len(named) == 1):
        named = []
    rows = lines if has_header else chain([first.encode()], lines)
    outer, inner = [], []  # the label may be in the first column or the last
    while chunk := list(islice(rows, 5_000)):
        try:
            table = pd.read_csv(
                io.BytesIO(b"".join(chunk)),
                sep=separator,
                header=None,
                index_col=False,
                dtype=dict.fromkeys((0, width - 1, *named), str),
                keep_default_na=False,
                low_memory=False,
            )
        except ValueError as error:  # pandas' ParserError, and what is not UTF-8
            raise AddError(
                f"{path} is no table ({str(error).strip():.100}); expected is a row of numbers an image"
            ) from error
        if table.shape[1] != width:
            raise AddError(f"{path} has rows of {table.shape[1]:,} columns; expected are {width}, as in the first")
        table = table[[*named, *table.columns.difference(named)]]
        sides = table.iloc[:, [0, -1]].astype(str)
        if sides.map(len).to_numpy().max() > MAX_NAME:
            raise AddError(f"{path} has a label of more than {MAX_NAME} letters; expected is a word or a number")
        outer.append(sides.to_numpy(str))
        inner.append(_pixels(table.iloc[:, 1:-1].to_numpy(), path))
    if not outer:
        raise AddError(f"{path} has no rows; expected is one an image")
    ends, middle = np.concatenate(outer), np.concatenate(inner)
    label = None if width == SIDE**2 else 0 if named else _label_column(ends, path)
    corners = [_pixels(ends[:, [i]], path) if i != label else np.empty((len(ends), 0), np.uint8) for i in (0, 1)]
    labels = None if label is None else _numbers(ends[:, label])
    where = "" if label is None else f"the labels are in column {(named or [(0, width - 1)[label]])[0] + 1}"
    return Found(
        pictures=np.concatenate([corners[0], middle, corners[1]], 1).reshape(-1, SIDE, SIDE),
        labels=labels,
        class_names=None if labels is None else _known_names(path.name, labels),
        origin=path.name,
        notes=(where,) if where else (),
    )


def _lines(file: io.BufferedIOBase, path: Path) -> Iterator[bytes]:
    """Give the lines that are not empty, as long as neither one nor all of them get too long."""
    size = 0
    for number in range(MAX_IMAGES + 2):  # a header, and one too many
        line = file.readline(MAX_LINE + 1)
        size += len(line)
        _check_size(size, str(path))
        if len(line) > MAX_LINE:
            raise AddError(
                f"line {number + 1} of {path} has more than {MAX_LINE:,} bytes; expected is one image a line"
            )
        if not line:
            return
        if line.strip():
            yield line if line.endswith(b"\n") else line + b"\n"


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _pixels(values: Array, path: Path) -> Array:
    """Bring the values of a table into uint8."""
    try:
        numbers = values.astype(np.float32)
    except ValueError:
        numbers = np.full(1, np.nan)
    if not (numbers == numbers.round()).all():
        raise AddError(f"{path} has pixels that are no whole numbers; expected are 0 to 255, without gaps")
    return _as_bytes(numbers, str(path))


def _label_column(ends: Array, path: Path) -> int:
    """Return which of two columns holds labels: of few values, and less often the same than a pixel in a corner."""
    most = {}
    for i in (0, 1):
        counts = np.unique(ends[:, i], return_counts=True)[1]
        if len(counts) <= MAX_CLASSES:
            most[i] = counts.max()
    if not most:
        raise AddError(f"{path} has no labels in its first or last column; give at most {MAX_CLASSES} classes")
    return min(most, key=lambda i: most[i])
