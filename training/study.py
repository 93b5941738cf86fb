"""What more latent dimensions buy: one network fitted at several latent sizes. Numbers are kept, weights are not."""

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

__all__ = ["LATENT_SIZES", "RECIPE", "Size", "read_study", "study", "study_path"]

LATENT_SIZES = (2, 4, 8, 16, 32)
RECIPE = dataclasses.replace(EXPERIMENTS["mnist-32d"], epochs=40)


class Size(NamedTuple):
    """What both models reach at one latent size, in nats per image."""

    latent_dim: int
    training: dict[str, dict[str, float]]  # by model, then by term: `reconstruction`, for the VAE `kl` and `elbo`
    test: dict[str, dict[str, float]]
    kl_of_dimensions: list[float]  # of the VAE, mean over the test images


def study_path(checkpoints: Path) -> Path:
    """The file of the numbers."""
    return checkpoints / "latent-sizes.json"


def study(
    recipe: Experiment, latent_sizes: tuple[int, ...], data: "Data", work: Path, path: Path, *, device: "torch.device"
) -> list[Size]:
    """Fit a recipe at several latent sizes, and write what both models reach on training and test images.

    What was already fitted with the same settings is left alone, and an unfinished fit is gone on with.

    Args:
        recipe: everything but the latent size.
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
    from training.objective import evaluate, kl_of_dimensions

    sizes = []
    for latent_dim in latent_sizes:
        each = dataclasses.replace(recipe, name=f"{recipe.dataset}-{latent_dim}d", latent_dim=latent_dim)
        opened = {
            model: Checkpoint(fit(each, model, data, work / each.name, device=device, resume=True))
            for model in MODEL_NAMES
        }
        codes = opened["vae"].codes()
        assert codes.log_variance is not None
        kl = kl_of_dimensions(torch.from_numpy(codes.code), torch.from_numpy(codes.log_variance)).mean(0)
        train = data.train.to(device)
        training = {
            model: as_dict(evaluate(checkpoint.load_model().to(device), train)) for model, checkpoint in opened.items()
        }
        test = {model: checkpoint.test for model, checkpoint in opened.items()}
        sizes.append(Size(latent_dim, training, test, kl.tolist()))
    told = {"experiment": dataclasses.asdict(recipe), "sizes": [size._asdict() for size in sizes]}
    write_atomically(path, json.dumps(told, indent=1).encode())
    return sizes


def read_study(path: Path) -> list[Size]:
    """The numbers of a study.

    Raises:
        CheckpointError: missing or not written by `study`.
    """
    advice = "restore it, or compute it: python -m training study"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; {advice}")
    try:
        return [_size(fields) for fields in json.loads(path.read_bytes())["sizes"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error!r:.200}); {advice}") from error


def _size(fields: dict[str, Any]) -> Size:
    training, test = (
        {model: {term: float(value) for term, value in fields[split][model].items()} for model in MODEL_NAMES}
        for split in ("training", "test")
    )
    size = Size(int(fields["latent_dim"]), training, test, [float(value) for value in fields["kl_of_dimensions"]])
    for terms in (size.training, size.test):
        values = [terms["autoencoder"]["reconstruction"], *(terms["vae"][t] for t in ("reconstruction", "kl", "elbo"))]
        if not all(math.isfinite(value) for value in [*values, *size.kl_of_dimensions]):
            raise ValueError("a value is not a finite number")
    return size
