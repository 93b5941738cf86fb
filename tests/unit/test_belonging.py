"""Models that do not belong together, names that are none, files that go away: one sentence, and the rest goes on."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.models import open_models
from tests.conftest import Arrays, hide, rewrite, run_command
from training.__main__ import app
from training.checkpoint import MODEL_NAMES, Checkpoint, CheckpointError, checkpoint_path, experiment_names, other_betas
from training.datasets import Data
from training.experiments import DEFAULT, EXPERIMENTS, Experiment, differences
from training.folders import checkpoints_dir

CHANGES: dict[str, Any] = {
    "dataset": "mnist",
    "binarised": True,
    "activation": "tanh",
    "epochs": 5,
    "batch_size": 33,
    "learning_rate": 1e-4,
    "weight_decay": 0.5,
    "seed": 7,
}


@pytest.mark.parametrize("name", CHANGES)
def test_models_of_other_settings_are_not_paired(name: str, checkpoints: Path) -> None:
    vae = checkpoint_path(checkpoints / "digits-2d", "vae")

    def change(arrays: Arrays, settings: dict[str, Any]) -> None:
        settings["experiment"][name] = CHANGES[name]

    rewrite(vae, change)
    with pytest.raises(CheckpointError, match=rf"vae.safetensors do not belong together \({name} "):
        open_models(checkpoints / "digits-2d")


def test_every_shipped_pair_belongs_together() -> None:
    for name in experiment_names(checkpoints_dir()):
        for beta in (None, *other_betas(checkpoints_dir() / name)):
            open_models(checkpoints_dir() / name, beta=beta)


def test_differences_are_all_that_differ(experiment: Experiment) -> None:
    assert differences(experiment, experiment) == {}
    other = replace(experiment, seed=3, beta=2.0)
    assert differences(experiment, other) == {"beta": (1.0, 2.0), "seed": (0, 3)}
    assert differences(experiment, other, ignoring=("beta",)) == {"seed": (0, 3)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--beta", "4", "--latent-dim", "8"], "latent_dim 2, not 8"),
        (["--beta", "4", "--seed", "1"], "seed 0, not 1"),
        (["--model", "vae", "--no-resume", "--latent-dim", "8"], "latent_dim 2, not 8"),
        (["--latent-dim", "1"], "latent_dim is 1; it must be at least 2: the maps show two dimensions"),
        (["--name", "n" * 300], "name has 300 bytes; a folder's name may have 255"),
    ],
)
def test_what_would_not_belong_is_refused_before_the_fit(
    arguments: list[str], sentence: str, tmp_path: Path, digits: Data
) -> None:
    folder = tmp_path / "digits-2d"
    folder.mkdir()
    shipped = checkpoints_dir() / "digits-2d"
    models = ["autoencoder"] if "vae" in arguments else ["autoencoder", "vae"]
    for model in models:
        checkpoint_path(folder, model).write_bytes(checkpoint_path(shipped, model).read_bytes())
    before = sorted(tmp_path.rglob("*"))
    done = run_command(app, "fit", "digits-2d", *arguments, "--checkpoints", tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert sentence in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_checkpoint_of_one_dimension_is_refused(checkpoints: Path) -> None:
    path = checkpoint_path(checkpoints / "digits-2d", "vae")
    rewrite(path, lambda arrays, settings: settings["experiment"].update(latent_dim=1))
    with pytest.raises(CheckpointError, match="the maps show two dimensions"):
        Checkpoint(path)


def test_a_folder_that_may_not_be_read_is_told(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = checkpoints / "digits-2d"
    hide(hidden, monkeypatch)
    with pytest.raises(CheckpointError, match=r"autoencoder.safetensors may not be read; allow it"):
        open_models(hidden)
    assert "may not be read" in run_command(app, "list", "--checkpoints", checkpoints).stdout


def test_advice_names_a_command_that_works(checkpoints: Path) -> None:
    (checkpoints / "digits-2d").rename(checkpoints / "mine")
    checkpoint_path(checkpoints / "mine", "vae").unlink()
    command = open_models(checkpoints / "mine").lacking.split("python -m training ")[1].split()
    done = run_command(app, *command, "--checkpoints", checkpoints)
    assert done.exit_code == 0, done.stderr
    pair = open_models(checkpoints / "mine")  # they belong together
    assert (pair.lacking, pair.vae.checkpoint.experiment.name) == ("", "mine")
    checkpoint_path(checkpoints / "mine", "vae").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError) as told:
        open_models(checkpoints / "mine")
    done = run_command(app, *str(told.value).split("python -m training ")[1].split(), "--checkpoints", checkpoints)
    assert done.exit_code == 0, done.stderr
    assert open_models(checkpoints / "mine").vae.checkpoint.test == pair.vae.checkpoint.test
    for model_name in MODEL_NAMES:
        checkpoint_path(checkpoints / "mine", model_name).unlink()
    with pytest.raises(CheckpointError) as told:
        open_models(checkpoints / "mine")
    command = str(told.value).split("python -m training ")[1].split()
    assert command[0] == "fit"
    assert command[1] in EXPERIMENTS
    assert command[command.index("--name") + 1] == "mine"
    assert command[command.index("--model") + 1] == "autoencoder"


@pytest.mark.parametrize("other", ["cut short", "a folder", "unreadable settings", "missing"])
def test_advice_about_a_defect_does_not_count_on_another(other: str, checkpoints: Path) -> None:
    folder = (checkpoints / "digits-2d").rename(checkpoints / "mine")
    ae, vae = (checkpoint_path(folder, model_name) for model_name in MODEL_NAMES)
    ae.write_bytes(ae.read_bytes()[:5000])
    if other == "cut short":
        vae.write_bytes(vae.read_bytes()[:5000])
    elif other == "unreadable settings":
        rewrite(vae, lambda arrays, settings: settings["experiment"].update(latent_dim="two"))
    else:
        vae.unlink()
    if other == "a folder":
        vae.mkdir()
    with pytest.raises(CheckpointError) as told:
        Checkpoint(ae)
    command = str(told.value).split("python -m training ")[1].split()
    assert command == ["fit", DEFAULT, "--name", "mine", "--model", "autoencoder"]


def test_a_pair_that_does_not_belong_together_is_neither_listed_nor_evaluated_as_one(
    checkpoints: Path,
) -> None:
    folder = checkpoints / "digits-2d"
    autoencoder, _ = (checkpoint_path(folder, model_name) for model_name in MODEL_NAMES)
    rewrite(autoencoder, lambda arrays, settings: settings["experiment"].update(seed=7))
    sentence = "do not belong together (seed 7 and 0); fit both with the same settings"
    assert sentence in run_command(app, "list", "--checkpoints", checkpoints).stdout
    done = run_command(app, "evaluate", "digits-2d", "--checkpoints", checkpoints)
    assert (done.exit_code, done.stdout) == (1, "")
    assert sentence in done.stderr


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_that_is_replaced_while_it_is_open_is_told(change: str, checkpoints: Path) -> None:
    path = checkpoint_path(checkpoints / "digits-2d", "vae")
    opened = Checkpoint(path)
    if change == "removed":
        path.unlink()
    else:
        os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="was replaced or removed while it was in use; reload the page"):
        opened.snapshots()


def test_a_model_is_not_decoded_with_the_weights_of_another_fit(checkpoints: Path) -> None:
    pair = open_models(checkpoints / "digits-2d")
    os.utime(pair.vae.checkpoint.path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="was replaced or removed while it was in use"):
        pair.vae.decode([[0.0, 0.0]])


def test_only_files_named_as_they_are_written_are_vaes_of_other_betas(tmp_path: Path) -> None:
    for name in ("0.5", "4", "1e-05", "1.2.3", "nan", "inf", "1e999", "0.50", "", "two"):
        (tmp_path / f"vae-beta-{name}.safetensors").touch()
    (tmp_path / "vae-beta-7.txt").touch()
    assert other_betas(tmp_path) == [1e-05, 0.5, 4.0]
