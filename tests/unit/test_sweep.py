"""Sweeps: the grid, its table, and what Dask's workers make of it."""

import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster

from tests.conftest import CPU, ROOT, Arrays, rewrite, run_command
from training import cluster
from training.__main__ import app
from training.checkpoint import Checkpoint, CheckpointError
from training.cluster import SweepError, fit_sweep
from training.datasets import Data, Split
from training.experiments import EXPERIMENTS, Experiment
from training.fit import as_dict, fit
from training.objective import evaluate
from training.sweep import SWEEPS, Sweep, sweep_of
from training.sweep_table import (
    Point,
    Row,
    SweepTable,
    Terms,
    kept_path,
    read_table,
    sweep_command,
    sweep_name,
    table_names,
    table_path,
    write_table,
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def small(experiment: Experiment) -> Sweep:
    """An AE and two VAEs."""
    return replace(sweep_of("small", replace(experiment, epochs=1)), betas=(0.5, 1.0))


def rows_of(checkpoints: Path, name: str = "small") -> dict[Point, Row]:
    return {row.point: row for row in read_table(table_path(checkpoints, name)).rows}


def test_models_of_a_sweep_are_those_of_a_fit_in_one_thread(
    small: Sweep, digits: Data, client: Client, tmp_path: Path
) -> None:
    assert fit_sweep(small, digits, tmp_path, keep=True, client=client) == []
    rows = rows_of(tmp_path)
    assert list(rows) == sorted(small.points())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for point, row in rows.items():
            kept = Checkpoint(kept_path(tmp_path, small.experiment, point))
            own, is_additional = point.of(small.experiment), point.beta != small.experiment.beta
            plain = Checkpoint(
                fit(own, point.model_name, digits, tmp_path / "plain", device=CPU, is_additional=is_additional)
            )
            assert kept.experiment == plain.experiment
            assert kept.test == plain.test
            for group in ("weights", "codes", "snapshots"):
                for name, array in plain.group(group).items():
                    np.testing.assert_array_equal(kept.group(group)[name], array)
            assert (row.test.reconstruction, row.test.kl) == (plain.test["reconstruction"], plain.test.get("kl", 0.0))
            training = as_dict(evaluate(plain.load_network(), digits.train, samples=1))
            assert (row.training.reconstruction, row.training.kl) == (training["reconstruction"], training.get("kl", 0))
            if point.model_name == "vae":
                assert sum(row.kl_of_dimensions) == pytest.approx(row.test.kl, rel=0.1)  # of grey, not drawn images
    finally:
        torch.set_num_threads(threads)


def pages_touched() -> int:
    """How many pages the system hands out while arrays of a megabyte come and go, a hundred times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_workers_keep_the_memory_that_an_update_frees(
    small: Sweep, digits: Data, client: Client, tmp_path: Path
) -> None:
    fit_sweep(replace(small, betas=(1.0,)), digits, tmp_path, client=client)
    assert max(client.run(pages_touched).values()) < 1_000


def test_what_is_there_is_left_alone(
    small: Sweep, digits: Data, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.cluster is not None
    address = client.cluster.scheduler_address  # as of a cluster that somebody else has started
    fit_sweep(replace(small, betas=(1.0,)), digits, tmp_path, keep=True, address=address)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors") if path.parent != tmp_path}
    rows = rows_of(tmp_path)
    capsys.readouterr()
    fit_sweep(small, digits, tmp_path, keep=True, client=client)
    assert "1 of 3 models are to be fitted" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert rows_of(tmp_path).items() > rows.items()
    # A model that is kept but in no table is measured, and not fitted again: its seconds of fitting stay.
    table_path(tmp_path, "small").unlink()
    seconds = [Checkpoint(path).seconds for path in before]
    fit_sweep(small, digits, tmp_path, keep=True, client=client)
    assert [Checkpoint(path).seconds for path in before] == seconds
    assert rows_of(tmp_path).items() > rows.items()


def test_another_fit_is_not_replaced(small: Sweep, digits: Data, client: Client, tmp_path: Path) -> None:
    path = kept_path(tmp_path, small.experiment, small.points()[0])
    fit(replace(small.experiment, learning_rate=1e-3), "autoencoder", digits, path.parent, device=CPU)
    with pytest.raises(SweepError, match="is of another fit, and would be replaced"):
        fit_sweep(small, digits, tmp_path, keep=True, client=client)
    write_table(table_path(tmp_path, "small"), SweepTable(small.experiment, "of other images", 1, (SOME_ROW,)))
    with pytest.raises(CheckpointError, match="is of other settings or images"):
        fit_sweep(small, digits, tmp_path, client=client)


def test_a_model_that_cannot_be_fitted_is_told_and_the_others_go_on(
    small: Sweep, digits: Data, client: Client, tmp_path: Path
) -> None:
    deep = (64,) * 12  # its loss overflows at this rate
    wild = replace(small, experiment=replace(small.experiment, learning_rate=10.0), hidden_layers=(deep, (64, 32)))
    failures = fit_sweep(wild, digits, tmp_path, client=client)
    assert len(failures) == 3
    assert all("is no longer a finite number" in failure and "try a learning rate" in failure for failure in failures)
    assert {point.hidden_layers for point in rows_of(tmp_path)} == {(64, 32)}


def test_a_killed_worker_costs_no_model(small: Sweep, digits: Data, client: Client, tmp_path: Path) -> None:
    victim, *_ = client.run(os.getpid).values()
    several = replace(small, experiment=replace(small.experiment, epochs=4), seeds=(0, 1))

    def kill() -> None:
        wait_until(table_path(tmp_path, "small").exists)
        os.kill(victim, signal.SIGKILL)  # both workers have more to do

    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill)
        assert fit_sweep(several, digits, tmp_path, client=client) == []
        killed.result()
    assert list(rows_of(tmp_path)) == sorted(several.points())
    wait_until(lambda: len(client.run(os.getpid)) == 2)
    assert victim not in client.run(os.getpid).values()


def test_sweeps_that_share_a_cluster_keep_to_their_own_images(
    small: Sweep, digits: Data, client: Client, tmp_path: Path
) -> None:
    """The second begins while the first goes on, and is interrupted, which the first does not notice."""
    assert client.cluster is not None
    address = client.cluster.scheduler_address
    several = replace(small, experiment=replace(small.experiment, epochs=2), seeds=(0, 1, 2))
    others = replace(
        digits,
        train=Split(255 - digits.train.images, digits.train.labels),
        id=digits.id._replace(fingerprint="of others"),
    )
    more = replace(several, name="others", seeds=tuple(range(9)))

    def begin_another() -> None:
        wait_until(table_path(tmp_path, "small").exists)
        with Client(address) as second:
            fit_sweep(more, others, tmp_path, client=second)

    with ThreadPoolExecutor() as pool:
        another = pool.submit(begin_another)
        assert fit_sweep(several, digits, tmp_path, address=address) == []
        another.result()
    for sweep, data in ((several, digits), (more, others)):
        alone = tmp_path / f"{sweep.name} alone"
        assert fit_sweep(replace(sweep, seeds=several.seeds), data, alone, client=client) == []
        rows = rows_of(tmp_path, sweep.name)
        assert rows.items() >= rows_of(alone, sweep.name).items()
        assert list(rows) == sorted(sweep.points())
    assert not any(client.run(plugins_of_sweeps).values())


def plugins_of_sweeps(dask_worker: Any) -> list[str]:
    """The images that a worker still holds."""
    return [name for name in dask_worker.plugins if name.startswith("images-of-")]


def test_a_worker_without_the_project_is_told(small: Sweep, digits: Data, tmp_path: Path) -> None:
    def dask(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "dask", *arguments]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    ready = tmp_path / "scheduler.json"
    with dask("scheduler", "--port", "0", "--scheduler-file", str(ready), "--no-dashboard") as scheduler:
        try:
            wait_until(ready.exists)
            with dask("worker", "--scheduler-file", str(ready), "--no-dashboard", "--no-nanny") as worker:
                try:
                    with Client(scheduler_file=str(ready)) as client:
                        client.wait_for_workers(1)
                        with pytest.raises(
                            SweepError, match=r"1 of 1 workers, as that at tcp://.* do not find this pr"
                        ):
                            fit_sweep(small, digits, tmp_path / "checkpoints", client=client)
                finally:
                    worker.kill()
        finally:
            scheduler.kill()


def test_ctrl_c_while_the_workers_start_ends_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "sweep", "digits-2d", "--epochs", "3", "--checkpoints", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert "2 of 2 models are to be fitted" in process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
        output, errors = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "0 models are in the table, what was begun is saved; the same command goes on" in output
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_was_ended_goes_on(number: int, digits: Data, client: Client, tmp_path: Path) -> None:
    sweep = replace(sweep_of("digits-2d-epochs-3", replace(EXPERIMENTS["digits-2d"], epochs=3)), seeds=(0, 1))
    sweep = replace(sweep, experiment=replace(sweep.experiment, name=sweep.name))
    command = [sys.executable, "-m", "training", "sweep", "digits-2d", "--epochs", "3", "--seed", "0,1"]
    with subprocess.Popen(
        [*command, "--checkpoints", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        wait_until(lambda: table_path(tmp_path, sweep.name).exists())
        # As a terminal does, to the whole group; a kill is for the one process, and its workers end with it.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        output, _ = process.communicate(timeout=60)  # also waits for the workers, which hold its end of the pipe
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "what was begun is saved; the same command goes on" in output
        assert list((tmp_path / f".{sweep.name}.sweep").iterdir())
    before = rows_of(tmp_path, sweep.name)
    assert 0 < len(before) < len(sweep.points())
    assert fit_sweep(sweep, digits, tmp_path, client=client) == []
    after = rows_of(tmp_path, sweep.name)
    assert after.items() > before.items()
    assert [path.name for path in tmp_path.iterdir()] == [f"{sweep.name}.sweep.safetensors"]
    if number == signal.SIGINT:  # what was saved at any update goes on to the same weights
        assert fit_sweep(sweep, digits, tmp_path / "whole", client=client) == []
        assert rows_of(tmp_path / "whole", sweep.name) == after


SOME_ROW = Row(Point("vae", 2, (64, 32), 1.0, 0), Terms(-90.0, 5.0), Terms(-91.0, 5.1), (2.0, 3.1))
OTHER_ROW = Row(Point("autoencoder", 3, (), 1.0, 7), Terms(-80.0, 0.0), Terms(-81.0, 0.0))


def test_a_table_keeps_every_number(tmp_path: Path) -> None:
    table = SweepTable(EXPERIMENTS["digits-2d"], "images", 1).with_row(SOME_ROW).with_row(OTHER_ROW)
    path = table_path(tmp_path, "mine")
    write_table(path, table)
    assert read_table(path) == table
    assert table_names(tmp_path) == ["mine"]
    better = replace(SOME_ROW, test=Terms(-1.0, 1.0))
    assert table.with_row(better).rows == (OTHER_ROW, better)


Change = Callable[[Arrays, dict[str, Any]], Any]
ABSURD: dict[str, Change] = {
    "no such model": lambda arrays, settings: arrays["model"].__setitem__(0, 9),
    "an index below 0": lambda arrays, settings: arrays["hidden_layers"].__setitem__(0, -1),
    "a KL below 0": lambda arrays, settings: arrays["test.kl"].__setitem__(1, -3.0),
    "a likelihood above 1": lambda arrays, settings: arrays["training.reconstruction"].__setitem__(0, 2.0),
    "no number": lambda arrays, settings: arrays["test.kl"].__setitem__(0, np.nan),
    "a huge latent space": lambda arrays, settings: arrays["latent_dim"].__setitem__(1, 2**40),
    "a lacking column": lambda arrays, settings: arrays.pop("seed"),
    "a lacking dimension": lambda arrays, settings: arrays.update(kl_of_dimensions=np.zeros(1)),
    "a dimension too many": lambda arrays, settings: arrays.update(kl_of_dimensions=np.zeros(3)),
    "the same twice": lambda arrays, settings: arrays.update({n: a[[1, 1]] for n, a in arrays.items() if len(a) == 2}),
    "widths that are none": lambda arrays, settings: settings.update(hidden_layers=["a", [64, 32]]),
    "no experiment": lambda arrays, settings: settings.pop("experiment"),
    "samples that are none": lambda arrays, settings: settings.update(training_samples="many"),
    "another format": lambda arrays, settings: settings.update(format=99),
}


@pytest.mark.parametrize("change", ABSURD.values(), ids=ABSURD.keys())
def test_an_absurd_table_is_one_sentence(change: Change, tmp_path: Path) -> None:
    path = table_path(tmp_path, "mine")
    write_table(path, SweepTable(EXPERIMENTS["digits-2d"], "images", 1, (OTHER_ROW, SOME_ROW)))
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=r"; restore it, or compute it again: python -m training sweep mine$"):
        read_table(path)


def test_a_table_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    path = table_path(tmp_path, "mine")
    with pytest.raises(CheckpointError, match="is missing; restore it, or compute it: python -m training sweep mine"):
        read_table(path)
    write_table(path, SweepTable(EXPERIMENTS["digits-2d"], "images", 1, (SOME_ROW,)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="is no safetensors file, or is cut short"):
        read_table(path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "unknown experiment 'nothing'"),
        (("digits-2d", "--beta", "a"), "--beta is 'a'; it must be numbers with commas between them, as 0.1,1,5"),
        (("digits-2d", "--latent-dim", "2.5"), "is '2.5'; it must be whole numbers with commas between them, as 2,8"),
        (("digits-2d", "--hidden-layers", "5,4-"), "is '5,4-'; it must be widths with commas between them, as 512-"),
        (("digits-2d", "--seed", "-1"), "seed is -1; it must be 0 to 4294967295"),
        (("digits-2d", "--cluster", "foo"), "'foo' is no address of a Dask scheduler; give it as tcp://HOST:8786"),
        (("digits-2d", "--latent-dim", "1,2"), "latent_dim is 1; it must be at least 2"),
        (("digits-2d", "--epochs", "0"), "epochs is 0; it must be 1 to 100000"),
        (("digits-2d", "--cluster", "tcp://127.0.0.1:9"), "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_what_cannot_be_swept_is_told(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_WITHIN", 0.5)
    done = run_command(app, "sweep", *arguments, "--checkpoints", tmp_path)
    assert done.exit_code == 1
    assert told in done.stderr
    assert not list(tmp_path.iterdir())


def test_names_say_in_what_models_differ() -> None:
    own = EXPERIMENTS["mnist-2d"]
    names = [
        point.of(own).name
        for point in (
            Point("vae", 2, own.hidden_layers, 5.0, 0),
            Point("vae", 8, own.hidden_layers, 1.0, 2),
            Point("autoencoder", 2, (400, 100), 1.0, 0),
        )
    ]
    assert names == ["mnist-2d", "mnist-2d-latent-8-seed-2", "mnist-2d-layers-400-100"]
    folder = Path("checkpoints")
    assert kept_path(folder, own, Point("vae", 2, own.hidden_layers, 5.0, 0)) == folder / (
        "mnist-2d/vae-beta-5.safetensors"
    )
    assert [len(sweep.points()) for sweep in SWEEPS.values()] == [10, 7]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_command_of_a_table_can_be_run() -> None:
    assert sweep_command("betas") == "python -m training sweep betas"
    assert sweep_command("digits-2d-epochs-8") == "python -m training sweep digits-2d --epochs 8"
    assert sweep_command(sweep_name("latent-sizes", 3)) == "python -m training sweep latent-sizes --epochs 3"
