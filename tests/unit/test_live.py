"""A running fit shows itself as it stands, does what it is told, and takes the steps that it would have taken."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from tests.conftest import CPU, ROOT
from training import array_file, workers
from training import fit as fit_module
from training.checkpoint import MODEL_NAMES, Change, Checkpoint, CheckpointError, check_pair, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment
from training.fit import Discarded, FitError, fit
from training.live import (
    Control,
    LiveFit,
    control,
    control_path,
    is_first_fit,
    live_path,
    log_path,
    open_live,
    read_control,
    unfinished_path,
)
from training.workers import FitInFolder

Before = Callable[[int], None]


class Killed(BaseException):
    """Ends a fit as nothing that it could answer."""


@pytest.fixture
def before_update(monkeypatch: pytest.MonkeyPatch) -> Callable[[Before], None]:
    """Call something before each weight update, with its number from 1; the fit looks and shows itself at each."""
    real = fit_module.elbo_terms

    def install(act: Before) -> None:
        calls = 0

        def elbo_terms(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            act(calls)
            return real(*arguments)

        monkeypatch.setattr(fit_module, "elbo_terms", elbo_terms)

    for name, value in (("LOOK_EVERY", 0.0), ("SHOW_EVERY", 0.0), ("SHOW_SHARE", 1e9), ("SHOW_SHARE_AT_FIRST", 1e9)):
        monkeypatch.setattr(fit_module, name, value)
    return install


def weights(path: Path) -> dict[str, torch.Tensor]:
    return Checkpoint(path).load_network().state_dict()


def wait_for(is_so: Callable[[], bool], seconds: float = 180.0) -> None:
    """A fit gives way to all else: beside other work it has a small part of a core."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fit_shows_its_codes_its_curves_and_its_weights(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    seen: list[LiveFit] = []
    path = checkpoint_path(tmp_path / experiment.name, "vae")
    before_update(lambda update: seen.append(LiveFit(live_path(path))) if update in (2, 100) else None)
    fit(experiment, "vae", digits, path.parent, device=CPU)
    for live, update in zip(seen, (1, 99), strict=True):
        assert (live.state, live.lives, live.progress.update, live.progress.total) == ("fitting", True, update, 152)
        assert live.experiment == experiment
        assert live.dataset == digits.id
        codes = live.codes()
        np.testing.assert_array_equal(codes.labels, digits.validation.labels.numpy())
        with torch.inference_mode():
            own = live.load_network().encode(digits.validation.images.float() / 255).numpy()
        np.testing.assert_allclose(own, codes.code, rtol=0.02, atol=0.02)  # both in half precision
        assert live.history()["training"].update[-1] == update
    assert seen[1].history()["validation"].update.tolist() == [0, 19, 38, 57, 76, 95]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_pause_changes_nothing_but_the_time(
    fitted: Path, experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    path = checkpoint_path(tmp_path / experiment.name, "vae")
    paused_at: list[int] = []

    def watch() -> None:
        wait_for(lambda: (live := open_live(path)) is not None and live.state == "paused")
        for _ in range(10):
            live = open_live(path)
            assert live is not None
            paused_at.append(live.progress.update)
            time.sleep(0.02)
        control(path.parent, "vae", state="run")

    before_update(lambda update: control(path.parent, "vae", state="pause") if update == 60 else None)
    watcher = threading.Thread(target=watch)
    watcher.start()
    fit(experiment, "vae", digits, path.parent, device=CPU)
    watcher.join()
    assert paused_at == [60] * 10
    whole = checkpoint_path(fitted / experiment.name, "vae")
    torch.testing.assert_close(weights(path), weights(whole), rtol=0, atol=0)


def test_stopped_models_are_kept_and_belong_together(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    folder = tmp_path / experiment.name
    for model_name, at in zip(MODEL_NAMES, (45, 70), strict=True):

        def stop(update: int, model_name: str = model_name, at: int = at) -> None:
            if update == at:
                control(folder, model_name, state="stop")

        before_update(stop)
        fit(experiment, model_name, digits, folder, device=CPU)
    ae, vae = (Checkpoint(checkpoint_path(folder, model_name)) for model_name in MODEL_NAMES)
    check_pair(ae, vae)
    for checkpoint, at in ((ae, 45), (vae, 70)):
        assert [curve.update[-1] for curve in checkpoint.history().values()] == [at, at]
        assert checkpoint.snapshots().update[-1] == at
    assert len(list(folder.iterdir())) == 2


def test_a_discarded_fit_leaves_nothing(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    folder = tmp_path / experiment.name
    before_update(lambda update: control(folder, "vae", state="discard") if update == 50 else None)
    with pytest.raises(Discarded, match="discarded at update 50 of 152"):
        fit(experiment, "vae", digits, folder, device=CPU)
    assert not folder.exists()


def test_what_is_moved_is_recorded_and_a_killed_run_moves_it_at_the_same_update(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    kill_at = 0

    def act(folder: Path) -> Before:
        def before(update: int) -> None:
            if update == 50:
                control(folder, "vae", beta=20, learning_rate=5e-4)
            if update == kill_at:
                raise Killed

        return before

    before_update(act(tmp_path / "whole"))
    whole = fit(experiment, "vae", digits, tmp_path / "whole", device=CPU)
    assert Checkpoint(whole).changes == [Change(50, 20.0, 5e-4)]
    kill_at = 61  # between two saved states
    before_update(act(tmp_path / "killed"))
    with pytest.raises(Killed):
        fit(experiment, "vae", digits, tmp_path / "killed", device=CPU)
    control_path(checkpoint_path(tmp_path / "killed", "vae")).unlink()
    kill_at = 0
    before_update(lambda update: None)
    resumed = fit(experiment, "vae", digits, tmp_path / "killed", device=CPU, resume=True)
    assert Checkpoint(resumed).changes == Checkpoint(whole).changes
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    before_update(lambda update: None)
    unmoved = fit(experiment, "vae", digits, tmp_path / "unmoved", device=CPU)
    assert Checkpoint(whole).test["kl"] < 0.7 * Checkpoint(unmoved).test["kl"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "dance"}', '{"state": "stop", "beta": "x", "learning_rate": null}']
)
def test_an_order_that_is_none_is_passed_over(
    text: str,
    fitted: Path,
    experiment: Experiment,
    digits: Data,
    tmp_path: Path,
    before_update: Callable[[Before], None],
) -> None:
    path = checkpoint_path(tmp_path / experiment.name, "vae")

    def order(update: int) -> None:
        if update == 50:
            control_path(path).write_text(text)

    before_update(order)
    fit(experiment, "vae", digits, path.parent, device=CPU)
    torch.testing.assert_close(weights(path), weights(checkpoint_path(fitted / experiment.name, "vae")), rtol=0, atol=0)


@pytest.mark.parametrize(("orders", "told"), [({"state": "dance"}, "it must be one of"), ({"beta": -1}, "beta is -1")])
def test_an_order_that_cannot_be_is_refused(orders: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        control(tmp_path, "vae", **orders)
    with pytest.raises(FileNotFoundError, match="is no longer there"):
        control(tmp_path / "gone", "vae", state="stop")


def test_orders_of_the_same_moment_undo_nothing_of_each_others(tmp_path: Path) -> None:
    path = control_path(tmp_path / "vae.safetensors")
    orders: list[dict[str, Any]] = [{"state": "pause"}, {"beta": 4.0}, {"learning_rate": 0.002}]
    with ThreadPoolExecutor(len(orders)) as sessions:
        for _ in range(100):
            path.unlink(missing_ok=True)
            together = threading.Barrier(len(orders))

            def steer(order: dict[str, Any], together: threading.Barrier = together) -> None:
                together.wait()
                control(tmp_path, "vae", **order)

            list(sessions.map(steer, orders))
            assert read_control(path) == Control("pause", 4.0, 0.002)


def test_a_loss_that_is_not_finite_is_shown_as_a_failure(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    path = checkpoint_path(tmp_path / experiment.name, "vae")
    # The peak of the schedule that undoes all: weights overflow.
    before_update(lambda update: control(path.parent, "vae", learning_rate=1e3) if update == 40 else None)
    with pytest.raises(FitError, match="no longer a finite number"):
        fit(replace(experiment, weight_decay=1e3), "vae", digits, path.parent, device=CPU)
    live = LiveFit(live_path(path))
    assert (live.state, live.lives) == ("failed", False)
    assert "no longer a finite number" in live.message


def test_a_folder_that_is_deleted_during_a_fit_is_told_and_stays_away(
    experiment: Experiment, digits: Data, tmp_path: Path, before_update: Callable[[Before], None]
) -> None:
    folder = tmp_path / experiment.name
    before_update(lambda update: shutil.rmtree(folder) if update == 50 else None)
    with pytest.raises(FitError, match="was deleted or moved during the fit"):
        fit(experiment, "vae", digits, folder, device=CPU)
    assert not folder.exists()


@pytest.mark.parametrize(("file", "nth"), [("vae.unfinished.safetensors", 2), ("vae.safetensors", 1)])
def test_a_folder_that_is_deleted_just_before_something_is_written_stays_away(
    file: str, nth: int, experiment: Experiment, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, seen = tmp_path / experiment.name, array_file.write_atomically, []

    def delete_first(path: Path, *arguments: Any, **named: Any) -> None:
        seen.append(path.name)
        if path.name == file and seen.count(file) == nth:
            shutil.rmtree(folder)
        real(path, *arguments, **named)

    for module in (array_file, fit_module):
        monkeypatch.setattr(module, "write_atomically", delete_first)
    with pytest.raises(FitError, match="was deleted or moved during the fit"):
        fit(experiment, "vae", digits, folder, device=CPU)
    assert not folder.exists()


def test_a_fit_that_cannot_be_shown_goes_on(
    fitted: Path,
    experiment: Experiment,
    digits: Data,
    tmp_path: Path,
    before_update: Callable[[Before], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def full(*arguments: Any, **named: Any) -> None:
        nonlocal tries
        tries += 1
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit_module, "write_live", full)
    before_update(lambda update: None)
    path = fit(experiment, "vae", digits, tmp_path, device=CPU)
    assert tries > 100
    torch.testing.assert_close(weights(path), weights(checkpoint_path(fitted / experiment.name, "vae")), rtol=0, atol=0)


def test_the_warm_up_raises_the_weight_of_the_kl_linearly(experiment: Experiment, digits: Data) -> None:
    run = fit_module._Run(replace(experiment, beta=4.0, kl_warmup=2.0), "vae", digits, CPU)
    found = []
    for run.update in (0, 19, 38, 75, 76, 77, 151):
        found.append(run.kl_weight)
    assert found == pytest.approx([0, 1, 2, 4 * 75 / 76, 4, 4, 4])
    without = fit_module._Run(replace(experiment, beta=4.0), "vae", digits, CPU)
    assert without.kl_weight == 4


@pytest.mark.parametrize(("share", "peak"), [(0.0, 0), (0.02, 2), (0.2, 30), (1.0, 152)])  # of 152 updates
def test_the_learning_rate_rises_over_its_share_of_the_run_and_then_falls(
    share: float, peak: int, experiment: Experiment, digits: Data
) -> None:
    run = fit_module._Run(replace(experiment, rate_warmup=share), "vae", digits, CPU)
    rates = []
    for _ in range(run.total):
        rates.append(run.optimizer.param_groups[0]["lr"])
        run.optimizer.step()
        run.take_schedule_step()
    rates.append(run.optimizer.param_groups[0]["lr"])
    assert int(np.argmax(rates)) == pytest.approx(peak, abs=1)
    assert max(rates) == pytest.approx(experiment.learning_rate, rel=1e-3)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak + 1 :]) < 0).all()


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 1.0])
def test_a_fit_may_have_any_number_of_updates(share: float, experiment: Experiment, digits: Data) -> None:
    for epochs in (*range(1, 11), 49):  # one update each
        settings = replace(experiment, rate_warmup=share, batch_size=2000, epochs=epochs)
        run = fit_module._Run(settings, "autoencoder", digits, CPU)
        for _ in range(run.total):
            assert 0 < run.optimizer.param_groups[0]["lr"] <= experiment.learning_rate
            run.optimizer.step()
            run.take_schedule_step()


def states(checkpoints: Path) -> dict[tuple[str, str], FitInFolder]:
    return {(fit.folder.name, fit.stem): fit for fit in workers.running(checkpoints)}


def test_fits_wait_for_their_turn_and_a_killed_one_is_seen(experiment: Experiment, tmp_path: Path) -> None:
    long = replace(experiment, epochs=100_000)
    for name in ("first", "second", "third"):
        workers.start(replace(long, name=name), tmp_path, tmp_path, slots=1)
    assert is_first_fit(tmp_path / "third")
    wait_for(lambda: workers.queue(tmp_path) == ["second", "third"])
    assert [states(tmp_path)["third", model_name].place for model_name in MODEL_NAMES] == [2, 2]
    with pytest.raises(CheckpointError, match="is being fitted already"):
        workers.start(replace(long, name="first"), tmp_path, tmp_path)
    for name in ("second", "third"):
        for model_name in MODEL_NAMES:
            workers.discard(tmp_path / name, model_name)
    wait_for(lambda: [each.name for each in tmp_path.iterdir() if not each.name.startswith(".")] == ["first"])
    wait_for(lambda: all(fit.state == "fitting" for fit in states(tmp_path).values()))
    for fit_ in states(tmp_path).values():
        assert fit_.live is not None
        pid = fit_.live.progress.pid
        assert psutil.Process(pid).nice() >= workers.NICENESS  # the clicks of a class come first
        if (autogroup := Path(f"/proc/{pid}/autogroup")).exists():  # of its session, as Linux weighs it against others
            assert int(autogroup.read_text().split()[-1]) >= workers.NICENESS
        os.kill(fit_.live.progress.pid, signal.SIGKILL)
    wait_for(lambda: {fit.state for fit in states(tmp_path).values()} == {"dead"})
    for model_name in MODEL_NAMES:
        dead = states(tmp_path)["first", model_name]
        assert dead.can_resume
        assert dead.experiment == replace(long, name="first")
    (tmp_path / "first" / ".vae.unfinished.safetensors.0a1b2c3d.part").write_bytes(b"half")  # it was being written
    for model_name in MODEL_NAMES:
        workers.discard(tmp_path / "first", model_name)
    wait_for(lambda: not (tmp_path / "first").exists())


def test_why_a_process_ended_is_told_without_advice_about_its_command(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path / "full", "vae")
    path.parent.mkdir()
    unfinished_path(path).touch()
    log_path(path).write_text(
        "vae, epoch 1 of 4\n"
        "Error: could not write to full ([Errno 28] No space left on device); what stood there is unharmed; "
        "go on with the same command and --resume.\n\n"
    )
    expected = "could not write to full ([Errno 28] No space left on device); what stood there is unharmed"
    assert states(tmp_path)["full", "vae"].message == expected


def test_where_files_cannot_be_locked_it_is_said(
    experiment: Experiment, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "fcntl", None)
    with pytest.raises(OSError, match="use the command python -m training fit"):
        workers.start(experiment, tmp_path, tmp_path)
    assert workers.running(fitted) == []
    assert list(tmp_path.iterdir()) == []


def test_an_order_that_comes_while_a_fit_ends_leaves_nothing(experiment: Experiment, tmp_path: Path) -> None:
    folder = tmp_path / experiment.name
    workers.start(replace(experiment, epochs=100_000), tmp_path, tmp_path, model_names=["vae"])
    path = checkpoint_path(folder, "vae")
    wait_for(lambda: open_live(path) is not None)
    control(folder, "vae", state="discard")
    # As a click that is heard twice: the fit has tidied up, and its process is still ending.
    wait_for(lambda: not live_path(path).exists())
    with suppress(FileNotFoundError):  # ended already
        control(folder, "vae", state="discard")
    wait_for(lambda: not folder.exists())


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # which nobody asks for its end
    except psutil.NoSuchProcess:
        return True


def test_a_process_that_waits_fits_as_this_one_does(experiment: Experiment, fitted: Path, tmp_path: Path) -> None:
    workers.prepare()
    prepared = workers._prepared
    assert prepared is not None
    workers.prepare()
    assert workers._prepared is prepared
    workers.start(experiment, tmp_path, tmp_path)
    assert workers._prepared is None
    live = live_path(checkpoint_path(tmp_path / experiment.name, "vae"))
    wait_for(live.exists)
    assert psutil.Process(LiveFit(live).progress.pid).ppid() == prepared.process.pid
    wait_for(lambda: prepared.process.poll() is not None)
    for model_name in MODEL_NAMES:
        forked, own = (
            Checkpoint(checkpoint_path(folder / experiment.name, model_name)) for folder in (tmp_path, fitted)
        )
        assert forked.experiment == own.experiment == experiment
        assert forked.test == own.test
        torch.testing.assert_close(weights(forked.path), weights(own.path), rtol=0, atol=0)
    assert {each.suffix for each in (tmp_path / experiment.name).iterdir()} == {".safetensors"}


def test_a_process_that_has_died_while_it_waited_is_replaced(experiment: Experiment, tmp_path: Path) -> None:
    workers.prepare()
    killed = workers._prepared
    assert killed is not None
    killed.process.kill()
    killed.process.wait()
    workers.start(experiment, tmp_path, tmp_path, model_names=["vae"])
    workers.prepare()
    second = workers._prepared
    assert second is not None
    second.process.kill()
    second.process.wait()
    workers.prepare()
    third = workers._prepared
    assert third is not None
    assert third.process.poll() is None
    wait_for(checkpoint_path(tmp_path / experiment.name, "vae").exists)


def test_a_server_that_dies_takes_no_fit_with_it_and_leaves_nothing_that_waits(
    experiment: Experiment, tmp_path: Path
) -> None:
    script = f"""
import os, pathlib
from training import experiments, workers
folder = pathlib.Path({str(tmp_path)!r})
workers.start(experiments.{experiment!r}, folder, folder, model_names=["vae"])
workers.prepare()
print(workers._prepared.process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: has_ended(int(done.stdout)))
    path = checkpoint_path(tmp_path / experiment.name, "vae")
    wait_for(lambda: path.exists() and states(tmp_path) == {})


def test_a_process_that_is_not_used_ends() -> None:
    ours, theirs = socket.socketpair()
    script = "from training import workers; workers.UNUSED_AFTER = 0.1; print(workers._wait_for_job())"
    with ours, theirs:
        told = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, stdin=theirs.fileno())
    assert told == b"None\n"


def test_a_process_that_has_threads_fits_in_new_programs(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")  # NumPy starts them when it is imported
    monkeypatch.setattr(workers, "_prepared", None)  # it ends
    workers.start(replace(experiment, epochs=100_000), tmp_path, tmp_path, model_names=["vae"], slots=1)
    path = checkpoint_path(tmp_path / experiment.name, "vae")
    wait_for(live_path(path).exists)
    fit_ = psutil.Process(LiveFit(live_path(path)).progress.pid)
    assert fit_.cmdline()[1:4] == ["-m", "training", "fit"]
    (slot,) = (tmp_path / ".slots").iterdir()
    parent = fit_.parent()
    assert parent is not None
    parent.kill()
    assert workers._is_locked(slot)
    workers.discard(path.parent, "vae")
    wait_for(lambda: not workers._is_locked(slot))
