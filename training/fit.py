"""The training loop: fits one model of an experiment, records its curves and snapshots, writes its checkpoint.

While it goes on it shows itself in a file, and looks into another for what it shall do: see `training.live`.
"""

import dataclasses
import json
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.array_file import Array, write_atomically
from training.checkpoint import (
    Change,
    Checkpoint,
    CheckpointError,
    Codes,
    Curve,
    Snapshots,
    checkpoint_path,
    experiment_from_json,
    fit_arrays,
    write,
)
from training.datasets import Data, Split, binarise
from training.display import Display, Terminal
from training.experiments import Experiment, differences
from training.live import (
    GO_ON,
    Control,
    Progress,
    control_path,
    forget,
    live_path,
    open_live,
    read_control,
    unfinished_path,
    write_live,
)
from training.models import Autoencoder, VariationalAutoencoder, build
from training.objective import ElboTerms, elbo_terms, evaluate
from training.optimizer import LightAdamW

__all__ = ["Discarded", "FitError", "Interrupted", "as_dict", "export", "fit"]

SNAPSHOTS = 24  # before the first update, then evenly spaced in its logarithm
SNAPSHOT_IMAGES = 2000
TRAINING_POINTS = 500  # of the training curve; each is a mean over the updates since the last
VALIDATION_POINTS = 100
# Norms are 20 to 260 on MNIST; a rare larger one, at the peak of the schedule, must not undo what was learned.
MAX_GRADIENT_NORM = 200.0
SAVE_EVERY = 30.0  # seconds: what a killed run loses at most; it is saved after each epoch, too
LOOK_EVERY = 0.05  # seconds between looks at what the run shall do
SHOW_EVERY = 0.4  # seconds between two pictures of the run, if they cost next to nothing
# The most that pictures may cost, of the run's time: more in the first epoch, in which the most happens.
SHOW_SHARE, SHOW_SHARE_AT_FIRST = 0.1, 0.25


class FitError(Exception):
    """A fit that cannot go on; the message is one sentence for the user."""


class Interrupted(Exception):
    """Ctrl-C: the state is saved; the message says how to go on."""


class Discarded(Interrupted):
    """The run was ordered to discard itself, and has left nothing."""


class _Run:
    """Everything that changes during a fit, and its form on disk.

    All randomness is a function of the seed and of the epoch (order of the images) or the update
    (binarisation and noise), so there is no generator to save: a run that is killed and resumed
    takes the very steps of one that was not.
    """

    def __init__(self, experiment: Experiment, model_name: str, data: Data, device: torch.device) -> None:
        self.experiment, self.model_name, self.device = experiment, model_name, device
        self.fingerprint = data.id.fingerprint
        self.network = build(experiment, model_name).to(device)
        self.optimizer = LightAdamW(
            self.network.parameters(), lr=experiment.learning_rate, weight_decay=experiment.weight_decay, fused=True
        )
        self.updates_per_epoch = math.ceil(len(data.train) / experiment.batch_size)
        self.total = experiment.epochs * self.updates_per_epoch
        self.schedule = self._schedule_from(0)
        self.update = 0
        self.seconds = 0.0
        self._clock = time.monotonic()
        self.changes: list[Change] = []
        self.sums = torch.zeros(3, device=device)  # reconstruction, KL, images: since the last point of the curve
        self.records: dict[str, list[list[float]]] = {"training": [], "validation": []}
        self.snapshots: list[tuple[int, Tensor]] = []

    @property
    def in_force(self) -> Change:
        """Beta, and the peak of the learning rate's schedule, as they were last moved."""
        if self.changes:
            return self.changes[-1]
        return Change(0, self.experiment.beta, self.experiment.learning_rate)

    @property
    def kl_weight(self) -> float:
        """Weight of the KL in the next update: beta, or what the warm-up makes of it; a function of the update."""
        warmup = self.experiment.kl_warmup * self.updates_per_epoch
        return self.in_force.beta * min(1.0, self.update / warmup if warmup else 1.0)

    def move(self, ordered: Control) -> bool:
        """Move beta and learning rate from the next update on; return whether that changes anything."""
        _, beta, learning_rate = self.in_force
        if ordered.beta is not None and self.model_name == "vae":
            beta = float(ordered.beta)
        if ordered.learning_rate is not None:
            learning_rate = float(ordered.learning_rate)
        change = Change(self.update, beta, learning_rate)
        if change[1:] == self.in_force[1:]:
            return False
        self.changes = [*(each for each in self.changes if each.update != self.update), change]
        self._scale_learning_rate()
        return True

    def take_schedule_step(self) -> None:
        self.schedule.step()
        self._scale_learning_rate()

    def _scale_learning_rate(self) -> None:
        scale = self.in_force.learning_rate / self.experiment.learning_rate
        for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate * scale

    def note_time(self, *, counts: bool = True) -> None:
        """Add what has passed since the last call to the seconds of fitting; a pause does not count."""
        now = time.monotonic()
        self.seconds += now - self._clock if counts else 0.0
        self._clock = now

    def record_training(self) -> None:
        reconstruction, kl, images = self.finite_sums()
        self.record("training", reconstruction / images, kl / images)
        self.sums.zero_()

    def finite_sums(self) -> list[float]:
        sums = self.sums.tolist()
        if not math.isfinite(sum(sums)):
            raise self.not_finite_error()
        return sums

    def _schedule_from(self, update: int) -> torch.optim.lr_scheduler.OneCycleLR:
        # A function of the update alone. A warm-up of a single step is a division by zero in torch.
        share, steps = self.experiment.rate_warmup, self.total + 1
        return torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            self.experiment.learning_rate,
            total_steps=steps,
            pct_start=share if share * steps > 1 else 0.0,
            last_epoch=update - 1,
        )

    @property
    def epoch(self) -> float:
        return self.update / self.updates_per_epoch

    def record(self, split: str, reconstruction: float, kl: float) -> None:
        self.note_time()
        self.records[split].append([self.update, self.epoch, self.seconds, reconstruction, kl])

    def curve(self, split: str, *, with_last: bool = False) -> Curve:
        """Return a split's curve; `with_last`, a point for the updates since the last one is added."""
        points = self.records[split]
        if with_last:
            *sums, images = self.finite_sums()
            if images:
                points = [*points, [self.update, self.epoch, self.seconds, *(each / images for each in sums)]]
        update, epoch, seconds, reconstruction, kl = np.array(points, dtype=np.float64).reshape(-1, 5).T
        return Curve(update, epoch, seconds, reconstruction, kl if self.model_name == "vae" else None)

    def save(self, path: Path) -> None:
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise self.not_finite_error()
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
        tensors |= {f"snapshot.{update}": code for update, code in self.snapshots}
        progress = {
            "experiment": dataclasses.asdict(self.experiment),
            "fingerprint": self.fingerprint,
            "update": self.update,
            "seconds": self.seconds,
            "since_record": self.finite_sums(),
            "records": self.records,
            "changes": self.changes,
        }
        write_atomically(path, save(tensors, metadata={"progress": json.dumps(progress)}), make_folder=False)

    def resume(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                progress = json.loads(file.metadata()["progress"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            saved = experiment_from_json(progress["experiment"])
            if found := differences(saved, self.experiment):
                changed = ", ".join(f"{name} {old} (now {new})" for name, (old, new) in found.items())
                raise FitError(
                    f"{path} is of a run with {changed}; resume it with the same settings, "
                    "or begin again with --no-resume"
                )
            if progress.get("fingerprint", self.fingerprint) != self.fingerprint:  # older ones do not say
                raise FitError(
                    f"{path} is of a run on other images than {self.experiment.dataset} has now; "
                    "begin again with --no-resume"
                )
            self.network.load_state_dict(_group(tensors, "network"))
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _group(tensors, "optimizer").items():
                index, key = name.split(".")
                state.setdefault(int(index), {})[key] = tensor
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
            snapshots = {int(update): code for update, code in _group(tensors, "snapshot").items()}
            self.snapshots = sorted(snapshots.items())
            self.update, self.seconds = int(progress["update"]), float(progress["seconds"])
            self.records = progress["records"]
            self.sums = torch.tensor(progress["since_record"], device=self.device)
            self.changes = [Change(*change) for change in progress.get("changes", [])]
            if not 0 <= self.update <= self.total:
                raise ValueError(f"update {self.update} of {self.total}")
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FitError(f"{path} cannot be resumed from ({error}); begin again with --no-resume") from error
        self.schedule = self._schedule_from(self.update)
        self._scale_learning_rate()

    def not_finite_error(self) -> FitError:
        return FitError(
            f"the loss or a weight is no longer a finite number at update {self.update} of {self.total}; "
            f"try a learning rate below {self.in_force.learning_rate:g}"
        )


def fit(
    experiment: Experiment,
    model_name: str,
    data: Data,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    is_additional: bool = False,
    display: Display | None = None,
    is_watched: bool = True,
    interrupted: list[int] | None = None,
) -> Path:
    """Fit one model and write its checkpoint.

    What it shall do, pause, stop early, discard itself, move beta or learning rate, it is told by a file: see
    `training.live`. Stopped early, its checkpoint is that of the run so far.

    Args:
        experiment: its settings.
        model_name: a key of `training.models.MODELS`.
        data: the images.
        folder: the experiment's folder; the state of an unfinished run is kept there, too.
        device: where to compute.
        resume: go on with an unfinished run, and leave a model alone that is already fitted; else begin again.
        is_additional: an additional VAE of another beta, which names its file.
        display: where it shows how far it is; None is the terminal.
        is_watched: whether the app may look at it while it goes on, which costs some of its time.
        interrupted: it saves and ends as soon as something stands in it; None: Ctrl-C and SIGTERM do that.

    Returns:
        the checkpoint's path.

    Raises:
        FitError: the loss is not finite, the unfinished run has other settings or is damaged, the folder was deleted,
            or another process fits this model.
        Interrupted: Ctrl-C, or what stands for it, after the state was saved.
        Discarded: it was told to discard itself.
        OSError: a file could not be written; what stood there is unharmed.
    """
    display = display or Terminal()
    path = checkpoint_path(folder, model_name, experiment.beta if is_additional else None)
    unfinished = unfinished_path(path)
    if resume and not unfinished.exists() and _is_fitted(path, experiment):
        display.say(f"{path} is already fitted with these settings")
        return path
    if (other := open_live(path)) and other.lives and other.progress.pid != os.getpid():
        raise FitError(f"{path} is being fitted by process {other.progress.pid} on {other.progress.host}")
    run = _Run(experiment, model_name, data, device)
    if unfinished.exists() and resume:
        run.resume(unfinished)
        display.say(f"{model_name}: resumed at update {run.update} of {run.total}")
    if run.update == 0:
        folder.mkdir(parents=True, exist_ok=True)
        run.save(unfinished)  # fails now, not after an epoch, if the folder cannot be written to
    with _interrupts() if interrupted is None else nullcontext(interrupted) as received:
        with _Stage(run, data, path, is_watched=is_watched) as stage:
            try:
                _go_on(run, data, stage, unfinished, received, display)
            finally:
                display.end(model_name)
            with stage.told_of_its_folder():
                _export(run, data, path)
        forget(path)
        if received:
            raise Interrupted(f"{path} is finished; {GO_ON}")
    return path


def _go_on(run: _Run, data: Data, stage: "_Stage", unfinished: Path, interrupted: list[int], display: Display) -> None:
    """Take the remaining weight updates, saving and showing the run, doing what it is told."""
    saved, saved_at = run.update, time.monotonic()

    def save() -> None:
        nonlocal saved, saved_at
        run.note_time()
        with stage.told_of_its_folder():
            run.save(unfinished)
        saved, saved_at = run.update, time.monotonic()

    stage.show()  # before the first measurement on the validation images
    for _ in _updates(run, data, display):
        moved = stage.look()
        finished_epoch = run.update % run.updates_per_epoch == 0
        overdue = time.monotonic() - saved_at > SAVE_EVERY
        paused = stage.ordered.state == "pause"
        # What was moved is saved at once: a run that is killed now and resumed moves it at the same update.
        if moved or (run.update != saved and (finished_epoch or interrupted or overdue or paused)):
            save()
        if paused and not interrupted:
            display.say(f"{run.model_name}: paused at update {run.update} of {run.total}")
            stage.show("paused")
            while stage.ordered.state == "pause" and not interrupted:
                time.sleep(LOOK_EVERY)
                run.note_time(counts=False)
                if stage.look():
                    save()
                    stage.show("paused")
                stage.check_folder()
            stage.show()
        if interrupted:
            raise Interrupted(f"saved at update {run.update} of {run.total}; {GO_ON}")
        if stage.ordered.state == "discard":
            forget(stage.path)
            raise Discarded(f"{run.model_name}: discarded at update {run.update} of {run.total}")
        if stage.ordered.state == "stop" and run.update:
            _close_curves(run, data.validation.to(run.device))
            break
        stage.show_if_due()


class _Stage:
    """Where a run shows itself, and is told what to do: the files of `training.live`.

    Showing is a courtesy: a run whose picture cannot be written, as on a full disk, goes on.

    Args:
        run: what is shown and told.
        data: gives the images whose codes are shown.
        path: the checkpoint that the run will write.
        is_watched: whether somebody may look.
    """

    def __init__(self, run: _Run, data: Data, path: Path, *, is_watched: bool) -> None:
        self.run, self.path, self.ordered = run, path, Control()
        self._is_watched = is_watched
        self._live, self._control = live_path(path), control_path(path)
        self._dataset, self._labels = data.id, data.validation.labels[:SNAPSHOT_IMAGES].numpy()
        self._validation = data.validation.to(run.device)
        self._arrays: dict[str, Array] = {}
        self._started, self._started_at = time.time(), run.update
        self._seconds_before = run.seconds
        self._control_version: tuple[int, ...] = ()
        self._next_look = self._next_show = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> "_Stage":
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if isinstance(error, Discarded):
            with suppress(OSError):  # other files are in it
                self.path.parent.rmdir()
        elif isinstance(error, FitError | OSError):
            with suppress(OSError):  # on a full disk its place is needed
                self._live.unlink(missing_ok=True)
            told = f"the fit could not be saved ({error}); make room, and go on"
            self._write("failed", f"{error}" if isinstance(error, FitError) else told)

    def look(self) -> bool:
        """Read what the run shall do, if it is time to and it was said anew; return whether something was moved."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY
        try:
            found = self._control.stat()
        except OSError:
            return False
        version = (found.st_mtime_ns, found.st_ino)
        if version == self._control_version:
            return False
        self._control_version = version
        ordered = read_control(self._control)
        if ordered is None:
            return False
        self.ordered = ordered
        return self.run.move(ordered)

    def show_if_due(self) -> None:
        """Show the run, if the last picture is old enough for what it has cost."""
        if time.monotonic() >= self._next_show:
            self.show()

    def show(self, state: str = "fitting") -> None:
        """Write how far the run is: its codes, curves and weights.

        Raises:
            FitError: the folder was deleted, or the loss is not finite.
        """
        if not self._is_watched:
            return
        began = time.monotonic()
        run = self.run
        self.check_folder()
        run.note_time()
        code = _snapshot(run.network, self._validation).numpy()
        arrays = fit_arrays(
            {name: tensor.half().cpu().numpy() for name, tensor in _storable(run.network).items()},
            Codes(code, self._labels),
            {split: run.curve(split, with_last=split == "training") for split in run.records},
        )
        if all(np.isfinite(array).all() for array in arrays.values()):
            self._arrays = arrays
            self._write(state)
        share = SHOW_SHARE_AT_FIRST if run.epoch < 1 else SHOW_SHARE
        self._next_show = began + max(SHOW_EVERY, (time.monotonic() - began) / share)

    def check_folder(self) -> None:
        """Raise FitError if the experiment's folder was deleted."""
        if not self.path.parent.is_dir():
            raise FitError(f"{self.path.parent} was deleted or moved during the fit")

    @contextmanager
    def told_of_its_folder(self) -> Iterator[None]:
        """Raise FitError where something cannot be written because the experiment's folder was deleted."""
        try:
            yield
        except FileNotFoundError:
            self.check_folder()
            raise

    def _write(self, state: str, message: str = "") -> None:
        run = self.run
        _, beta, learning_rate = run.in_force
        if not (self._arrays and self.path.parent.is_dir()):
            return
        updates = run.update - self._started_at
        left = (run.total - run.update) * (run.seconds - self._seconds_before) / updates if updates else None
        progress = Progress(
            state=state,
            message=message,
            pid=os.getpid(),
            host=socket.gethostname(),
            started=self._started,
            update=run.update,
            total=run.total,
            updates_per_epoch=run.updates_per_epoch,
            seconds_left=left,
            beta=beta,
            learning_rate=learning_rate,
            kl_weight=run.kl_weight,
        )
        with suppress(OSError):
            write_live(
                self._live,
                run.experiment,
                progress,
                dataset=self._dataset,
                changes=run.changes,
                seconds=run.seconds,
                arrays=self._arrays,
            )

    def _beat(self) -> None:
        """Set the file's time of change each second: also while the run is paused, or busy with its test images."""
        while not self._ended.wait(1.0):
            with suppress(OSError):
                os.utime(self._live)


def _updates(run: _Run, data: Data, display: Display) -> Iterator[None]:
    """Take the remaining weight updates; yield before the first and after each."""
    experiment = run.experiment
    train, validation = data.train.to(run.device), data.validation.to(run.device)
    snapshot_at = {0, *np.geomspace(1, run.total, SNAPSHOTS - 1).round().astype(int).tolist()}
    record_every = max(1, run.total // TRAINING_POINTS)
    # At most twice an epoch: a short run would spend more time on validation than on training.
    validate_every = max(run.total // VALIDATION_POINTS, math.ceil(run.updates_per_epoch / 2))
    generator = torch.Generator(run.device)  # on the device: draws on the CPU would have to be copied

    if not run.snapshots:
        run.snapshots.append((0, _snapshot(run.network, validation)))
        _validate(run, validation)
    display.advance(run.model_name, run.update, run.total, _terms_line(run, "training"))
    yield
    while run.update < run.total:
        epoch, first = divmod(run.update, run.updates_per_epoch)
        order = torch.randperm(len(train), generator=_seeded(generator, experiment.seed, 0, epoch), device=run.device)
        for batch in order.split(experiment.batch_size)[first:]:
            _seeded(generator, experiment.seed, 1, run.update)
            batch_terms = elbo_terms(run.network, binarise(train.images.index_select(0, batch), generator), generator)
            reconstruction, kl = _sums(batch_terms)
            loss = (run.kl_weight * kl - reconstruction) / len(batch)
            run.optimizer.zero_grad()
            loss.backward()
            _clip_gradient(run.network)
            run.optimizer.step()
            run.take_schedule_step()
            run.update += 1
            run.sums += torch.stack([reconstruction, kl, torch.full_like(kl, len(batch))]).detach()

            if run.update % record_every == 0 or run.update == run.total:
                run.record_training()
            if run.update % validate_every == 0 or run.update == run.total:
                _validate(run, validation)
            if run.update in snapshot_at:
                run.snapshots.append((run.update, _snapshot(run.network, validation)))
            display.advance(run.model_name, run.update, run.total, _terms_line(run, "training"))
            if run.update % run.updates_per_epoch == 0:
                line = f"training {_terms_line(run, 'training')}, validation {_terms_line(run, 'validation')}"
                display.say(f"{run.model_name}, epoch {epoch + 1} of {experiment.epochs}: {line}")
            yield


def _clip_gradient(network: Autoencoder) -> None:
    """Bound the gradient's norm; a gradient within the bound, nearly each, is not multiplied by 1."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if norm > MAX_GRADIENT_NORM:
        torch.nn.utils.clip_grads_with_norm_(network.parameters(), MAX_GRADIENT_NORM, norm)


def _close_curves(run: _Run, validation: Split) -> None:
    """End the curves and the snapshots of a run that is stopped at its last update."""
    if run.sums[2]:
        run.record_training()
    if run.records["validation"][-1][0] != run.update:
        _validate(run, validation)
    if run.snapshots[-1][0] != run.update:
        run.snapshots.append((run.update, _snapshot(run.network, validation)))


def _storable(network: Autoencoder) -> dict[str, Tensor]:
    # Batch normalisation counts its updates: no weight, and it may be too large for half precision.
    return {
        name: tensor if tensor.is_floating_point() else torch.zeros_like(tensor)
        for name, tensor in network.state_dict().items()
    }


def _export(run: _Run, data: Data, path: Path) -> None:
    """Write the checkpoint of a run."""
    export(
        path,
        run.experiment,
        run.network,
        data,
        device=run.device,
        changes=run.changes,
        seconds=run.seconds,
        history={split: run.curve(split) for split in run.records},
        snapshots=Snapshots(
            update=np.array([update for update, _ in run.snapshots]),
            code=torch.stack([code for _, code in run.snapshots]).numpy(),
            labels=data.validation.labels[:SNAPSHOT_IMAGES].numpy(),
        ),
        make_folder=False,
    )


def export(
    path: Path,
    experiment: Experiment,
    network: Autoencoder,
    data: Data,
    *,
    device: torch.device,
    changes: Sequence[Change] = (),
    seconds: float,
    history: dict[str, Curve],
    snapshots: Snapshots,
    make_folder: bool = True,
) -> None:
    """Round the weights to half precision, compute codes and test metrics from them, write the checkpoint.

    Raises:
        FitError: a weight is too large for half precision.
        OSError: as `training.checkpoint.write`.
    """
    network = network.eval()
    weights = {name: tensor.half() for name, tensor in _storable(network).items()}
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise FitError(f"a weight of {path} is not finite in half precision; try a smaller learning rate")
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    test = data.test.to(device)
    images = test.images.float() / 255
    with torch.no_grad():
        if isinstance(network, VariationalAutoencoder):
            code, log_variance = (part.cpu().numpy() for part in network.encode_posterior(images))
        else:
            code, log_variance = network.encode(images).cpu().numpy(), None
    write(
        path,
        experiment,
        dataset=data.id,
        changes=changes,
        seconds=seconds,
        test=as_dict(evaluate(network, test)),
        weights={name: tensor.cpu().numpy() for name, tensor in weights.items()},
        codes=Codes(code, data.test.labels.numpy(), log_variance),
        history=history,
        snapshots=snapshots,
        make_folder=make_folder,
    )


def as_dict(result: ElboTerms) -> dict[str, float]:
    """Return the terms that a model has, as plain numbers by name."""
    named = {"elbo": result.elbo, "reconstruction": result.reconstruction, "kl": result.kl}
    return {name: float(value) for name, value in named.items() if value is not None}


def _validate(run: _Run, validation: Split) -> None:
    result = evaluate(run.network.eval(), validation, samples=1)
    run.network.train()
    run.record("validation", float(result.reconstruction), 0.0 if result.kl is None else float(result.kl))


@torch.no_grad()
def _snapshot(network: Autoencoder, validation: Split) -> Tensor:
    code = network.eval().encode(validation.images[:SNAPSHOT_IMAGES].float() / 255).half().cpu()
    network.train()
    return code


def _sums(batch: ElboTerms) -> tuple[Tensor, Tensor]:
    reconstruction = batch.reconstruction.sum()
    return reconstruction, torch.zeros_like(reconstruction) if batch.kl is None else batch.kl.sum()


def _terms_line(run: _Run, split: str) -> str:
    if not run.records[split]:
        return "-"
    *_, reconstruction, kl = run.records[split][-1]
    if run.model_name == "vae":
        return f"ELBO {reconstruction - kl:.1f} = {reconstruction:.1f} - KL {kl:.1f} nats"
    return f"reconstruction {reconstruction:.1f} nats"


def _seeded(generator: torch.Generator, *key: int) -> torch.Generator:
    # torch's CPU generator uses 32 bits of its seed: SeedSequence mixes the key into them.
    return generator.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(f"{prefix}."): tensor for n, tensor in tensors.items() if n.startswith(f"{prefix}.")}


def _is_fitted(path: Path, experiment: Experiment) -> bool:
    try:
        return Checkpoint(path).experiment == experiment
    except CheckpointError:
        return False


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM, so that an update is never cut in half; a second one acts at once."""
    received: list[int] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def receive(number: int, frame: object) -> None:
        received.append(number)
        restore()

    for number in previous:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()
