"""The training loop: fits one model of an experiment, records its curves and snapshots, writes its checkpoint."""

import dataclasses
import json
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from training.array_file import write_atomically
from training.checkpoint import (
    Checkpoint,
    CheckpointError,
    Codes,
    Curve,
    Snapshots,
    checkpoint_path,
    experiment_from_json,
    write,
)
from training.datasets import Data, Split, binarise
from training.experiments import Experiment, differences
from training.models import Autoencoder, VariationalAutoencoder, build
from training.objective import ElboTerms, elbo_terms, evaluate

__all__ = ["FitError", "Interrupted", "as_dict", "fit", "unfinished_path"]

SNAPSHOTS = 24  # before the first update, then evenly spaced in its logarithm
SNAPSHOT_IMAGES = 2000
TRAINING_POINTS = 500  # of the training curve; each is a mean over the updates since the last
VALIDATION_POINTS = 100
# Norms are 20 to 260 on MNIST; a rare larger one, at the peak of the schedule, must not undo what was learned.
MAX_GRADIENT_NORM = 200.0


class FitError(Exception):
    """A fit that cannot go on; the message is one sentence for the user."""


class Interrupted(Exception):
    """Ctrl-C: the state is saved; the message says how to go on."""


class _Run:
    """Everything that changes during a fit, and its form on disk.

    All randomness is a function of the seed and of the epoch (order of the images) or the update
    (binarisation and noise), so there is no generator to save: a run that is killed and resumed
    takes the very steps of one that was not.
    """

    def __init__(self, experiment: Experiment, model_name: str, data: Data, device: torch.device) -> None:
        self.experiment, self.model_name, self.device = experiment, model_name, device
        self.network = build(experiment, model_name).to(device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=experiment.learning_rate, weight_decay=experiment.weight_decay, fused=True
        )
        self.updates_per_epoch = math.ceil(len(data.train) / experiment.batch_size)
        self.total = experiment.epochs * self.updates_per_epoch
        self.schedule = self._schedule_from(0)
        self.update = 0
        self.seconds = 0.0
        self.since_record = [0.0, 0.0, 0.0]  # reconstruction, KL, images: sums since the last point of the curve
        self.records: dict[str, list[list[float]]] = {"training": [], "validation": []}
        self.snapshots: list[tuple[int, Tensor]] = []

    def _schedule_from(self, update: int) -> torch.optim.lr_scheduler.OneCycleLR:
        # A fifth of the run to warm up, the rest to cool down; a function of the update alone.
        return torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            self.experiment.learning_rate,
            total_steps=self.total + 1,
            pct_start=0.2,
            last_epoch=update - 1,
        )

    @property
    def epoch(self) -> float:
        return self.update / self.updates_per_epoch

    def record(self, split: str, reconstruction: float, kl: float) -> None:
        self.records[split].append([self.update, self.epoch, self.seconds, reconstruction, kl])

    def curve(self, split: str) -> Curve:
        update, epoch, seconds, reconstruction, kl = np.array(self.records[split], dtype=np.float64).T
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
            "update": self.update,
            "seconds": self.seconds,
            "since_record": self.since_record,
            "records": self.records,
        }
        write_atomically(path, save(tensors, metadata={"progress": json.dumps(progress)}))

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
            self.network.load_state_dict(_group(tensors, "network"))
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _group(tensors, "optimizer").items():
                index, key = name.split(".")
                state.setdefault(int(index), {})[key] = tensor
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
            snapshots = {int(update): code for update, code in _group(tensors, "snapshot").items()}
            self.snapshots = sorted(snapshots.items())
            self.update, self.seconds = int(progress["update"]), float(progress["seconds"])
            self.since_record, self.records = progress["since_record"], progress["records"]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FitError(f"{path} cannot be resumed from ({error}); begin again with --no-resume") from error
        self.schedule = self._schedule_from(self.update)

    def not_finite_error(self) -> FitError:
        return FitError(
            f"the loss or a weight is no longer a finite number at update {self.update} of {self.total}; "
            f"try a learning rate below {self.experiment.learning_rate:g}"
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
) -> Path:
    """Fit one model and write its checkpoint.

    Args:
        experiment: its settings.
        model_name: a key of `training.models.MODELS`.
        data: the images.
        folder: the experiment's folder; the state of an unfinished run is kept there, too.
        device: where to compute.
        resume: go on with an unfinished run, and leave a model alone that is already fitted; else begin again.
        is_additional: an additional VAE of another beta, which names its file.

    Returns:
        the checkpoint's path.

    Raises:
        FitError: the loss is not finite, or the unfinished run has other settings or is damaged.
        Interrupted: Ctrl-C, after the state was saved.
        OSError: a file could not be written; what stood there is unharmed.
    """
    path = checkpoint_path(folder, model_name, experiment.beta if is_additional else None)
    unfinished = unfinished_path(path)
    if resume and not unfinished.exists() and _is_fitted(path, experiment):
        tqdm.write(f"{path} is already fitted with these settings")
        return path
    run = _Run(experiment, model_name, data, device)
    if unfinished.exists() and resume:
        run.resume(unfinished)
        tqdm.write(f"{model_name}: resumed at update {run.update} of {run.total}")
    if run.update == 0:
        run.save(unfinished)  # fails now, not after an epoch, if the folder cannot be written to
    with _interrupts() as interrupted:
        for finished_epoch in _updates(run, data, interrupted):
            if finished_epoch or interrupted:
                run.save(unfinished)
            if interrupted:
                raise Interrupted(
                    f"saved at update {run.update} of {run.total}; go on with the same command and --resume"
                )
        _export(run, data, path)
        unfinished.unlink(missing_ok=True)
        if interrupted:
            raise Interrupted(f"{path} is finished; go on with the same command and --resume")
    return path


def unfinished_path(path: Path) -> Path:
    """Return the file of an unfinished run's state, given the checkpoint that it will write."""
    return path.with_name(f"{path.stem}.unfinished.safetensors")  # a stem may have a point: vae-beta-0.1


def _updates(run: _Run, data: Data, interrupted: list[int]) -> Iterator[bool]:
    """Take the remaining weight updates; yield True after each epoch, and at once when interrupted."""
    experiment = run.experiment
    train, validation = data.train.to(run.device), data.validation.to(run.device)
    snapshot_at = {0, *np.geomspace(1, run.total, SNAPSHOTS - 1).round().astype(int).tolist()}
    record_every = max(1, run.total // TRAINING_POINTS)
    # At most twice an epoch: a short run would spend more time on validation than on training.
    validate_every = max(run.total // VALIDATION_POINTS, math.ceil(run.updates_per_epoch / 2))
    generator = torch.Generator(run.device)  # on the device: draws on the CPU would have to be copied
    sums = torch.tensor(run.since_record, device=run.device)
    started = time.monotonic() - run.seconds

    if run.update == 0:
        run.snapshots.append((0, _snapshot(run.network, validation)))
        _validate(run, validation)
    with tqdm(total=run.total, initial=run.update, unit="update", desc=run.model_name, dynamic_ncols=True) as bar:
        while run.update < run.total:
            epoch, first = divmod(run.update, run.updates_per_epoch)
            order = torch.randperm(
                len(train), generator=_seeded(generator, experiment.seed, 0, epoch), device=run.device
            )
            for batch in order.split(experiment.batch_size)[first:]:
                _seeded(generator, experiment.seed, 1, run.update)
                batch_terms = elbo_terms(run.network, binarise(train.images[batch], generator), generator)
                reconstruction, kl = _sums(batch_terms)
                loss = (experiment.beta * kl - reconstruction) / len(batch)
                run.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(run.network.parameters(), MAX_GRADIENT_NORM)
                run.optimizer.step()
                run.schedule.step()
                run.update += 1
                sums += torch.stack([reconstruction, kl, torch.full_like(kl, len(batch))]).detach()

                if run.update % record_every == 0 or run.update == run.total:
                    reconstruction_sum, kl_sum, images = sums.tolist()
                    if not math.isfinite(reconstruction_sum + kl_sum):
                        raise run.not_finite_error()
                    run.seconds = time.monotonic() - started
                    run.record("training", reconstruction_sum / images, kl_sum / images)
                    sums.zero_()
                    bar.set_postfix_str(_terms_line(run, "training"), refresh=False)
                if run.update % validate_every == 0 or run.update == run.total:
                    run.seconds = time.monotonic() - started
                    _validate(run, validation)
                if run.update in snapshot_at:
                    run.snapshots.append((run.update, _snapshot(run.network, validation)))
                bar.update()
                finished_epoch = run.update % run.updates_per_epoch == 0
                if finished_epoch or interrupted:
                    run.seconds = time.monotonic() - started
                    run.since_record = sums.tolist()
                    if not math.isfinite(sum(run.since_record)):
                        raise run.not_finite_error()
                    if finished_epoch:
                        line = f"training {_terms_line(run, 'training')}, validation {_terms_line(run, 'validation')}"
                        bar.write(f"{run.model_name}, epoch {epoch + 1} of {experiment.epochs}: {line}")
                    yield finished_epoch


def _export(run: _Run, data: Data, path: Path) -> None:
    """Round the weights to half precision, compute codes and test metrics from them, write the checkpoint."""
    network = run.network.eval()
    # Batch normalisation counts its updates: no weight, and it may be too large for half precision.
    weights = {
        name: (tensor if tensor.is_floating_point() else torch.zeros_like(tensor)).half()
        for name, tensor in network.state_dict().items()
    }
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise FitError(f"a weight of {path} is not finite in half precision; try a smaller learning rate")
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    test = data.test.to(run.device)
    images = test.images.float() / 255
    with torch.no_grad():
        if isinstance(network, VariationalAutoencoder):
            code, log_variance = (part.cpu().numpy() for part in network.encode_posterior(images))
        else:
            code, log_variance = network.encode(images).cpu().numpy(), None
    write(
        path,
        run.experiment,
        dataset=data.id,
        seconds=run.seconds,
        test=as_dict(evaluate(network, test)),
        weights={name: tensor.cpu().numpy() for name, tensor in weights.items()},
        codes=Codes(code, data.test.labels.numpy(), log_variance),
        history={split: run.curve(split) for split in run.records},
        snapshots=Snapshots(
            update=np.array([update for update, _ in run.snapshots]),
            code=torch.stack([code for _, code in run.snapshots]).numpy(),
            labels=data.validation.labels[:SNAPSHOT_IMAGES].numpy(),
        ),
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
