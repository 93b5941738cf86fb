"""The command line: `python -m explorer measure EXPERIMENT`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from explorer.atlas import write_atlases
from explorer.classes import Classes
from explorer.evaluation import Evaluation, check_classifier, evaluate_pair, write_evaluation
from explorer.maps import Map
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
    """Compute the numbers of the Compare tab and the decodes under the mouse; write them beside the checkpoints."""
    from training.classifier import classifier_path, load_classifier

    folder = checkpoints / experiment
    try:
        for beta in (None, *other_betas(folder)):
            pair = open_models(folder, beta=beta)
            dataset = pair.vae.checkpoint.experiment.dataset
            classifier, _ = load_classifier(checkpoints, dataset)
            check_classifier(classifier, classifier_path(checkpoints, dataset), pair.vae)
            images = _test_images(pair) if pair.latent_dim == 2 else None
            shown_first = list(pair) if beta is None else []  # each takes room, and a second to make anew
            steps = len(shown_first) + (8 if pair.latent_dim > 2 else 6 if images is None else 7)
            with tqdm(total=steps, desc=experiment, dynamic_ncols=True) as bar:

                def progress(label: str, bar: tqdm = bar) -> None:
                    bar.set_postfix_str(label)
                    bar.update()

                evaluation = evaluate_pair(pair, classifier, progress, images)
                for model in shown_first:
                    progress(f"{model.name}: decodes")
                    write_atlases(Map(model))
            _print(evaluation, pair.classes, write_evaluation(folder, evaluation, beta))
    except CheckpointError as error:
        typer.echo(f"Error: {error}.", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"Error: could not write to {folder} ({error}); what stood there is unharmed.", err=True)
        raise typer.Exit(1) from error


def _print(evaluation: Evaluation, classes: Classes, path: Path) -> None:
    for model_name, values in evaluation.values.items():
        print(f"{model_name}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        shares = zip(classes.names, evaluation.overlap[model_name], strict=True)
        print("  overlap of the classes: " + ", ".join(f"{name} {share:.1%}" for name, share in shares))
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
    if data.id != pair.vae.checkpoint.dataset:
        typer.echo(f"The slack of the ELBO is left out: the test images in {folder} are others.", err=True)
        return None
    return data.test.images


if __name__ == "__main__":
    app()
