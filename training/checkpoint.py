r"""One file a model: `checkpoints/<experiment>/<model>.safetensors`, `<model>` being `autoencoder` or `vae`.

Beside the VAE with the experiment's own beta there may be others, `vae-beta-<beta>.safetensors`.

safetensors holds plain arrays behind a JSON header; opening one never runs code. In the header, under `settings`, one
JSON object: `format` (this version), `model`, `experiment` (every field of `Experiment`), `dataset` (`fingerprint`, see
`training.own_dataset`, and `classes`, the names by label), `changes` (what was moved during the fit, in order:
`update`, `beta`, `learning_rate`), `test` (`reconstruction` and, for a VAE, `kl` and `elbo` on the test images, nats
per image), `seconds` (of fitting). The arrays, with n test images, s snapshots of m validation images, d latent
dimensions:

| name | shape | dtype | what |
|---|---|---|---|
| `weights.*` | as in the model | float16 | the model's parameters |
| `codes.code` | (n, d) | float32 | codes of the grey test images: f(x) or the posterior mean |
| `codes.log_variance` | (n, d) | float16 | VAE only: log-variance of q(z\|x) |
| `codes.label` | (n,) | uint8 | their classes |
| `history.SPLIT.update`, `.epoch`, `.seconds` | (k,) | float64 | when; SPLIT is `training` or `validation` |
| `history.SPLIT.reconstruction`, `.kl` (VAE) | (k,) | float64 | the terms of the ELBO, nats per image |
| `snapshots.update` | (s,) | int64 | after how many weight updates |
| `snapshots.code` | (s, m, d) | float16 | codes of the first m validation images |
| `snapshots.label` | (m,) | uint8 | their classes |

Codes and test metrics are computed from the rounded weights that stand in the file. Of an imported network, which was
fitted elsewhere, `seconds` is 0, k and s are 0, and m is 0, too: its fit is not recorded.
"""

import dataclasses
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.array_file import Array, ArrayFile, CheckpointError, MissingError, finite, write_arrays
from training.experiments import DEFAULT, EXPERIMENTS, LOG_VARIANCE_BOUNDS, Experiment, differences
from training.foreign import how_to_bring

if TYPE_CHECKING:  # torch takes seconds to import; maps, codes and curves do without
    from torch import nn

    from training.models import Autoencoder

__all__ = [
    "ADDITIONAL_MAY_DIFFER",
    "MODEL_NAMES",
    "MODEL_WORDS",
    "PAIR_MAY_DIFFER",
    "Change",
    "Checkpoint",
    "CheckpointError",
    "Codes",
    "Curve",
    "DatasetId",
    "FitFile",
    "Snapshots",
    "check_pair",
    "checkpoint_path",
    "experiment_from_json",
    "experiment_names",
    "fit_arrays",
    "fit_settings",
    "how_to_complete",
    "load_weights",
    "misnamed",
    "other_betas",
    "write",
]

FORMAT = 3
MODEL_NAMES = ("autoencoder", "vae")
MODEL_WORDS = {"autoencoder": "AE", "vae": "VAE"}
# Settings in which the models of one experiment may differ: what they are called, and the weight of a KL that the AE
# has not. An additional VAE may have been fitted for a shorter time.
PAIR_MAY_DIFFER = ("name", "title", "beta")
ADDITIONAL_MAY_DIFFER = (*PAIR_MAY_DIFFER, "epochs")
# Far beyond what any fit has given. What is larger overflows somewhere: a picture's likelihood, a distance, a map.
MAX_CODE, MAX_LOGIT = 1e6, 1e6
PROBES = 16  # codes that are decoded to see whether the decoder's weights are absurd


class DatasetId(NamedTuple):
    """Which images a model was fitted to, and what their classes are called."""

    fingerprint: str
    classes: tuple[str, ...]


class Change(NamedTuple):
    """What was moved by hand during a fit, and from which weight update on it holds."""

    update: int
    beta: float
    learning_rate: float


@dataclass(frozen=True)
class Codes:
    """Codes of the grey test images; shapes as in the module's table."""

    code: Array
    labels: Array
    log_variance: Array | None = None

    @cached_property
    def std(self) -> Array | None:
        """Standard deviations of q(z|x), (n, d); None for an AE, whose encoder gives none."""
        return None if self.log_variance is None else np.exp(self.log_variance.astype(np.float64) / 2)


@dataclass(frozen=True)
class Curve:
    """One split's history: when, and the terms of the ELBO in nats per image, each of shape (k,)."""

    update: Array
    epoch: Array
    seconds: Array
    reconstruction: Array
    kl: Array | None = None

    def when(self, unit: str) -> Array:
        """Return the times of its points, in `updates`, `epochs` or `seconds`."""
        return {"updates": self.update, "epochs": self.epoch, "seconds": self.seconds}[unit]

    @property
    def elbo(self) -> Array | None:
        """`reconstruction - kl`; None for an autoencoder."""
        return None if self.kl is None else self.reconstruction - self.kl


@dataclass(frozen=True)
class Snapshots:
    """The codes of the same validation images at several moments of the fit."""

    update: Array
    code: Array
    labels: Array


def checkpoint_path(folder: Path, model_name: str, beta: float | None = None) -> Path:
    """Return the file of a model in an experiment's folder; with a beta, that of an additional VAE."""
    return folder / (f"{model_name}.safetensors" if beta is None else f"{model_name}-beta-{beta:g}.safetensors")


def other_betas(folder: Path) -> list[float]:
    """Return the betas of an experiment's additional VAEs, in order."""
    found = []
    for path in folder.glob("vae-beta-*.safetensors"):
        with suppress(ValueError):
            beta = float(path.stem.removeprefix("vae-beta-"))
            if math.isfinite(beta) and path == checkpoint_path(folder, "vae", beta):  # any other name is a stranger's
                found.append(beta)
    return sorted(found)


def experiment_names(checkpoints: Path) -> list[str]:
    """Return the names of the experiments that have a folder, in alphabetical order."""
    return [name for name in _folder_names(checkpoints) if _is_utf8(name)]


def misnamed(checkpoints: Path) -> list[str]:
    """Return the names, as far as they can be read, of folders whose names are not UTF-8: they cannot be opened."""
    return [ascii(name) for name in _folder_names(checkpoints) if not _is_utf8(name)]


def _folder_names(checkpoints: Path) -> list[str]:
    try:
        return sorted(each.name for each in checkpoints.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:  # it is not there, or may not be read: opening an experiment says so
        return []


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def check_pair(autoencoder: "Checkpoint", vae: "Checkpoint") -> None:
    """Check that two models are of one experiment: they may differ in beta only, and an additional VAE in the epochs.

    Raises:
        CheckpointError: they differ in more, or were fitted to different images.
    """
    may_differ = PAIR_MAY_DIFFER if "-beta-" not in vae.path.stem else ADDITIONAL_MAY_DIFFER
    if autoencoder.dataset != vae.dataset:
        raise CheckpointError(
            f"{autoencoder.path} and {vae.path} were fitted to different images; "
            "fit both to the same, in their own folder (--name)"
        )
    if found := differences(autoencoder.experiment, vae.experiment, ignoring=may_differ):
        settings = ", ".join(f"{name} {one} and {other}" for name, (one, other) in found.items())
        raise CheckpointError(
            f"{autoencoder.path} and {vae.path} do not belong together ({settings}); "
            "fit both with the same settings, in their own folder (--name)"
        )


def how_to_complete(there: "Checkpoint") -> str:
    """Say which model an experiment lacks beside one that it has, and how to bring it: one sentence."""
    lacking = "vae" if there.model_name == "autoencoder" else "autoencoder"
    name = there.path.parent.name
    how = f"fit one with the same settings: python -m training fit {name} --model {lacking}"
    if there.experiment.is_imported:
        how = f"bring one of the same layers: python -m training import-weights {name} FILE --encoder ... --decoder ..."
    return f"{name} has no {MODEL_WORDS[lacking]}; {how}"


def _known(path: Path) -> str:
    """Return how `fit` is told the experiment of a file: with the settings of a model beside it, if it tells them."""
    name = path.parent.name
    beside = (checkpoint_path(path.parent, model_name) for model_name in MODEL_NAMES)
    is_known = name in EXPERIMENTS or any(each != path and _tells_settings(each) for each in beside)
    return name if is_known else f"{DEFAULT} --name {name}"


def _tells_settings(path: Path) -> bool:
    try:
        experiment_from_json(ArrayFile(path, expected_format=FORMAT, verb="fit", command="").settings["experiment"])
    except (CheckpointError, KeyError, ValueError, TypeError, AttributeError, OverflowError):
        return False
    return True


class FitFile(ArrayFile):
    """What a fit has written of one model, opened: what a checkpoint and a fit in progress have in common.

    Args:
        path: the file, its folder named like the experiment.
        stem: its name without endings: the model's, perhaps with `-beta-<beta>`.
        at_once: as `ArrayFile`.

    Raises:
        CheckpointError: as `ArrayFile`, or settings that cannot be read.
    """

    def __init__(self, path: Path, stem: str, *, at_once: bool = False) -> None:
        model_name, _, beta = stem.partition("-beta-")
        name = path.parent.name
        command = f"python -m training fit {_known(path)} --model {model_name}" + (f" --beta {beta}" if beta else "")
        try:
            super().__init__(path, expected_format=FORMAT, verb="fit", command=command, at_once=at_once)
        except MissingError:
            raise
        except CheckpointError as error:
            if sentence := how_to_bring(path, name):
                raise CheckpointError(sentence) from error
            raise
        try:
            self._read_settings(self.settings)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise self.defect_error(f"has settings that cannot be read ({error!r:.200})") from error
        if self.experiment.is_imported:
            self._verb, self._command = "import", f"python -m training import-weights {name} FILE"
        if stem not in (self.model_name, f"{self.model_name}-beta-{self.experiment.beta:g}"):
            raise self.defect_error(f"holds a model called {self.model_name!r:.40}, expected {stem!r}")

    def history(self) -> dict[str, Curve]:
        """Read the curves of the fit, by split: `training` and `validation`."""
        return {split: Curve(**self.group(f"history.{split}")) for split in ("training", "validation")}

    def load_network(self) -> "Autoencoder":
        """Build the network in evaluation mode, float32, on the CPU."""
        import torch

        from training.models import build

        with torch.device("meta"):  # names and shapes only: a forged size allocates nothing
            network = build(self.experiment, self.model_name)
        load_weights(network, self)
        return network

    def _read_settings(self, settings: dict[str, Any]) -> None:
        self.experiment = experiment_from_json(settings["experiment"])
        self.model_name = str(settings["model"])
        self.seconds = finite(settings["seconds"])
        self.dataset = DatasetId(str(settings["dataset"]["fingerprint"]), tuple(settings["dataset"]["classes"]))
        if not (self.dataset.classes and all(isinstance(name, str) for name in self.dataset.classes)):
            raise TypeError("the names of the classes are no texts")
        self.changes = [
            Change(int(change["update"]), finite(change["beta"]), finite(change["learning_rate"]))
            for change in settings["changes"]
        ]

    def _check_history(self, *, at_least: int) -> None:
        for split in ("training", "validation"):
            k = self.rows(f"history.{split}.update", at_least=at_least)
            names = ["update", "epoch", "seconds", "reconstruction"] + (["kl"] if self.model_name == "vae" else [])
            self.expect(f"history.{split}", dict.fromkeys(names, ("F64", (k,))))

    def _check_labels(self, labels: Array) -> None:
        if labels.max(initial=0) >= len(self.dataset.classes):
            raise self.defect_error(f"has a class {labels.max()}, expected 0 to {len(self.dataset.classes) - 1}")


class Checkpoint(FitFile):
    """One model's file, opened and checked; the arrays are read when asked for.

    Args:
        path: the file.

    Raises:
        CheckpointError: missing, truncated, foreign, of another version; names, shapes or dtypes that
            do not fit the settings. Values that are not finite are found when the array is read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, path.stem)
        self._check_arrays()

    def codes(self) -> Codes:
        """Read the codes of the test images."""
        arrays = self.group("codes")
        if "log_variance" in arrays:
            arrays["log_variance"] = arrays["log_variance"].astype(np.float32)
        codes = Codes(labels=arrays.pop("label"), **arrays)
        self._check_labels(codes.labels)
        self._check_range("codes", codes.code, -MAX_CODE, MAX_CODE)
        if codes.log_variance is not None:
            self._check_range("log-variances", codes.log_variance, *LOG_VARIANCE_BOUNDS)
        return codes

    def snapshots(self) -> Snapshots:
        """Read the codes as they moved during the fit."""
        arrays = self.group("snapshots")
        snapshots = Snapshots(labels=arrays.pop("label"), **arrays)
        self._check_labels(snapshots.labels)
        if (snapshots.update < 0).any() or (np.diff(snapshots.update) <= 0).any():
            raise self.defect_error("has snapshots that are not in the order of the updates")
        return snapshots

    def load_network(self) -> "Autoencoder":
        """Build the network as `FitFile` does.

        Raises:
            CheckpointError: as `FitFile`, or what it computes is absurd.
        """
        import torch

        network, codes = super().load_network(), torch.from_numpy(self.codes().code[:PROBES])
        size = self.experiment.image_size
        pictures = torch.linspace(0, 1, 3)[:, None, None].expand(3, size, size)  # black, grey, white
        with torch.inference_mode():
            encoded, logits = network.encode(pictures), network.decode(torch.cat([codes, torch.zeros_like(codes[:1])]))
        self._check_range("codes, encoding a black, a grey and a white picture,", encoded.numpy(), -MAX_CODE, MAX_CODE)
        self._check_range("logits, decoding its codes,", logits.numpy(), -MAX_LOGIT, MAX_LOGIT)
        return network

    def _check_range(self, what: str, values: Array, minimum: float, maximum: float) -> None:
        found = values[~((values >= minimum) & (values <= maximum))]  # what is no number is not within
        if found.size:
            raise self.defect_error(f"has {what} of {found[0]:.3g}, expected {minimum:g} to {maximum:g}")

    def _read_settings(self, settings: dict[str, Any]) -> None:
        super()._read_settings(settings)
        terms = ("elbo", "reconstruction", "kl") if self.model_name == "vae" else ("reconstruction",)
        self.test = {term: finite(settings["test"][term]) for term in terms}

    def _check_arrays(self) -> None:
        least = 0 if self.experiment.is_imported else 1  # its fit is not recorded
        n, m = self.rows("codes.label", at_least=2), self.rows("snapshots.label", at_least=least)
        s, d = self.rows("snapshots.update", at_least=least), self.experiment.latent_dim
        log_variance = {"log_variance": ("F16", (n, d))} if self.model_name == "vae" else {}
        self.expect("codes", {"code": ("F32", (n, d)), "label": ("U8", (n,)), **log_variance})
        self._check_history(at_least=least)
        self.expect("snapshots", {"update": ("I64", (s,)), "code": ("F16", (s, m, d)), "label": ("U8", (m,))})
        self.expect_groups("weights", "codes", "history.training", "history.validation", "snapshots")


def load_weights(network: "nn.Module", file: ArrayFile) -> None:
    """Give a network, built on the meta device, the weights of a file; evaluation mode, float32, on the CPU.

    Raises:
        CheckpointError: the file's weights are not those of such a network, or not finite.
    """
    import torch

    file.expect("weights", {name: ("F16", tuple(t.shape)) for name, t in network.state_dict().items()})
    weights = {name: torch.from_numpy(array.astype(np.float32)) for name, array in file.group("weights").items()}
    network.load_state_dict(weights, assign=True)
    network.eval().requires_grad_(False)


def write(
    path: Path,
    experiment: Experiment,
    *,
    dataset: DatasetId,
    changes: Sequence[Change] = (),
    seconds: float,
    test: dict[str, float],
    weights: dict[str, Array],
    codes: Codes,
    history: dict[str, Curve],
    snapshots: Snapshots,
    make_folder: bool = True,
) -> None:
    """Write one model's file, in a folder that is made unless it shall not; what stood there stays until it is whole.

    Raises:
        OSError: no room, no permission, no folder; what stood there is unharmed.
    """
    settings = fit_settings(path.stem, experiment, dataset=dataset, changes=changes, seconds=seconds) | {"test": test}
    write_arrays(path, fit_arrays(weights, codes, history, snapshots), settings, make_folder=make_folder)


def fit_settings(
    stem: str, experiment: Experiment, *, dataset: DatasetId, changes: Sequence[Change], seconds: float
) -> dict[str, Any]:
    """Return the settings that `FitFile` reads; `stem` as there."""
    return {
        "format": FORMAT,
        "model": stem.partition("-beta-")[0],
        "experiment": dataclasses.asdict(experiment),
        "dataset": dataset._asdict(),
        "changes": [change._asdict() for change in changes],
        "seconds": seconds,
    }


def fit_arrays(
    weights: dict[str, Array], codes: Codes, history: dict[str, Curve], snapshots: Snapshots | None = None
) -> dict[str, Array]:
    """Return the arrays that `FitFile` reads, named as in the module's table."""
    arrays = {f"weights.{name}": array.astype(np.float16) for name, array in weights.items()}
    groups: dict[str, Codes | Curve | Snapshots] = {
        "codes": codes,
        **({} if snapshots is None else {"snapshots": snapshots}),
        **{f"history.{split}": curve for split, curve in history.items()},
    }
    for group, values in groups.items():
        for name in (field.name for field in dataclasses.fields(values)):
            if (array := getattr(values, name)) is not None:
                # Half precision: the standard deviations are right to a thousandth.
                array = array.astype(np.float16) if name == "log_variance" else array
                arrays[f"{group}.{'label' if name == 'labels' else name}"] = array
    return arrays


def experiment_from_json(fields: dict[str, Any]) -> Experiment:
    """Rebuild an experiment from its fields as JSON holds them."""
    # Files from before there were imported networks lack their layers.
    lists = ("hidden_layers", "encoder_layers", "decoder_layers")
    return Experiment(**{**fields, **{name: tuple(fields[name]) for name in lists if name in fields}})
