"""The experiments: named settings, each for one autoencoder and one VAE.

A new experiment is one entry in `EXPERIMENTS`.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from training.layers import chain, shape_text

__all__ = ["DEFAULT", "EXPERIMENTS", "STRIDES", "Experiment", "differences"]

DEFAULT = "mnist-2d"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Settings of a fit: data, architecture, objective, schedule. The AE and the VAE differ in the bottleneck only.

    Raises:
        ValueError: a number out of its range, in one sentence.
    """

    name: str
    title: str
    dataset: str  # a key of `training.datasets.DATASETS`, or the name of an own one
    image_size: int = 28  # pixels a side; 14: the mean of each 2 x 2 block
    binarised: bool = False  # black and white from the start, cut at one half; else drawn afresh at each visit
    architecture: str = "mlp"  # or "convolutional"; "imported": fitted elsewhere, settings of the fit are not recorded
    latent_dim: int = 2
    hidden_layers: tuple[int, ...] = (512, 512, 512)  # widths, or filters, of the encoder; the decoder mirrors them
    activation: str = "gelu"
    beta: float = 1.0  # weight of the KL in the VAE's objective; 1 is the ELBO
    kl_warmup: float = 0.0  # epochs over which the KL's weight rises linearly from 0 to beta; 0: at once
    epochs: int = 240
    batch_size: int = 256
    learning_rate: float = 1.5e-3  # the peak of the one-cycle schedule
    rate_warmup: float = 0.2  # share of the run over which the learning rate rises to its peak; then it falls
    weight_decay: float = 1e-2
    seed: int = 0  # initial weights, order of the images, binarisation, reparametrisation noise
    # Of an imported network only, each as `training.layers.Layer.text`.
    encoder_layers: tuple[str, ...] = ()  # without the last, linear one, which gives the code, or mean and log-variance
    decoder_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise ValueError(f"name is {self.name!r}; it must be letters, digits, '-', '_' and '.': it names a folder")
        if len(self.name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"name has {len(self.name.encode())} bytes; a folder's name may have {MAX_NAME_BYTES}")
        if self.latent_dim == 1:
            raise ValueError("latent_dim is 1; it must be at least 2: the maps show two dimensions")
        for field in ("title", "dataset"):
            if not isinstance(getattr(self, field), str):
                raise ValueError(f"{field} is {getattr(self, field)!r}; it must be a text")
        for field, choices in _CHOICES.items():
            value = getattr(self, field)
            if not any(type(value) is type(each) and value == each for each in choices):  # 28.0 is not 28
                raise ValueError(f"{field} is {getattr(self, field)!r}; it must be one of {choices}")
        for field, (minimum, maximum) in _LIMITS.items():
            value, default = getattr(self, field), getattr(type(self), field)
            if type(value) not in ((int, float) if type(default) is float else (int,)):
                raise ValueError(f"{field} is {value!r}; it must be a number like {default}")
            if not minimum <= value <= maximum:
                raise ValueError(f"{field} is {value}; it must be {minimum:.10g} to {maximum:.10g}")
        widths = self.hidden_layers
        if self.architecture == "convolutional" and (len(widths) != len(STRIDES) or self.image_size != 28):
            raise ValueError(
                f"hidden_layers is {widths} for images of {self.image_size} x {self.image_size}; "
                f"a convolutional network has {len(STRIDES)} layers of filters, for 28 x 28"
            )
        if len(widths) > 32 or not all(type(width) is int and 1 <= width <= 65536 for width in widths):
            raise ValueError(f"hidden_layers is {widths}; it must be at most 32 whole numbers, each 1 to 65536")
        self._check_imported()

    def _check_imported(self) -> None:
        layers = (*self.encoder_layers, *self.decoder_layers)
        if not self.is_imported:
            if layers:
                raise ValueError(
                    f"layers are given one by one; this is for an imported network, not {self.architecture}"
                )
            return
        if len(layers) > MAX_LAYERS:
            raise ValueError(f"there are {len(layers)} layers; an imported network may have {MAX_LAYERS}")
        chain(self.encoder_layers, (self.image_size**2,))
        *_, end = chain(self.decoder_layers, (self.latent_dim,))
        if math.prod(end) != self.image_size**2:
            raise ValueError(f"the decoder ends in {shape_text(end)}; it must end in {self.image_size**2}")

    @property
    def is_imported(self) -> bool:
        """Whether its models were fitted elsewhere, and how is not recorded."""
        return self.architecture == "imported"

    @property
    def network(self) -> str:
        """The encoder's widths, as `784-512-512-512-2`, or its filters; of an imported one all shapes to the end."""
        if self.is_imported:
            encoder = chain(self.encoder_layers, (self.image_size**2,))
            return "-".join(map(shape_text, [*encoder, *chain(self.decoder_layers, (self.latent_dim,))]))
        widths = "-".join(str(width) for width in self.hidden_layers)
        if self.architecture == "convolutional":
            return f"{self.image_size} x {self.image_size}, convolutions {widths}, {self.latent_dim}"
        return "-".join(part for part in (str(self.image_size**2), widths, str(self.latent_dim)) if part)


MAX_NAME_BYTES = 255  # bytes: what the usual file systems take
MAX_LAYERS = 64  # of an imported network
STRIDES = (1, 2, 2, 1)  # of the convolutions, which are 3 x 3
# Bounds of an encoder's log-variances: standard deviations of 4.5e-5 to 7.4. For MNIST's images they are -12 to -2.
# Without the upper one an image in thousands runs away during a fit (a KL of 8.7e12 nats was seen: a spike in the
# curves, and a weight update spent on it), and what is far from all training images overflows.
LOG_VARIANCE_BOUNDS = (-20.0, 4.0)


def differences(
    one: Experiment, other: Experiment, *, ignoring: Collection[str] = ()
) -> dict[str, tuple[object, object]]:
    """Return the settings in which two experiments differ, by name, with both values.

    Args:
        one: its values come first.
        other: its values come second.
        ignoring: settings that may differ.
    """
    pairs = {name: (value, getattr(other, name)) for name, value in vars(one).items() if name not in ignoring}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


_CHOICES: dict[str, tuple[object, ...]] = {
    "image_size": (28, 14),
    "binarised": (False, True),
    "architecture": ("mlp", "convolutional", "imported"),
    "activation": ("gelu", "tanh", "relu", "leaky-relu", "elu", "silu"),
}
# Wide enough for any experiment on a laptop; what is beyond is a slip, or a forged checkpoint.
_LIMITS = {
    "latent_dim": (2, 1024),
    "beta": (0.0, 1e6),
    "kl_warmup": (0.0, 100_000.0),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "learning_rate": (1e-9, 1e3),
    "rate_warmup": (0.0, 1.0),
    "weight_decay": (0.0, 1e3),
    "seed": (0, 2**32 - 1),
}

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            name="mnist-2d",
            title="MNIST digits, 2 latent dimensions",
            dataset="mnist",
        ),
        Experiment(
            name="mnist-14px-8d",
            title="MNIST at 14 x 14, black and white, 8 latent dimensions",
            dataset="mnist",
            image_size=14,
            binarised=True,
            latent_dim=8,
            hidden_layers=(128,),
            activation="tanh",
            epochs=400,
            learning_rate=3e-3,
            weight_decay=1e-3,
        ),
        Experiment(
            name="mnist-32d",
            title="MNIST digits, 32 latent dimensions",
            dataset="mnist",
            latent_dim=32,
            hidden_layers=(512, 512),
            epochs=150,
        ),
        Experiment(
            name="mnist-conv-2d",
            title="MNIST digits, convolutions, 2 latent dimensions",
            dataset="mnist",
            architecture="convolutional",
            hidden_layers=(32, 64, 64, 64),
            epochs=15,
            learning_rate=2e-3,
        ),
        Experiment(
            name="fashion-mnist-2d",
            title="Fashion-MNIST clothes, 2 latent dimensions",
            dataset="fashion-mnist",
        ),
        Experiment(
            name="kmnist-2d",
            title="KMNIST characters, 2 latent dimensions",
            dataset="kmnist",
        ),
        Experiment(
            name="digits-2d",
            title="scikit-learn's small digits, 2 latent dimensions",
            dataset="digits",
            hidden_layers=(128, 128),
            # 1,200 images want small batches to get enough weight updates in a few seconds.
            epochs=60,
            batch_size=32,
        ),
    )
}
