"""The command line: `python -m explorer measure EXPERIMENT`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from tqdm import tqdm

from explorer.evaluation import Evaluation, evaluate_pair, write_evaluation
from explorer.models import ModelPair, open_models
from training import folders
from training.__main__ import CHECKPOINTS_DIR, CheckpointsDir
from training.array_file import CheckpointError
from training.checkpoint import other_betas
from training.experiments import DEFAULT

if TYPE_CHECKING:
    from torch import Tensor

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Measure latent spaces."""


@app.command("measure")
def measure_experiment(
    experiment: Annotated[
        str, typer.Argument(help="A folder in the checkpoints.", metavar="EXPERIMENT", show_default=False)
    ] = DEFAULT,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
) -> None:
    """Compute the numbers of the Compare tab, and write them beside the experiment's checkpoints."""
    from training.classifier import load_classifier

    folder = checkpoints / experiment
    try:
        for beta in (None, *other_betas(folder)):
            pair = open_models(folder, beta=beta)
            classifier, _ = load_classifier(checkpoints, pair.vae.checkpoint.experiment.dataset)
            images = _test_images(pair) if pair.latent_dim == 2 else None
            steps = 8 if pair.latent_dim > 2 else 6 if images is None else 7
            with tqdm(total=steps, desc=experiment, dynamic_ncols=True) as bar:

                def progress(label: str, bar: tqdm = bar) -> None:
                    bar.set_postfix_str(label)
                    bar.update()

                evaluation = evaluate_pair(pair, classifier, progress, images)
            _print(evaluation, write_evaluation(folder, evaluation, beta))
    except CheckpointError as error:
        typer.echo(f"Error: {error}.", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"Error: could not write to {folder} ({error}); what stood there is unharmed.", err=True)
        raise typer.Exit(1) from error


def _print(evaluation: Evaluation, path: Path) -> None:
    for model_name, values in evaluation.values.items():
        print(f"{model_name}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        print(
            "  overlap of the digits 0 to 9: " + ", ".join(f"{share:.1%}" for share in evaluation.overlap[model_name])
        )
    print(path)


def _test_images(pair: ModelPair) -> "Tensor | None":
    """Load the test images that the models were evaluated on; None, and a sentence, where they are not at hand."""
    from training.datasets import DataError, load

    experiment = pair.vae.checkpoint.experiment
    folder = folders.data_dir()
    try:
        data = load(
            experiment.dataset, folder, image_size=experiment.image_size, binarised=experiment.binarised, download=False
        )
    except DataError as error:
        typer.echo(f"The slack of the ELBO is left out: it needs the test images, and {error}.", err=True)
        return None
    if not np.array_equal(data.test.labels.numpy(), pair.labels):
        typer.echo(f"The slack of the ELBO is left out: the test images in {folder} are others.", err=True)
        return None
    return data.test.images


if __name__ == "__main__":
    app()
