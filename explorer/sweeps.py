"""What the tables of sweeps say, as numbers: the study of latent sizes, and the plane of rate and distortion."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from explorer.metrics import INACTIVE_KL
from training.sweep_table import Point, Row, SweepTable, Terms

__all__ = ["Group", "LatentSize", "groups", "latent_sizes", "settings_that_differ"]


class LatentSize(NamedTuple):
    """What both models reach at one latent size."""

    latent_dim: int
    training: dict[str, Terms]  # by model
    test: dict[str, Terms]
    active: int  # dimensions that the VAE uses


@dataclass(frozen=True)
class Group:
    """VAEs of a sweep that differ in the seed only."""

    rows: tuple[Row, ...]

    @property
    def point(self) -> Point:
        """Return the settings of the first one."""
        return self.rows[0].point

    @property
    def mean(self) -> Terms:
        """Return their means on the test images, in nats per image."""
        return Terms(fmean(row.test.reconstruction for row in self.rows), fmean(row.test.kl for row in self.rows))


def latent_sizes(table: SweepTable) -> list[LatentSize]:
    """Return the latent sizes at which both models were fitted with all else as the sweep's experiment has it."""
    sizes = []
    own = table.experiment
    for latent_dim in sorted({row.point.latent_dim for row in table.rows}):
        rows = {
            row.point.model_name: row
            for row in table.rows
            if row.point[1:] == (latent_dim, own.hidden_layers, own.beta, own.seed)
        }
        if len(rows) == 2:
            training = {name: row.training for name, row in rows.items()}
            test = {name: row.test for name, row in rows.items()}
            active = sum(kl >= INACTIVE_KL for kl in rows["vae"].kl_of_dimensions)
            sizes.append(LatentSize(latent_dim, training, test, active))
    return sizes


def groups(table: SweepTable) -> list[Group]:
    """Return the VAEs of a sweep, grouped by all but the seed, in the order of their settings."""
    found: dict[Point, list[Row]] = {}
    for row in table.rows:
        if row.point.model_name == "vae":
            found.setdefault(row.point._replace(seed=0), []).append(row)
    return [Group(tuple(found[point])) for point in sorted(found)]


def settings_that_differ(points: Iterable[Point]) -> list[str]:
    """Return which of `beta`, `latent_dim` and `hidden_layers` are not the same everywhere; beta, if all are."""
    points = list(points)
    names = ("beta", "latent_dim", "hidden_layers")
    return [name for name in names if len({getattr(point, name) for point in points}) > 1] or ["beta"]
