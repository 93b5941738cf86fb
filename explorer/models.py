"""The AE and the VAE of an experiment: codes, map, decoder of each. Read-only; whoever opens them may share them."""

import atexit
import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer import figures, latent
from training.checkpoint import (
    MODEL_NAMES,
    Checkpoint,
    CheckpointError,
    Codes,
    Curve,
    Snapshots,
    check_pair,
    checkpoint_path,
)

if TYPE_CHECKING:
    from torch import Tensor

    from training.datasets import Split
    from training.models import Autoencoder

__all__ = ["Model", "ModelPair", "freeze_gc", "open_models"]

Array = NDArray[Any]

DECODE_BATCH = 128  # larger batches fall out of the CPU cache, and convolutions are slower
LIKELIHOOD_SAMPLES = 5  # posterior samples of each image; with fewer, the worst images would be the unlucky ones
TITLES = {"autoencoder": ("Autoencoder (AE)", "AE"), "vae": ("Variational autoencoder (VAE)", "VAE")}


@dataclass(eq=False)
class Model:
    """One model of an experiment: its codes, its map, its decoder. Read-only and shared by all sessions."""

    checkpoint: Checkpoint
    title: str  # as headings say it
    short: str  # as labels say it
    codes: Codes
    dimensions: tuple[int, int] | None  # dimensions on the map, from 0; None: both, or the principal plane
    embedding: Array | None = None  # (n, 2), the places of the codes on a map that is no plane: t-SNE

    @property
    def name(self) -> str:
        """`autoencoder` or `vae`."""
        return self.checkpoint.model

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it apart from all others that a server may meet."""
        return str(self.checkpoint.path), self.checkpoint.version, self.dimensions, self.embedding is not None

    @cached_property
    def plane(self) -> latent.Plane | latent.Embedding:
        """What the map shows of latent space."""
        return self.flat if self.embedding is None else latent.Embedding(self.codes.code, self.embedding)

    @cached_property
    def flat(self) -> latent.Plane:
        """What a map that must be a plane shows."""
        code = self.codes.code
        if self.dimensions is None and code.shape[1] > 2:
            return latent.principal_plane(code)
        return latent.dimensions_plane(code, *(self.dimensions or (0, 1)))

    @cached_property
    def points(self) -> Array:
        """The codes on the map, (n, 2)."""
        return self.plane.project(self.codes.code)

    @cached_property
    def window(self) -> latent.Window:
        """What the map shows at first."""
        return latent.window(self.points, least=self.least_side)

    @property
    def least_side(self) -> float:
        """Minimum side of the window. It keeps a collapsed posterior visibly collapsed instead of zooming in on noise:
        the prior's first circle fits in. An AE's space has no scale, and no minimum."""
        return 2.5 if self.name == "vae" else 0.0

    @cached_property
    def axes(self) -> figures.Axes:
        """What the map's coordinates are."""
        if self.embedding is not None:
            return figures.Axes("t-SNE, first coordinate (no unit)", "t-SNE, second coordinate (no unit)")
        scale = ["no fixed scale"] * 2 if self.name == "autoencoder" else ["standard deviations of the prior"] * 2
        if self.name == "vae":
            scale[1] = "st. dev. of the prior"  # the map is less high than wide, with its title
        if self.dimensions is None and self.codes.code.shape[1] > 2:
            names = ["principal component 1", "principal component 2"]
        else:
            names = [f"latent dimension {dimension + 1}" for dimension in self.dimensions or (0, 1)]
        x, y = (f"{name} ({unit})" for name, unit in zip(names, scale, strict=True))
        if self.name == "autoencoder":
            return figures.Axes(x, y)
        origin = self.flat.project(np.zeros((1, len(self.flat.centre))))[0].tolist()
        return figures.Axes(x, y, (origin[0], origin[1]))

    @cached_property
    def traversal_unit(self) -> Array:
        """The length of one standard deviation along each dimension, (d,): of the prior (VAE), of the codes (AE)."""
        code = self.codes.code
        return np.ones(code.shape[1]) if self.name == "vae" else code.std(axis=0, dtype=np.float64)

    def posterior_std(self, image: int) -> Array | None:
        """Standard deviations of q(z|x) of a test image, (d,); None for the AE, which has no q(z|x)."""
        return None if self.codes.std is None else self.codes.std[image]

    def outline(self, code: Array, std: Array | None) -> list[list[float]]:
        """Project the one-standard-deviation ellipse of a Gaussian to the map: mean (d,) and std (d,) -> n points.

        Empty without a std, and where the map is no plane.
        """
        if std is None or self.embedding is not None:
            return []
        covariance = (self.flat.axes * std.astype(np.float64) ** 2) @ self.flat.axes.T
        outline: list[list[float]] = latent.ellipse(self.flat.project([code])[0], covariance).tolist()
        return outline

    @cached_property
    def kl_of_dimensions(self) -> Array:
        """Mean KL of each latent dimension over the test images, (d,), in nats; of the VAE."""
        import torch

        from training.objective import kl_of_dimensions

        mean, log_variance = (torch.as_tensor(part) for part in (self.codes.code, self.codes.log_variance))
        return kl_of_dimensions(mean, log_variance).double().mean(0).numpy()

    @cached_property
    def history(self) -> dict[str, Curve]:
        return self.checkpoint.history()

    @cached_property
    def snapshots(self) -> Snapshots:
        return self.checkpoint.snapshots()

    @cached_property
    def neighbour_distances(self) -> Array:
        """See `latent.neighbour_distances`."""
        return latent.neighbour_distances(self.codes.code)

    @cached_property
    def _model(self) -> "Autoencoder":
        return _load_model(self.checkpoint.path, self.checkpoint.version)

    def decode(self, z: ArrayLike) -> Array:
        """Decodes of latent points: (n, d) -> (n, 28, 28), the probability of white for each pixel."""
        logits = self.logits(z)
        import torch

        return torch.from_numpy(logits).sigmoid().numpy()

    def logits(self, z: ArrayLike) -> Array:
        """The logits of those probabilities: (n, d) -> (n, 28, 28)."""
        model = self._model
        import torch

        def decoded(part: "Tensor") -> "Tensor":
            with torch.inference_mode():  # holds for the calling thread only
                return model.decode(part)

        parts = torch.as_tensor(np.asarray(z, np.float32)).split(DECODE_BATCH)
        if len(parts) > 1:
            return torch.cat(list(_workers().map(decoded, parts))).numpy()
        # A decode is short: two threads would wait for each other, spinning, longer than it takes, while the browser
        # has the other core. Said at each call, because the number holds for the calling thread only, and Streamlit
        # runs every click in a new one.
        torch.set_num_threads(1)
        return decoded(parts[0]).numpy()

    def reconstruct(self, grey: "Tensor") -> Array:
        """Decodes of images' own codes: (n, h, w) with pixels in [0, 1] -> (n, h, w)."""
        import torch

        with torch.inference_mode():
            return self.decode(self._model.code(grey).numpy())

    def encode(self, grey: "Tensor") -> tuple[Array, Array | None]:
        """Encode images; return their codes, and the standard deviations of q(z|x), None for the AE.

        (n, h, w) with pixels in [0, 1] -> (n, d) and (n, d).
        """
        model = self._model
        import torch

        from training.models import VariationalAutoencoder

        torch.set_num_threads(1)  # see `decode`
        with torch.inference_mode():
            if not isinstance(model, VariationalAutoencoder):
                return model.code(grey).numpy(), None
            mean, log_variance = model.encode(grey)
            return mean.numpy(), (log_variance / 2).exp().numpy()

    def terms(self, images: "Split") -> tuple[Array, Array | None]:
        """log p(x|z) of each image, by the VAE averaged over q(z|x), and its KL, which the AE lacks: (n,), in nats."""
        import torch

        from training.objective import evaluate_each

        torch.set_num_threads(1)  # see `decode`
        each = evaluate_each(self._model, images, samples=LIKELIHOOD_SAMPLES)
        return each.reconstruction.numpy(), None if each.kl is None else each.kl.numpy()


@dataclass(eq=False)
class ModelPair:
    """The AE and the VAE of an experiment, side by side as on the page."""

    ae: Model
    vae: Model

    def __iter__(self) -> Iterator[Model]:
        return iter((self.ae, self.vae))

    @property
    def folder(self) -> Path:
        """The experiment's folder."""
        return self.vae.checkpoint.path.parent

    @property
    def other_beta(self) -> float | None:
        """The beta of an additional VAE; None for the experiment's own."""
        vae = self.vae.checkpoint
        return None if vae.path == checkpoint_path(self.folder, "vae") else vae.experiment.beta

    @property
    def latent_dim(self) -> int:
        """The size of their latent spaces."""
        return self.vae.checkpoint.experiment.latent_dim

    @property
    def labels(self) -> Array:
        """The classes of the test images, (n,)."""
        return self.vae.codes.labels


def open_models(folder: Path, dimensions: tuple[int, int] | None = None, beta: float | None = None) -> ModelPair:
    """Open the models of an experiment's folder.

    Args:
        folder: holds their files.
        dimensions: the two latent dimensions that the maps show, from 0; None: the plane of the first two principal
            components, or, if there are but two dimensions, those.
        beta: of a additional VAE; None: the one with the experiment's own beta.

    Raises:
        CheckpointError: a file is missing or defective, or the two do not belong together.
    """
    pair = []
    for model in MODEL_NAMES:
        checkpoint = Checkpoint(checkpoint_path(folder, model, beta if model == "vae" else None))
        pair.append(Model(checkpoint, *TITLES[model], checkpoint.codes(), dimensions))
    ae, vae = pair
    check_pair(ae.checkpoint, vae.checkpoint)
    same_data = np.array_equal(ae.codes.labels, vae.codes.labels)
    # An additional VAE may have been fitted for a shorter time.
    same_steps = beta is not None or np.array_equal(ae.snapshots.update, vae.snapshots.update)
    if not same_data or not same_steps:
        raise CheckpointError(
            f"{ae.checkpoint.path} and {vae.checkpoint.path} were not fitted to the same data in the same steps; "
            f"fit both: python -m training fit {folder.name}"
        )
    return ModelPair(ae, vae)


@lru_cache
def _workers() -> ThreadPoolExecutor:
    """One single-threaded decode per core; faster than torch's intra-op threads here."""
    import torch

    return ThreadPoolExecutor(os.cpu_count(), "decoder", torch.set_num_threads, (1,))


@lru_cache(maxsize=32)  # a model that shows another plane has the same decoder
def _load_model(path: Path, version: int) -> "Autoencoder":
    import torch

    # Convolutions on a CPU are several times as fast in this order of memory.
    checkpoint = Checkpoint(path)
    if checkpoint.version != version:
        raise checkpoint.replaced()
    model = checkpoint.load_model().to(memory_format=torch.channels_last)
    freeze_gc()
    return model


def freeze_gc() -> None:
    """Take what lives now out of the garbage collector's sight; to be called after a large import.

    It leaves hundreds of thousands of objects behind for good, and each full collection would walk them, for 150 ms on
    two cores in which no click is answered. What becomes garbage later is still collected.
    """
    gc.collect()
    gc.freeze()


# Or the frozen objects are reported as leaks when the server stops.
atexit.register(gc.unfreeze)
