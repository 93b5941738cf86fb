"""The atlas: decodes of a whole window, packed for the browser, which shows any point of it without the server.

`components/latent_map/atlas.js` unpacks it, and interpolates a decode from the sixteen around a point. `interpolate`
does the same here, to choose the size of the atlas.
"""

import base64
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer import latent

__all__ = ["SIDES", "Atlas", "atlas", "interpolate", "pack", "unpack"]

Array = NDArray[Any]

SIDES = (40, 60, 80, 120)  # decodes along each side; the last is as much as a megabyte takes
MAX_MEAN_ERROR, MAX_P99_ERROR = 0.0019, 0.019  # of a pixel in [0, 1]: on average, and at the 99th percentile
TEST_POINTS = 1500  # random points at which the errors are measured


class Atlas(NamedTuple):
    """Decodes of a window."""

    side: int  # number of decodes along each side
    image: str  # see `pack`


def atlas(decode: Callable[[Array], Array], window: latent.Window) -> Atlas:
    """Return the smallest atlas of a window within the error tolerance.

    Args:
        decode: points of the map, (k, 2), to images, (k, h, w), pixels in [0, 1].
        window: the outermost decodes stand on its edges.
    """
    shares = np.random.default_rng(0).uniform(size=(TEST_POINTS, 2))  # of the window's side, rightwards and down
    exact = decode((window.left, window.top) + shares * (window.side, -window.side))

    def is_accurate(decodes: Array) -> bool:
        error = np.abs(interpolate(decodes, shares) - exact)
        return bool(error.mean() <= MAX_MEAN_ERROR and np.quantile(error, 0.99) <= MAX_P99_ERROR)

    def decodes(side: int) -> Array:
        return decode(latent.nodes(window, side)).reshape(side, side, *exact.shape[1:])

    *smaller, largest = SIDES
    for side in smaller:
        # First without packing, which takes longer than decoding.
        if is_accurate(found := decodes(side)) and is_accurate(unpack(packed := pack(found), side)):
            return Atlas(side, packed)
    return Atlas(largest, pack(decodes(largest)))


def pack(decodes: Array) -> str:
    """Pack the decodes of a plane into one picture, a data URI.

    Ordered by pixel, not by decode: each pixel of a decode becomes an n x n image of its value over the plane. Those
    images are smooth, so they take a third of the bytes at the same error.

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
    """Undo `pack`, up to its losses."""
    picture = Image.open(io.BytesIO(base64.b64decode(packed.split(",")[1]))).convert("L")
    height, width = picture.height // n, picture.width // n
    return np.asarray(picture, np.float32).reshape(height, n, width, n).transpose(1, 3, 0, 2) / 255


def interpolate(decodes: Array, shares: Array) -> Array:
    """Interpolate between the decodes with the Catmull-Rom cubic.

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
