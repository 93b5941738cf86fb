"""The atlas: decodes of a whole window, packed for the browser, which shows any point of it without the server.

`components/latent_map/atlas.js` unpacks it, and puts a decode together from the sixteen around a point, as is done here
to see whether an atlas is good enough.
"""

import base64
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer import latent

__all__ = ["SIDES", "Atlas", "atlas", "between", "pack", "unpack"]

Array = NDArray[Any]

SIDES = (40, 60, 80, 120)  # decodes along each side; the last is as much as a megabyte takes
MAX_MEAN_ERROR, MAX_P99_ERROR = 0.0019, 0.019  # of a pixel in [0, 1]: on average, and at the 99th percentile
PLACES = 1500  # at random, where the errors are looked at


class Atlas(NamedTuple):
    """Decodes of a window."""

    side: int  # so many along each side of it
    image: str  # see `pack`


def atlas(decode: Callable[[Array], Array], window: latent.Window) -> Atlas:
    """Return the smallest atlas of a window within the error tolerance.

    Args:
        decode: points of the map, (k, 2), to images, (k, h, w), pixels in [0, 1].
        window: the outermost decodes stand on its edges.
    """
    shares = np.random.default_rng(0).uniform(size=(PLACES, 2))  # of the way to the right, and down
    exact = decode((window.left, window.top) + shares * (window.side, -window.side))

    def is_right(decodes: Array) -> bool:
        error = np.abs(between(decodes, shares) - exact)
        return bool(error.mean() <= MAX_MEAN_ERROR and np.quantile(error, 0.99) <= MAX_P99_ERROR)

    def decodes(side: int) -> Array:
        return decode(latent.nodes(window, side)).reshape(side, side, *exact.shape[1:])

    *smaller, largest = SIDES
    for side in smaller:
        # First without the losses of packing, which takes longer than to decode.
        if is_right(found := decodes(side)) and is_right(unpack(packed := pack(found), side)):
            return Atlas(side, packed)
    return Atlas(largest, pack(decodes(largest)))


def pack(decodes: Array) -> str:
    """Decodes of a plane as one picture, an address.

    Not tile by tile but pixel by pixel: for each pixel of a decode stands the n x n map of its value over the plane.
    Those maps are smooth, so they take a third of the bytes at the same error.

    Args:
        decodes: (n, n, h, w), rows from the top, pixels in [0, 1].

    Returns:
        an AVIF of h * n rows and w * n columns: 2 to 3 times smaller than other formats at this error.
    """
    n, _, height, width = decodes.shape
    maps = decodes.transpose(2, 0, 3, 1).reshape(height * n, width * n)
    buffer = io.BytesIO()
    grey = (np.clip(maps, 0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(grey).save(buffer, "avif", quality=87, speed=8)
    return "data:image/avif;base64," + base64.b64encode(buffer.getvalue()).decode()


def unpack(packed: str, n: int) -> Array:
    """The decodes of `pack`, with its losses."""
    picture = Image.open(io.BytesIO(base64.b64decode(packed.split(",")[1]))).convert("L")
    height, width = picture.height // n, picture.width // n
    return np.asarray(picture, np.float32).reshape(height, n, width, n).transpose(1, 3, 0, 2) / 255


def between(decodes: Array, shares: Array) -> Array:
    """What is shown at places between the decodes, by Catmull and Rom's cubic.

    Args:
        decodes: (n, n, h, w), rows from the top.
        shares: (k, 2) of the way from the first column to the last, and from the first row to the last.

    Returns:
        (k, h, w)
    """
    n = len(decodes)
    at = shares * (n - 1)
    first = np.minimum(at.astype(int), n - 2)
    t = at - first
    weights = np.array([((2 - t) * t - 1) * t, (3 * t - 5) * t**2 + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t**2]) / 2
    columns, rows = (first.T[:, None] + np.arange(-1, 3)[:, None]).clip(0, n - 1)
    across, down = weights.astype(np.float32).transpose(2, 0, 1)
    shown = sum((down[i] * across[j])[:, None, None] * decodes[rows[i], columns[j]] for i in range(4) for j in range(4))
    return np.clip(shown, 0, 1)
