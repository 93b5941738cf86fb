"""The experiments: named recipes, each fitted to one autoencoder and one VAE.

A new experiment is one entry in `EXPERIMENTS`.
"""

import re
from dataclasses import dataclass

__all__ = ["DEFAULT", "EXPERIMENTS", "Experiment"]

DEFAULT = "mnist-2d"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A recipe: data, architecture, objective, schedule. The twins share all of it but the bottleneck.

    Raises:
        ValueError: a number out of its range, in one sentence.
    """

    name: str
    title: str
    dataset: str  # a key of `training.datasets.DATASETS`
    latent_dim: int = 2
    hidden_layers: tuple[int, ...] = (512, 512, 512)  # of the encoder; the decoder mirrors them
    beta: float = 1.0  # weight of the KL in the VAE's objective; 1 is the ELBO
    epochs: int = 240
    batch_size: int = 256
    learning_rate: float = 1.5e-3  # the peak of the one-cycle schedule
    weight_decay: float = 1e-2
    seed: int = 0  # initial weights, order of the images, binarisation, reparametrisation noise

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise ValueError(f"name is {self.name!r}; it must be letters, digits, '-', '_' and '.': it names a folder")
        for field in ("title", "dataset"):
            if not isinstance(getattr(self, field), str):
                raise ValueError(f"{field} is {getattr(self, field)!r}; it must be a text")
        for field, (least, most) in _LIMITS.items():
            value, default = getattr(self, field), getattr(type(self), field)
            if type(value) not in ((int, float) if type(default) is float else (int,)):
                raise ValueError(f"{field} is {value!r}; it must be a number like {default}")
            if not least <= value <= most:
                raise ValueError(f"{field} is {value}; it must be {least:g} to {most:g}")
        widths = self.hidden_layers
        if len(widths) > 32 or not all(type(width) is int and 1 <= width <= 65536 for width in widths):
            raise ValueError(f"hidden_layers is {widths}; it must be at most 32 whole numbers, each 1 to 65536")

    @property
    def network(self) -> str:
        """The encoder's widths: `784-512-512-512-2`."""
        return "-".join(str(width) for width in (784, *self.hidden_layers, self.latent_dim))


# Wide enough for any experiment on a laptop; what is beyond is a slip, or a forged checkpoint.
_LIMITS = {
    "latent_dim": (1, 1024),
    "beta": (0.0, 1e6),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "learning_rate": (1e-9, 1e3),
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
