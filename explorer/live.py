"""A fit as it goes: the model as it stands, its codes on a plane, decodes of what its map shows."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer import atlas, latent
from explorer.atlas import Atlas
from explorer.cache import cached
from explorer.figures import Axes
from explorer.maps import plane_axes
from training.live import LiveFit

if TYPE_CHECKING:
    from training.models import Autoencoder

__all__ = ["LiveModel", "open_live"]

Array = NDArray[Any]

PRIOR_SIDE = 6.0  # of a VAE's map at least: the prior's three circles, in which one sees a posterior collapse
ATLAS_SIDE = 24  # decodes along each side: coarser than of a finished model, for there is a new one each second


@dataclass(eq=False)
class LiveModel:
    """One model of a fit, as it stands. Read-only and shared by all sessions that watch."""

    file: LiveFit

    @property
    def name(self) -> str:
        """`autoencoder` or `vae`."""
        return self.file.model_name

    @cached_property
    def labels(self) -> Array:
        """The classes of the validation images whose codes are shown, (m,)."""
        return self.file.codes().labels

    @cached_property
    def _code(self) -> Array:
        return self.file.codes().code.astype(np.float64)

    @cached_property
    def _plane(self) -> latent.Plane:
        if self._code.shape[1] > 2:
            return latent.principal_plane(self._code)
        return latent.dimensions_plane(self._code, 0, 1)

    @cached_property
    def points(self) -> Array:
        """The codes on the map, (m, 2)."""
        return self._plane.project(self._code)

    @cached_property
    def axes(self) -> Axes:
        """The names and units of the map's coordinates, and where the prior's centre lies."""
        latent_dim = self._code.shape[1]
        x, y = self._plane.project(np.zeros((1, latent_dim)))[0].tolist()
        return plane_axes(self.name, latent_dim, None, (x, y))

    def window(self, before: latent.Window | None) -> latent.Window:
        """Return what the map shows, after what it showed; see `latent.steady_window`."""
        return latent.steady_window(before, self.points, 0.0 if self.name == "autoencoder" else PRIOR_SIDE)

    @cached_property
    def _network(self) -> "Autoencoder":
        return self.file.load_network()

    def decode(self, points: ArrayLike) -> Array:
        """Decode points of the map: (n, 2) -> (n, h, w), the probability of white for each pixel."""
        import torch

        torch.set_num_threads(1)  # the fits have the cores
        with torch.inference_mode():
            z = torch.as_tensor(self._plane.lift(points), dtype=torch.float32)
            return self._network.decode(z).sigmoid().numpy()

    def atlas(self, window: latent.Window) -> Atlas:
        """Decode a window for the lens."""
        decodes = self.decode(latent.nodes(window, ATLAS_SIDE))
        return Atlas(ATLAS_SIDE, atlas.pack(decodes.reshape(ATLAS_SIDE, ATLAS_SIDE, *decodes.shape[1:])))


@cached()
def open_live(path: Path) -> LiveModel:
    """Open the file of a fit in progress, each version of it once for all sessions; raises as `LiveFit`."""
    return LiveModel(LiveFit(path))
