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
        for field in ("latent_dim", "epochs", "batch_size", "learning_rate"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be greater than 0")
        for field in ("beta", "weight_decay", "seed"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be 0 or greater")
        if any(width <= 0 for width in self.hidden_layers):
            raise ValueError(f"hidden_layers is {self.hidden_layers}; each width must be greater than 0")


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
