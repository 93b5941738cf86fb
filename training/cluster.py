"""Sweeps on Dask's scheduler: a model is a task, which one core of one worker fits.

Workers need this project and its environment, and no disk in common: the images travel once to each, what it has
fitted comes back as bytes, and this process writes it. Dask's own wire is pickled: a cluster must be one's own.
"""

import logging
import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple
from uuid import uuid4

import torch
from distributed import Client, Future, LocalCluster, WorkerPlugin, get_worker
from distributed.worker import Worker
from tqdm import tqdm

from training.array_file import MissingError, write_atomically
from training.checkpoint import MODEL_WORDS, Checkpoint, CheckpointError
from training.cores import usable_cores
from training.datasets import Data
from training.display import Silent
from training.experiments import Experiment
from training.fit import FitError, Interrupted, as_dict, fit
from training.live import unfinished_path
from training.malloc import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_malloc
from training.objective import evaluate, kl_per_dimension
from training.sweep import Sweep
from training.sweep_table import Point, Row, SweepTable, Terms, kept_path, read_table, table_path, write_table

__all__ = ["SweepError", "fit_and_measure", "fit_sweep"]

TRAINING_SAMPLES = 1  # posterior samples of each training image; there are many images
CONNECT_WITHIN = 10  # seconds
KEPT = 32 * 1024**2  # bytes: the most that glibc takes for the second
RETRIES = 2  # of a task that raised; Dask itself gives a task whose worker died to another
_one_at_a_time = threading.Lock()  # initial weights are drawn from torch's one generator of a process


class SweepError(Exception):
    """A sweep that cannot begin; the message is one sentence for the user."""


class Fitted(NamedTuple):
    """A model that is fitted, as it travels."""

    row: Row
    checkpoint: bytes


class Unfinished(NamedTuple):
    """What there is of a model that was interrupted; empty if it was not begun."""

    state: bytes


class Failed(NamedTuple):
    """Why a model could not be fitted."""

    reason: str


Outcome = Fitted | Unfinished | Failed


def fit_sweep(
    sweep: Sweep,
    data: Data,
    checkpoints: Path,
    *,
    address: str | None = None,
    keep: bool = False,
    client: Client | None = None,
) -> list[str]:
    """Fit what a sweep's table lacks; the table is written anew after each model.

    Args:
        sweep: the grid.
        data: the images.
        checkpoints: where the table stands, and the kept models; where an interrupted sweep keeps unfinished ones.
        address: of a Dask scheduler; None: one process a core of this machine.
        keep: keep the models, too, each in the experiment that `Point.of` names.
        client: of a cluster that is there already, instead of an address.

    Returns:
        what failed and why, a sentence a model.

    Raises:
        SweepError: no cluster answers, a worker of it lacks this project, or a model of another fit stands where one
            is to be kept.
        CheckpointError: the table is of other settings or images, or defective.
        Interrupted: Ctrl-C, after what was fitted and what was begun has been saved.
        OSError: a file could not be written; what stood there is unharmed.
    """
    table = _table(sweep, data, checkpoints)
    done = {row.point for row in table.rows}
    points = [
        point for point in sweep.points() if not (point in done and (not keep or _is_kept(checkpoints, sweep, point)))
    ]
    if keep:
        _check_place(checkpoints, sweep, points)
    failures = []
    with ExitStack() as stack:
        arrived: SimpleQueue[Future | None] = SimpleQueue()  # None: Ctrl-C; its `put` may be called by a signal handler
        stack.enter_context(_interrupts(arrived))
        tqdm.write(f"{len(points)} of {len(sweep.points())} models are to be fitted")
        if not points:
            return []
        client = client or stack.enter_context(_connected(address))
        _check_workers(client)
        # Of its own: several sweeps may share a cluster.
        images = f"images-of-{sweep.name}-{uuid4().hex}"
        client.register_plugin(_Images(data, own_group=address is None), name=images)
        stack.callback(_forget, client, images)
        if not client.scheduler_info()["workers"]:
            tqdm.write("the cluster has no worker yet; the sweep waits for one")
        running: dict[Future, Point] = {}
        for point in points:
            files = _files(checkpoints, sweep, point)
            future = client.submit(_task, images, sweep.experiment, point, files, pure=False, retries=RETRIES)
            running[future] = point
        stack.callback(client.cancel, list(running))
        for future in list(running):
            future.add_done_callback(arrived.put)
        bar = stack.enter_context(tqdm(total=len(points), unit="model", dynamic_ncols=True, disable=None))
        interrupted = False
        while running:
            arrival = arrived.get()
            if arrival is None:
                interrupted = True
                tqdm.write("saving what has begun; Ctrl-C again ends at once")
                client.run(_interrupt, images, on_error="ignore")
                continue
            point = running.pop(arrival)
            match outcome := _outcome(arrival):
                case Fitted():
                    table = table.with_row(outcome.row)
                    if keep and not _is_kept(checkpoints, sweep, point):
                        write_atomically(kept_path(checkpoints, sweep.experiment, point), outcome.checkpoint)
                    write_table(table_path(checkpoints, sweep.name), table)
                    _state_path(checkpoints, sweep, point).unlink(missing_ok=True)
                    tqdm.write(f"{_label(point)}: {_line(point, outcome.row.test)}")
                    bar.update()
                case Unfinished():
                    if outcome.state:
                        write_atomically(_state_path(checkpoints, sweep, point), outcome.state)
                case Failed():
                    failures.append(f"{_label(point)}: {outcome.reason}")
                    tqdm.write(f"{_label(point)}: failed")
                    bar.update()
    with suppress(OSError):  # there are states of others, or none ever
        _work(checkpoints, sweep).rmdir()
    if interrupted:
        raise Interrupted(
            f"{len(table.rows)} models are in the table, what was begun is saved; the same command goes on"
        )
    return failures


def fit_and_measure(
    experiment: Experiment, point: Point, data: Data, files: dict[str, bytes], interrupted: list[int]
) -> Outcome:
    """Fit a model of a sweep in this process, on the CPU, and measure it.

    Args:
        experiment: the sweep's.
        point: which model.
        data: the images.
        files: what there is of it already, its unfinished state or its checkpoint, by name.
        interrupted: the state is saved as soon as something stands in it.
    """
    own = point.of(experiment)
    is_additional = own.beta != experiment.beta
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / own.name
        path = kept_path(Path(work), experiment, point)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        device = torch.device("cpu")
        try:
            fit(
                own,
                point.model_name,
                data,
                folder,
                device=device,
                resume=True,
                is_additional=is_additional,
                display=Silent(),
                is_watched=False,
                interrupted=interrupted,
            )
        except FitError as error:
            # An unfinished state may be damaged, or of other settings: from the start, then.
            return fit_and_measure(experiment, point, data, {}, interrupted) if files else Failed(f"{error}")
        except Interrupted:
            if not path.exists():
                return Unfinished(unfinished_path(path).read_bytes())
        checkpoint, content = Checkpoint(path), path.read_bytes()
        training = as_dict(evaluate(checkpoint.load_network(), data.train, samples=TRAINING_SAMPLES))
        codes = checkpoint.codes()
        dimensions: tuple[float, ...] = ()
        if codes.log_variance is not None:
            each = kl_per_dimension(torch.from_numpy(codes.code), torch.from_numpy(codes.log_variance))
            dimensions = tuple(each.double().mean(0).tolist())
        return Fitted(Row(point, _terms(training), _terms(checkpoint.test), dimensions), content)


class _Images(WorkerPlugin):
    """The images of a sweep, on each worker, also on those that come later; and whether it is interrupted."""

    def __init__(self, data: Data, *, own_group: bool) -> None:
        self.data, self.own_group = data, own_group
        self.interrupted: list[int] = []

    def setup(self, worker: Worker) -> None:
        """Keep freed memory; leave the terminal's group, on this machine: Ctrl-C is for who shows the sweep."""
        # Dask sets a worker to give memory back as it is freed, which the next update asks for again.
        set_malloc({M_TRIM_THRESHOLD: KEPT, M_MMAP_THRESHOLD: KEPT})
        if self.own_group and hasattr(os, "setpgrp"):
            os.setpgrp()


def _task(images: str, experiment: Experiment, point: Point, files: dict[str, bytes]) -> Outcome:
    """Fit a model on a worker, to the images of this name."""
    plugin = _images(get_worker(), images)
    with _one_at_a_time:
        torch.set_num_threads(1)  # holds for the calling thread only
        if plugin.interrupted:
            return Unfinished(b"")
        return fit_and_measure(experiment, point, plugin.data, files, plugin.interrupted)


def _interrupt(images: str, dask_worker: Worker) -> None:
    """Have a worker save what it fits of a sweep, and begin nothing more of it."""
    _images(dask_worker, images).interrupted.append(signal.SIGINT)


def _images(worker: Worker, name: str) -> _Images:
    plugin = worker.plugins[name]
    assert isinstance(plugin, _Images)
    return plugin


def _forget(client: Client, images: str) -> None:
    """Have the workers give the images back; a cluster that has gone has none."""
    with suppress(Exception):
        client.unregister_worker_plugin(images)


def _check_workers(client: Client) -> None:
    """Raise SweepError if a worker does not find this project: it would wait for it, and say nothing here."""
    found = client.run(find_spec, __name__, on_error="return")  # of the standard library, which every worker has
    lost = sorted(worker for worker, spec in found.items() if spec is None or isinstance(spec, Exception))
    if lost:
        raise SweepError(
            f"{len(lost)} of {len(found)} workers, as that at {lost[0]}, do not find this project; start them in its "
            "folder, with its environment"
        )


def _outcome(future: Future) -> Outcome:
    """Return how a task ended, whatever ended it."""
    try:
        outcome: Outcome = future.result()
    except Exception as error:  # the task's own, or that its workers died
        return Failed(f"{type(error).__name__}: {' '.join(str(error).split()):.300}")
    return outcome


@contextmanager
def _connected(address: str | None) -> Iterator[Client]:
    """Connect to a cluster, or make one of this machine's cores."""
    if address is None:
        with ExitStack() as stack:
            with _no_ctrl_c():  # which goes to all processes of a terminal: half a worker would end in tracebacks
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=usable_cores(),
                        threads_per_worker=1,
                        memory_limit=0,
                        dashboard_address="127.0.0.1:0",  # any port: another scheduler may have the usual one
                        silence_logs=logging.CRITICAL,  # what fails is listed at the end
                    )
                )
            yield stack.enter_context(Client(cluster))
        return
    try:
        client = Client(address, timeout=CONNECT_WITHIN)
    except (OSError, ValueError) as error:
        if not re.fullmatch(r"\w+://[^/\s]+:\d+", address):
            raise SweepError(f"{address!r} is no address of a Dask scheduler; give it as tcp://HOST:8786") from error
        raise SweepError(
            f"no Dask scheduler answers at {address} ({error}); start one: python -m dask scheduler"
        ) from error
    with client:
        yield client


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C wait until the end; the threads and processes that begin meanwhile never hear of it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # begun with the first process, it would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts(arrived: "SimpleQueue[Future | None]") -> Iterator[None]:
    """Tell of the first Ctrl-C or SIGTERM as an arrival; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():  # signals go to that one
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def receive(number: int, frame: object) -> None:
        restore()
        arrived.put(None)

    for number in previous:
        signal.signal(number, receive)
    try:
        yield
    finally:
        restore()


def _table(sweep: Sweep, data: Data, checkpoints: Path) -> SweepTable:
    path = table_path(checkpoints, sweep.name)
    new = SweepTable(sweep.experiment, data.id.fingerprint, TRAINING_SAMPLES)
    try:
        table = read_table(path)
    except MissingError:
        return new
    if (table.experiment, table.fingerprint) != (new.experiment, new.fingerprint):
        raise CheckpointError(f"{path} is of other settings or images; move it away, or delete it")
    return table


def _work(checkpoints: Path, sweep: Sweep) -> Path:
    return checkpoints / f".{sweep.name}.sweep"


def _state_path(checkpoints: Path, sweep: Sweep, point: Point) -> Path:
    """Return where the state of an unfinished model is kept between two runs of a sweep."""
    path = kept_path(checkpoints, sweep.experiment, point)
    return _work(checkpoints, sweep) / f"{path.parent.name}.{unfinished_path(path).name}"


def _is_kept(checkpoints: Path, sweep: Sweep, point: Point) -> bool:
    try:
        return Checkpoint(kept_path(checkpoints, sweep.experiment, point)).experiment == point.of(sweep.experiment)
    except CheckpointError:
        return False


def _check_place(checkpoints: Path, sweep: Sweep, points: list[Point]) -> None:
    for point in points:
        path = kept_path(checkpoints, sweep.experiment, point)
        if path.exists() and not _is_kept(checkpoints, sweep, point):
            raise SweepError(f"{path} is of another fit, and would be replaced; move it away, or leave --keep out")


def _files(checkpoints: Path, sweep: Sweep, point: Point) -> dict[str, bytes]:
    """Read what there is of a model."""
    path, state = kept_path(checkpoints, sweep.experiment, point), _state_path(checkpoints, sweep, point)
    if state.exists():
        return {unfinished_path(path).name: state.read_bytes()}
    return {path.name: path.read_bytes()} if _is_kept(checkpoints, sweep, point) else {}


def _terms(found: dict[str, float]) -> Terms:
    return Terms(found["reconstruction"], found.get("kl", 0.0))


def _label(point: Point) -> str:
    widths = "-".join(map(str, point.hidden_layers))
    beta = f", beta {point.beta:g}" if point.model_name == "vae" else ""
    return f"{MODEL_WORDS[point.model_name]} {widths}-{point.latent_dim}{beta}, seed {point.seed}"


def _line(point: Point, terms: Terms) -> str:
    if point.model_name == "vae":
        return f"ELBO {terms.elbo:.2f} = {terms.reconstruction:.2f} - KL {terms.kl:.2f} nats"
    return f"reconstruction {terms.reconstruction:.2f} nats"
