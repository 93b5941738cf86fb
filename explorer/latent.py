"""Geometry of a latent space: plane, window, grid, path, nearest codes. Arrays in, arrays out."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SPARSITY_K",
    "Embedding",
    "EmptyDisc",
    "Nearest",
    "Plane",
    "Window",
    "crowd",
    "dimensions_plane",
    "ellipse",
    "grid",
    "kth_neighbour_distances",
    "largest_empty_circle",
    "linear_interpolation",
    "nearest",
    "nearest_images",
    "nodes",
    "noise_to_fitted_gaussian",
    "principal_plane",
    "resample_polyline",
    "sparsity_percentile",
    "steady_window",
    "window",
]

Array = NDArray[Any]

MAX_TREE_DIMENSIONS = 15  # in more, a tree is slower than all distances
SPARSITY_K = 5  # k of the k-NN distance that tells how sparse a place is; 5, so that a single outlier is not a cluster
MAX_EDGES = 51  # all that there are with 10,000 codes; with ten times as many all would take a minute
MAX_PAIRS = 10**8  # distances between codes that are computed: a second's work
CROWD_STEPS = 30  # after which the square of the crowd moves no more
MAX_SLACK = 2.0  # so many times as wide as its codes need may a window be before it is made smaller
GAP_SIDE = 200  # candidate centres of the largest gap along each side of a map


class Window(NamedTuple):
    """A square of the plane: its left and bottom edge, and its side."""

    left: float
    bottom: float
    side: float

    @property
    def right(self) -> float:
        return self.left + self.side

    @property
    def top(self) -> float:
        return self.bottom + self.side


class Plane(NamedTuple):
    """A plane in latent space. Its points have two coordinates, and it is what a map shows."""

    centre: Array  # (d,), where both coordinates are 0
    axes: Array  # (2, d), orthonormal
    share: float  # of the codes' variance that lies in the plane

    def project(self, codes: ArrayLike) -> Array:
        """Project points of latent space orthogonally to the plane: (n, d) -> (n, 2)."""
        return (np.asarray(codes, float) - self.centre) @ self.axes.T

    def lift(self, points: ArrayLike) -> Array:
        """Return points of the plane as points of latent space: (n, 2) -> (n, d)."""
        return self.centre + np.asarray(points, float) @ self.axes


class Embedding:
    """Codes laid out in the plane by their neighbourhoods (t-SNE); it has the methods of a `Plane`.

    There is no way back from a place of such a map but to the code nearest to it, and no place for a point of latent
    space but that of the code nearest to it.

    Args:
        codes: (n, d).
        points: (n, 2), their places.
    """

    def __init__(self, codes: Array, points: Array) -> None:
        # Imported here: scipy.spatial takes half a second, and the first map does without.
        from scipy.spatial import KDTree

        self.codes, self.points = codes.astype(np.float64), points.astype(np.float64)
        self._codes, self._points = KDTree(self.codes), KDTree(self.points)

    def project(self, codes: ArrayLike) -> Array:
        """Return the places of the codes nearest to points of latent space: (m, d) -> (m, 2)."""
        return self.points[self._codes.query(np.asarray(codes, float))[1]]

    def lift(self, points: ArrayLike) -> Array:
        """Return the codes nearest to points of the map: (m, 2) -> (m, d)."""
        return self.codes[self._points.query(np.asarray(points, float))[1]]


class Nearest(NamedTuple):
    """The code nearest to a point, and how far the `SPARSITY_K`-th nearest is."""

    image: int
    distance: float
    kth_distance: float


class EmptyDisc(NamedTuple):
    """An empty disc of a map: its centre and its radius."""

    x: float
    y: float
    radius: float


def principal_plane(codes: Array) -> Plane:
    """Fit the plane of the first two principal components, through the codes' mean: (n, d) with d at least 2.

    Each component points to where its largest coordinate is positive, so that a map does not flip.
    """
    # Imported here: it takes a second or more, and two-dimensional spaces do without.
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # shares of no variance, of codes on one spot: see `_share`
        components = PCA(2, svd_solver="covariance_eigh").fit(codes.astype(np.float64))
    return Plane(components.mean_, components.components_, _share(components.explained_variance_, codes))


def dimensions_plane(codes: Array, first: int, second: int) -> Plane:
    """Return the plane of two latent dimensions; the others are held at the codes' mean.

    Args:
        codes: (n, d).
        first: index of the dimension to the right.
        second: index of the dimension upwards, another one.
    """
    axes = np.eye(codes.shape[1])[[first, second]]
    mean = codes.mean(axis=0, dtype=np.float64)
    variance = codes.var(axis=0, ddof=1, dtype=np.float64)
    return Plane(mean * (1 - axes.sum(axis=0)), axes, _share(variance[[first, second]], codes))


def _share(variances: Array, codes: Array) -> float:
    """Return the share of the codes' variance that some directions have; all, if there is none."""
    total = codes.var(axis=0, ddof=1, dtype=np.float64).sum()
    return float(variances.sum() / total) if total > 0 else 1.0


def window(codes: Array, share: float = 0.995, margin: float = 0.05, min_side: float = 0.0) -> Window:
    """Find the smallest axis-parallel square that holds a share of the codes, enlarged by a margin.

    A smallest square can be moved until its left and its bottom edge each touch a code. Those two edges are tried at
    every code that may be left out beyond them, which is exact; of more than `MAX_EDGES` such codes at so many.

    Args:
        codes: (n, 2), n at least 1.
        share: of the codes that the square holds, in (0, 1].
        margin: added to its side, as a share of the side.
        min_side: minimum side.
    """
    codes = codes.astype(np.float64)  # a rounded window would hold other codes, and other gaps
    outside = int(round(len(codes) * (1 - share), 9))  # so many codes may be left out
    tried = np.linspace(0, outside, min(outside + 1, MAX_EDGES)).round().astype(int)
    edge_x, edge_y = (np.sort(column)[tried] for column in codes.T)
    # Only codes far to the right or far up can bound the square: with at most `outside` left out on the
    # left and below, and as many dropped, the bounding one is among the last 3 * outside + 1 of a column.
    order = np.argsort(codes, axis=0)
    near, far = codes[np.unique(order[: outside + 1])], codes[np.unique(order[-(3 * outside + 1) :])]
    best: tuple[float, float, float] | None = None
    for left in edge_x:
        for bottom in edge_y:
            drop = outside - np.count_nonzero((near < (left, bottom)).any(axis=1))
            if drop < 0:
                continue
            reach = np.sort((far[(far >= (left, bottom)).all(axis=1)] - (left, bottom)).max(axis=1))
            side = float(reach[-(drop + 1)])
            if best is None or side < best[2]:
                best = (float(left), float(bottom), side)
    assert best is not None  # the lowest edges leave nothing out
    left, bottom, side = best
    from_corner = codes - (left, bottom)  # compared with the side as above, so that rounding drops no code
    inside = codes[(from_corner >= 0).all(axis=1) & (from_corner.max(axis=1) <= side)]
    centre = (inside.min(axis=0) + inside.max(axis=0)) / 2
    side = max((side or 1.0) * (1 + margin), min_side)  # a single point still gets a window
    return Window(float(centre[0] - side / 2), float(centre[1] - side / 2), side)


def steady_window(before: Window | None, codes: Array, min_side: float = 0.0) -> Window:
    """Return the window that codes need while they move: the one before, as long as they fill it.

    Args:
        before: what the map shows; None: nothing yet.
        codes: (n, 2).
        min_side: minimum side.

    Returns:
        `before`, or the codes' own window enlarged by a fifth, so that the next steps fit into it, too.
    """
    own = window(codes, min_side=min_side)
    if before is not None and before.side < MAX_SLACK * own.side:
        corners = (
            before.left <= own.left,
            before.bottom <= own.bottom,
            own.right <= before.right,
            own.top <= before.top,
        )
        if all(corners):
            return before
    side = 1.2 * own.side
    return Window(own.left - 0.1 * own.side, own.bottom - 0.1 * own.side, side)


def crowd(points: Array, share: float) -> Window:
    """Approximate the smallest square that holds a share of the points.

    It starts at their median, and is centred `CROWD_STEPS` times anew on the points that it holds.

    Args:
        points: (n, 2), n at least 1.
        share: of the points, in (0, 1].
    """
    centre = np.median(points, axis=0)
    for _ in range(CROWD_STEPS):
        distance = np.abs(points - centre).max(axis=1)
        near = points[distance <= np.quantile(distance, share)]
        centre = (near.min(axis=0) + near.max(axis=0)) / 2
    side = 2 * float(np.quantile(np.abs(points - centre).max(axis=1), share)) or 1.0
    return Window(float(centre[0] - side / 2), float(centre[1] - side / 2), side)


def grid(window: Window, n: int) -> Array:
    """Return the centres of n x n equal cells, in reading order: left to right, the top row first.

    Returns:
        (n * n, 2)
    """
    steps = (np.arange(n) + 0.5) * window.side / n
    x, y = np.meshgrid(window.left + steps, window.top - steps)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def nodes(window: Window, n: int) -> Array:
    """Return n x n equally spaced points, the outermost on the edges, in reading order.

    Returns:
        (n * n, 2)
    """
    x, y = np.meshgrid(np.linspace(window.left, window.right, n), np.linspace(window.top, window.bottom, n))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def linear_interpolation(start: ArrayLike, end: ArrayLike, n: int) -> Array:
    """Return n points on the straight line between two points, both ends included: (d,) and (d,) -> (n, d)."""
    return np.linspace(np.asarray(start, float), np.asarray(end, float), n)


def resample_polyline(points: ArrayLike, n: int) -> Array:
    """Return n points equally spaced along a polyline, both ends included: (m, d), m at least 1 -> (n, d)."""
    corners = np.asarray(points, float)
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    arc_length = np.concatenate([[0.0], np.cumsum(lengths)])
    stops = np.linspace(0, arc_length[-1], n)
    return np.stack([np.interp(stops, arc_length, coordinate) for coordinate in corners.T], axis=1)


def ellipse(centre: ArrayLike, covariance: ArrayLike, n: int = 48) -> Array:
    """Return a plane Gaussian's ellipse of one standard deviation: (2,) and (2, 2) -> (n, 2)."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(centre, float) + circle @ np.linalg.cholesky(np.asarray(covariance, float)).T


def noise_to_fitted_gaussian(noise: ArrayLike, codes: Array) -> Array:
    """Turn standard Gaussian noise into samples of N(mean, covariance) of the codes: (m, d), (n, d) -> (m, d).

    A sample is mean + L noise, L the Cholesky factor of the covariance.
    """
    codes = codes.astype(np.float64)
    covariance = np.cov(codes, rowvar=False).reshape(codes.shape[1], -1)
    # A dimension without spread has no factor: a trace of one is added.
    factor = np.linalg.cholesky(covariance + 1e-12 * max(np.trace(covariance), 1.0) * np.eye(len(covariance)))
    return codes.mean(axis=0) + np.asarray(noise, float) @ factor.T


def nearest(codes: Array, point: ArrayLike) -> Nearest:
    """Find the code nearest to a point.

    Args:
        codes: (n, d), n at least 1.
        point: (d,).
    """
    distances = np.linalg.norm(codes - np.asarray(point, float), axis=1)
    image = int(distances.argmin())
    k = min(SPARSITY_K, len(codes)) - 1
    return Nearest(image, float(distances[image]), float(np.partition(distances, k)[k]))


def nearest_images(codes: Array, point: ArrayLike, n: int) -> list[int]:
    """Return the images of the n codes nearest to a point, the nearest first: (m, d) and (d,)."""
    distances = np.linalg.norm(codes - np.asarray(point, float), axis=1)
    return [int(image) for image in np.argsort(distances, kind="stable")[:n]]


def kth_neighbour_distances(codes: Array) -> Array:
    """Return the codes' distances to their `SPARSITY_K`-th nearest other code, in ascending order: (n, d) -> (m,).

    Of so many codes that all distances would take long, only some are looked at: m is then less than n.
    """
    k = min(SPARSITY_K, len(codes) - 1)
    # Imported here: either takes its time, and the first map does without.
    if codes.shape[1] <= MAX_TREE_DIMENSIONS:
        from scipy.spatial import KDTree

        distances, _ = KDTree(codes).query(codes, k=[k + 1])  # the nearest is the code itself
    else:
        from sklearn.neighbors import NearestNeighbors

        asked = codes[:: -(-(len(codes) ** 2) // MAX_PAIRS)].astype(np.float64)
        distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(codes.astype(np.float64)).kneighbors(asked)
    return np.sort(distances[:, -1])


def largest_empty_circle(points: Array, window: Window) -> EmptyDisc:
    """Find the largest disc in the window that holds no point and has its centre among them.

    Candidate centres are the nodes of a grid in the points' convex hull: what lies beyond is no gap.
    If none does, because all points lie on a line, every node is tried.

    Args:
        points: (n, 2), n at least 1.
        window: the window.
    """
    from scipy.spatial import ConvexHull, KDTree, QhullError  # see `kth_neighbour_distances`

    grid_nodes = nodes(window, GAP_SIDE)
    try:
        half_planes = ConvexHull(points).equations  # each a normal that points outwards, and an offset
        among = grid_nodes[(grid_nodes @ half_planes[:, :2].T + half_planes[:, 2] <= 0).all(axis=1)]
    except QhullError:
        among = grid_nodes[:0]
    centres = among if len(among) else grid_nodes
    to_points, _ = KDTree(points).query(centres)
    to_edges = np.minimum(centres - (window.left, window.bottom), (window.right, window.top) - centres).min(axis=1)
    radii = np.minimum(to_points, to_edges)
    widest = int(radii.argmax())
    x, y = centres[widest].tolist()
    return EmptyDisc(x, y, float(radii[widest]))


def sparsity_percentile(distance: float, own_distances: Array) -> float:
    """Return the share of the codes, in percent, whose `SPARSITY_K`-th nearest other code is nearer than `distance`.

    Args:
        distance: `Nearest.kth_distance` of the point in question.
        own_distances: `kth_neighbour_distances` of the codes, sorted.
    """
    return 100 * float(np.searchsorted(own_distances, distance)) / len(own_distances)
