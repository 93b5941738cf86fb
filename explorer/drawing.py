"""What a person draws or photographs, in the data set's form. Strokes, or the bytes of a file, in; arrays out.

How MNIST was made of NIST's black-and-white digits: each was cropped, brought to 20 x 20 pixels with its aspect kept,
every pixel the mean of the area that it covers, and put into 28 x 28 with its centre of mass in the middle.

References:
    LeCun, Cortes and Burges, The MNIST Database of Handwritten Digits, http://yann.lecun.com/exdb/mnist/
    Yadav and Bottou 2019, Cold Case: The Lost MNIST Digits, https://arxiv.org/abs/1905.10498
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from explorer.ink import InkError, find_digits, has_light_border, separate

__all__ = [
    "BRUSH",
    "FILE_TYPES",
    "SIDE",
    "DrawingError",
    "enlarged",
    "formed",
    "has_light_border",
    "mnist_form",
    "open_digits",
    "open_image",
    "open_picture",
    "rasterize",
    "reduced",
]

Array = NDArray[Any]
Stroke = Sequence[int]

SIDE = 280  # of the pad, in its units
BRUSH = 24  # its thickness, in the pad's units: MNIST's strokes are some 2.4 pixels of 28 thick
MAX_POINTS = 20_000  # of all strokes: half an hour of drawing, a fifth of a second to rasterize
MNIST_SIDE, DIGIT_SIDE = 28, 20  # pixels
MIDDLE = MNIST_SIDE // 2  # the pixel, from 0, at which the centres of mass of MNIST's digits lie
FILE_TYPES = ("png", "jpg", "jpeg", "gif", "bmp", "webp", "heic", "heif")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
READABLE = "a PNG, JPEG, GIF, BMP, WebP or HEIC picture"
EXPECTED = "expected is a digit that stands out from the paper"
# Memory that opening a picture may take, and how much it takes, measured.
MAX_MEMORY = 64 * 2**20
BYTES_PER_PIXEL = {"PNG": 4, "GIF": 4, "BMP": 4, "WEBP": 16, "JPEG": 1 / 16}
BYTES_PER_PIXEL_PROGRESSIVE = 6  # a JPEG of several scans is decoded whole
MAX_MEMORY_HEIC, BYTES_PER_PIXEL_HEIC = 2 * MAX_MEMORY, 5  # phones' photographs have 12 or 24 megapixels
MAX_SIDE = 560  # pixels along the longer side after reduction; a digit in a corner is still large enough
MAX_DIGITS = 20  # on one picture, to choose from


class DrawingError(Exception):
    """A picture cannot be had; the message is one sentence for the user."""


def rasterize(strokes: Sequence[Stroke]) -> Array:
    """Draw strokes as the pad shows them, without antialiasing: ink, float32 (`SIDE`, `SIDE`), zeros and ones.

    Args:
        strokes: each the path of the brush's centre, x, y, x, y, ..., in the pad's units, rightwards and downwards.
    """
    image = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    remaining = MAX_POINTS
    for stroke in strokes:
        points = np.asarray(stroke[: 2 * remaining], np.int64).clip(0, SIDE).reshape(-1, 2)
        remaining -= len(points)
        draw.line(points.ravel().tolist(), 1, BRUSH)
        for x, y in points.tolist():
            draw.ellipse((x - BRUSH / 2, y - BRUSH / 2, x + BRUSH / 2, y + BRUSH / 2), 1)
    return np.asarray(image, np.float32)


def enlarged(form: Array) -> Array:
    """Enlarge a picture to the pad's ink: uint8 (28, 28) -> float32 (`SIDE`, `SIDE`) in [0, 1]."""
    return form.repeat(SIDE // MNIST_SIDE, 0).repeat(SIDE // MNIST_SIDE, 1).astype(np.float32) / 255


def formed(strokes: Sequence[Stroke], base: Array | None, *, are_digits: bool) -> Array | None:
    """Bring what is on the pad into the data set's form: MNIST's for digits, as it stands there for others.

    Args:
        strokes: see `rasterize`.
        base: what they are drawn on, in the same form; None: nothing.
        are_digits: what is drawn.

    Returns:
        uint8 (28, 28); None if there is no ink.
    """
    if base is not None and not strokes:
        return base
    ink = rasterize(strokes)
    if base is not None:
        ink = np.maximum(ink, enlarged(base))
    return (mnist_form if are_digits else reduced)(ink)


def reduced(ink: Array) -> Array | None:
    """Reduce ink, and leave it where it is: (`SIDE`, `SIDE`) in [0, 1] -> uint8 (28, 28); None if there is none."""
    block = SIDE // MNIST_SIDE
    form: Array = (255 * ink.reshape(MNIST_SIDE, block, MNIST_SIDE, block).mean(axis=(1, 3))).round().astype(np.uint8)
    return form if form.any() else None


def mnist_form(ink: Array) -> Array | None:
    """Bring ink into MNIST's form: uint8 (28, 28), 255 is ink; None if there is none.

    Args:
        ink: (h, w) in [0, 1].
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(DIGIT_SIDE * side / max(cropped.shape))) for side in cropped.shape)
    digit = _means(len(cropped), height) @ cropped @ _means(cropped.shape[1], width).T
    form = np.zeros((MNIST_SIDE, MNIST_SIDE), np.uint8)
    top, left = (_start(digit.sum(axis=axis)) for axis in (1, 0))
    form[top : top + height, left : left + width] = (digit * 255).round()
    return form


def _means(n: int, m: int) -> Array:
    """Return the matrix that averages n pixels to m, parts of pixels included: (m, n)."""
    edges = np.arange(m + 1) * n / m
    pixels = np.arange(n)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return covered.clip(0) * m / n


def _start(mass: Array) -> int:
    """Return where a digit begins, so that its centre of mass lies in the middle; nothing of it may be cut off."""
    centre = mass @ np.arange(len(mass)) / mass.sum()
    return int(np.clip(round(MIDDLE - centre), 0, MNIST_SIDE - len(mass)))


def open_picture(file: bytes, name: str) -> Array:
    """Find the ink of a picture: float32 (h, w) in [0, 1], at most `MAX_SIDE` pixels along each side.

    What is in MNIST's form stays as it is; see `ink.separate` for all else.

    Args:
        file: its content.
        name: of the file, for sentences.

    Raises:
        DrawingError: no picture, damaged, too large, or nothing on it.
    """
    grey = _on_paper(open_image(file, name))
    own = _once(1 - grey if has_light_border(grey) else grey)
    if _is_mnist_form(own):
        return own
    try:
        return separate(grey)
    except InkError as error:
        raise DrawingError(f"{str(error).capitalize()} on {name}; {EXPECTED}.") from error


def open_digits(file: bytes, name: str) -> list[Array]:
    """Bring the digits of a picture into MNIST's form, in reading order; arguments and errors as `open_picture`."""
    ink = open_picture(file, name)
    if _is_mnist_form(ink):
        return [(255 * ink).round().astype(np.uint8)]
    digits = find_digits(ink)
    if len(digits) > MAX_DIGITS:
        raise DrawingError(f"{name} shows {len(digits)} digits or letters; cut out one, or at most {MAX_DIGITS}.")
    forms = [form for digit in digits if (form := mnist_form(digit)) is not None]
    if not forms:
        raise DrawingError(f"Nothing can be seen on {name}; {EXPECTED}.")
    return forms


def _once(grey: Array) -> Array:
    """Undo an enlargement in which each pixel became a square: (28 k, 28 k) -> (28, 28); all else stays as it is."""
    step = grey.shape[0] // MNIST_SIDE
    if grey.shape != (MNIST_SIDE * step, MNIST_SIDE * step) or step == 0:
        return grey
    small = grey[::step, ::step]
    return small if np.array_equal(small.repeat(step, 0).repeat(step, 1), grey) else grey


def _is_mnist_form(ink: Array) -> bool:
    """Tell whether a picture is one of MNIST's, or of a model of MNIST: 28 x 28, its margin black, its mass central."""
    if ink.shape != (MNIST_SIDE, MNIST_SIDE) or ink.max() < 0.5:
        return False
    rows, columns = (np.flatnonzero((ink > 0.5 * ink.max()).any(axis=axis)) for axis in (1, 0))
    centres = [ink.sum(axis=axis) @ np.arange(MNIST_SIDE) / ink.sum() for axis in (1, 0)]
    return bool(
        ink[1:-1, 1:-1].sum() > 0.95 * ink.sum()
        and max(np.ptp(rows), np.ptp(columns)) < DIGIT_SIDE + 2  # a model may make a digit a little too large
        and max(abs(centre - MIDDLE) for centre in centres) < 2
    )


def open_image(file: bytes, name: str) -> Image.Image:
    """Open a picture in shades of grey, with its transparency, at most `MAX_SIDE` pixels along each side.

    Arguments and errors as `open_picture`. Of an animation the first image is taken.
    """
    try:
        return _opened(file, name)
    except Image.UnidentifiedImageError as error:
        raise DrawingError(f"{name} is no picture that can be read here; expected is {READABLE}.") from error
    except Image.DecompressionBombError as error:
        raise DrawingError(f"{name} has far too many pixels; make it smaller: 1,000 a side are plenty.") from error
    except (DrawingError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they stumble over
        raise DrawingError(f"{name} is damaged ({error}); save it again, as {READABLE}.") from error


def _opened(file: bytes, name: str) -> Image.Image:
    """Reduce a picture to `MAX_SIDE`, as L, or LA where parts of it may be transparent."""
    (width, height), has_alpha, band = (_open_heic if file[4:8] == b"ftyp" else _open_by_pillow)(file, name)
    step = -(-max(width, height) // MAX_SIDE)
    small = Image.new("LA" if has_alpha else "L", (-(-width // step), -(-height // step)))
    # In bands: a second copy of the whole would take as much memory again.
    rows = max(1, 2**20 // (width * step))
    for top in range(0, small.height, rows):
        part = band(top * step, min((top + rows) * step, height))
        part = part.convert("RGBA") if has_alpha else part  # what is transparent may be said by a palette
        small.paste(part.convert(small.mode).reduce(step), (0, top))
    return small


Source = tuple[tuple[int, int], bool, Callable[[int, int], Image.Image]]
"""A picture's width and height, whether it has transparency, and what cuts out its rows from one to before another."""


def _open_by_pillow(file: bytes, name: str) -> Source:
    opened = Image.open(io.BytesIO(file), formats=FORMATS)
    kind, cost, instead = opened.format or "", BYTES_PER_PIXEL[opened.format or ""], "save it as JPEG"
    if kind == "JPEG":
        assert opened.fp is not None
        start = opened.fp.tell()  # behind the mark of the first scan
        if file.count(b"\xff\xda", start, file.find(b"\xff\xd9", start)):
            kind, cost, instead = "progressive JPEG", BYTES_PER_PIXEL_PROGRESSIVE, "save it as a plain JPEG"
    _check_size(opened.size, min(MAX_MEMORY / cost, Image.MAX_IMAGE_PIXELS or np.inf), f"a {kind}", instead, name)
    image: Image.Image = opened
    if opened.format == "JPEG":  # it is decoded at an eighth of its size, if that suffices
        longer = max(opened.size)
        opened.draft("L", (max(1, opened.width * MAX_SIDE // longer), max(1, opened.height * MAX_SIDE // longer)))
        image = ImageOps.exif_transpose(opened)  # cameras lie on their side
    return image.size, image.has_transparency_data, lambda top, end: image.crop((0, top, image.width, end))


def _open_heic(file: bytes, name: str) -> Source:
    """Decode a HEIC, whatever the file is called: phones send it as .jpg, too. It is turned as it is to be seen."""
    try:
        # Imported here: few pictures need it. Its plugin for Pillow takes three more bytes a pixel.
        import pi_heif

        image = pi_heif.open_heif(io.BytesIO(file), thumbnails=False, depth_images=False, aux_images=False)
        _check_size(image.size, MAX_MEMORY_HEIC / BYTES_PER_PIXEL_HEIC, "a HEIC", "save it as JPEG", name)
        image[image.primary_index].load()
    except DrawingError:
        raise
    except Exception as error:  # libheif's own, or it is not there
        raise DrawingError(f"{name} is a HEIC or AVIF that cannot be read; save it as JPEG or PNG.") from error
    # The array is a view of the image's memory, and does not keep it.
    return image.size, image.has_alpha, lambda top, end: Image.fromarray(np.asarray(image)[top:end])


def _check_size(size: tuple[int, int], most: float, kind: str, instead: str, name: str) -> None:
    width, height = size
    if width * height > most:
        raise DrawingError(
            f"{name} has {width * height / 1e6:.0f} megapixels ({width} x {height}), and {kind} "
            f"may have {most / 1e6:.0f}; {instead}, or make it smaller."
        )


def _on_paper(image: Image.Image) -> Array:
    """Lay a picture on paper: white, but under what is light all over, which could not be seen on it, black.

    Returns:
        (h, w) in [0, 1].
    """
    if image.mode == "L":
        return np.asarray(image, np.float32) / 255
    grey, alpha = np.moveaxis(np.asarray(image, np.float32) / 255, 2, 0)
    is_there = alpha > 0.5
    is_light = is_there.any() and np.quantile(grey[is_there], 0.05) > 0.5
    is_laid = np.median(np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])) < 0.5
    return grey * alpha + (0 if is_light and is_laid else 1 - alpha)
