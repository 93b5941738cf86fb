"""The twins: an autoencoder and a variational autoencoder of the same architecture."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from training.datasets import IMAGE_SIZE
from training.experiments import Experiment

__all__ = ["MODELS", "Autoencoder", "VariationalAutoencoder", "build"]

PIXELS = IMAGE_SIZE**2


def _mlp(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.GELU()]
    return nn.Sequential(*layers[:-1])


class Autoencoder(nn.Module):
    r"""`z = f(x)`, `p(x|z) = Bernoulli(sigmoid(g(z)))` for each pixel.

    No prior over `z`, hence no `log p(x)` and no ELBO: only `log p(x|f(x))`.

    Args:
        latent_dim: size of the code.
        hidden_layers: widths of the encoder's hidden layers; the decoder mirrors them.
    """

    encoder_outputs = 1  # numbers the encoder gives for each latent dimension

    def __init__(self, latent_dim: int, hidden_layers: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = _mlp([PIXELS, *hidden_layers, self.encoder_outputs * latent_dim])
        self.decoder = _mlp([latent_dim, *reversed(hidden_layers), PIXELS])

    def code(self, images: Tensor) -> Tensor:
        """Where images land: float (n, 28, 28) with pixels in [0, 1] -> (n, latent_dim)."""
        return self.encoder(images.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """The logits of the pixels: (n, latent_dim) -> (n, 28, 28)."""
        return self.decoder(z).unflatten(1, (IMAGE_SIZE, IMAGE_SIZE))


class VariationalAutoencoder(Autoencoder):
    r"""`q(z|x) = N(mean(x), diag(exp(log_variance(x))))`, `p(z) = N(0, I)`, the autoencoder's decoder.

    Reference:
        Kingma and Welling 2013, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
    """

    encoder_outputs = 2

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (n, 28, 28) -> (n, latent_dim) and (n, latent_dim)."""
        mean, log_variance = super().code(images).chunk(2, dim=1)
        return mean, log_variance

    def code(self, images: Tensor) -> Tensor:
        """The posterior mean: (n, 28, 28) -> (n, latent_dim)."""
        return self.encode(images)[0]


MODELS: dict[str, type[Autoencoder]] = {"autoencoder": Autoencoder, "vae": VariationalAutoencoder}


def build(experiment: Experiment, model: str) -> Autoencoder:
    """A fresh model of an experiment, its initial weights drawn from the experiment's seed.

    Args:
        experiment: the recipe.
        model: a key of `MODELS`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        return MODELS[model](experiment.latent_dim, experiment.hidden_layers)
