r"""The objectives: what a fit maximises, in nats per image.

VAE: `E_q[log p(x|z)] - beta KL(q(z|x) || N(0, I))`; with beta = 1 that is the ELBO, a lower bound of `log p(x)`.
AE: `log p(x|f(x))`, the reconstruction term alone.

Reference:
    Kingma and Welling 2013, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
    Higgins et al. 2017, beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from training.datasets import Split, binarise
from training.models import Autoencoder, VariationalAutoencoder

__all__ = [
    "EVALUATION_SAMPLES",
    "EVALUATION_SEED",
    "ElboTerms",
    "bernoulli_log_likelihood",
    "elbo_terms",
    "evaluate",
    "evaluate_per_image",
    "gaussian_kl",
    "kl_per_dimension",
    "reparametrise",
]

EVALUATION_SEED = 0  # binarises the images for reported metrics, and draws their posterior samples
EVALUATION_SAMPLES = 10  # posterior samples per image, for reported metrics


class ElboTerms(NamedTuple):
    """The two terms of the ELBO; `kl` is None for an autoencoder, which has none."""

    reconstruction: Tensor
    kl: Tensor | None

    @property
    def elbo(self) -> Tensor | None:
        """`reconstruction - kl`, or None without a prior."""
        return None if self.kl is None else self.reconstruction - self.kl


def bernoulli_log_likelihood(logits: Tensor, images: Tensor) -> Tensor:
    """Compute `log p(x|z)`, summed over pixels, in nats.

    Args:
        logits: (n, h, w).
        images: (n, h, w), zeros and ones.

    Returns:
        (n,), at most 0.
    """
    return -F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)


def kl_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Compute `KL(N(mean_i, exp(log_variance_i)) || N(0, 1)) = 1/2 (mean_i^2 + s_i^2 - 1 - log s_i^2)` in nats.

    s_i^2 is the variance, `exp(log_variance_i)`.

    Appendix B of Kingma and Welling 2013, before its sum. (n, d) and (n, d) -> (n, d), at least 0.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Compute `KL(N(mean, diag(exp(log_variance))) || N(0, I))`: `kl_per_dimension` summed, -> (n,)."""
    return kl_per_dimension(mean, log_variance).sum(1)


def reparametrise(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Sample N(mean, diag(exp(log_variance))) so that gradients flow: (n, d) -> (n, d)."""
    noise = torch.randn(mean.shape, generator=generator, device=generator.device, dtype=mean.dtype)
    return mean + (0.5 * log_variance).exp() * noise.to(mean.device)


def elbo_terms(network: Autoencoder, images: Tensor, generator: torch.Generator) -> ElboTerms:
    """Compute both terms for each image, with one posterior sample (VAE) or at the code (AE).

    Args:
        network: of either model.
        images: (n, h, w), zeros and ones.
        generator: draws the posterior sample.

    Returns:
        tensors of shape (n,), in nats.
    """
    if isinstance(network, VariationalAutoencoder):
        mean, log_variance = network.encode_posterior(images)
        logits = network.decode(reparametrise(mean, log_variance, generator))
        return ElboTerms(bernoulli_log_likelihood(logits, images), gaussian_kl(mean, log_variance))
    return ElboTerms(bernoulli_log_likelihood(network.decode(network.encode(images)), images), None)


@torch.no_grad()
def evaluate_per_image(
    network: Autoencoder,
    split: Split,
    *,
    samples: int = EVALUATION_SAMPLES,
    batch_size: int = 2500,
    progress: Callable[[float], None] = lambda share: None,
) -> ElboTerms:
    """Compute both terms for each image of a split, binarised once with `EVALUATION_SEED`.

    Args:
        network: of either model, in evaluation mode, on the split's device.
        split: grey images; they are binarised here.
        samples: posterior samples an image (VAE), over which the reconstruction is averaged.
        batch_size: images at a time; bounds the memory.
        progress: called with the share of the work that is done, in [0, 1].

    Returns:
        tensors of shape (n,) and type float64 on the CPU, in nats.
    """
    generator = torch.Generator().manual_seed(EVALUATION_SEED)  # on the CPU: the same draws on every device
    images = binarise(split.images, generator)
    variational = isinstance(network, VariationalAutoencoder)
    reconstruction, kl = [], []
    for start, batch in zip(range(0, len(images), batch_size), images.split(batch_size), strict=True):
        progress(start / len(images))
        parts = [elbo_terms(network, batch, generator) for _ in range(samples if variational else 1)]
        reconstruction.append(torch.stack([part.reconstruction for part in parts]).cpu().double().mean(dim=0))
        if parts[0].kl is not None:
            kl.append(parts[0].kl.cpu().double())  # in closed form: the same for every sample
    return ElboTerms(torch.cat(reconstruction), torch.cat(kl) if variational else None)


def evaluate(
    network: Autoencoder, split: Split, *, samples: int = EVALUATION_SAMPLES, batch_size: int = 2500
) -> ElboTerms:
    """Compute the mean of both terms over a split; see `evaluate_per_image`.

    Returns:
        scalars, in nats per image.
    """
    each = evaluate_per_image(network, split, samples=samples, batch_size=batch_size)
    return ElboTerms(each.reconstruction.mean(), None if each.kl is None else each.kl.mean())
