"""The command line: `python -m training list | add | fit | import-weights | evaluate | classifier | sweep`."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from training import folders
from training.array_file import MissingError, file_version
from training.checkpoint import (
    ADDITIONAL_MAY_DIFFER,
    MODEL_NAMES,
    PAIR_MAY_DIFFER,
    Checkpoint,
    CheckpointError,
    check_pair,
    checkpoint_path,
    experiment_names,
    how_to_complete,
    misnamed,
    other_betas,
)
from training.cores import usable_cores
from training.experiments import DEFAULT, EXPERIMENTS, Experiment, differences
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE
from training.foreign import sentences
from training.live import GO_ON, control_path, unfinished_path
from training.sweep import SWEEPS, sweep_of
from training.sweep_table import sweep_name, table_path

if TYPE_CHECKING:  # torch takes seconds, and `--help` and `list` need none of it
    import torch

    from training.datasets import Data

T = TypeVar("T")
DATA_DIR, CHECKPOINTS_DIR = folders.data_dir(), folders.checkpoints_dir()

app = typer.Typer(
    help="Fit an autoencoder and a variational autoencoder to handwritten digits, and report what they reach.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Which(StrEnum):
    """What can be fitted."""

    BOTH = "both"
    AUTOENCODER = "autoencoder"
    VAE = "vae"


ExperimentArgument = Annotated[
    str, typer.Argument(help=f"One of: {', '.join(EXPERIMENTS)}.", show_default=False, metavar="EXPERIMENT")
]
DataDir = Annotated[
    Path,
    typer.Option(
        help="Folder that holds, or will hold, the images.",
        envvar=DATA_VARIABLE,
        show_default="data/ in this project",
    ),
]
CheckpointsDir = Annotated[
    Path,
    typer.Option(
        "--checkpoints",
        envvar=CHECKPOINTS_VARIABLE,
        help="Folder of the checkpoints, one folder an experiment.",
        show_default="checkpoints/ in this project",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps; auto takes the fastest there is.")]


@app.command("list")
def list_experiments(checkpoints: CheckpointsDir = CHECKPOINTS_DIR) -> None:
    """Show the experiments, and what their fitted models reach on the test images (nats per image)."""
    for name in [*EXPERIMENTS, *(name for name in experiment_names(checkpoints) if name not in EXPERIMENTS)]:
        if experiment := EXPERIMENTS.get(name):
            print(f"{name}: {experiment.title}; {experiment.network}, {experiment.epochs} epochs")
        else:
            print(f"{name}: made here")
        there, missing = [], []
        for path in _paths(checkpoints / name):
            try:
                there.append(Checkpoint(path))
                print(f"  {path.stem}: {_line(there[-1].test)}")
            except MissingError:
                missing.append(path.stem)
            except CheckpointError as error:
                print(f"  {path.stem}: {error}")
        for sentence in _do_not_belong(there):
            print(f"  {sentence}")
        for model_name in missing:
            print(f"  {model_name}: {how_to_complete(there[0]) if there else 'not there yet'}")
        for sentence in sentences(checkpoints / name):
            print(f"  {sentence}")
    for sentence in sentences(checkpoints):
        print(sentence)
    for name in misnamed(checkpoints):
        print(f"{name}: left out, its name is not UTF-8; rename the folder")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the data set is to be called.", show_default=False)],
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder or zip of pictures (a folder a class), .npz, CSV, or files as MNIST's.", show_default=False
        ),
    ],
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Make black of white.", show_default="if the background is light"),
    ] = None,
    transpose: Annotated[
        bool | None,
        typer.Option("--transpose/--no-transpose", help="Exchange rows and columns.", show_default="EMNIST's only"),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the data set of this name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is found, write nothing.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Make a data set of your own images, for `fit --dataset NAME`. Says what it finds, and draws a contact sheet."""
    from tqdm import tqdm

    from training.datasets import DATASETS
    from training.imports import AddError, contact_sheet_path, may_replace, read, save
    from training.own_dataset import dataset_path

    try:
        Experiment(name=name, title=name, dataset=name)  # its name follows the same rule
    except ValueError as error:
        raise _error_exit(f"{error}") from error
    if name in DATASETS:
        raise _error_exit(f"{name} is a data set that comes along; take another name")
    target, sheet = dataset_path(data_dir, name), contact_sheet_path(data_dir, name)
    try:
        imported = read(
            path,
            invert=invert,
            transpose=transpose,
            progress=lambda pictures: tqdm(pictures, unit="picture", leave=False, dynamic_ncols=True),
        )
    except AddError as error:
        raise _error_exit(f"{error}") from error
    for sentence in imported.sentences:
        print(sentence)
    for conversion, asked, option in (("inverted", invert, "--no-invert"), ("transposed", transpose, "--no-transpose")):
        if imported.dataset.conversion[conversion] and asked is None:
            print(f"not to be {conversion}? Then say {option}")
    try:
        if not (replace or may_replace(target, imported.dataset)):
            raise _error_exit(f"{target} is there already; take another name, or replace it with --replace")
        if dry_run:
            print("nothing was written")
            return
        save(imported.dataset, data_dir, name)
    except OSError as error:
        raise _error_exit(f"could not write to {data_dir} ({error}); what stood there is unharmed") from error
    print(f"{target} is written; examples of each class: {sheet}")
    print(f"fit it: python -m training fit {DEFAULT} --dataset {name} --name {name}-2d")


def _setting_option(text: str) -> typer.models.OptionInfo:
    return typer.Option(help=text, show_default="the experiment's")


@app.command()
def fit(
    experiment_name: ExperimentArgument = DEFAULT,
    model: Annotated[Which, typer.Option(help="Which of the two models to fit.")] = Which.BOTH,
    name: Annotated[
        str | None,
        typer.Option(help="Save under another name, beside the shipped experiment.", show_default="EXPERIMENT"),
    ] = None,
    dataset: Annotated[str | None, _setting_option("Fit to another data set; needs --name.")] = None,
    latent_dim: Annotated[int | None, _setting_option("Size of the latent space.")] = None,
    hidden_layers: Annotated[
        str | None, _setting_option("Widths of the encoder's hidden layers, as 512-256; the decoder mirrors them.")
    ] = None,
    epochs: Annotated[int | None, _setting_option("Passes over the training images.")] = None,
    batch_size: Annotated[int | None, _setting_option("Images a weight update.")] = None,
    learning_rate: Annotated[float | None, _setting_option("Peak of the one-cycle schedule.")] = None,
    rate_warmup: Annotated[
        float | None, _setting_option("Share of the run over which the learning rate rises to its peak, 0 to 1.")
    ] = None,
    beta: Annotated[float | None, _setting_option("Weight of the KL in the VAE's objective; 1 is the ELBO.")] = None,
    kl_warmup: Annotated[
        float | None, _setting_option("Epochs over which the KL's weight rises from 0 to beta; 0: at once.")
    ] = None,
    seed: Annotated[int | None, _setting_option("Of initial weights, order, binarisation and noise.")] = None,
    device: Device = "auto",
    data_dir: DataDir = DATA_DIR,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="Go on with an unfinished run, or discard it.",
            show_default="stop if there is one",
        ),
    ] = None,
    settings: Annotated[Path | None, typer.Option(hidden=True, help="The job of a worker, which gives all.")] = None,
) -> None:
    """Fit the models of an experiment and write their checkpoints. Ctrl-C saves; --resume goes on.

    Both are fitted at the same time, each with its share of the cores; on a GPU one after the other.

    With another beta than the experiment's and no name: one more VAE beside the experiment's own.
    """
    shipped = _settings_of_worker(settings) if settings else EXPERIMENTS.get(experiment_name)
    own = _settings_of_own(checkpoints / experiment_name) if shipped is None else None
    shipped = shipped or own
    if shipped is None:
        raise _error_exit(f"unknown experiment {experiment_name!r}; there are {', '.join(EXPERIMENTS)}")
    overrides: dict[str, Any] = {
        "name": name,
        "dataset": dataset,
        "latent_dim": latent_dim,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "rate_warmup": rate_warmup,
        "beta": beta,
        "kl_warmup": kl_warmup,
        "seed": seed,
    }
    try:
        if hidden_layers is not None:
            overrides["hidden_layers"] = _widths(hidden_layers)
        experiment = dataclasses.replace(
            shipped, **{key: value for key, value in overrides.items() if value is not None}
        )
        if experiment.dataset != shipped.dataset:
            title = f"{experiment.dataset}, {experiment.latent_dim} latent dimensions"
            experiment = dataclasses.replace(experiment, title=title)
    except ValueError as error:
        raise _error_exit(f"{error}") from error
    if experiment.dataset != shipped.dataset and experiment.name == shipped.name:
        raise _error_exit(f"--dataset {dataset} makes another experiment of {shipped.name}; give it a --name")

    from training import datasets
    from training.fit import Discarded, FitError, Interrupted
    from training.fit import fit as fit_model
    from training.side_by_side import fit_side_by_side

    folder = checkpoints / experiment.name
    is_additional = name is None and experiment.beta != shipped.beta
    if is_additional and model is Which.AUTOENCODER:
        raise _error_exit(f"--beta {experiment.beta:g} was given for the autoencoder, which has none; give --model vae")
    model_names = ("vae",) if is_additional else MODEL_NAMES if model is Which.BOTH else (model.value,)
    is_refit = own is not None and experiment.name == own.name and not is_additional
    if is_refit and any(_held(checkpoint_path(folder, each)) for each in model_names):
        raise _error_exit(
            f"{experiment.name} was made here, and is not fitted anew; another --beta fits one more VAE beside it, "
            "another --name another experiment, --model one that is missing"
        )
    for path in (checkpoint_path(folder, each, experiment.beta if is_additional else None) for each in model_names):
        if resume is None and file_version(unfinished_path(path)):
            raise _error_exit(
                f"{unfinished_path(path)} is of an unfinished run; {GO_ON}, or begin again with --no-resume"
            )
        if _held(path) not in (None, experiment):
            raise _error_exit(
                f"{path} was fitted with other settings, and would be replaced; "
                "give the new one a --name, or delete the old one"
            )
    _check_neighbours(folder, experiment, model_names, is_additional)
    try:
        data = _images(experiment, data_dir)
        where = _device(device)
        if not settings:  # what an earlier run was told is nothing to this one
            for each in model_names:
                control_path(checkpoint_path(folder, each, experiment.beta if is_additional else None)).unlink(
                    missing_ok=True
                )
        if len(model_names) > 1 and where.type == "cpu" and usable_cores() > 1:
            for path in fit_side_by_side(experiment, data_dir, folder, resume=bool(resume)):
                print(f"{path}: {_line(Checkpoint(path).test)}")
            return
        for each in model_names:
            try:
                path = fit_model(
                    experiment, each, data, folder, device=where, resume=bool(resume), is_additional=is_additional
                )
            except Discarded as error:
                print(error)
            else:
                print(f"{path}: {_line(Checkpoint(path).test)}")
    except Interrupted as error:
        print(error)
        raise typer.Exit(130) from error
    except (datasets.DataError, FitError, CheckpointError) as error:
        raise _error_exit(f"{error}") from error
    except OSError as error:
        raise _error_exit(f"could not write to {folder} ({error}); what stood there is unharmed; {GO_ON}") from error


@app.command("import-weights")
def import_weights(
    name: Annotated[str, typer.Argument(help="What the experiment is to be called.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="The state dict, a safetensors file.", show_default=False)],
    encoder: Annotated[
        str,
        typer.Option(
            help="Its layers or their prefix, as fc1,fc2 or encoder. A convolution's stride, padding and output "
            "padding follow its name, as conv1:2:1.",
            show_default=False,
        ),
    ],
    decoder: Annotated[
        str, typer.Option(help="The same of the decoder, which ends in the logits of 784 pixels.", show_default=False)
    ],
    mean: Annotated[str | None, typer.Option(help="The layer that gives the posterior mean; of a VAE.")] = None,
    log_variance: Annotated[
        str | None,
        typer.Option(
            help="The layer that gives log sigma^2; of a VAE. The mean's name: the second half of its outputs."
        ),
    ] = None,
    activation: Annotated[
        str, typer.Option(help="After each layer but the last of either half: relu, leaky-relu, tanh, gelu, elu, silu.")
    ] = "relu",
    dataset: Annotated[str, typer.Option(help="What the network was fitted to.")] = "mnist",
    device: Device = "auto",
    data_dir: DataDir = DATA_DIR,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
) -> None:
    """Make an experiment of weights that were fitted elsewhere, evaluated on the test images; no curves, no film.

    With --mean and --log-variance a VAE, else an AE. Both can be in one experiment if only the bottleneck differs.
    """
    from training import datasets
    from training.fit import FitError
    from training.weights import WeightsError, read_weights, write_weights

    if name in EXPERIMENTS:
        raise _error_exit(f"{name} is an experiment that comes along; take another name")
    folder = checkpoints / name
    try:
        imported = read_weights(
            file,
            name=name,
            encoder=encoder,
            decoder=decoder,
            mean=mean,
            log_variance=log_variance,
            activation=activation,
            dataset=dataset,
        )
        path = checkpoint_path(folder, imported.model_name)
        if path.exists():
            raise _error_exit(f"{path} is there already; take another name, or delete it")
        for each in (checkpoint_path(folder, model_name) for model_name in MODEL_NAMES):
            if file_version(unfinished_path(each)):
                raise _error_exit(f"{unfinished_path(each)} is of an unfinished run; finish it, or take another name")
        _check_neighbours(folder, imported.experiment, (imported.model_name,), is_additional=False)
        data = _images(imported.experiment, data_dir, to_fit=False)
        write_weights(imported, data, path, _device(device))
        print(f"{path}: {_line(Checkpoint(path).test)}")
    except (WeightsError, ValueError, datasets.DataError, FitError, CheckpointError) as error:
        raise _error_exit(f"{error}") from error
    except OSError as error:
        raise _error_exit(f"could not write to {folder} ({error}); what stood there is unharmed") from error
    if not all(checkpoint_path(folder, model_name).exists() for model_name in MODEL_NAMES):
        print(how_to_complete(Checkpoint(path)))


@app.command()
def evaluate(
    experiment_name: ExperimentArgument = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    device: Device = "auto",
    data_dir: DataDir = DATA_DIR,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
) -> None:
    """Compute the test metrics of a fitted experiment again, from its checkpoints and the test images."""
    from training import datasets
    from training.fit import as_dict
    from training.objective import EVALUATION_SAMPLES, EVALUATION_SEED
    from training.objective import evaluate as evaluate_model

    try:
        paths = _paths(checkpoints / experiment_name)
        there = [Checkpoint(path) for path in [path for path in paths if path.exists()] or paths]
        for sentence in _do_not_belong(there):
            raise CheckpointError(sentence)
        test = _images(there[0].experiment, data_dir, to_fit=False).test
        where = _device(device)
        results = {
            checkpoint.path.stem: as_dict(evaluate_model(checkpoint.load_network().to(where), test.to(where)))
            for checkpoint in sorted(there, key=lambda each: each.model_name == "autoencoder")
        }
    except (datasets.DataError, CheckpointError) as error:
        raise _error_exit(f"{error}") from error
    if as_json:
        print(json.dumps({"experiment": experiment_name, "seed": EVALUATION_SEED, "images": len(test)} | results))
        return
    print(f"{experiment_name}, {len(test)} test images, binarised with seed {EVALUATION_SEED}, nats per image")
    print(f"(a VAE's figures average {EVALUATION_SAMPLES} posterior samples of each image)")
    for model_name, result in results.items():
        print(f"  {model_name}: {_line(result)}")


@app.command()
def classifier(
    dataset: Annotated[str, typer.Argument(help="One of: mnist, fashion-mnist, kmnist, digits.")] = "mnist",
    data_dir: DataDir = DATA_DIR,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
) -> None:
    """Fit the classifier that reads what the decoders make of a dataset."""
    from training import datasets
    from training.classifier import classifier_path, fit_classifier

    path = classifier_path(checkpoints, dataset)
    try:
        data = datasets.load(dataset, data_dir)
        datasets.check_splits(dataset, data, data_dir)
        test = fit_classifier(dataset, data, path)
    except datasets.DataError as error:
        raise _error_exit(f"{error}") from error
    except OSError as error:
        raise _error_exit(f"could not write {path} ({error}); what stood there is unharmed") from error
    print(f"{path}: reads of the test images " + ", ".join(f"{form} {share:.2%}" for form, share in test.items()))


@app.command("sweep")
def sweep_settings(
    name: Annotated[
        str,
        typer.Argument(
            help=f"An experiment, or a sweep that has a name: {', '.join(SWEEPS)}.",
            show_default=False,
            metavar="EXPERIMENT",
        ),
    ],
    beta: Annotated[str | None, _setting_option("Betas of the VAEs, as 0.1,1,5.")] = None,
    latent_dim: Annotated[str | None, _setting_option("Sizes of the latent space, as 2,8,32.")] = None,
    seed: Annotated[str | None, _setting_option("Seeds, as 0,1,2.")] = None,
    hidden_layers: Annotated[str | None, _setting_option("Widths, as 512-256,400.")] = None,
    epochs: Annotated[int | None, _setting_option("Passes over the training images.")] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Address of your own Dask scheduler, as tcp://HOST:8786.", show_default="this machine"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the models, too: they are experiments of the app.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
    checkpoints: CheckpointsDir = CHECKPOINTS_DIR,
) -> None:
    """Fit both models at every combination of settings, a process a core, and write one table of what they reach.

    What is in the table is left alone. Ctrl-C saves; the same command goes on.
    """
    known = SWEEPS.get(name) or (sweep_of(name, EXPERIMENTS[name]) if name in EXPERIMENTS else None)
    if known is None:
        raise _error_exit(f"unknown experiment {name!r}; there are {', '.join([*EXPERIMENTS, *SWEEPS])}")
    try:
        base = known.experiment
        if epochs is not None and epochs != base.epochs:
            base = dataclasses.replace(base, epochs=epochs, name=sweep_name(base.name, epochs))
            known = dataclasses.replace(known, name=sweep_name(known.name, epochs), experiment=base)
        grid = dataclasses.replace(
            known,
            betas=_values("--beta", beta, float, "numbers", "0.1,1,5") or known.betas,
            latent_dims=_values("--latent-dim", latent_dim, int, "whole numbers", "2,8,32") or known.latent_dims,
            seeds=_values("--seed", seed, int, "whole numbers", "0,1,2") or known.seeds,
            hidden_layers=_values("--hidden-layers", hidden_layers, _widths, "widths", "512-256,400")
            or known.hidden_layers,
        )
    except ValueError as error:
        raise _error_exit(f"{error}") from error

    from training import datasets
    from training.cluster import SweepError, fit_sweep
    from training.fit import Interrupted

    path = table_path(checkpoints, grid.name)
    try:
        failures = fit_sweep(grid, _images(grid.experiment, data_dir), checkpoints, address=cluster, keep=keep)
    except Interrupted as error:
        print(error)
        raise typer.Exit(130) from error
    except (datasets.DataError, SweepError, CheckpointError) as error:
        raise _error_exit(f"{error}") from error
    except OSError as error:
        raise _error_exit(f"could not write {path} ({error}); what stood there is unharmed") from error
    for failure in failures:
        typer.echo(f"failed: {failure}", err=True)
    if failures:
        raise _error_exit(f"{len(failures)} of {len(grid.points())} models failed; the same command tries them again")
    print(path)


def _values(option: str, text: str | None, value: Callable[[str], T], kind: str, example: str) -> tuple[T, ...]:
    """Read values with commas between them; none, if nothing was given."""
    if text is None:
        return ()
    try:
        return tuple(dict.fromkeys(value(part) for part in text.split(",")))
    except ValueError as error:
        raise ValueError(f"{option} is {text!r}; it must be {kind} with commas between them, as {example}") from error


def _widths(text: str) -> tuple[int, ...]:
    return tuple(int(width) for width in text.split("-"))


def _paths(folder: Path) -> list[Path]:
    """Return the files of an experiment's models: the AE, the VAE, the VAEs with other betas."""
    own = [checkpoint_path(folder, model_name) for model_name in MODEL_NAMES]
    return own + [checkpoint_path(folder, "vae", beta) for beta in other_betas(folder)]


def _do_not_belong(there: Sequence[Checkpoint]) -> Iterator[str]:
    """Say of the models in an experiment's folder which do not belong together, a sentence each."""
    for autoencoder in (each for each in there if each.model_name == "autoencoder"):
        for vae in (each for each in there if each.model_name == "vae"):
            try:
                check_pair(autoencoder, vae)
            except CheckpointError as error:
                yield str(error)


def _images(experiment: Experiment, data_dir: Path, *, to_fit: bool = True) -> "Data":
    from training.datasets import check_splits, load

    data = load(experiment.dataset, data_dir, image_size=experiment.image_size, binarised=experiment.binarised)
    if to_fit:
        check_splits(experiment.dataset, data, data_dir)
    return data


def _held(path: Path) -> Experiment | None:
    """Return the settings of a checkpoint; None if it is missing or defective: there is nothing to keep."""
    try:
        return Checkpoint(path).experiment
    except CheckpointError:
        return None


def _check_neighbours(folder: Path, experiment: Experiment, model_names: Sequence[str], is_additional: bool) -> None:
    """Stop where a model of the folder that is not to be fitted now does not belong to those that are."""
    written = {
        checkpoint_path(folder, model_name, experiment.beta if is_additional else None) for model_name in model_names
    }
    for path in _paths(folder):
        if path in written:
            continue
        if (neighbour := _held(path)) is None:  # there is nothing to belong to
            continue
        additional = is_additional or "-beta-" in path.stem
        may_differ = ADDITIONAL_MAY_DIFFER if additional else PAIR_MAY_DIFFER
        if found := differences(neighbour, experiment, ignoring=may_differ):
            settings = ", ".join(f"{name} {there}, not {new}" for name, (there, new) in found.items())
            raise _error_exit(
                f"{path} stands there with {settings}, and the new model would not belong to it; "
                "use the same settings, or give the new models a --name"
            )


def _settings_of_own(folder: Path) -> Experiment | None:
    """Return the settings of an experiment that was fitted here; None: there is none, or it was fitted elsewhere."""
    found = _held(checkpoint_path(folder, "vae")) or _held(checkpoint_path(folder, "autoencoder"))
    return dataclasses.replace(found, name=folder.name) if found and not found.is_imported else None


def _settings_of_worker(path: Path) -> Experiment:
    from training.workers import read_job

    try:
        return read_job(path.parent)
    except CheckpointError as error:
        raise _error_exit(f"{error}") from error


def _line(test: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in test.items())


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise _error_exit(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try auto or cpu"
        ) from error
    return torch.device(name)


def _error_exit(message: str) -> typer.Exit:
    typer.echo(f"Error: {message}.", err=True)
    return typer.Exit(1)


if __name__ == "__main__":
    app()
