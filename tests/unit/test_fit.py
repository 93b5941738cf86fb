"""The loop, on scikit-learn's real digits: it learns, it survives, it says what went wrong."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tests.conftest import CPU, ROOT, rewrite, run_command
from training import array_file
from training import fit as fit_module
from training.__main__ import app
from training.checkpoint import MODEL_NAMES, Checkpoint, CheckpointError, checkpoint_path, other_betas
from training.datasets import Data
from training.experiments import Experiment
from training.fit import FitError, Interrupted, as_dict, fit
from training.models import build
from training.objective import evaluate


def weights(path: Path) -> dict[str, Tensor]:
    return Checkpoint(path).load_network().state_dict()


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_loss_falls_and_is_recorded(model: str, fitted: Path, experiment: Experiment) -> None:
    checkpoint = Checkpoint(checkpoint_path(fitted / experiment.name, model))
    updates = experiment.epochs * int(np.ceil(1197 / experiment.batch_size))
    for split, curve in checkpoint.history().items():
        objective = curve.reconstruction if curve.elbo is None else curve.elbo
        assert objective[-1] > objective[0] + 50, split
        assert (np.diff(curve.update) > 0).all()
        assert (np.diff(curve.seconds) >= 0).all()
        assert curve.update[-1] == updates
        assert curve.epoch[-1] == experiment.epochs
        assert (curve.kl is None) == (model == "autoencoder")
    validation = checkpoint.history()["validation"]
    assert len(set(np.diff(validation.update))) == 1  # a regular grid
    snapshots = checkpoint.snapshots()
    assert snapshots.update[0] == 0
    assert snapshots.update[-1] == updates
    assert np.diff(snapshots.update)[0] < np.diff(snapshots.update)[-1]  # dense at first
    assert snapshots.code.shape == (len(snapshots.update), 300, 2)


def test_a_convolutional_fit_can_be_opened_and_says_what_it_reached(
    experiment: Experiment, digits: Data, tmp_path: Path
) -> None:
    small = replace(experiment, architecture="convolutional", hidden_layers=(2, 3, 3, 2), epochs=1)
    checkpoint = Checkpoint(fit(small, "vae", digits, tmp_path, device=CPU))
    reached = evaluate(checkpoint.load_network(), digits.test)
    assert as_dict(reached) == pytest.approx(checkpoint.test, rel=1e-5)


@pytest.mark.parametrize("after", [1, 20, 38, 50, 151])  # 38 updates an epoch, 152 in all
def test_interrupted_and_resumed_equals_not_interrupted(
    after: int, fitted: Path, experiment: Experiment, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = fit_module.elbo_terms, 0

    def press_ctrl_c(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == after:
            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(fit_module, "elbo_terms", press_ctrl_c)
    with pytest.raises(Interrupted, match=f"saved at update {after} of 152; go on with the same command and --resume"):
        fit(experiment, "vae", digits, tmp_path, device=CPU)
    monkeypatch.undo()
    with pytest.raises(FitError, match=r"seed 0 \(now 1\).*resume it with the same settings"):
        fit(replace(experiment, seed=1), "vae", digits, tmp_path, device=CPU, resume=True)

    resumed = fit(experiment, "vae", digits, tmp_path, device=CPU, resume=True)
    whole = checkpoint_path(fitted / experiment.name, "vae")
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    for split, curve in Checkpoint(resumed).history().items():
        np.testing.assert_array_equal(curve.reconstruction, Checkpoint(whole).history()[split].reconstruction)
    np.testing.assert_array_equal(Checkpoint(resumed).snapshots().code, Checkpoint(whole).snapshots().code)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["vae.safetensors"]


KILLED = """
import os, signal, sys
from training import __main__, fit
real, calls = fit.elbo_terms, 0
def elbo_terms(*arguments):
    global calls
    calls += 1
    if calls == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
fit.elbo_terms = elbo_terms
__main__.app({arguments})
"""


@pytest.mark.parametrize("after", [1, 100])  # before anything was learnt, and between two saved states
def test_killed_and_resumed_equals_not_killed(after: int, fitted: Path, experiment: Experiment, tmp_path: Path) -> None:
    whole = checkpoint_path(fitted / experiment.name, "autoencoder")
    path = checkpoint_path(tmp_path / experiment.name, "autoencoder")
    arguments = (
        *("fit", experiment.name, "--model", "autoencoder", "--checkpoints", tmp_path),
        *("--hidden-layers", "64-32", "--epochs", experiment.epochs, "--device", "cpu"),
    )
    script = KILLED.format(after=after, arguments=[str(each) for each in arguments])
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    refused = run_command(app, *arguments)
    assert "is of an unfinished run; go on with the same command and --resume" in refused.stderr
    assert run_command(app, *arguments, "--resume").exit_code == 0
    torch.testing.assert_close(weights(path), weights(whole), rtol=0, atol=0)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0, 1e6])
def test_a_gradients_norm_is_bounded_as_torch_bounds_it(times: float, experiment: Experiment) -> None:
    network, other = build(experiment, "vae"), build(experiment, "vae")
    random = torch.Generator().manual_seed(0)
    gradients = [torch.randn(each.shape, generator=random) for each in network.parameters()]
    norm = torch.cat([each.flatten() for each in gradients]).norm()
    for each in (network, other):
        for parameter, gradient in zip(each.parameters(), gradients, strict=True):
            parameter.grad = gradient * (times * fit_module.MAX_GRADIENT_NORM / norm)
    fit_module._clip_gradient(network)
    torch.nn.utils.clip_grad_norm_(other.parameters(), fit_module.MAX_GRADIENT_NORM)
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=0)
    after = torch.cat([each.grad.flatten() for each in network.parameters() if each.grad is not None]).norm()
    assert float(after) == pytest.approx(min(times, 1.0) * fit_module.MAX_GRADIENT_NORM, rel=1e-4)


def test_ctrl_c_while_the_checkpoint_is_written_is_heard(
    experiment: Experiment, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fit_module.write

    def press_ctrl_c(*arguments: Any, **named: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        real(*arguments, **named)

    monkeypatch.setattr(fit_module, "write", press_ctrl_c)
    with pytest.raises(Interrupted, match=r"vae.safetensors is finished; go on with the same command and --resume"):
        fit(replace(experiment, epochs=1), "vae", digits, tmp_path, device=CPU)
    assert np.isfinite(Checkpoint(tmp_path / "vae.safetensors").test["elbo"])


def test_history_ends_with_the_run_and_is_thinned(digits: Data, experiment: Experiment, tmp_path: Path) -> None:
    short = replace(experiment, batch_size=2, epochs=1)  # 599 updates
    history = Checkpoint(fit(short, "autoencoder", digits, tmp_path, device=CPU)).history()
    assert history["training"].update[-1] == history["validation"].update[-1] == 599
    assert history["validation"].update.tolist() == [0, 300, 599]
    assert (np.diff(history["training"].seconds) >= 0).all()


def test_not_finite_loss_stops_and_keeps_the_last_good_state(
    experiment: Experiment, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = fit_module.elbo_terms, 0

    def spoiled(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        result = real(*arguments)
        return result._replace(reconstruction=result.reconstruction * float("nan")) if calls == 60 else result

    monkeypatch.setattr(fit_module, "elbo_terms", spoiled)
    with pytest.raises(FitError, match="no longer a finite number at update 60 of 152; try a learning rate below"):
        fit(experiment, "vae", digits, tmp_path, device=CPU)
    monkeypatch.undo()
    path = fit(experiment, "vae", digits, tmp_path, device=CPU, resume=True)  # from the end of the first epoch
    assert np.isfinite(Checkpoint(path).test["elbo"])


@pytest.mark.parametrize("fits", [0, 2, 5])  # states are written at the start and after each of 4 epochs
def test_full_disk_harms_nothing(
    fits: int, checkpoints: Path, experiment: Experiment, digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint_path(checkpoints / experiment.name, "vae")
    before, weights_before = path.read_bytes(), weights(path)

    real, calls = array_file.os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > fits:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(array_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        fit(experiment, "vae", digits, checkpoints / experiment.name, device=CPU)
    assert path.read_bytes() == before
    monkeypatch.undo()
    if fits:  # the state before the disk was full is there: room made, the run goes on
        resumed = fit(experiment, "vae", digits, checkpoints / experiment.name, device=CPU, resume=True)
        torch.testing.assert_close(Checkpoint(resumed).load_network().state_dict(), weights_before, rtol=0, atol=0)
    assert sorted(each.name for each in path.parent.iterdir()) == ["autoencoder.safetensors", "vae.safetensors"]


def test_damaged_unfinished_run_is_told(experiment: Experiment, digits: Data, tmp_path: Path) -> None:
    (tmp_path / "vae.unfinished.safetensors").write_bytes(b"nonsense")
    with pytest.raises(FitError, match=r"cannot be resumed from .*begin again with --no-resume"):
        fit(experiment, "vae", digits, tmp_path, device=CPU, resume=True)


def test_unfinished_run_on_other_images_is_told(experiment: Experiment, digits: Data, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        fit(experiment, "vae", digits, tmp_path, device=CPU, interrupted=[signal.SIGINT])
    others = replace(digits, id=digits.id._replace(fingerprint="of others"))
    with pytest.raises(FitError, match=r"is of a run on other images than digits has now; begin again with --no-res"):
        fit(experiment, "vae", others, tmp_path, device=CPU, resume=True)


def test_unfinished_run_beyond_its_end_is_told(experiment: Experiment, digits: Data, tmp_path: Path) -> None:
    """As one of an older version may be that went on with more images."""
    with pytest.raises(Interrupted):
        fit(experiment, "vae", digits, tmp_path, device=CPU, interrupted=[signal.SIGINT])
    (path,) = tmp_path.glob("vae.unfinished*")
    with safe_open(path, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"progress": json.dumps(progress | {"update": 10**6})})
    with pytest.raises(FitError, match=r"cannot be resumed from \(update 1000000 of .*begin again with --no-resume"):
        fit(experiment, "vae", digits, tmp_path, device=CPU, resume=True)


def test_resume_leaves_what_is_already_fitted(checkpoints: Path, experiment: Experiment, digits: Data) -> None:
    path = checkpoint_path(checkpoints / experiment.name, "vae")
    before = path.stat().st_mtime_ns
    fit(experiment, "vae", digits, path.parent, device=CPU, resume=True)
    assert path.stat().st_mtime_ns == before


def test_evaluate_prints_what_the_checkpoints_say(checkpoints: Path, experiment: Experiment) -> None:
    folder = checkpoints / experiment.name
    shutil.copy(checkpoint_path(folder, "vae"), other := checkpoint_path(folder, "vae", 0.5))
    rewrite(other, lambda arrays, settings: settings["experiment"].update(beta=0.5))
    done = run_command(app, "evaluate", experiment.name, "--json", "--checkpoints", checkpoints, "--device", "cpu")
    told = json.loads(done.stdout)
    assert list(told) == ["experiment", "seed", "images", "vae", "vae-beta-0.5", "autoencoder"]
    assert told["vae-beta-0.5"] == told["vae"]
    assert (told["experiment"], told["images"]) == (experiment.name, 300)
    assert told["vae"]["elbo"] == pytest.approx(told["vae"]["reconstruction"] - told["vae"]["kl"])
    for model in MODEL_NAMES:
        assert told[model] == pytest.approx(Checkpoint(checkpoint_path(folder, model)).test, rel=1e-5)


def test_another_beta_is_fitted_beside_the_recipes(checkpoints: Path, experiment: Experiment, digits: Data) -> None:
    folder = checkpoints / experiment.name
    before = checkpoint_path(folder, "vae").read_bytes()
    for beta in (0.1, 50.0):
        short = replace(experiment, beta=beta, epochs=2)
        path = fit(short, "vae", digits, folder, device=CPU, is_additional=True)
        assert path == folder / f"vae-beta-{beta:g}.safetensors"
        assert Checkpoint(path).experiment == short
    assert other_betas(folder) == [0.1, 50.0]
    assert checkpoint_path(folder, "vae").read_bytes() == before
    # The more the KL weighs, the less of it there is.
    kl = [Checkpoint(checkpoint_path(folder, "vae", beta)).test["kl"] for beta in (0.1, 50.0)]
    assert kl[0] > kl[1]
    checkpoint_path(folder, "vae", 0.1).rename(checkpoint_path(folder, "vae", 7.0))
    with pytest.raises(CheckpointError, match=r"holds a model called 'vae', expected 'vae-beta-7'.*--beta 7"):
        Checkpoint(checkpoint_path(folder, "vae", 7.0))


def test_another_beta_is_fitted_beside_what_was_made_here(checkpoints: Path, experiment: Experiment) -> None:
    folder = checkpoints / "mine"
    shutil.copytree(checkpoints / experiment.name, folder)
    for model_name in MODEL_NAMES:
        path = checkpoint_path(folder, model_name)
        rewrite(path, lambda arrays, settings: settings["experiment"].update(name="mine"))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    where = ["--checkpoints", str(checkpoints)]
    done = run_command(app, "fit", "mine", "--beta", "50", "--epochs", "1", *where)
    assert done.exit_code == 0, done.stderr
    assert Checkpoint(checkpoint_path(folder, "vae", 50.0)).experiment == replace(
        experiment, name="mine", beta=50.0, epochs=1
    )
    # What was made here may have been moved by hand: it does not come again.
    again = run_command(app, "fit", "mine", *where)
    assert again.exit_code == 1
    assert "mine was made here, and is not fitted anew" in again.stderr
    assert {path: path.read_bytes() for path in before} == before
    other = run_command(app, "fit", "mine", "--name", "mine-again", "--model", "vae", "--epochs", "1", *where)
    assert other.exit_code == 0, other.stderr
    path = checkpoint_path(checkpoints / "mine-again", "vae")
    assert Checkpoint(path).experiment == replace(experiment, name="mine-again", epochs=1)
    lost = checkpoint_path(folder, "autoencoder")
    lost.unlink()
    done = run_command(app, "fit", "mine", "--model", "autoencoder", *where)
    assert done.exit_code == 0, done.stderr
    assert Checkpoint(lost).experiment == replace(experiment, name="mine")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "digits-2d", "--model", "autoencoder", "--beta", "3"], "for the autoencoder, which has none"),
        (["fit", "mnist-3d"], "unknown experiment 'mnist-3d'; there are mnist-2d, mnist-14px-8d, mnist-32d"),
        (["fit", "digits-2d", "--hidden-layers", "wide"], "invalid literal"),
        (["fit", "digits-2d", "--epochs", "-3"], "epochs is -3; it must be 1 to"),
        (["fit", "digits-2d", "--device", "abacus"], "device 'abacus' cannot be used here"),
        (["fit", "mnist-2d", "--data-dir", "/dev/null"], "could not be downloaded to /dev/null/MNIST/raw"),
        (["fit", "digits-2d", "--checkpoints", "/dev/null"], "could not write to /dev/null/digits-2d"),
        (["fit", "digits-2d", "--epochs", "1", "--checkpoints", "checkpoints"], "was fitted with other settings"),
        (["evaluate", "nothing"], "nothing/autoencoder.safetensors is missing"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    options = [] if "--checkpoints" in arguments else ["--checkpoints", str(tmp_path)]
    done = run_command(app, *arguments, *options)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert sentence in done.stderr


def test_the_mnist_that_comes_along_is_fitted_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*arguments: object, **options: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket, "create_connection", no_network)
    small = ("--epochs", "1", "--hidden-layers", "8", "--batch-size", "250", "--model", "vae", "--device", "cpu")
    done = run_command(app, "fit", "mnist-2d", "--name", "small", *small, "--checkpoints", tmp_path)
    assert done.exit_code == 0, done.stderr
    checkpoint = Checkpoint(checkpoint_path(tmp_path / "small", "vae"))
    assert checkpoint.dataset == Checkpoint(checkpoint_path(ROOT / "checkpoints" / "mnist-2d", "vae")).dataset
    assert checkpoint.test["elbo"] > -400  # pixels all at one half have -543
