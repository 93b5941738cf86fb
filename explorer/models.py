"""The AE and the VAE of an experiment: codes, encoder, decoder of each. Read-only, so they can be shared."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer import latent
from explorer.classes import Classes
from explorer.memory import freeze_gc
from explorer.metrics import INACTIVE_KL
from explorer.pair import Pair
from training.array_file import MissingError
from training.checkpoint import (
    MODEL_NAMES,
    Checkpoint,
    CheckpointError,
    Codes,
    Curve,
    Snapshots,
    check_pair,
    checkpoint_path,
    how_to_complete,
)
from training.experiments import Experiment
from training.foreign import sentences

if TYPE_CHECKING:
    from torch import Tensor

    from training.datasets import Split
    from training.models import Autoencoder

__all__ = ["TITLES", "ElboTerms", "Model", "ModelPair", "open_models"]

Array = NDArray[Any]

DECODE_BATCH = 128  # larger batches fall out of the CPU cache, and convolutions are slower
LIKELIHOOD_SAMPLES = 5  # posterior samples of each image; with fewer, the worst images would be the unlucky ones
TITLES = {"autoencoder": ("Autoencoder (AE)", "AE"), "vae": ("Variational autoencoder (VAE)", "VAE")}


class ElboTerms(NamedTuple):
    """Of each of n images: log p(x|z), averaged over q(z|x) by the VAE; its KL, which the AE lacks; (n,), in nats."""

    reconstruction: Array
    kl: Array | None


@dataclass(eq=False)
class Model:
    """One model of an experiment: its codes, its encoder, its decoder. Read-only and shared by all sessions."""

    checkpoint: Checkpoint
    title: str  # as headings say it
    short: str  # as labels say it
    codes: Codes

    @property
    def name(self) -> str:
        """`autoencoder` or `vae`."""
        return self.checkpoint.model_name

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it apart from all others that a server may meet."""
        return str(self.checkpoint.path), self.checkpoint.version

    @property
    def latent_dim(self) -> int:
        """The size d of its latent space."""
        return self.checkpoint.experiment.latent_dim

    @cached_property
    def classes(self) -> Classes:
        """What the classes of its images are called."""
        return Classes(self.checkpoint.dataset.classes)

    @cached_property
    def traversal_unit(self) -> Array:
        """The length of one standard deviation along each dimension, (d,): of the prior (VAE), of the codes (AE)."""
        code = self.codes.code
        return np.ones(code.shape[1]) if self.name == "vae" else code.std(axis=0, dtype=np.float64)

    def posterior_std(self, image: int) -> Array | None:
        """Return the standard deviations of q(z|x) of a test image, (d,); None for the AE, which has no q(z|x)."""
        return None if self.codes.std is None else self.codes.std[image]

    @cached_property
    def kl_per_dimension(self) -> Array:
        """Mean KL of each latent dimension over the test images, (d,), in nats; of the VAE."""
        import torch

        from training.objective import kl_per_dimension

        mean, log_variance = (torch.as_tensor(part) for part in (self.codes.code, self.codes.log_variance))
        return kl_per_dimension(mean, log_variance).double().mean(0).numpy()

    @cached_property
    def history(self) -> dict[str, Curve]:
        return self.checkpoint.history()

    @cached_property
    def snapshots(self) -> Snapshots:
        return self.checkpoint.snapshots()

    @cached_property
    def kth_neighbour_distances(self) -> Array:
        """See `latent.kth_neighbour_distances`."""
        return latent.kth_neighbour_distances(self.codes.code)

    @cached_property
    def _network(self) -> "Autoencoder":
        return _load_network(self.checkpoint.path, self.checkpoint.version)

    def decode(self, z: ArrayLike) -> Array:
        """Decode latent points: (n, d) -> (n, h, w), the probability of white for each pixel."""
        logits = self.logits(z)
        import torch

        return torch.from_numpy(logits).sigmoid().numpy()

    def logits(self, z: ArrayLike) -> Array:
        """Decode latent points to the logits of the pixels: (n, d) -> (n, h, w)."""
        network = self._network
        import torch

        def decoded(part: "Tensor") -> "Tensor":
            with torch.inference_mode():  # holds for the calling thread only
                return network.decode(part)

        parts = torch.as_tensor(np.asarray(z, np.float32)).split(DECODE_BATCH)
        if len(parts) > 1:
            return torch.cat(list(_workers().map(decoded, parts))).numpy()
        # A decode is short: two threads would wait for each other, spinning, longer than it takes, while the browser
        # has the other core. Said at each call, because the number holds for the calling thread only, and Streamlit
        # runs every click in a new one.
        torch.set_num_threads(1)
        return decoded(parts[0]).numpy()

    def reconstruct(self, grey: "Tensor") -> Array:
        """Encode images and decode their codes: (n, h, w) with pixels in [0, 1] -> (n, h, w)."""
        import torch

        with torch.inference_mode():
            return self.decode(self._network.encode(grey).numpy())

    def encode_with_std(self, grey: "Tensor") -> tuple[Array, Array | None]:
        """Encode images; return their codes, and the standard deviations of q(z|x), None for the AE.

        (n, h, w) with pixels in [0, 1] -> (n, d) and (n, d).
        """
        network = self._network
        import torch

        from training.models import VariationalAutoencoder

        torch.set_num_threads(1)  # see `decode`
        with torch.inference_mode():
            if not isinstance(network, VariationalAutoencoder):
                return network.encode(grey).numpy(), None
            mean, log_variance = network.encode_posterior(grey)
            return mean.numpy(), (log_variance / 2).exp().numpy()

    def elbo_terms(self, images: "Split", progress: Callable[[float], None] = lambda share: None) -> ElboTerms:
        """Compute the terms of the ELBO of each image.

        Args:
            images: grey; see `training.objective.evaluate_per_image`.
            progress: called with the share of the work that is done, in [0, 1].
        """
        import torch

        from training.objective import evaluate_per_image

        torch.set_num_threads(1)  # see `decode`
        each = evaluate_per_image(self._network, images, samples=LIKELIHOOD_SAMPLES, progress=progress)
        return ElboTerms(each.reconstruction.numpy(), None if each.kl is None else each.kl.numpy())


class ModelPair(Pair[Model]):
    """The AE and the VAE of an experiment, side by side as on the page; one of them may be lacking."""

    def __init__(self, ae: Model | None, vae: Model | None) -> None:
        super().__init__(ae, vae)
        if ae is None or vae is None:
            self.lacking = how_to_complete(self.either.checkpoint)

    @property
    def experiment(self) -> Experiment:
        """What they have in common; beta is the VAE's."""
        return self.either.checkpoint.experiment

    @property
    def folder(self) -> Path:
        """The experiment's folder."""
        return self.either.checkpoint.path.parent

    @property
    def other_beta(self) -> float | None:
        """The beta of an additional VAE; None for the experiment's own, and without a VAE."""
        vae = self.find("vae")
        own = vae is None or vae.checkpoint.path == checkpoint_path(self.folder, "vae")
        return None if own else self.experiment.beta

    @property
    def latent_dim(self) -> int:
        """The size of their latent spaces."""
        return self.either.latent_dim

    @property
    def has_collapsed(self) -> bool:
        """Whether the VAE's posterior has: on average its codes tell next to nothing of the image."""
        vae = self.find("vae")
        return vae is not None and vae.checkpoint.test["kl"] < INACTIVE_KL * self.latent_dim

    @property
    def classes(self) -> Classes:
        """What the classes of their images are called."""
        return self.either.classes

    @property
    def labels(self) -> Array:
        """The classes of the test images, (n,)."""
        return self.either.codes.labels


def open_models(folder: Path, beta: float | None = None) -> ModelPair:
    """Open the models of an experiment's folder.

    Args:
        folder: holds their files.
        beta: of an additional VAE; None: the one with the experiment's own beta.

    Raises:
        CheckpointError: both files are missing, one is defective, or the two do not belong together.
    """
    found: dict[str, Model] = {}
    missing = []
    for model_name in MODEL_NAMES:
        try:
            checkpoint = Checkpoint(checkpoint_path(folder, model_name, beta if model_name == "vae" else None))
        except MissingError as error:
            missing.append(error)
            continue
        found[model_name] = Model(checkpoint, *TITLES[model_name], checkpoint.codes())
    if not found:
        if foreign := sentences(folder):
            raise CheckpointError(f"{folder} has no model that this program has written: {'; '.join(foreign)}")
        raise missing[0]
    ae, vae = (found.get(model_name) for model_name in MODEL_NAMES)
    if ae is None or vae is None:
        return ModelPair(ae, vae)
    check_pair(ae.checkpoint, vae.checkpoint)
    if not np.array_equal(ae.codes.labels, vae.codes.labels):
        raise CheckpointError(
            f"{ae.checkpoint.path} and {vae.checkpoint.path} were fitted to other data; "
            f"fit both: python -m training fit {folder.name}"
        )
    return ModelPair(ae, vae)


@lru_cache
def _workers() -> ThreadPoolExecutor:
    """Return threads, one decode per core; faster than torch's intra-op threads here."""
    import torch

    return ThreadPoolExecutor(os.cpu_count(), "decoder", torch.set_num_threads, (1,))


@lru_cache(maxsize=12)  # some megabytes each
def _load_network(path: Path, version: int) -> "Autoencoder":
    import torch

    checkpoint = Checkpoint(path)
    if checkpoint.version != version:
        raise checkpoint.replaced_error()
    # Convolutions on a CPU are several times as fast in this order of memory.
    network = checkpoint.load_network().to(memory_format=torch.channels_last)
    freeze_gc()
    return network
