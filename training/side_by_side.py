"""Both models of an experiment fitted at the same time: each in a process of its own, with its share of the cores.

Two processes that compute with one thread each are faster on two cores than one process with two threads, fit after
fit: the matrices are small, and threads wait for each other at each of them.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple, cast

from training.checkpoint import MODEL_NAMES, CheckpointError
from training.cores import usable_cores
from training.datasets import DataError, load
from training.display import Display, Terminal
from training.experiments import Experiment
from training.live import GO_ON

__all__ = ["fit_side_by_side"]

SEND_EVERY = 0.1  # seconds between two messages of how far a model is


class _Line(NamedTuple):
    text: str


class _Advance(NamedTuple):
    update: int
    total: int
    terms: str


def fit_side_by_side(
    experiment: Experiment, data_dir: Path, folder: Path, *, resume: bool = False, display: Display | None = None
) -> Iterator[Path]:
    """Fit the AE and the VAE at the same time on the CPU; yield each one's checkpoint as soon as it is there.

    Where one fails, the other goes on to its end.

    Args:
        experiment: their settings.
        data_dir: holds the images; each process reads them.
        folder: the experiment's folder.
        resume: as `training.fit.fit`.
        display: where both show how far they are; None is the terminal.

    Raises:
        FitError, Interrupted, OSError: as `training.fit.fit`; what came first, after both have ended.
    """
    from training.fit import Discarded, FitError, Interrupted

    display = display or Terminal()
    context = multiprocessing.get_context("spawn")  # torch has threads, which a fork would wait for
    threads = max(1, usable_cores() // len(MODEL_NAMES))
    processes: list[SpawnProcess] = []
    fits: dict[Connection, tuple[str, SpawnProcess]] = {}
    failures: list[Exception] = []
    with _signals_passed_on(processes) as received:
        for model_name in MODEL_NAMES:
            connection, end = context.Pipe(duplex=False)
            arguments = (end, experiment, model_name, data_dir, folder, resume, threads)
            processes.append(context.Process(target=_fit, args=arguments))
            processes[-1].start()
            end.close()
            fits[connection] = model_name, processes[-1]
        while fits:
            for ready in multiprocessing.connection.wait(list(fits)):
                connection = cast(Connection, ready)
                model_name, process = fits[connection]
                match message := _received(connection):
                    case _Line():
                        display.say(message.text)
                        continue
                    case _Advance():
                        display.advance(model_name, *message)
                        continue
                    case Discarded():
                        display.say(f"{message}")
                    case Exception():
                        failures.append(message)
                display.end(model_name)
                del fits[connection]
                process.join()
                if isinstance(message, Path):
                    yield message
                elif message is None and received:
                    failures.append(Interrupted(f"{model_name}: ended before it began; go on with the same command"))
                elif message is None:
                    failures.append(
                        FitError(f"the process that fits the {model_name} ended with {process.exitcode}; {GO_ON}")
                    )
    if failures:
        raise next((each for each in failures if not isinstance(each, Interrupted)), failures[0])


def _received(connection: Connection) -> object:
    """Receive what a process has sent; None if it has died."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


@contextmanager
def _signals_passed_on(processes: list[SpawnProcess]) -> Iterator[list[int]]:
    """Pass Ctrl-C and SIGTERM on to processes, which are no part of the terminal's group: they save at the first.

    Whatever ends this one ends them.
    """
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        received.append(number)
        for process in processes:
            process.terminate()

    previous = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()


class _Sent:
    """A display in another process, which shows what is sent to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._next = connection, 0.0

    def say(self, line: str) -> None:
        self.send(_Line(line))

    def advance(self, model_name: str, update: int, total: int, terms: str) -> None:
        if update == total or time.monotonic() >= self._next:
            self._next = time.monotonic() + SEND_EVERY
            self.send(_Advance(update, total, terms))

    def end(self, model_name: str) -> None:
        pass  # what the process sends last says so

    def send(self, message: object) -> None:
        with suppress(BrokenPipeError):  # who would show it has died; the run is being saved
            self._connection.send(message)


def _fit(
    connection: Connection,
    experiment: Experiment,
    model_name: str,
    data_dir: Path,
    folder: Path,
    resume: bool,
    threads: int,
) -> None:
    """Fit a model in this process, and send how it ended: the checkpoint's path, or the error."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    from training.fit import Discarded, FitError, Interrupted, fit

    torch.set_num_threads(threads)
    display = _Sent(connection)
    try:
        data = load(experiment.dataset, data_dir, image_size=experiment.image_size, binarised=experiment.binarised)
        display.send(
            fit(experiment, model_name, data, folder, device=torch.device("cpu"), resume=resume, display=display)
        )
    except (Discarded, FitError, Interrupted, DataError, CheckpointError, OSError) as error:
        display.send(error)


def _end_with_parent() -> None:
    """Save and end when the process that shows this one has ended, however it did."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
