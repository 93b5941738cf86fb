"""The models: an autoencoder and a variational autoencoder of the same architecture."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from training.experiments import LOG_VARIANCE_BOUNDS, STRIDES, Experiment
from training.layers import Layer, Shape, chain, read_layer

__all__ = ["MODELS", "Autoencoder", "VariationalAutoencoder", "build"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
}


# Whether the processor multiplies numbers of 16 bits in half the time that it takes for 32.
HAS_BFLOAT16 = bool(torch.cpu.get_capabilities().get("avx512_bf16") or torch.cpu.get_capabilities().get("amx_bf16"))
WIDE = 128  # features on both sides, below which the conversion costs what it spares


class _HalfPrecision(torch.autograd.Function):
    """`x W^T + b`, and its gradient, with factors of 16 bits whose products are summed in 32.

    What `torch.autocast` does, in two thirds of the time: the gradient of W is computed as W lies in memory.
    """

    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Compute `x W^T + b`: (n, inputs), (outputs, inputs), (outputs,) -> (n, outputs), all float32."""
        halves = inputs.bfloat16(), weight.bfloat16()
        context.save_for_backward(*halves)
        return (halves[0] @ halves[1].t()).float().add_(bias)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Compute, from (n, outputs), the gradients of inputs, weight and bias."""
        inputs, weight = context.saved_tensors
        half = gradient.bfloat16()
        towards_inputs = (half @ weight).float() if context.needs_input_grad[0] else None
        return towards_inputs, (half.t() @ inputs).float(), gradient.sum(0)


class _Linear(nn.Linear):
    """A linear layer that, wide and while it is fitted, multiplies bfloat16 where the processor is faster at that.

    Weights stay in 32 bits, and so does a latent space, whose layers are narrow.
    Micikevicius et al. 2017, Mixed precision training, https://arxiv.org/abs/1710.03740
    """

    def forward(self, inputs: Tensor) -> Tensor:
        is_wide = min(self.in_features, self.out_features) >= WIDE
        is_single = inputs.is_cpu and inputs.dtype == torch.float32
        if not (HAS_BFLOAT16 and self.training and is_wide and is_single):
            return super().forward(inputs)
        return _HalfPrecision.apply(inputs, self.weight, self.bias)


def _mlp(widths: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [_Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


def _module(layer: Layer) -> nn.Module:
    if layer.kind == "linear":
        return nn.Linear(layer.inputs, layer.outputs)
    sizes = layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding
    return nn.Conv2d(*sizes) if layer.kind == "convolution" else nn.ConvTranspose2d(*sizes, layer.output_padding)


def _stack(layers: Sequence[Layer], shape: Shape, activation: type[nn.Module]) -> nn.Sequential:
    """Build layers with an activation after each but the last; the result is flat: (n, ...) -> (n, outputs)."""
    modules: list[nn.Module] = []
    for layer in layers:
        taken, given = layer.shapes(shape)
        if taken != shape:
            modules.append(nn.Flatten() if len(taken) == 1 else nn.Unflatten(1, taken))
        modules += [_module(layer), activation()]
        shape = given
    return nn.Sequential(*modules[:-1], nn.Flatten())


def _imported(experiment: Experiment, outputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    activation, size = ACTIVATIONS[experiment.activation], experiment.image_size
    *_, features = chain(experiment.encoder_layers, (size**2,))
    head = Layer("linear", math.prod(features), outputs)
    encoder = _stack([*map(read_layer, experiment.encoder_layers), head], (size**2,), activation)
    decoder = _stack([*map(read_layer, experiment.decoder_layers)], (experiment.latent_dim,), activation)
    return encoder, decoder.append(nn.Unflatten(1, (size, size)))


def _networks(experiment: Experiment, outputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Build the encoder, (n, h * w) -> (n, outputs), and the decoder, mirrored, (n, latent_dim) -> (n, h, w)."""
    if experiment.is_imported:
        return _imported(experiment, outputs)
    activation, size = ACTIVATIONS[experiment.activation], experiment.image_size
    if experiment.architecture == "mlp":
        widths = [size**2, *experiment.hidden_layers]
        encoder = _mlp([*widths, outputs], activation)
        decoder = _mlp([experiment.latent_dim, *reversed(widths)], activation)
        return encoder, decoder.append(nn.Unflatten(1, (size, size)))
    filters = [1, *experiment.hidden_layers]
    down: list[nn.Module] = [nn.Unflatten(1, (1, size, size))]
    up: list[nn.Module] = []
    for fan_in, fan_out, stride in zip(filters, filters[1:], STRIDES, strict=False):
        down += [nn.Conv2d(fan_in, fan_out, 3, stride, padding=1), nn.BatchNorm2d(fan_out), activation()]
        back = nn.ConvTranspose2d(fan_out, fan_in, 3, stride, padding=1, output_padding=stride - 1)
        # The last layer gives logits: no batch norm, no activation.
        up = [back, *([nn.BatchNorm2d(fan_in), activation()] if fan_in > 1 else []), *up]
    side = size // math.prod(STRIDES)
    features = filters[-1] * side**2
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(features, outputs))
    decoder = nn.Sequential(nn.Linear(experiment.latent_dim, features), nn.Unflatten(1, (filters[-1], side, side)), *up)
    return encoder, decoder.append(nn.Flatten(1, 2))


class Autoencoder(nn.Module):
    r"""`z = f(x)`, `p(x|z) = Bernoulli(sigmoid(g(z)))` for each pixel.

    No prior over `z`, hence no `log p(x)` and no ELBO: only `log p(x|f(x))`.

    Args:
        experiment: gives the architecture, image size (h = w) and latent size.
    """

    encoder_outputs = 1  # numbers the encoder gives for each latent dimension

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.latent_dim = experiment.latent_dim
        self.encoder, self.decoder = _networks(experiment, self.encoder_outputs * experiment.latent_dim)

    def encode(self, images: Tensor) -> Tensor:
        """Encode images to their codes: float (n, h, w) with pixels in [0, 1] -> (n, latent_dim)."""
        return self.encoder(images.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """Decode to the logits of the pixels: (n, latent_dim) -> (n, h, w)."""
        return self.decoder(z)


class VariationalAutoencoder(Autoencoder):
    r"""`q(z|x) = N(mean(x), diag(exp(log_variance(x))))`, `p(z) = N(0, I)`, the autoencoder's decoder.

    Reference:
        Kingma and Welling 2013, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
    """

    encoder_outputs = 2

    def encode_posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and bounded log-variance of q(z|x): (n, h, w) -> twice (n, latent_dim)."""
        mean, log_variance = super().encode(images).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_BOUNDS)

    def encode(self, images: Tensor) -> Tensor:
        """Return the posterior mean: (n, h, w) -> (n, latent_dim)."""
        return self.encode_posterior(images)[0]


MODELS: dict[str, type[Autoencoder]] = {"autoencoder": Autoencoder, "vae": VariationalAutoencoder}


def build(experiment: Experiment, model_name: str) -> Autoencoder:
    """Build the untrained network of a model, its initial weights drawn from the experiment's seed.

    Args:
        experiment: its settings.
        model_name: a key of `MODELS`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        return MODELS[model_name](experiment)
