"""Geometry by property."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer import latent
from explorer.latent import Window

coordinates = st.floats(-1000, 1000, allow_subnormal=False, width=32)
clouds = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, (n, 2), elements=coordinates))


def _smallest_side(codes: np.ndarray, outside: int) -> float:
    """By trying every pair of codes as left and bottom edge."""
    best = np.inf
    for left in codes[:, 0]:
        for bottom in codes[:, 1]:
            reach = (codes - (left, bottom)).max(axis=1)
            reach = np.sort(reach[(codes >= (left, bottom)).all(axis=1)])
            needed = len(codes) - outside
            if len(reach) >= needed:
                best = min(best, reach[needed - 1])
    return float(best)


@settings(max_examples=60, deadline=None)
@given(clouds, st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_window_is_the_smallest_square_with_its_share_of_the_codes(codes: np.ndarray, share: float) -> None:
    area = latent.window(codes, share=share, margin=0)
    outside = int(round(len(codes) * (1 - share), 9))
    smallest = _smallest_side(codes, outside)
    if smallest > 0:
        assert area.side == pytest.approx(smallest)
    slack = 1e-6 * (1 + area.side)
    low, high = (area.left - slack, area.bottom - slack), (area.right + slack, area.top + slack)
    assert ((codes >= low) & (codes <= high)).all(axis=1).sum() >= len(codes) - outside


@given(clouds)
def test_window_is_the_same_in_either_precision(codes: np.ndarray) -> None:
    single = codes.astype(np.float32)
    assert latent.window(single) == latent.window(single.astype(np.float64))


def test_window_has_five_percent_to_spare_and_leaves_outliers_out() -> None:
    codes = np.random.default_rng(0).uniform(0, 1, (1000, 2))
    codes[:5] = 100.0
    area = latent.window(codes)
    assert 1.0 < area.side < 1.06
    assert area.right < 2


def test_window_of_codes_that_lie_on_each_other_has_the_least_side_around_them() -> None:
    codes = np.array([3.0, -1.0]) + np.random.default_rng(0).uniform(0, 1e-4, (1000, 2))
    area = latent.window(codes, min_side=2.0)
    assert area.side == 2.0
    assert (area.left + 1, area.bottom + 1) == pytest.approx((3.0, -1.0), abs=1e-3)
    assert latent.window(codes * 1e6, min_side=2.0) == latent.window(codes * 1e6)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 100), st.integers(1, 12))
def test_grid_is_in_reading_order_at_the_centres_of_equal_cells(
    left: float, bottom: float, side: float, n: int
) -> None:
    area = Window(left, bottom, side)
    points = latent.grid(area, n).reshape(n, n, 2)
    cell = side / n
    np.testing.assert_allclose(points[0, 0], [left + cell / 2, area.top - cell / 2])
    np.testing.assert_allclose(points[-1, -1], [area.right - cell / 2, bottom + cell / 2])
    np.testing.assert_allclose(np.diff(points[:, :, 0], axis=1), cell)
    np.testing.assert_allclose(np.diff(points[:, :, 1], axis=0), -cell)


@given(arrays(np.float64, 2, elements=coordinates), arrays(np.float64, 2, elements=coordinates), st.integers(2, 30))
def test_path_is_straight_even_and_holds_both_ends(start: np.ndarray, end: np.ndarray, n: int) -> None:
    way = latent.linear_interpolation(start, end, n)
    np.testing.assert_array_equal(way[[0, -1]], [start, end])
    np.testing.assert_allclose(np.diff(way, axis=0), np.tile((end - start) / (n - 1), (n - 1, 1)), atol=1e-9)


@given(clouds, arrays(np.float64, 2, elements=coordinates))
def test_nearest_code_is_nearest(codes: np.ndarray, point: np.ndarray) -> None:
    near = latent.nearest(codes, point)
    distances = sorted(float(np.hypot(*(code - point))) for code in codes)
    assert near.distance == pytest.approx(distances[0])
    assert np.hypot(*(codes[near.image] - point)) == pytest.approx(near.distance)
    assert near.kth_distance == pytest.approx(distances[min(latent.SPARSITY_K, len(codes)) - 1])


@pytest.mark.parametrize("dimensions", [2, 32])
def test_codes_own_distances_leave_each_code_itself_out(dimensions: int) -> None:
    codes = np.random.default_rng(1).normal(size=(60, dimensions))
    all_pairs = np.sort(np.linalg.norm(codes[:, None] - codes[None], axis=-1), axis=1)
    np.testing.assert_allclose(latent.kth_neighbour_distances(codes), np.sort(all_pairs[:, latent.SPARSITY_K]))


def test_many_codes_have_nearly_the_spacings_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(1).normal(size=(2000, 20))
    exact = latent.kth_neighbour_distances(codes)
    monkeypatch.setattr(latent, "MAX_PAIRS", 400_000)
    some = latent.kth_neighbour_distances(codes)
    assert len(some) == 200
    np.testing.assert_allclose(np.quantile(some, [0.1, 0.5, 0.9]), np.quantile(exact, [0.1, 0.5, 0.9]), rtol=0.05)


@pytest.mark.parametrize("edges", [1, 3, 10])
def test_window_of_many_codes_holds_its_share_and_is_hardly_larger(edges: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(2).normal(size=(4000, 2))
    exact = latent.window(codes, margin=0)
    monkeypatch.setattr(latent, "MAX_EDGES", edges)
    area = latent.window(codes, margin=0)
    held = ((codes >= (area.left, area.bottom)) & (codes <= (area.right, area.top))).all(axis=1)
    assert held.mean() >= 0.995 - 1e-3
    assert exact.side <= area.side < exact.side * {1: 1.2, 3: 1.1, 10: 1.02}[edges]


@settings(max_examples=60, deadline=None)
@given(clouds, st.floats(0.5, 1))
def test_widest_gap_is_the_largest_empty_disc_among_the_points(points: np.ndarray, share: float) -> None:
    area = latent.window(points, share=share)
    gap = latent.largest_empty_circle(points, area)
    places = latent.nodes(area, latent.GAP_SIDE)
    to_points = np.linalg.norm(places[:, None] - points[None], axis=2).min(axis=1)
    left, bottom = (places - (area.left, area.bottom)).T
    right, top = ((area.right, area.top) - places).T
    radii = np.min([to_points, left, bottom, right, top], axis=0)
    chosen = np.flatnonzero((places == gap[:2]).all(axis=1))
    assert len(chosen)
    assert gap.radius == pytest.approx(radii[chosen[0]])
    # A place is among the points if they do not all lie on one side of it.
    among = np.array([_is_among(place, points) for place in places[::97]])
    if among.any():
        slack = 1e-9 * (1 + area.side)
        assert gap.radius >= radii[::97][among].max() - slack


def _is_among(place: np.ndarray, points: np.ndarray) -> bool:
    """Whether there are points in every direction: no half circle around the place is empty."""
    away = points - place
    angles = np.sort(np.arctan2(away[:, 1], away[:, 0]))
    return bool(np.diff(angles, append=angles[0] + 2 * np.pi).max() < np.pi - 1e-6)


def test_widest_gap_of_two_clusters_lies_between_them() -> None:
    angles = np.linspace(0, 2 * np.pi, 200)
    large = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    gap = latent.largest_empty_circle(np.concatenate([large, large / 3 + np.array([1.5, 0])]), Window(-4, -4, 8))
    # The disc that touches the large ring on the left and the small one on the right.
    assert gap.x == pytest.approx(-1.25, abs=0.1)
    assert gap.radius == pytest.approx(1.75, abs=0.05)


def test_percentile_counts_the_codes_with_nearer_neighbours() -> None:
    own = np.array([1.0, 2.0, 3.0, 4.0])
    assert [latent.sparsity_percentile(distance, own) for distance in (0.5, 2.5, 9.0)] == [0, 50, 100]


def test_nodes_stand_on_the_edges_in_reading_order() -> None:
    area = Window(left=-2.0, bottom=1.0, side=4.0)
    points = latent.nodes(area, 5).reshape(5, 5, 2)
    np.testing.assert_allclose(points[0, :, 1], area.top)
    np.testing.assert_allclose(points[-1, :, 1], area.bottom)
    np.testing.assert_allclose(points[:, 0, 0], area.left)
    np.testing.assert_allclose(points[:, -1, 0], area.right)
    np.testing.assert_allclose(np.diff(points[2, :, 0]), 1.0)


@settings(deadline=None)  # the first imports scikit-learn
@given(st.integers(2, 6), st.integers(0, 1000))
def test_plane_lifts_and_projects_back(dimensions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(50, dimensions)) * rng.uniform(0.1, 5, dimensions) + rng.normal(size=dimensions)
    points = rng.normal(size=(7, 2))
    for plane in (latent.principal_plane(codes), latent.dimensions_plane(codes, dimensions - 1, 0)):
        lifted = plane.lift(points)
        np.testing.assert_allclose(plane.project(lifted), points, atol=1e-9)
        # No point of the plane is nearer to a code than its projection.
        shadow = plane.lift(plane.project(codes))
        own = np.linalg.norm(codes - shadow, axis=1)
        assert (own[:, None] <= np.linalg.norm(codes[:, None] - lifted, axis=2) + 1e-9).all()


def test_principal_plane_holds_most_variance() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5)) + 3
    plane = latent.principal_plane(codes)
    _, spreads, directions = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(plane.axes @ directions[:2].T), np.eye(2), atol=1e-9)
    assert plane.share == pytest.approx((spreads[:2] ** 2).sum() / (spreads**2).sum())
    assert plane.share == pytest.approx(plane.project(codes).var(axis=0).sum() / codes.var(axis=0).sum())


def test_codes_on_one_spot_have_planes_that_hold_all_their_variance() -> None:
    codes = np.ones((5, 3), np.float32)
    assert latent.principal_plane(codes).share == 1
    assert latent.dimensions_plane(codes, 0, 2).share == 1


def test_plane_of_two_dimensions_shows_those_and_holds_the_others_at_their_mean() -> None:
    codes = np.random.default_rng(0).normal(size=(40, 4)) + 7
    plane = latent.dimensions_plane(codes, 2, 0)
    np.testing.assert_allclose(plane.project(codes), codes[:, [2, 0]])
    lifted = plane.lift([[1.5, -2.0]])[0]
    np.testing.assert_allclose(lifted, [-2.0, codes[:, 1].mean(), 1.5, codes[:, 3].mean()])


def test_two_dimensional_spaces_are_their_own_plane() -> None:
    codes = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    plane = latent.dimensions_plane(codes, 0, 1)
    np.testing.assert_array_equal(plane.project(codes), codes)
    np.testing.assert_array_equal(plane.lift(codes), codes)
    assert plane.share == pytest.approx(1)


def test_embedding_goes_to_and_from_codes_only() -> None:
    rng = np.random.default_rng(0)
    codes, places = rng.normal(size=(50, 5)), rng.normal(size=(50, 2))
    layout = latent.Embedding(codes, places)
    np.testing.assert_array_equal(layout.project(codes), places)
    np.testing.assert_array_equal(layout.lift(places), codes)
    for place in rng.normal(size=(20, 2)):
        nearest = np.linalg.norm(places - place, axis=1).argmin()
        np.testing.assert_array_equal(layout.lift([place])[0], codes[nearest])


def test_ellipse_lies_one_standard_deviation_from_its_centre() -> None:
    covariance = np.array([[4.0, 1.2], [1.2, 1.0]])
    outline = latent.ellipse((3, -2), covariance) - (3, -2)
    mahalanobis = np.einsum("ni,ij,nj->n", outline, np.linalg.inv(covariance), outline)
    np.testing.assert_allclose(mahalanobis, 1)
    np.testing.assert_allclose(outline.mean(axis=0), 0, atol=1e-12)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_noise_takes_the_codes_mean_and_covariance(dimensions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(40, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + rng.normal(size=dimensions)
    # Noise of mean 0 and covariance I exactly, so that the samples' moments are those of the codes.
    noise = rng.normal(size=(60, dimensions))
    noise -= noise.mean(axis=0)
    noise = noise @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(noise.T)))).T
    samples = latent.noise_to_fitted_gaussian(noise, codes)
    np.testing.assert_allclose(samples.mean(axis=0), codes.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(codes.T), rtol=1e-6, atol=1e-6)


def test_codes_without_spread_have_samples_too() -> None:
    np.testing.assert_allclose(latent.noise_to_fitted_gaussian(np.ones((3, 2)), np.full((10, 2), 4.0)), 4, atol=1e-5)


@pytest.mark.parametrize("n", [2, 5, 24])
def test_points_along_a_path_are_equally_spaced_by_its_length(n: int) -> None:
    corners = np.array([[0, 0], [3, 0], [3, 1], [3, 1], [0, 1]], float)
    points = latent.resample_polyline(corners, n)
    way = np.where(points[:, 1] == 0, points[:, 0], np.where(points[:, 0] == 3, 3 + points[:, 1], 7 - points[:, 0]))
    np.testing.assert_allclose(way, np.linspace(0, 7, n), atol=1e-12)


def test_a_path_of_one_point_stays_there() -> None:
    np.testing.assert_array_equal(latent.resample_polyline([(2, -1)], 3), [[2, -1]] * 3)


def test_crowd_is_where_most_points_are() -> None:
    random = np.random.default_rng(0)
    dense, scattered = random.normal((3, -2), 0.5, (900, 2)), random.uniform(-100, 100, (100, 2))
    crowd = latent.crowd(np.concatenate([scattered, dense]), 0.8)
    inside = np.abs(dense - (crowd.left + crowd.side / 2, crowd.bottom + crowd.side / 2)).max(axis=1) <= crowd.side / 2
    assert inside.sum() >= 790
    assert crowd.side < 4
    assert latent.crowd(np.ones((5, 2)), 0.8) == (0.5, 0.5, 1.0)  # all in one place


@given(clouds)
def test_crowd_holds_its_share(points: np.ndarray) -> None:
    left, bottom, side = latent.crowd(points, 0.8)
    tolerance = 1e-9 * (1 + np.abs(points).max())
    inside = (np.abs(points - (left + side / 2, bottom + side / 2)) <= side / 2 + tolerance).all(axis=1)
    assert inside.mean() >= 0.8 - 1 / len(points)


@given(st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_window_of_moving_codes_holds_them_and_moves_seldom(growth: float, seed: int) -> None:
    codes = np.random.default_rng(seed).standard_normal((50, 2))
    first = latent.steady_window(None, codes)
    assert latent.steady_window(first, 1.02 * codes) == first
    then = latent.steady_window(first, growth * codes)
    own = latent.window(growth * codes)
    assert then.left <= own.left
    assert then.bottom <= own.bottom
    assert own.right <= then.right + 1e-9
    assert own.top <= then.top + 1e-9
    assert own.side <= then.side <= latent.MAX_SLACK * own.side
