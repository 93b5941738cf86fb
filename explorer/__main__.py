"""The command line: `python -m explorer measure EXPERIMENT`."""

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from explorer.measures import measure, write_measures
from explorer.twins import open_twins
from training import folders
from training.array_file import CheckpointError
from training.experiments import DEFAULT
from training.folders import CHECKPOINTS_VARIABLE

CHECKPOINTS_DIR = folders.checkpoints_dir()

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Measure latent spaces."""


@app.command("measure")
def measure_experiment(
    experiment: Annotated[
        str, typer.Argument(help="A folder in the checkpoints.", metavar="EXPERIMENT", show_default=False)
    ] = DEFAULT,
    checkpoints: Annotated[
        Path,
        typer.Option(
            "--checkpoints",
            envvar=CHECKPOINTS_VARIABLE,
            help="Folder of the checkpoints, one folder an experiment.",
            show_default="checkpoints/ in this project",
        ),
    ] = CHECKPOINTS_DIR,
) -> None:
    """Compute the numbers of the Compare tab, and write them beside the experiment's checkpoints."""
    from training.classifier import load_classifier

    folder = checkpoints / experiment
    try:
        twins = open_twins(folder)
        classifier, _ = load_classifier(checkpoints, twins.vae.checkpoint.experiment.dataset)
        with tqdm(total=8 if twins.latent_dim > 2 else 6, desc=experiment, dynamic_ncols=True) as bar:

            def told(next_thing: str) -> None:
                bar.set_postfix_str(next_thing)
                bar.update()

            measures = measure(twins, classifier, told)
        path = write_measures(folder, measures)
    except CheckpointError as error:
        typer.echo(f"Error: {error}.", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"Error: could not write to {folder} ({error}); what stood there is unharmed.", err=True)
        raise typer.Exit(1) from error
    for model, values in measures.values.items():
        print(f"{model}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        print("  overlap of the digits 0 to 9: " + ", ".join(f"{share:.1%}" for share in measures.overlap[model]))
    print(path)


if __name__ == "__main__":
    app()
