"""The atlas: decodes of a whole window, packed for the browser, which shows any point of it without the server.

`components/latent_map/atlas.js` unpacks it, and interpolates a decode from the sixteen around a point. `interpolate`
does the same here, to choose the size of the atlas.

To make one takes seconds. `python -m explorer measure EXPERIMENT` makes those of the maps that are shown at first, and
writes them beside the checkpoints: `atlas-<checkpoint>.safetensors`. Its settings: `format`, `of` (the SHA-256 of the
checkpoint) and `sides`, the decodes along each side of each atlas; its arrays, for each atlas by its number:

| name | what |
|---|---|
| `image.N` | the AVIF, uint8 (bytes,) |
| `corners.N` | where the window's corners lie in latent space, (3, d): top left, top right, bottom left |
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer import latent
from explorer.maps import Map
from training.array_file import ArrayFile, CheckpointError, file_digest, write_arrays

__all__ = ["SIDES", "Atlas", "atlas", "atlas_path", "interpolate", "pack", "read_atlas", "unpack", "write_atlases"]

Array = NDArray[Any]

FORMAT = 1
SIDES = (40, 60, 80, 120)  # decodes along each side; the last is as much as a megabyte takes
MAX_MEAN_ERROR, MAX_P99_ERROR = 0.0019, 0.019  # of a pixel in [0, 1]: on average, and at the 99th percentile
SAME_PLACE = 1e-5  # of a window's side: as near as two computers agree on it, and far less than can be seen
TEST_POINTS = 1500  # random points at which the errors are measured


class Atlas(NamedTuple):
    """Decodes of a window."""

    side: int  # number of decodes along each side
    image: bytes  # see `pack`


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


def atlas_path(checkpoint: Path) -> Path:
    """Return the file of the atlases of a model's map."""
    return checkpoint.with_name(f"atlas-{checkpoint.name}")


def write_atlases(map_: Map) -> Path:
    """Make the atlases of what a map shows at first, and write them beside its checkpoint; return the file's path.

    Raises:
        OSError: the file could not be written; what stood there is unharmed.
    """
    arrays, sides = {}, []
    for number, window in enumerate(dict.fromkeys([map_.window, map_.crowd])):
        made = atlas(map_.decode, window)
        arrays[f"image.{number}"] = np.frombuffer(made.image, np.uint8)
        arrays[f"corners.{number}"] = _corners(map_, window)
        sides.append(made.side)
    checkpoint = map_.model.checkpoint.path
    path = atlas_path(checkpoint)
    write_arrays(path, arrays, {"format": FORMAT, "of": file_digest(checkpoint), "sides": sides})
    return path


def read_atlas(map_: Map, window: latent.Window) -> Atlas | None:
    """Read the atlas of a window; None if there is none of it, or if it cannot be used: it can always be made anew."""
    checkpoint = map_.model.checkpoint.path
    command = f"python -m explorer measure {checkpoint.parent.name}"
    try:
        file = ArrayFile(atlas_path(checkpoint), expected_format=FORMAT, verb="measure", command=command)
        corners, images, sides = file.group("corners"), file.group("image"), file.settings["sides"]
        if file.settings["of"] != file_digest(checkpoint):
            return None
        wanted = _corners(map_, window)
        for number, found in corners.items():
            if found.shape == wanted.shape and np.abs(found - wanted).max() < SAME_PLACE * window.side:
                if (side := sides[int(number)]) not in SIDES:
                    return None
                return Atlas(side, images[number].tobytes())
    except (CheckpointError, OSError, KeyError, IndexError, TypeError, ValueError):
        pass
    return None


def _corners(map_: Map, window: latent.Window) -> Array:
    left, right, bottom, top = window.left, window.right, window.bottom, window.top
    return map_.lift([(left, top), (right, top), (left, bottom)]).astype(np.float64)


def pack(decodes: Array) -> bytes:
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
    return buffer.getvalue()


def unpack(packed: bytes, n: int) -> Array:
    """Undo `pack`, up to its losses."""
    picture = Image.open(io.BytesIO(packed)).convert("L")
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
