"""The latent-size sweep: one network fitted at several latent sizes. Numbers are kept, weights are not."""

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from training.array_file import write_atomically
from training.checkpoint import MODEL_NAMES, Checkpoint, CheckpointError
from training.experiments import EXPERIMENTS, Experiment

if TYPE_CHECKING:  # torch takes seconds to import; reading the numbers does without
    import torch

    from training.datasets import Data

__all__ = ["LATENT_SIZES", "SWEEP_EXPERIMENT", "SweepPoint", "read_sweep", "sweep", "sweep_path"]

LATENT_SIZES = (2, 4, 8, 16, 32)
SWEEP_EXPERIMENT = dataclasses.replace(EXPERIMENTS["mnist-32d"], epochs=40)


class SweepPoint(NamedTuple):
    """What both models reach at one latent size, in nats per image."""

    latent_dim: int
    training: dict[str, dict[str, float]]  # by model, then by term: `reconstruction`, for the VAE `kl` and `elbo`
    test: dict[str, dict[str, float]]
    kl_of_dimensions: list[float]  # the VAE's KL per dimension, mean over the test images; named so in the file


def sweep_path(checkpoints: Path) -> Path:
    """Return the file of the numbers."""
    return checkpoints / "latent-sizes.json"


def sweep(
    experiment: Experiment,
    latent_sizes: tuple[int, ...],
    data: "Data",
    work: Path,
    path: Path,
    *,
    device: "torch.device",
) -> list[SweepPoint]:
    """Fit an experiment at several latent sizes, and write what both models reach on training and test images.

    What was already fitted with the same settings is left alone, and an unfinished fit is gone on with.

    Args:
        experiment: everything but the latent size.
        latent_sizes: one fit of both models each.
        data: the images.
        work: folder for the fitted models; may be deleted afterwards.
        path: the file of the numbers.
        device: where to compute.

    Raises:
        FitError, Interrupted, OSError: as `training.fit.fit`.
    """
    import torch

    from training.fit import as_dict, fit
    from training.objective import evaluate, kl_per_dimension

    points = []
    for latent_dim in latent_sizes:
        each = dataclasses.replace(experiment, name=f"{experiment.dataset}-{latent_dim}d", latent_dim=latent_dim)
        opened = {
            model_name: Checkpoint(fit(each, model_name, data, work / each.name, device=device, resume=True))
            for model_name in MODEL_NAMES
        }
        codes = opened["vae"].codes()
        assert codes.log_variance is not None
        kl = kl_per_dimension(torch.from_numpy(codes.code), torch.from_numpy(codes.log_variance)).mean(0)
        train = data.train.to(device)
        training = {
            model_name: as_dict(evaluate(checkpoint.load_network().to(device), train))
            for model_name, checkpoint in opened.items()
        }
        test = {model_name: checkpoint.test for model_name, checkpoint in opened.items()}
        points.append(SweepPoint(latent_dim, training, test, kl.tolist()))
    content = {"experiment": dataclasses.asdict(experiment), "sizes": [point._asdict() for point in points]}
    write_atomically(path, json.dumps(content, indent=1).encode())
    return points


def read_sweep(path: Path) -> list[SweepPoint]:
    """Read the numbers of a sweep.

    Raises:
        CheckpointError: missing or not written by `sweep`.
    """
    advice = "restore it, or compute it: python -m training study"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; {advice}")
    try:
        return [_sweep_point(fields) for fields in json.loads(path.read_bytes())["sizes"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error!r:.200}); {advice}") from error


def _sweep_point(fields: dict[str, Any]) -> SweepPoint:
    training, test = (
        {
            model_name: {term: float(value) for term, value in fields[split][model_name].items()}
            for model_name in MODEL_NAMES
        }
        for split in ("training", "test")
    )
    point = SweepPoint(
        int(fields["latent_dim"]), training, test, [float(value) for value in fields["kl_of_dimensions"]]
    )
    for terms in (point.training, point.test):
        values = [terms["autoencoder"]["reconstruction"], *(terms["vae"][t] for t in ("reconstruction", "kl", "elbo"))]
        if not all(math.isfinite(value) for value in [*values, *point.kl_of_dimensions]):
            raise ValueError("a value is not a finite number")
    return point
