"""What a person draws or photographs, in the data set's form. Strokes, or the bytes of a file, in; arrays out.

How MNIST was made of NIST's black-and-white digits: each was cropped, brought to 20 x 20 pixels with its aspect kept,
every pixel the mean of the area that it covers, and put into 28 x 28 with its centre of mass in the middle.

References:
    LeCun, Cortes and Burges, The MNIST Database of Handwritten Digits, http://yann.lecun.com/exdb/mnist/
    Yadav and Bottou 2019, Cold Case: The Lost MNIST Digits, https://arxiv.org/abs/1905.10498
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFile, ImageFilter, ImageOps

__all__ = [
    "BRUSH",
    "FILE_TYPES",
    "SIDE",
    "DrawingError",
    "enlarged",
    "has_light_border",
    "mnist_form",
    "open_grey",
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
FILE_TYPES = ("png", "jpg", "jpeg", "gif", "bmp", "webp")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
READABLE = "a PNG, JPEG, GIF, BMP or WebP picture"
# Memory that opening a picture may take, and how much it takes, measured.
MAX_MEMORY = 64 * 2**20
BYTES_PER_PIXEL = {"PNG": 4, "GIF": 4, "BMP": 4, "WEBP": 16, "JPEG": 1 / 16}
BYTES_PER_PIXEL_PROGRESSIVE = 6  # a JPEG of several scans is decoded whole
MAX_SIDE = 560  # pixels along the longer side after reduction; a digit in a corner is still large enough
MIN_INK = 1 / 16  # of the full ink; what is paler counts as dirt
MIN_PIECE = 0.02  # of the largest piece's ink; a smaller piece counts as dirt
MIN_CONTRAST = 0.08  # between ink and paper
EVEN_LIGHT = 1 / 32  # differences along the border up to which the light counts as even, as on a screen


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

    Photographs and scans have dark ink on light paper, screens often light on dark: the paper is what the picture's
    border is of. Uneven light is taken out, and the contrast brought to the full. Of an animation the first is taken.

    Args:
        file: its content.
        name: of the file, for sentences.

    Raises:
        DrawingError: no picture, damaged, too large, or nothing on it.
    """
    return _ink(open_grey(file, name), name)


def open_grey(file: bytes, name: str) -> Array:
    """Open a picture in shades of grey, float32 (h, w) in [0, 1]; arguments and errors as `open_picture`."""
    try:
        return _grey(file, name)
    except Image.UnidentifiedImageError as error:
        raise DrawingError(f"{name} is no picture that can be read here; expected is {READABLE}.") from error
    except Image.DecompressionBombError as error:
        raise DrawingError(f"{name} has far too many pixels; make it smaller: 1,000 a side are plenty.") from error
    except (DrawingError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they stumble over
        raise DrawingError(f"{name} is damaged ({error}); save it again, as {READABLE}.") from error


def _grey(file: bytes, name: str) -> Array:
    """Convert a picture to shades of grey, transparency over white, reduced to `MAX_SIDE` pixels: (h, w) in [0, 1]."""
    opened = Image.open(io.BytesIO(file), formats=FORMATS)
    _check_size(opened, file, name)
    image: Image.Image = opened
    longer = max(image.size)
    if image.format == "JPEG":  # it is decoded at an eighth of its size, if that suffices
        opened.draft("L", (max(1, image.width * MAX_SIDE // longer), max(1, image.height * MAX_SIDE // longer)))
        image = ImageOps.exif_transpose(image)  # cameras lie on their side
        longer = max(image.size)
    step = -(-longer // MAX_SIDE)
    # In bands: a second copy of the whole would take as much memory again.
    rows = step * max(1, 2**20 // (image.width * step))
    bands = []
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        if band.has_transparency_data:
            paper = Image.new("RGBA", band.size, "white")
            paper.alpha_composite(band.convert("RGBA"))
            band = paper
        bands.append(np.asarray(band.convert("L").reduce(step), np.float32) / 255)
    return np.concatenate(bands)


def _check_size(image: ImageFile.ImageFile, file: bytes, name: str) -> None:
    kind = image.format or ""
    cost, instead = BYTES_PER_PIXEL[kind], "save it as JPEG, or make it smaller"
    if kind == "JPEG":
        assert image.fp is not None
        start = image.fp.tell()  # behind the mark of the first scan
        if file.count(b"\xff\xda", start, file.find(b"\xff\xd9", start)):
            kind, cost, instead = (
                "progressive JPEG",
                BYTES_PER_PIXEL_PROGRESSIVE,
                "save it as a plain JPEG, or make it smaller",
            )
    pixels, most = image.width * image.height, min(MAX_MEMORY / cost, Image.MAX_IMAGE_PIXELS or np.inf)
    if pixels > most:
        raise DrawingError(
            f"{name} has {pixels / 1e6:.0f} megapixels ({image.width} x {image.height}), and a {kind} "
            f"may have {most / 1e6:.0f}; {instead}."
        )


def _ink(grey: Array, name: str) -> Array:
    """Separate ink from paper: (h, w) in [0, 1] -> float32 (h, w), 0 is paper and 1 is ink."""
    if np.ptp(grey) < MIN_CONTRAST:
        raise DrawingError(f"nothing can be seen on {name}; expected is a digit that stands out from the paper.")
    ink = grey if np.median(_border(grey)) <= _threshold(grey) else 1 - grey
    ink = ink - np.median(_border(ink))
    # Illumination correction: fit and subtract a plane, then a quadratic; pixels near the ink are left out.
    for degree in (1, 2) if np.ptp(_border(ink)) > EVEN_LIGHT else ():
        mask = Image.fromarray(ink > _threshold(ink))
        wide = mask.convert("L").filter(ImageFilter.MaxFilter(2 * (max(ink.shape) // 80) + 3))
        paper = np.asarray(wide) == 0
        ink = ink - _surface(ink, paper if paper.any() else ~np.asarray(mask), degree)
    threshold = _threshold(ink)
    noise = 1.5 * np.median(np.abs(_border(ink)))  # its standard deviation, whatever touches the border
    lowest, highest = min(4 * noise, threshold), np.quantile(ink[ink >= threshold], 0.9)
    ink = ((ink - lowest) / max(highest - lowest, MIN_CONTRAST)).clip(0, 1)
    return _without_dirt(np.where(ink < MIN_INK, 0, ink)).astype(np.float32)


def _border(values: Array) -> Array:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _threshold(values: Array) -> float:
    """Return Otsu's threshold, which maximises the variance between the two parts."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()[:-1]
    above, mass = values.size - below, (counts * centres).cumsum()
    between = (mass[-1] * below - mass[:-1] * values.size) ** 2 / np.maximum(below * above, 1)
    return float(edges[between.argmax() + 1])


def _surface(values: Array, known: Array, degree: int) -> Array:
    """Fit a polynomial in both coordinates to values where they are known: (h, w), (h, w) -> (h, w)."""
    y, x = (np.linspace(-1, 1, side) for side in values.shape)
    terms = [y[:, None] ** j * x**i for i in range(degree + 1) for j in range(degree + 1 - i)]
    stack = np.stack([np.broadcast_to(term, values.shape) for term in terms], axis=-1)
    weights, *_ = np.linalg.lstsq(stack[known], values[known], rcond=None)
    return stack @ weights


def _without_dirt(ink: Array) -> Array:
    # Imported here: half a second, and only pictures need it.
    from scipy.ndimage import label

    pieces, _ = label(ink > 0, np.ones((3, 3)))
    masses = np.bincount(pieces.ravel(), ink.ravel())
    return np.where((masses >= MIN_PIECE * masses.max())[pieces], ink, 0)


def has_light_border(grey: Array) -> bool:
    """Return whether a picture's border is lighter than half of white: (h, w) in [0, 1]."""
    return bool(np.median(_border(grey)) > 0.5)
