"""The maps: a model's codes on a plane of its latent space, or in a layout that is no plane."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer import latent
from explorer.figures import Axes
from explorer.models import Model, ModelPair
from explorer.pair import Pair

__all__ = ["CROWD_SHARE", "Map", "MapPair"]

Array = NDArray[Any]

CROWD_SHARE = 0.8  # of the codes
MAX_WINDOW_TO_CROWD = 3  # in a wider window the crowd would be squeezed; it is then shown first
MIN_VISIBLE = 1e-3  # of a map's side: less cannot be told apart on it
VAE_MIN_SIDE = 2.5  # keeps a collapsed posterior visibly collapsed: the prior's first circle fits into the window


@dataclass(eq=False)
class Map:
    """One model's map: where its codes lie on it, what it shows at first, what its coordinates are.

    Points are of the map, (n, 2); codes, and `z` in general, of latent space, (n, d). Read-only and shared by all
    sessions.
    """

    model: Model
    dimensions: tuple[int, int] | None = None  # shown, from 0; None: the two there are, or the principal plane
    layout: Array | None = None  # (n, 2), the places of the codes on a map that is no plane: t-SNE

    @property
    def key(self) -> tuple[object, ...]:
        """The cache's key: the model's file and its version, and the plane shown."""
        return *self.model.key, self.dimensions, self.layout is not None

    @cached_property
    def id(self) -> str:
        """A stable name for the browser, which must never use another map's atlas."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:12]

    @property
    def is_plane(self) -> bool:
        """Whether each of its points is a point of latent space; else only the codes' own are."""
        return self.layout is None

    @cached_property
    def _projection(self) -> latent.Plane | latent.Embedding:
        code = self.model.codes.code
        if self.layout is not None:
            return latent.Embedding(code, self.layout)
        if self.dimensions is None and code.shape[1] > 2:
            return latent.principal_plane(code)
        return latent.dimensions_plane(code, *(self.dimensions or (0, 1)))

    def project(self, z: ArrayLike) -> Array:
        """Project latent points to the map, or to the place of the nearest code if it is no plane: (n, d) -> (n, 2)."""
        return self._projection.project(z)

    def lift(self, points: ArrayLike) -> Array:
        """Lift points of the map to latent space, or to the nearest code if it is no plane: (..., 2) -> (..., d)."""
        return self._projection.lift(points)

    def decode(self, points: ArrayLike) -> Array:
        """Decode points of the map: (n, 2) -> (n, h, w), the probability of white for each pixel."""
        return self.model.decode(self.lift(points))

    @cached_property
    def points(self) -> Array:
        """The test images' codes on the map, (n, 2)."""
        return self.project(self.model.codes.code)

    @cached_property
    def residuals(self) -> Array:
        """The codes' distances from the map's plane, (n,)."""
        code = self.model.codes.code.astype(np.float64)
        return np.linalg.norm(code - self.lift(self.points), axis=1)

    @property
    def min_side(self) -> float:
        """Minimum side of the window; an AE's space has no scale, and so no minimum."""
        return VAE_MIN_SIDE if self.model.name == "vae" else 0.0

    @cached_property
    def window(self) -> latent.Window:
        """The part of the plane that the map shows at first."""
        return latent.window(self.points, min_side=self.min_side)

    @cached_property
    def crowd(self) -> latent.Window:
        """Where most codes are: a square with `CROWD_SHARE` of them; the window, where that is hardly larger."""
        crowd = latent.crowd(self.points.astype(np.float64), CROWD_SHARE)
        return crowd if max(crowd.side, self.min_side) < self.window.side / MAX_WINDOW_TO_CROWD else self.window

    def share_in(self, window: latent.Window) -> float:
        """Return the share of the codes that lie in a window, in [0, 1]."""
        low = np.array([window.left, window.bottom])
        return float(((self.points >= low) & (self.points <= low + window.side)).all(axis=1).mean())

    @property
    def least_visible(self) -> float:
        """A distance that can hardly be told from none on the map."""
        return MIN_VISIBLE * self.window.side

    @cached_property
    def largest_empty_circle(self) -> latent.EmptyDisc:
        """The largest empty disc among the codes; see `latent.largest_empty_circle`."""
        return latent.largest_empty_circle(self.points, self.window)

    def typical_image(self, label: int) -> int | None:
        """Return the image of a class whose code is nearest to the median of the class' codes; None if it has none."""
        own = np.flatnonzero(self.model.codes.labels == label)
        if not len(own):
            return None
        codes = self.model.codes.code[own].astype(np.float64)
        return int(own[np.linalg.norm(codes - np.median(codes, axis=0), axis=1).argmin()])

    @property
    def variance_share(self) -> float:
        """The share of the codes' variance that lies in the plane, in [0, 1]."""
        assert isinstance(self._projection, latent.Plane)
        return self._projection.share

    @cached_property
    def axes(self) -> Axes:
        """The names and units of the coordinates, and where the prior's centre lies."""
        if not self.is_plane:
            return Axes(("t-SNE, first coordinate", "t-SNE, second coordinate"), ("no unit", "no unit"))
        x, y = self.project(np.zeros((1, self.model.latent_dim)))[0].tolist()
        return plane_axes(self.model.name, self.model.latent_dim, self.dimensions, (x, y))

    def outline(self, code: Array, std: Array | None) -> list[list[float]]:
        """Project the one-standard-deviation ellipse of a Gaussian to the map: mean (d,) and std (d,) -> n points.

        Empty without a std, and where the map is no plane.
        """
        if std is None or not isinstance(self._projection, latent.Plane):
            return []
        covariance = (self._projection.axes * std.astype(np.float64) ** 2) @ self._projection.axes.T
        outline: list[list[float]] = latent.ellipse(self.project([code])[0], covariance).tolist()
        return outline


def plane_axes(
    model_name: str, latent_dim: int, dimensions: tuple[int, int] | None, origin: tuple[float, float]
) -> Axes:
    """Return the names and units of a plane's coordinates.

    Args:
        model_name: `autoencoder`, whose space has no unit, or `vae`.
        latent_dim: of its codes.
        dimensions: which two of them the plane shows; None: the first two principal components, if there are more.
        origin: where code 0, the prior's centre, is projected to.
    """
    if dimensions is None and latent_dim > 2:
        names = ("principal component 1", "principal component 2")
    else:
        right, up = dimensions or (0, 1)
        names = (f"latent dimension {right + 1}", f"latent dimension {up + 1}")
    if model_name == "autoencoder":
        return Axes(names, ("arbitrary units", "arbitrary units"))
    # Shorter upwards: the map is less high than its title would be long.
    return Axes(names, ("standard deviations of the prior", "st. dev. of the prior"), prior=origin)


class MapPair(Pair[Map]):
    """The maps of an experiment's two models, side by side as on the page; one of them may be lacking."""

    @property
    def models(self) -> ModelPair:
        """Their models."""
        models = {map_.model.name: map_.model for map_ in self}
        return ModelPair(models.get("autoencoder"), models.get("vae"))
