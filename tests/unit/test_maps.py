"""The maps: planes and layouts of latent space, against the shipped models."""

import numpy as np
import pytest

from explorer.catalog import map_pair
from explorer.maps import Map
from explorer.models import Model, open_models
from training.folders import checkpoints_dir


@pytest.fixture(params=["autoencoder", "vae"])
def model(request: pytest.FixtureRequest) -> Model:
    pair = open_models(checkpoints_dir() / "mnist-32d")
    return pair.ae if request.param == "autoencoder" else pair.vae


@pytest.mark.parametrize("dimensions", [None, (3, 7)])
def test_plane_goes_to_latent_space_and_back(model: Model, dimensions: tuple[int, int] | None) -> None:
    map_ = Map(model, dimensions)
    points = np.random.default_rng(0).normal(size=(20, 2))
    z = map_.lift(points)
    assert z.shape == (20, 32)
    np.testing.assert_allclose(map_.project(z), points, atol=1e-9)
    np.testing.assert_allclose(map_.lift(points[0]), z[0])
    np.testing.assert_array_equal(map_.decode(points), model.decode(z))
    if dimensions is not None:
        np.testing.assert_allclose(z[:, dimensions], points)


def test_layout_has_its_codes_and_nothing_between_them() -> None:
    pair = open_models(checkpoints_dir() / "mnist-32d")
    for map_ in map_pair(pair, tsne=True):
        code = map_.model.codes.code
        assert not map_.is_plane
        assert map_.axes.units == ("no unit", "no unit")
        np.testing.assert_array_equal(map_.lift(map_.points[5] + 1e-3), code[5])
        np.testing.assert_array_equal(map_.project(code[5] + 1e-4), map_.points[5])
        assert map_.outline(code[5], np.ones(32)) == []


def test_each_map_has_an_id_of_its_own_and_keeps_it(model: Model) -> None:
    maps = [Map(model), Map(model, (0, 1)), Map(model, (1, 0)), Map(model, None, np.zeros((len(model.codes.code), 2)))]
    assert len({map_.id for map_ in maps}) == len(maps)
    assert Map(model, (0, 1)).id == maps[1].id


def test_outline_is_one_standard_deviation_around_the_code(model: Model) -> None:
    map_ = Map(model, (3, 7))
    code, std = model.codes.code[0], np.linspace(0.1, 3.2, 32)
    outline = np.array(map_.outline(code, std)) - map_.project([code])[0]
    np.testing.assert_allclose(np.hypot(*(outline / std[[3, 7]]).T), 1, atol=1e-6)


def test_only_the_vae_has_a_prior_and_a_least_window() -> None:
    pair = open_models(checkpoints_dir() / "mnist-2d", beta=40)  # a collapsed posterior: all codes in one place
    ae, vae = Map(pair.ae), Map(pair.vae)
    assert ae.axes.prior is None
    assert vae.axes.prior == (0, 0)
    assert ae.axes.titles()[0] == "latent dimension 1 (arbitrary units)"
    assert np.ptp(vae.points, axis=0).max() < 0.1
    assert vae.window.side == 2.5


def test_variance_share_of_the_principal_plane_is_the_largest(model: Model) -> None:
    assert Map(model).variance_share > max(Map(model, (i, i + 1)).variance_share for i in range(31))
