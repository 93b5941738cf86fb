"""The atlas: packed and unpacked, put together interpolate its decodes, and no larger than it must be."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.atlas import SIDES, atlas, atlas_path, interpolate, pack, read_atlas, unpack, write_atlases
from explorer.latent import Window
from explorer.maps import Map
from explorer.models import open_models
from tests.conftest import rewrite
from training.experiments import Experiment

AREA = Window(-3.0, -2.0, 6.0)


def waves(points: np.ndarray, times: float) -> np.ndarray:
    """Images of 12 x 12 pixels; the values of some run up and down so many times across the window, the others are 0,
    as around digits."""
    phase = np.arange(20) / 7
    x, y = ((points - (AREA.left, AREA.bottom)) / AREA.side).T[:, :, None]
    value = np.sin(2 * np.pi * times * x + phase) * np.cos(2 * np.pi * times * y - phase)
    return np.pad((0.5 + 0.4 * value).reshape(-1, 4, 5), ((0, 0), (4, 4), (3, 4)))


def test_for_each_pixel_stands_the_map_of_its_values() -> None:
    n, height, width = 6, 8, 10
    rows, columns = np.mgrid[0:height, 0:width] / 10
    steps = np.linspace(0, 1, n)
    smooth = np.array([[(x + rows) / 4 + (y + columns) / 4 for y in steps] for x in steps])
    packed = pack(smooth)
    assert Image.open(io.BytesIO(packed)).format == "AVIF"
    np.testing.assert_allclose(unpack(packed, n), smooth, atol=0.02)
    picture = unpack(packed, 1)[0, 0]
    assert picture.shape == (height * n, width * n)
    for v, u, i, j in ((0, 0, 0, 0), (2, 7, 4, 1), (7, 9, 5, 5)):  # pixel (v, u) of the decode in row i, column j
        assert picture[v * n + i, u * n + j] == pytest.approx(smooth[i, j, v, u], abs=0.02)


def test_between_the_decodes_a_parabola_is_exact_and_at_them_anything_is() -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(size=(7, 7, 3, 2))
    rows, columns = np.mgrid[0:7, 0:7]
    at = np.stack([columns, rows], axis=-1).reshape(-1, 2) / 6
    np.testing.assert_allclose(interpolate(noise, at), noise.reshape(49, 3, 2), atol=1e-6)
    bowl = (((columns - 2.3) ** 2 + (rows - 3.1) ** 2) / 60)[:, :, None, None]
    inside = rng.uniform(1, 5, (50, 2))  # at the edge two of the sixteen are the same
    expected = ((inside[:, 0] - 2.3) ** 2 + (inside[:, 1] - 3.1) ** 2) / 60
    np.testing.assert_allclose(interpolate(bowl, inside / 6)[:, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize(("times", "side"), [(2, SIDES[0]), (8, SIDES[1]), (40, SIDES[-1])])
def test_it_is_as_large_as_it_must_be(times: float, side: int) -> None:
    found = atlas(lambda points: waves(points, times), AREA)
    assert found.side == side
    if side == SIDES[-1]:
        return  # as good as it gets
    shares = np.random.default_rng(1).uniform(size=(2000, 2))
    exact = waves((AREA.left, AREA.top) + shares * (AREA.side, -AREA.side), times)
    error = np.abs(interpolate(unpack(found.image, side), shares) - exact)
    assert error.mean() < 0.002
    assert np.quantile(error, 0.99) < 0.02


@pytest.fixture
def written(checkpoints: Path, experiment: Experiment) -> Map:
    """A map whose atlases were written."""
    map_ = Map(open_models(checkpoints / experiment.name).vae)
    assert read_atlas(map_, map_.window) is None
    write_atlases(map_)
    return map_


def test_what_was_written_is_read(written: Map) -> None:
    for window in (written.window, written.crowd):
        assert read_atlas(written, window) == atlas(written.decode, window)


def test_of_another_place_there_is_none(written: Map) -> None:
    left, bottom, side = written.window
    assert read_atlas(written, Window(left, bottom, 1.001 * side)) is None
    assert read_atlas(written, Window(left + 0.001 * side, bottom, side)) is None
    upright = Map(written.model, dimensions=(1, 0))
    assert read_atlas(upright, written.window) is None


def test_of_another_fit_there_is_none(written: Map) -> None:
    checkpoint = written.model.checkpoint.path
    rewrite(checkpoint, lambda arrays, settings: settings["test"].update(elbo=-1.0))
    assert read_atlas(written, written.window) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"nonsense"),
        lambda path: rewrite(path, lambda arrays, settings: settings.update(format=0)),
        lambda path: rewrite(path, lambda arrays, settings: settings.update(sides=[10**9] * 2)),
        lambda path: rewrite(path, lambda arrays, settings: settings.pop("sides")),
        lambda path: rewrite(path, lambda arrays, settings: arrays.__delitem__("image.0")),
        lambda path: rewrite(path, lambda arrays, settings: arrays.update({"corners.0": np.zeros(3)})),
    ],
)
def test_a_defective_file_is_as_good_as_none(spoil: Callable[[Path], object], written: Map) -> None:
    spoil(atlas_path(written.model.checkpoint.path))
    assert read_atlas(written, written.window) is None
