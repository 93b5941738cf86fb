"""The command line: `python -m explorer measure EXPERIMENT`."""

from typing import Annotated

import typer
from tqdm import tqdm

from explorer.measuring import Measured, measure
from explorer.text import percent
from training.__main__ import CHECKPOINTS_DIR, CheckpointsDir
from training.array_file import CheckpointError
from training.experiments import DEFAULT

BAR = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}{postfix}"

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
    """Compute the numbers of the Compare tab and the decodes under the mouse; write them beside the checkpoints.

    Where no classifier reads the experiment's images yet, one is fitted first.
    """
    from training.datasets import DataError

    folder = checkpoints / experiment
    try:
        with tqdm(total=1, desc=experiment, dynamic_ncols=True, bar_format=BAR) as bar:

            def progress(share: float, label: str) -> None:
                bar.set_postfix_str(label)
                bar.update(share - bar.n)

            found = measure(folder, progress)
            bar.update(1 - bar.n)
    except (CheckpointError, DataError) as error:
        typer.echo(f"Error: {error}.", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"Error: could not write to {folder} ({error}); what stood there is unharmed.", err=True)
        raise typer.Exit(1) from error
    for each in found:
        if each.lacking:
            typer.echo(each.lacking, err=True)
        _print(each)


def _print(measured: Measured) -> None:
    for model_name, values in measured.evaluation.values.items():
        print(f"{model_name}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        shares = zip(measured.pair.classes.names, measured.evaluation.overlap[model_name], strict=True)
        print("  overlap of the classes: " + ", ".join(f"{name} {percent(share)}" for name, share in shares))
    print(measured.path)


if __name__ == "__main__":
    app()
