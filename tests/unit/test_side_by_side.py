"""Both models fitted at the same time: the weights of fits one after the other, and what a signal does to them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, ROOT, run_command
from training.__main__ import app
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment
from training.fit import FitError, fit
from training.live import LiveFit, control, open_live, unfinished_path
from training.side_by_side import fit_side_by_side

NAME = "pair"


class Shown:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.last: dict[str, tuple[int, int, str]] = {}
        self.ended: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, model_name: str, update: int, total: int, terms: str) -> None:
        self.last[model_name] = update, total, terms

    def end(self, model_name: str) -> None:
        self.ended.append(model_name)


@pytest.fixture(scope="module")
def recipe(experiment: Experiment) -> Experiment:
    return replace(experiment, name=NAME, epochs=25)  # seconds: long enough to be stopped before its end


@pytest.fixture(scope="module")
def one_after_the_other(digits: Data, recipe: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one-after-the-other")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for model_name in MODEL_NAMES:
            fit(recipe, model_name, digits, folder, device=CPU)
    finally:
        torch.set_num_threads(threads)
    return folder


def assert_same_weights(one: Path, other: Path) -> None:
    for model_name in MODEL_NAMES:
        first, second = (
            Checkpoint(checkpoint_path(folder, model_name)).load_network().state_dict() for folder in (one, other)
        )
        for name, tensor in first.items():
            torch.testing.assert_close(tensor, second[name], rtol=1e-3, atol=1e-4)


def test_they_end_as_one_after_the_other(fitted: Path, experiment: Experiment, tmp_path: Path) -> None:
    shown = Shown()
    paths = list(fit_side_by_side(experiment, Path("/nowhere"), tmp_path, display=shown))
    assert sorted(paths) == [checkpoint_path(tmp_path, model_name) for model_name in MODEL_NAMES]
    assert_same_weights(fitted / experiment.name, tmp_path)
    total = experiment.epochs * 38
    for model_name in MODEL_NAMES:
        assert shown.last[model_name][:2] == (total, total)
        assert [line.split(":")[0] for line in shown.lines if line.startswith(model_name)] == [
            f"{model_name}, epoch {k + 1} of {experiment.epochs}" for k in range(experiment.epochs)
        ]
    assert sorted(shown.ended) == list(MODEL_NAMES)


def command(folder: Path) -> list[str]:
    arguments = ["fit", "digits-2d", "--name", NAME, "--hidden-layers", "64-32", "--epochs", "25", "--device", "cpu"]
    return [sys.executable, "-m", "training", *arguments, "--resume", "--checkpoints", str(folder.parent)]


@contextmanager
def paused_pair(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The command, both of whose fits have paused themselves before their end."""
    with subprocess.Popen(command(folder), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pair:
        try:
            for model_name in MODEL_NAMES:
                wait_until(folder, model_name, lambda live: live.progress.update > 0)
                control(folder, model_name, state="pause")
            for model_name in MODEL_NAMES:
                wait_until(folder, model_name, lambda live: live.state == "paused")
            yield pair
        finally:
            pair.kill()


def wait_until(folder: Path, model_name: str, check: Callable[[LiveFit], bool]) -> None:
    deadline = time.monotonic() + 60
    while (live := open_live(checkpoint_path(folder, model_name))) is None or not check(live):
        assert time.monotonic() < deadline, live
        time.sleep(0.01)


def end(folder: Path, number: signal.Signals) -> tuple[int, str]:
    """Send a signal to the command, and wait for the end of all its processes; gives its exit status, what it told."""
    with paused_pair(folder) as pair:
        processes = [live.progress.pid for name in MODEL_NAMES if (live := open_live(checkpoint_path(folder, name)))]
        pair.send_signal(number)
        told, _ = pair.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline, "a fit outlives the command"
        time.sleep(0.02)
    for model_name in MODEL_NAMES:
        path = checkpoint_path(folder, model_name)
        assert unfinished_path(path).exists()
        assert not path.exists()
    return pair.returncode, told


def test_what_is_interrupted_is_saved_and_goes_on(
    one_after_the_other: Path, recipe: Experiment, tmp_path: Path
) -> None:
    status, told = end(tmp_path / NAME, signal.SIGINT)
    assert status == 130
    assert "go on with the same command and --resume" in told
    # The same command goes on, whatever the one before was told to do: it had paused.
    assert run_command(app, *command(tmp_path / NAME)[3:]).exit_code == 0
    assert_same_weights(one_after_the_other, tmp_path / NAME)


def test_fits_of_a_command_that_is_killed_are_saved_end_and_go_on(
    one_after_the_other: Path, recipe: Experiment, digits: Data, tmp_path: Path
) -> None:
    folder = tmp_path / NAME
    end(folder, signal.SIGKILL)
    for model_name in MODEL_NAMES:
        wait_until(folder, model_name, lambda live: not live.lives)
        control(folder, model_name, state="run")
        fit(recipe, model_name, digits, folder, device=CPU, resume=True)
    assert_same_weights(one_after_the_other, folder)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Without a parent that asks for its end, a process stays as a zombie.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_one_that_fails_does_not_stop_the_other(recipe: Experiment, tmp_path: Path) -> None:
    unfinished_path(checkpoint_path(tmp_path, "autoencoder")).write_bytes(b"no state")
    paths = fit_side_by_side(replace(recipe, epochs=1), Path("/nowhere"), tmp_path, resume=True, display=Shown())
    assert next(paths) == checkpoint_path(tmp_path, "vae")
    with pytest.raises(FitError, match="cannot be resumed from"):
        next(paths)
