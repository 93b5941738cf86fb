"""The table of a sweep: what each of its models reaches, `checkpoints/<name>.sweep.safetensors`.

In the header, under `settings`, one JSON object: `format` (this version), `experiment` (every field of `Experiment`:
what the models have in common), `hidden_layers` (the lists of widths that occur), `fingerprint` (of the images, see
`training.own_dataset`) and `training_samples` (posterior samples an image, over which the figures of the training
images are averaged). The arrays, with r rows, one a model, and s the sum of the latent sizes of the VAEs among them:

| name | shape | dtype | what |
|---|---|---|---|
| `model` | (r,) | uint8 | index of `training.checkpoint.MODEL_NAMES` |
| `latent_dim`, `seed` | (r,) | int64 | settings of the fit |
| `hidden_layers` | (r,) | int64 | index of the settings' `hidden_layers` |
| `beta` | (r,) | float64 | weight of the KL; of an AE, which has none, the experiment's |
| `SPLIT.reconstruction`, `SPLIT.kl` | (r,) | float64 | nats per image; `training` or `test`; the KL of an AE is 0 |
| `kl_of_dimensions` | (s,) | float64 | of the VAEs, row by row: KL per dimension, mean over the grey test images |

The ELBO is the reconstruction less the KL. Nothing here needs torch.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from training.array_file import Array, ArrayFile, write_arrays
from training.checkpoint import MODEL_NAMES, checkpoint_path, experiment_from_json
from training.experiments import Experiment

__all__ = [
    "Point",
    "Row",
    "SweepTable",
    "Terms",
    "kept_path",
    "read_table",
    "sweep_command",
    "sweep_name",
    "table_names",
    "table_path",
    "write_table",
]

FORMAT = 1
SUFFIX = ".sweep.safetensors"
SPLITS = ("training", "test")
MAX_NATS = 1e9  # per image; what is beyond is no measurement


class Point(NamedTuple):
    """Which model of a sweep: what its fits differ in."""

    model_name: str
    latent_dim: int
    hidden_layers: tuple[int, ...]
    beta: float
    seed: int

    def of(self, experiment: Experiment) -> Experiment:
        """Return an experiment with these settings and a name that says in which it differs from the given one.

        Raises:
            ValueError: as `Experiment`.
        """
        new = {name: getattr(self, name) for name in ("latent_dim", "hidden_layers", "seed")}
        changed = {name: value for name, value in new.items() if value != getattr(experiment, name)}
        beta = self.beta if self.model_name == "vae" else experiment.beta
        if not changed:
            return dataclasses.replace(experiment, beta=beta)
        widths = "-".join(map(str, self.hidden_layers)) or "none"
        words = {"latent_dim": f"latent-{self.latent_dim}", "hidden_layers": f"layers-{widths}"}
        words["seed"] = f"seed-{self.seed}"
        title = f"{experiment.dataset}, {self.latent_dim} latent dimensions, {widths}, seed {self.seed}"
        name = "-".join([experiment.name, *(words[each] for each in changed)])
        return dataclasses.replace(experiment, **changed, beta=beta, name=name, title=title)


class Terms(NamedTuple):
    """The terms of the ELBO, in nats per image; the KL of an AE is 0."""

    reconstruction: float
    kl: float

    @property
    def elbo(self) -> float:
        return self.reconstruction - self.kl


@dataclass(frozen=True)
class Row:
    """What one model reaches."""

    point: Point
    training: Terms
    test: Terms
    kl_of_dimensions: tuple[float, ...] = ()  # of a VAE


@dataclass(frozen=True)
class SweepTable:
    """What the models of a sweep reach, and what they have in common."""

    experiment: Experiment
    fingerprint: str
    training_samples: int
    rows: tuple[Row, ...] = ()

    def with_row(self, row: Row) -> "SweepTable":
        """Return the table with one more row, in the order of the settings; it takes the place of one of its point."""
        rows = {each.point: each for each in self.rows} | {row.point: row}
        return dataclasses.replace(self, rows=tuple(rows[point] for point in sorted(rows)))


def kept_path(checkpoints: Path, experiment: Experiment, point: Point) -> Path:
    """Return where a model of a sweep of an experiment is kept, if it is: with another beta as an additional VAE."""
    own = point.of(experiment)
    beta = None if own.beta == experiment.beta else own.beta
    return checkpoint_path(checkpoints / own.name, point.model_name, beta)


def sweep_name(name: str, epochs: int) -> str:
    """Return the name of a sweep, and of its experiment, with another number of epochs."""
    return f"{name}-epochs-{epochs}"


def sweep_command(name: str) -> str:
    """Return the command that writes the table of a sweep, and goes on with it; its lists are not in the name."""
    if found := re.fullmatch(r"(.+)-epochs-(\d+)", name):
        return f"python -m training sweep {found[1]} --epochs {found[2]}"
    return f"python -m training sweep {name}"


def table_path(checkpoints: Path, name: str) -> Path:
    """Return the file of a sweep's table."""
    return checkpoints / f"{name}{SUFFIX}"


def table_names(checkpoints: Path) -> list[str]:
    """Return the names of the sweeps that have a table, in alphabetical order."""
    try:
        return sorted(path.name.removesuffix(SUFFIX) for path in checkpoints.glob(f"*{SUFFIX}"))
    except OSError:  # it may not be read: opening an experiment says so
        return []


def read_table(path: Path) -> SweepTable:
    """Read a table.

    Raises:
        CheckpointError: missing, truncated, foreign, of another version; settings or values that no sweep gives.
    """
    command = sweep_command(path.name.removesuffix(SUFFIX))
    file = ArrayFile(path, expected_format=FORMAT, verb="compute", command=command)
    r = file.rows("model")
    columns = {"model": "U8", "latent_dim": "I64", "hidden_layers": "I64", "beta": "F64", "seed": "I64"}
    columns |= {f"{split}.{term}": "F64" for split in SPLITS for term in Terms._fields}
    s = file.rows("kl_of_dimensions", at_least=0)
    expected: dict[str, tuple[str, tuple[int, ...]]] = {name: (dtype, (r,)) for name, dtype in columns.items()}
    file.expect("", expected | {"kl_of_dimensions": ("F64", (s,))})
    arrays = file.group("")
    try:
        return _table(file.settings, arrays)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise file.defect_error(f"holds what no sweep gives ({error!r:.200})") from error


def _table(settings: dict[str, Any], arrays: dict[str, Array]) -> SweepTable:
    experiment = experiment_from_json(settings["experiment"])
    samples = settings["training_samples"]
    if type(samples) is not int or samples < 1:
        raise ValueError(f"training_samples is {samples!r:.40}")
    rows, at = [], 0
    for index in range(len(arrays["model"])):
        value = {name: array[index].item() for name, array in arrays.items() if name != "kl_of_dimensions"}
        if min(value["model"], value["hidden_layers"]) < 0:
            raise ValueError("an index is below 0")
        point = Point(
            MODEL_NAMES[value["model"]],
            value["latent_dim"],
            tuple(settings["hidden_layers"][value["hidden_layers"]]),
            value["beta"],
            value["seed"],
        )
        point.of(experiment)  # raises where its numbers are out of their ranges
        training, test = (Terms(*(value[f"{split}.{term}"] for term in Terms._fields)) for split in SPLITS)
        for terms in (training, test):
            if not (-MAX_NATS <= terms.reconstruction <= 0 <= terms.kl <= MAX_NATS):
                raise ValueError(f"row {index} has reconstruction {terms.reconstruction:g}, KL {terms.kl:g}")
        size = point.latent_dim if point.model_name == "vae" else 0
        dimensions = tuple(arrays["kl_of_dimensions"][at : at + size].tolist())
        if len(dimensions) != size or not all(0 <= kl <= MAX_NATS for kl in dimensions):
            raise ValueError(f"row {index} lacks the KL of a dimension, or one is below 0")
        at += size
        rows.append(Row(point, training, test, dimensions))
    if at != len(arrays["kl_of_dimensions"]):
        raise ValueError(f"there are KLs of {len(arrays['kl_of_dimensions'])} dimensions, expected {at}")
    if len({row.point for row in rows}) != len(rows):
        raise ValueError("two rows are of the same settings")
    return SweepTable(experiment, str(settings["fingerprint"]), samples, tuple(rows))


def write_table(path: Path, table: SweepTable) -> None:
    """Write a table; raises OSError as `training.array_file.write_atomically`."""
    points = [row.point for row in table.rows]
    widths = sorted({point.hidden_layers for point in points})
    arrays: dict[str, Array] = {
        "model": np.array([MODEL_NAMES.index(point.model_name) for point in points], np.uint8),
        "latent_dim": np.array([point.latent_dim for point in points], np.int64),
        "hidden_layers": np.array([widths.index(point.hidden_layers) for point in points], np.int64),
        "beta": np.array([point.beta for point in points], np.float64),
        "seed": np.array([point.seed for point in points], np.int64),
        "kl_of_dimensions": np.array([kl for row in table.rows for kl in row.kl_of_dimensions], np.float64),
    }
    for split in SPLITS:
        for term in Terms._fields:
            values = [getattr(getattr(row, split), term) for row in table.rows]
            arrays[f"{split}.{term}"] = np.array(values, np.float64)
    settings = {
        "format": FORMAT,
        "experiment": dataclasses.asdict(table.experiment),
        "hidden_layers": widths,
        "fingerprint": table.fingerprint,
        "training_samples": table.training_samples,
    }
    write_arrays(path, arrays, settings)
