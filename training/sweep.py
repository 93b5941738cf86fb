"""Sweeps: one experiment fitted at every combination of some settings.

A new named sweep is one entry in `SWEEPS`. Any experiment of `training.experiments` can be swept; see
`training.cluster`, which does it.
"""

import dataclasses
from dataclasses import dataclass
from itertools import product

from training.experiments import EXPERIMENTS, Experiment
from training.sweep_table import Point

__all__ = ["BETAS", "LATENT_SIZES", "STUDY", "SWEEPS", "Sweep", "sweep_of"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A grid of fits.

    Raises:
        ValueError: a number out of its range, in one sentence.
    """

    name: str  # of its table
    experiment: Experiment  # what all fits have in common
    latent_dims: tuple[int, ...]
    hidden_layers: tuple[tuple[int, ...], ...]
    betas: tuple[float, ...]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        for point in self.points():
            point.of(self.experiment)

    def points(self) -> list[Point]:
        """Return the models to be fitted: a VAE for each beta, beside one AE, which has no KL to weigh."""
        points = []
        for latent_dim, widths, seed in product(self.latent_dims, self.hidden_layers, self.seeds):
            points.append(Point("autoencoder", latent_dim, widths, self.experiment.beta, seed))
            points += [Point("vae", latent_dim, widths, beta, seed) for beta in self.betas]
        return list(dict.fromkeys(points))


def sweep_of(name: str, experiment: Experiment) -> Sweep:
    """Return the sweep of one point: the experiment itself."""
    return Sweep(
        name=name,
        experiment=experiment,
        latent_dims=(experiment.latent_dim,),
        hidden_layers=(experiment.hidden_layers,),
        betas=(experiment.beta,),
        seeds=(experiment.seed,),
    )


STUDY = dataclasses.replace(EXPERIMENTS["mnist-32d"], name="latent-sizes", epochs=40)
LATENT_SIZES = dataclasses.replace(sweep_of("latent-sizes", STUDY), latent_dims=(2, 4, 8, 16, 32))
BETAS = dataclasses.replace(sweep_of("betas", EXPERIMENTS["mnist-2d"]), betas=(0.1, 0.5, 1.0, 2.0, 5.0, 40.0))
SWEEPS = {sweep.name: sweep for sweep in (LATENT_SIZES, BETAS)}
