"""Close-ups: marks that are small on a map have one, which holds them."""

import numpy as np
import pytest

from explorer.catalog import map_pair
from explorer.components import latent_map
from explorer.maps import Map
from explorer.models import open_models
from explorer.stage import ALL, CROWD, close_up_window
from training.folders import checkpoints_dir


@pytest.fixture(scope="module")
def map_() -> Map:
    return Map(open_models(checkpoints_dir() / "mnist-2d").ae)


def square(map_: Map, part: float) -> list[list[float]]:
    """The corners of a square around the AE's first code: so large a part of the crowd's side."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5
    points: list[list[float]] = (map_.points[0] + part * map_.crowd.side * corners).tolist()
    return points


@pytest.mark.parametrize("mark", [latent_map.path_mark, latent_map.dots_mark, latent_map.outline_mark])
def test_small_marks_have_a_close_up_that_holds_them(map_: Map, mark: type) -> None:
    points = square(map_, 0.05)
    window = close_up_window(map_, [mark(points), latent_map.ring_mark(1e3, 1e3)], CROWD)
    assert window is not None
    assert window.side == pytest.approx(1.6 * 0.05 * map_.crowd.side)
    middle = (window.left + window.side / 2, window.bottom + window.side / 2)
    np.testing.assert_allclose(middle, map_.points[0], rtol=1e-6)


def test_marks_that_are_large_on_what_is_shown_have_none(map_: Map) -> None:
    marks = [latent_map.dots_mark(square(map_, 0.15))]
    assert close_up_window(map_, marks, CROWD) is None
    assert close_up_window(map_, marks, ALL) is not None  # there the same points stand closer together
    assert close_up_window(map_, [latent_map.ring_mark(0, 0), latent_map.pick_mark(0, 0)], CROWD) is None
    assert close_up_window(map_, [latent_map.path_mark([[1, 1], [1, 1]])], CROWD) is None


def test_a_pick_beside_the_marks_is_in_the_close_up_and_a_far_one_is_not(map_: Map) -> None:
    marks = [latent_map.outline_mark(square(map_, 0.03))]
    alone = close_up_window(map_, marks, CROWD)
    x, y = (map_.points[0] + 0.05 * map_.crowd.side).tolist()
    beside = close_up_window(map_, [*marks, latent_map.pick_mark(x, y)], CROWD)
    assert alone is not None
    assert beside is not None
    assert alone.right < x < beside.right
    assert close_up_window(map_, [*marks, latent_map.pick_mark(1e3, 1e3)], CROWD) == alone


def test_a_layout_has_no_close_up() -> None:
    layout = map_pair(open_models(checkpoints_dir() / "mnist-32d"), tsne=True).vae
    assert close_up_window(layout, [latent_map.dots_mark(square(layout, 0.05))], CROWD) is None
