"""Arrays to pictures: one digit, a strip, the atlas. Pixels in [0, 1] in, bytes out."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["data_uri", "png", "strip", "tile"]

Array = NDArray[Any]


def png(pixels: Array) -> bytes:
    """A grey PNG: (h, w) with pixels in [0, 1], white is 1."""
    grey = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "png")
    return buffer.getvalue()


def data_uri(pixels: Array) -> str:
    """The PNG as an address that needs no second request: (h, w), pixels in [0, 1]."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def strip(images: Array) -> Array:
    """Images side by side: (n, h, w) -> (h, n * w)."""
    return tile(images, len(images))


def tile(images: Array, columns: int) -> Array:
    """The atlas: images in reading order, so many to a row: (rows * columns, h, w) -> (rows * h, columns * w)."""
    n, height, width = images.shape
    rows = n // columns
    return images.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
