r"""The files through which a running fit is watched and steered, beside the checkpoint that it will write.

`<stem>.live.safetensors`, `<stem>` being the checkpoint's name (`vae`), is written by the fit, a few times a second.
Settings and arrays are those of a checkpoint (see `training.checkpoint`) without `test`, `snapshots` and
`codes.log_variance`; `codes.code`, float16 (m, d), and `codes.label` are of the first m validation images, at most
2,000; a curve may still be empty, and the last point of the training curve is of the updates since the one before. On
top, the settings have `state` (one of `STATES`), `message` (why it failed), `pid` and `host` of the process, `started`
(seconds since 1970), `update`, `total`, `updates_per_epoch`, `seconds_left` (null: not known yet), and what is in
force: `beta`, `learning_rate` (the peak of its schedule) and `kl_weight` (beta times the warm-up). The file's time of
change is the process's heartbeat: it is set each second, whatever the fit does.

`<stem>.control.json` is written by whoever steers: `state` (one of `ORDERS`), `beta` and `learning_rate` (null: as it
is). What is malformed is passed over.

Nothing here needs torch.
"""

import dataclasses
import glob
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from training.array_file import CheckpointError, finite, write_arrays, write_atomically
from training.checkpoint import MODEL_NAMES, Change, Codes, DatasetId, FitFile, checkpoint_path, fit_settings
from training.experiments import DEFAULT, EXPERIMENTS, Experiment

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "GO_ON",
    "ORDERS",
    "STATES",
    "Control",
    "LiveFit",
    "Progress",
    "control",
    "control_path",
    "forget",
    "is_first_fit",
    "live_path",
    "log_path",
    "open_live",
    "read_control",
    "unfinished_path",
    "write_live",
]

STATES = ("fitting", "paused", "failed")
ORDERS = ("run", "pause", "stop", "discard")
GO_ON = "go on with the same command and --resume"  # what a command advises where a fit was ended
# Of the heartbeat, which is set each second: a busy machine may be late, and another's clock may be a little wrong.
DEAD_AFTER = 15.0


class Control(NamedTuple):
    """What a fit shall do; None is "as it is"."""

    state: str = "run"
    beta: float | None = None
    learning_rate: float | None = None


class Progress(NamedTuple):
    """How far a fit is, and what is in force; see the module's text."""

    state: str
    message: str
    pid: int
    host: str
    started: float
    update: int
    total: int
    updates_per_epoch: int
    seconds_left: float | None
    beta: float
    learning_rate: float
    kl_weight: float


def live_path(path: Path) -> Path:
    """Return the file that shows a fit in progress, given the checkpoint that it will write."""
    return path.with_name(f"{path.stem}.live.safetensors")


def control_path(path: Path) -> Path:
    """Return the file that steers a fit in progress, given the checkpoint that it will write."""
    return path.with_name(f"{path.stem}.control.json")


def unfinished_path(path: Path) -> Path:
    """Return the file of an unfinished run's state, given the checkpoint that it will write."""
    return path.with_name(f"{path.stem}.unfinished.safetensors")  # a stem may have a point: vae-beta-0.1


def log_path(path: Path) -> Path:
    """Return the file that holds what the process of a fit says, given the checkpoint that it will write."""
    return path.with_name(f"{path.stem}.log")


def is_first_fit(folder: Path) -> bool:
    """Return whether an experiment lacks a model because it is just being fitted, or was left unfinished."""
    paths = [path for model_name in MODEL_NAMES if not (path := checkpoint_path(folder, model_name)).exists()]
    return any(each(path).exists() for path in paths for each in (log_path, live_path, unfinished_path))


class LiveFit(FitFile):
    """A fit in progress as it stood a moment ago: opened, checked, and read as a whole, for it is soon replaced.

    Args:
        path: the file that shows it.

    Raises:
        CheckpointError: missing, foreign, damaged, or what it holds does not fit together.
    """

    def __init__(self, path: Path) -> None:
        self.stem = path.name.removesuffix(".live.safetensors")
        super().__init__(path, self.stem, at_once=True)
        m, d = self.rows("codes.label"), self.experiment.latent_dim
        self.expect("codes", {"code": ("F16", (m, d)), "label": ("U8", (m,))})
        self._check_history(at_least=0)
        self.expect_groups("weights", "codes", "history.training", "history.validation")

    def codes(self) -> Codes:
        """Read the codes of the first validation images, float16."""
        arrays = self.group("codes")
        codes = Codes(code=arrays["code"], labels=arrays["label"])
        self._check_labels(codes.labels)
        return codes

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self.progress.state

    @property
    def message(self) -> str:
        """Why it failed, one sentence; else empty."""
        return self.progress.message

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take, going on as it did; None if that is not known yet."""
        return self.progress.seconds_left

    @property
    def epoch(self) -> float:
        """How many passes over the training images it has made."""
        return self.progress.update / self.progress.updates_per_epoch

    @property
    def lives(self) -> bool:
        """Whether its process was there when the file was opened; asked again if it is of this machine."""
        if self.state == "failed" or time.time() - self.version / 1e9 > DEAD_AFTER:
            return False
        return self.progress.host != socket.gethostname() or _is_process(self.progress.pid)

    def _read_settings(self, settings: dict[str, Any]) -> None:
        super()._read_settings(settings)
        left = settings["seconds_left"]
        self.progress = Progress(
            state=str(settings["state"]),
            message=str(settings["message"]),
            host=str(settings["host"]),
            seconds_left=None if left is None else finite(left),
            pid=int(settings["pid"]),
            update=int(settings["update"]),
            total=int(settings["total"]),
            updates_per_epoch=int(settings["updates_per_epoch"]),
            started=finite(settings["started"]),
            beta=finite(settings["beta"]),
            learning_rate=finite(settings["learning_rate"]),
            kl_weight=finite(settings["kl_weight"]),
        )
        if self.state not in STATES or self.progress.pid < 1 or not 0 <= self.progress.update <= self.progress.total:
            raise ValueError("its progress is none")
        if self.progress.updates_per_epoch < 1:
            raise ValueError("its epochs have no updates")


def write_live(
    path: Path,
    experiment: Experiment,
    progress: Progress,
    *,
    dataset: DatasetId,
    changes: Sequence[Change],
    seconds: float,
    arrays: dict[str, Any],
) -> None:
    """Write the file that shows a fit; a reader sees the old one or the new one, each whole.

    It is not flushed to the disk: after a power cut it is of no use.

    Args:
        path: of the file.
        experiment: what is fitted.
        progress: how far it is.
        dataset: which images it is fitted to.
        changes: what was moved so far.
        seconds: of fitting.
        arrays: from `training.checkpoint.fit_arrays`.

    Raises:
        OSError: no room, no permission; what stood there is unharmed.
    """
    stem = path.name.removesuffix(".live.safetensors")
    settings = fit_settings(stem, experiment, dataset=dataset, changes=changes, seconds=seconds)
    write_arrays(path, arrays, settings | progress._asdict(), make_folder=False, to_disk=False)


def control(
    folder: Path,
    stem: str,
    *,
    state: str | None = None,
    beta: float | None = None,
    learning_rate: float | None = None,
) -> None:
    """Steer a fit: it looks before each weight update.

    Args:
        folder: the experiment's.
        stem: which model: `autoencoder`, `vae` or `vae-beta-<beta>`.
        state: one of `ORDERS`; None leaves what was ordered.
        beta: of the VAE from now on; None leaves what was ordered.
        learning_rate: the peak of its schedule from now on; None leaves what was ordered.

    Raises:
        ValueError: what cannot be, in one sentence.
        OSError: the file could not be written.
    """
    path = control_path(folder / f"{stem}.safetensors")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no longer there")
    with _one_at_a_time(folder):  # two who steer at the same moment undo nothing of each other's
        before = read_control(path) or Control()
        ordered = Control(
            before.state if state is None else state,
            before.beta if beta is None else beta,
            before.learning_rate if learning_rate is None else learning_rate,
        )
        _check_control(ordered)
        write_atomically(path, json.dumps(ordered._asdict()).encode(), make_folder=False, to_disk=False)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is in here with the same folder, where the system can tell."""
    if fcntl is None:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def read_control(path: Path) -> Control | None:
    """Read what a fit shall do; None if the file is missing or malformed."""
    try:
        found = json.loads(path.read_bytes())
        ordered = Control(found["state"], found["beta"], found["learning_rate"])
        _check_control(ordered)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return ordered


def _check_control(ordered: Control) -> None:
    if ordered.state not in ORDERS:
        raise ValueError(f"the order is {ordered.state!r:.40}; it must be one of {', '.join(ORDERS)}")
    given = {name: value for name, value in ordered._asdict().items() if name != "state" and value is not None}
    dataclasses.replace(EXPERIMENTS[DEFAULT], **given)  # whose limits are those of all experiments


def forget(path: Path) -> None:
    """Remove what an unfinished fit has left, given the checkpoint that it would have written, which stays.

    Raises:
        OSError: no permission.
    """
    half_written = path.parent.glob(f".{glob.escape(path.stem)}.*.part")  # by a process that was killed
    for each in (unfinished_path(path), live_path(path), control_path(path), *half_written):
        each.unlink(missing_ok=True)


def open_live(path: Path) -> LiveFit | None:
    """Open the file that shows a fit, given the checkpoint that it will write; None if there is none that opens."""
    try:
        return LiveFit(live_path(path))
    except CheckpointError:
        return None


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
