"""Arrays to pictures: one image, a strip, a wall. Pixels in [0, 1] in, bytes out."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["address", "data_uri", "difference", "gif", "png", "png_of_levels", "side_by_side", "tile"]

Array = NDArray[Any]

GIF_SCALE = 8  # saved pixels for one of a decode, along each side
ORANGE, BLUE = (1.0, 0.6, 0.1), (0.35, 0.65, 1.0)
GIF_FRAME = 80  # milliseconds


def png(pixels: Array) -> bytes:
    """Return a PNG with pixels in [0, 1]: grey of (h, w), white is 1; or of (h, w, 4): red, green, blue, opacity."""
    return png_of_levels((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))


def png_of_levels(levels: Array) -> bytes:
    """Return a PNG of bytes, as `png` does of pixels: uint8, 255 is white."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "png")
    return buffer.getvalue()


def gif(images: Array) -> bytes:
    """Return a GIF that runs forth and back, endlessly, each pixel enlarged to a square: (n, h, w), n at least 1."""
    levels = (np.clip(images, 0, 1) * 255).round().astype(np.uint8)
    large = levels.repeat(GIF_SCALE, axis=1).repeat(GIF_SCALE, axis=2)
    first, *others = [Image.fromarray(frame) for frame in [*large, *large[-2:0:-1]]]
    buffer = io.BytesIO()
    first.save(buffer, "gif", save_all=True, append_images=others, duration=GIF_FRAME, loop=0)
    return buffer.getvalue()


def difference(image: Array, other: Array) -> Array:
    """Colour what an image has and another lacks orange, what it lacks blue: (h, w) twice -> (h, w, 4), as `png` takes.

    Black where both agree. Orange and blue are told apart by protanopes and deuteranopes, too.
    """
    more = (np.asarray(image) - other)[..., None]
    colours = np.clip(more, 0, 1) * np.array(ORANGE) + np.clip(-more, 0, 1) * np.array(BLUE)
    return np.concatenate([colours, np.ones_like(more)], axis=-1)


def data_uri(pixels: Array) -> str:
    """Return a PNG as a data URI, which needs no second request; see `png`."""
    return address(png(pixels))


def address(picture: bytes, kind: str = "png") -> str:
    """Return a picture of a kind as a data URI."""
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode()


def side_by_side(images: Array) -> Array:
    """Put images side by side: (n, h, w) -> (h, n * w)."""
    return tile(images, len(images))


def tile(images: Array, columns: int) -> Array:
    """Tile images in reading order: (rows * columns, h, w) -> (rows * h, columns * w)."""
    n, height, width = images.shape
    rows = n // columns
    return images.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
