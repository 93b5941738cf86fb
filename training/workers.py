"""Fits in processes of their own, which outlive whoever starts them, and what is known of the fits in a folder.

`start` leaves in an experiment's folder: `job.json`, the settings; `<model>.log`, what the model's process says, locked
(flock) as long as that process lives, so that its death is known at once; `waiting`, until it is the pair's turn. The
parent process of a pair takes a slot, `.slots/<host>-<k>.lock` beside the folders, one for each two cores. It starts a
process for each model, which inherits the slot: that is free when the last of them has ended. Of what ended well only
the checkpoint stays.

The parent is `python -m training.workers`, whose standard input is a socket. It imports what a fit needs, which takes
seconds, then receives one job: a line of JSON, and the descriptors of the logs. `prepare` starts it in advance. Its
models' processes are its forks, and begin at once. Nothing here needs torch, but in that process.
"""

import dataclasses
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from safetensors import SafetensorError, safe_open

from training.array_file import CheckpointError, write_atomically
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path, experiment_from_json, experiment_names
from training.cores import usable_cores
from training.experiments import Experiment
from training.live import (
    GO_ON,
    LiveFit,
    control,
    control_path,
    forget,
    live_path,
    log_path,
    open_live,
    read_control,
    unfinished_path,
)

try:
    import fcntl
except ImportError:  # Windows, where no file can be locked for those who inherit it
    fcntl = None  # type: ignore[assignment]

__all__ = ["FitInFolder", "default_slots", "discard", "prepare", "queue", "read_job", "running", "start"]

JOB, WAITING = "job.json", "waiting"
NICENESS = 19  # of the fits: the clicks of a class come first
POLL = 0.1  # seconds between looks at slots and processes
UNUSED_AFTER = 900.0  # seconds in which a process that was prepared is given a job, or ends
_LEFT = re.compile(r"(.+?)\.(live\.safetensors|unfinished\.safetensors|log)")
_PROJECT = Path(__file__).parent.parent
_started: list["subprocess.Popen[bytes]"] = []  # held: they are asked for their end, or they would stay as zombies


class _Worker(NamedTuple):
    """A process that waits for its job, and the socket over which it gets it. It ends when that is closed."""

    process: "subprocess.Popen[bytes]"
    socket: socket.socket


_prepared: _Worker | None = None
_guard = threading.Lock()  # of the above: sessions of the app are threads


@dataclass(frozen=True, kw_only=True)
class FitInFolder:
    """A fit that is waiting, in progress, or dead: one that a killed process, or a failure, has left."""

    folder: Path
    stem: str  # the model, as `autoencoder`, `vae`, `vae-beta-4`
    experiment: Experiment | None  # None: no file tells it
    live: LiveFit | None  # None: not shown yet
    lives: bool
    place: int  # in the queue, from 1; 0: not waiting
    message: str  # of one that does not live: why, as far as that is known

    @property
    def state(self) -> str:
        """`waiting`, `starting`, `fitting`, `paused`, `failed` or `dead`."""
        if self.place:
            return "waiting"
        if self.live is not None and self.live.lives:
            return self.live.state
        if self.lives:  # what its file shows is of an earlier run
            return "starting"
        return "failed" if self.live is not None and self.live.state == "failed" else "dead"

    @property
    def can_resume(self) -> bool:
        """Whether `start` with its experiment goes on with it."""
        return not self.lives and self.experiment is not None and self.stem in MODEL_NAMES


def prepare() -> None:
    """Start the process of the next fit in advance, if none waits: the fit will begin without its seconds of imports.

    What hinders it, hinders `start`, which says so.
    """
    global _prepared
    if fcntl is None:
        return
    with _guard, suppress(OSError):
        if _prepared is None or _prepared.process.poll() is not None:
            _prepared = _launch()


def start(
    experiment: Experiment,
    data_dir: Path,
    checkpoints: Path,
    *,
    model_names: Sequence[str] = MODEL_NAMES,
    slots: int | None = None,
) -> None:
    """Start the fits of an experiment in processes of their own, or go on with unfinished ones.

    They wait for their turn, see `queue`. Each computes with one thread, and ends with the checkpoint
    `checkpoints/<experiment>/<model>.safetensors`.

    Args:
        experiment: its settings; its name is the folder's.
        data_dir: holds, or will hold, the images.
        checkpoints: folder of all experiments.
        model_names: which of the two models.
        slots: how many pairs may be fitted at a time; None is `default_slots`.

    Raises:
        CheckpointError: the folder holds models of other settings, or one of these is being fitted.
        OSError: no room, no permission, or Windows.
    """
    if fcntl is None:
        raise OSError("this system cannot start fits from the page; use the command python -m training fit")
    folder = checkpoints / experiment.name
    for model_name in model_names:
        path = checkpoint_path(folder, model_name)
        if _holds_another(path, experiment):
            raise CheckpointError(f"{path} has other settings, and would be replaced; choose another name")
        if (live := open_live(path)) and live.lives:
            raise CheckpointError(_already_fitted(path))
    folder.mkdir(parents=True, exist_ok=True)
    logs: dict[str, IO[bytes]] = {}
    try:
        for model_name in model_names:
            path = checkpoint_path(folder, model_name)
            logs[model_name] = log_path(path).open("ab")
            if not _lock(logs[model_name], patience=1.0):  # whoever looks whether it is locked locks it for a moment
                raise CheckpointError(_already_fitted(path))
            control_path(path).unlink(missing_ok=True)  # what an earlier run was told is nothing to this one
        write_atomically(folder / JOB, json.dumps(dataclasses.asdict(experiment)).encode())
        (folder / WAITING).write_text(socket.gethostname())
        job = {
            "folder": str(folder.absolute()),
            "data_dir": str(data_dir.absolute()),
            "slots": slots or default_slots(),
            "models": list(logs),
        }
        descriptors = [log.fileno() for log in logs.values()]
        try:
            _send(job, descriptors)
        except ConnectionError:  # what was prepared has died, and is no longer there
            _send(job, descriptors)
    finally:
        for log in logs.values():
            log.close()


def default_slots() -> int:
    """Return how many pairs may be fitted at a time: two processes with one thread each want two cores."""
    return max(1, usable_cores() // 2)


def queue(checkpoints: Path) -> list[str]:
    """Return the names of the experiments that wait for their turn on this machine, the next one first."""
    waiting = []
    for name in experiment_names(checkpoints):
        path = checkpoints / name / WAITING
        with suppress(OSError):  # it has just begun
            came = path.stat().st_mtime_ns
            if path.read_text() == socket.gethostname() and any(map(_is_locked, path.parent.glob("*.log"))):
                waiting.append((came, name))
    return [name for _, name in sorted(waiting)]


def running(checkpoints: Path) -> list[FitInFolder]:
    """Return the fits that wait, are in progress, or were left unfinished, by experiment and model."""
    waiting = queue(checkpoints)
    found = []
    for name in experiment_names(checkpoints):
        folder = checkpoints / name
        with suppress(OSError):  # it was just removed
            files = [each.name for each in folder.iterdir()]
            for stem in sorted({match[1] for each in files if (match := _LEFT.fullmatch(each))}):
                place = waiting.index(name) + 1 if name in waiting else 0
                if (fit := _fit_in(folder / f"{stem}.safetensors", place)) is not None:
                    found.append(fit)
    return found


def discard(folder: Path, stem: str) -> None:
    """Give up a fit, waiting, in progress or dead; a checkpoint that stands there stays.

    Args:
        folder: the experiment's, which goes if nothing else is in it.
        stem: the model.

    Raises:
        OSError: no permission.
    """
    path = folder / f"{stem}.safetensors"
    live = open_live(path)
    if _is_locked(log_path(path)) or (live is not None and live.lives):
        control(folder, stem, state="discard")
    else:
        forget(path)
        _tidy(folder, [stem])


def read_job(folder: Path) -> Experiment:
    """Read the settings that `start` has left for its processes.

    Raises:
        CheckpointError: there are none, or they cannot be read.
    """
    try:
        return experiment_from_json(json.loads((folder / JOB).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / JOB} cannot be read ({error!r:.200}); start the fit anew") from error


def _launch() -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.workers"],
            cwd=_PROJECT,
            # One thread a model; and what forks must have no other, see `_work`.
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it outlives the server, and hears nothing of its Ctrl-C
        )
    return _Worker(process, ours)


def _send(job: dict[str, Any], logs: Sequence[int]) -> None:
    """Give a job, and the descriptors of its logs, to the process that waits, or to a new one.

    Raises:
        ConnectionError: that process has died.
    """
    global _prepared
    with _guard:
        worker, _prepared = _prepared, None
    worker = worker or _launch()
    _started[:] = [each for each in _started if each.poll() is None]
    _started.append(worker.process)
    with worker.socket:
        socket.send_fds(worker.socket, [json.dumps(job).encode()], logs)


def _fit_in(path: Path, place: int) -> FitInFolder | None:
    """Return what is known of a fit, given its checkpoint; None if what it has left is of one that has ended."""
    live, is_locked = open_live(path), _is_locked(log_path(path))
    if not (is_locked or live_path(path).exists() or unfinished_path(path).exists()) and path.exists():
        return None
    lives = is_locked or (live is not None and live.lives)
    message = ""
    if not lives:
        message = live.message if live is not None and live.state == "failed" else _last_line(log_path(path))
    return FitInFolder(
        folder=path.parent,
        stem=path.stem,
        experiment=live.experiment if live is not None else _settings_left(path),
        live=live,
        lives=lives,
        place=place if is_locked else 0,
        message=message,
    )


def _settings_left(path: Path) -> Experiment | None:
    """Return the settings of a fit that has not shown itself: from its saved state, or what it was to do."""
    try:
        with safe_open(unfinished_path(path), framework="numpy") as file:
            return experiment_from_json(json.loads(file.metadata()["progress"])["experiment"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    try:
        return read_job(path.parent)
    except CheckpointError:
        return None


def _holds_another(path: Path, experiment: Experiment) -> bool:
    try:
        return Checkpoint(path).experiment != experiment
    except CheckpointError:  # missing or defective: nothing to keep
        return False


def _already_fitted(path: Path) -> str:
    return f"{path} is being fitted already"


def _last_line(path: Path) -> str:
    """Return the last line of a log that says something, without what a command line puts around an error."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            lines = re.split(r"[\r\n]+", log.read().decode(errors="replace"))
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("Error: ").removesuffix(".").removesuffix(f"; {GO_ON}")


def _lock(file: IO[bytes], *, patience: float = 0.0) -> bool:
    """Lock a file for as long as it is open here or in a process that inherits it; return whether that was possible."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _is_locked(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _tidy(folder: Path, stems: Sequence[str]) -> None:
    """Remove the logs of fits that have ended well, and the rest when no log is left; an empty folder goes, too."""
    for stem in stems:
        path = folder / f"{stem}.safetensors"
        log_path(path).unlink(missing_ok=True)
        control_path(path).unlink(missing_ok=True)  # an order that came while the process was ending
    if not any(folder.glob("*.log")):
        for name in (JOB, WAITING):
            (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # something is in it
        folder.rmdir()


def _import_fit() -> None:
    """Import what a fit imports at any time; not scikit-learn (`digits`), which starts a thread."""
    import training.__main__
    import training.fit  # noqa: F401


def _wait_for_job() -> tuple[dict[str, Any], list[int]] | None:
    """Receive the job and the descriptors of its logs from standard input; None if there is none to come."""
    with socket.socket(fileno=os.dup(0)) as server:  # 0 stays taken: a fork closes it
        server.settimeout(UNUSED_AFTER)
        try:
            message, logs, _, _ = socket.recv_fds(server, 2**16, len(MODEL_NAMES))
        except TimeoutError:
            server.shutdown(socket.SHUT_RD)  # who sends from now on gets an error, and what was sent before is read
            message, logs, _, _ = socket.recv_fds(server, 2**16, len(MODEL_NAMES))
    return (json.loads(message), logs) if message else None


def _work(folder: Path, data_dir: Path, slot_count: int, logs: dict[str, int]) -> None:
    """Wait for a slot, fit the models, each in a process of its own, and tidy up."""
    slot = _slot(folder, slot_count, logs)
    if slot is None:
        return
    (folder / WAITING).unlink(missing_ok=True)
    # A fork has the one thread that makes it: libraries that have started others would wait for them. Some
    # environments make OpenBLAS start its own at import. And macOS' frameworks survive no fork at all.
    may_fork = sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1
    context = multiprocessing.get_context("fork")
    processes = {}
    for model_name in logs:
        arguments = (folder, data_dir, model_name, logs, slot.fileno(), may_fork)
        processes[model_name] = context.Process(target=_fit, args=arguments)
        processes[model_name].start()
    _say_to(os.open(os.devnull, os.O_WRONLY))
    for log in logs.values():
        os.close(log)  # from now on it is locked by its model's process alone
    while processes:
        time.sleep(POLL)
        for model_name, process in list(processes.items()):
            if (code := process.exitcode) is None:
                continue
            del processes[model_name]
            with suppress(OSError):  # the folder is gone, or the disk full
                if code == 0:
                    _tidy(folder, [model_name])
                elif code < 0:
                    with log_path(folder / f"{model_name}.safetensors").open("a") as log_file:
                        log_file.write(f"\nthe process was killed (signal {-code})\n")


def _fit(folder: Path, data_dir: Path, model_name: str, logs: dict[str, int], slot: int, may_fork: bool) -> None:
    """Fit a model as the command line does; runs in a fork, and goes on as a new program if it may not."""
    os.setsid()  # should the parent be killed, with all its group, it goes on
    _give_way()
    _say_to(logs[model_name])
    for log in logs.values():
        os.close(log)
    arguments = ["fit", "--settings", str(folder / JOB), "--model", model_name, "--resume"]
    arguments += ["--data-dir", str(data_dir), "--checkpoints", str(folder.parent)]
    if not may_fork:
        os.set_inheritable(slot, True)
        os.execv(sys.executable, [sys.executable, "-m", "training", *arguments])
    from training.__main__ import app

    app(arguments)


def _give_way() -> None:
    """Let whatever else wants the processor have it first."""
    os.nice(NICENESS)
    # Linux shares the processor among sessions first, each with a niceness of its own; a process's counts only among
    # those of its session (man 7 sched, "The autogroup feature"), and here it has one to itself.
    with suppress(OSError):  # without that feature
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def _say_to(descriptor: int) -> None:
    """Make a file the standard output, and that of errors."""
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def _slot(folder: Path, count: int, logs: dict[str, int]) -> IO[bytes] | None:
    """Wait for the folder's turn and a free slot, which is locked; None if none of the models is wanted any more."""
    slots = folder.parent / ".slots"
    slots.mkdir(exist_ok=True)
    while logs:
        if queue(folder.parent)[:1] == [folder.name]:
            for k in range(count):
                slot = (slots / f"{socket.gethostname()}-{k}.lock").open("ab")
                if _lock(slot):
                    return slot
                slot.close()
        if not (folder / WAITING).exists():
            return None
        time.sleep(POLL)
        for model_name in list(logs):
            path = checkpoint_path(folder, model_name)
            ordered = read_control(control_path(path))
            has_begun = unfinished_path(path).exists()
            if ordered and (ordered.state == "discard" or (ordered.state == "stop" and not has_begun)):
                forget(path)
                os.close(logs.pop(model_name))
                _tidy(folder, [model_name])
    return None


def _main() -> None:
    with suppress(Exception):  # what does not import says so in the log of the fit
        _import_fit()
    if (received := _wait_for_job()) is None:
        return
    job, logs = received
    _say_to(logs[0])
    _work(Path(job["folder"]), Path(job["data_dir"]), job["slots"], dict(zip(job["models"], logs, strict=True)))


if __name__ == "__main__":
    _main()
