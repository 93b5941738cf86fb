"""Models to tables: CSV, for spreadsheets and for the next program, and what the page says of a model."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.models import Model, ModelPair
from explorer.wall import SIDE, Standing
from training.checkpoint import Codes, Curve

__all__ = ["codes", "curves", "details", "wall"]

Array = NDArray[Any]


def codes(models: Mapping[str, Codes], names: Sequence[str]) -> bytes:
    """Write one row per test image: its number, its class, and its code in each model.

    Args:
        models: by the name with which their columns begin: `vae_1`, `vae_2`, ... for the code, and `vae_sd_1`, ...
            for the encoder's standard deviations where there are any. The same images in the same order.
        names: of the classes.
    """
    first = next(iter(models.values()))
    columns = {"image": np.arange(len(first.labels)), "class": np.array(names)[first.labels]}
    for model_name, each in models.items():
        columns |= {f"{model_name}_{k}": column for k, column in enumerate(each.code.T, 1)}
        if each.std is not None:
            columns |= {f"{model_name}_sd_{k}": column for k, column in enumerate(each.std.astype(np.float32).T, 1)}
    # As text each number has the digits that its own precision needs to be read back as itself.
    return _csv(list(columns), zip(*(column.astype(str).tolist() for column in columns.values()), strict=True))


def curves(models: Mapping[str, Mapping[str, Curve]]) -> bytes:
    """Write one row per recorded point of the fit: update, epoch, seconds, and the terms of the ELBO in nats per image.

    Args:
        models: by name, each model's curves by split. KL and ELBO stay empty where a model has none.
    """
    rows = []
    for model_name, curves_of in models.items():
        for split, curve in curves_of.items():
            none = [None] * len(curve.update)
            kl = none if curve.kl is None else curve.kl.tolist()
            elbo = none if curve.elbo is None else curve.elbo.tolist()
            when = curve.update.astype(int).tolist(), curve.epoch.tolist(), curve.seconds.tolist()
            terms = curve.reconstruction.tolist(), kl, elbo
            rows += [[model_name, split, *point] for point in zip(*when, *terms, strict=True)]
    return _csv(["model", "split", "update", "epoch", "seconds", "reconstruction", "kl", "elbo"], rows)


def details(pair: ModelPair) -> str:
    """Describe the models in a Markdown table: `st.table` would import pandas before the first map."""
    columns = [_details(model) for model in pair]
    rows = [["Setting", *(model.short for model in pair)], ["---"] * (1 + len(columns))]
    rows += [[f"**{name}**", *(column[name] for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _details(model: Model) -> dict[str, str]:
    experiment = model.checkpoint.experiment
    imported = experiment.is_imported
    shared = {
        "network": experiment.network if imported else f"{experiment.network} and back",
        "bottleneck": "mean and log-variance" if model.name == "vae" else "code",
    }
    test_images = {"test images": f"{len(model.codes.labels):,}"}
    if imported:
        return shared | {"activation": experiment.activation, "fit": "not recorded"} | test_images
    return shared | {
        "objective": f"ELBO, beta {experiment.beta:g}" if model.name == "vae" else "log p(x given f(x))",
        "epochs": str(experiment.epochs),
        "batch size": str(experiment.batch_size),
        "learning rate": f"{experiment.learning_rate:g}",
        "weight decay": f"{experiment.weight_decay:g}",
        "seed": str(experiment.seed),
        "fitted in": f"{model.checkpoint.seconds / 60:.1f} min",
        **test_images,
    }


def wall(standing: Standing, codes: Mapping[str, Array]) -> bytes:
    """Write one row per drawing on the wall that is shown: number, time (UTC), nickname, codes, 784 pixels.

    Args:
        standing: the wall. Where it shows no nicknames, that column is empty.
        codes: of the drawings, (n, d), by the name with which their columns begin: `vae_1`, `vae_2`, ...
    """
    header = ["drawing", "sent", "nickname"]
    header += [f"{name}_{k}" for name, code in codes.items() for k in range(1, code.shape[1] + 1)]
    rows = [
        [
            drawing.number,
            datetime.fromtimestamp(drawing.sent, UTC).isoformat(timespec="seconds"),
            drawing.nickname if standing.shows_names else "",
            *(value for code in codes.values() for value in code[at].astype(str)),
            *drawing.image.ravel().tolist(),
        ]
        for at, drawing in enumerate(standing.shown)
    ]
    return _csv([*header, *(f"pixel_{at}" for at in range(SIDE**2))], rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
