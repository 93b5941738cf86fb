"""The tables: what is read back from them is what was given."""

import csv
import io

import numpy as np

from explorer import tables
from training.checkpoint import Codes, Curve


def read(table: bytes) -> dict[str, list[str]]:
    """The columns by name."""
    header, *rows = csv.reader(io.StringIO(table.decode()))
    return {name: list(column) for name, column in zip(header, zip(*rows, strict=True), strict=True)}


def test_codes_are_read_back_exactly() -> None:
    rng = np.random.default_rng(0)
    n, d = 50, 3
    scale = 10.0 ** rng.integers(-6, 4, (2, n, d))
    ae, mean = (rng.normal(size=(2, n, d)) * scale).astype(np.float32)
    log_variance = rng.normal(-3, 2, (n, d)).astype(np.float32)
    digit = rng.integers(0, 10, n).astype(np.uint8)
    names = [f"class, {label}" for label in range(10)]
    columns = read(tables.codes({"ae": Codes(ae, digit), "vae": Codes(mean, digit, log_variance)}, names))

    parts = {"ae": ae, "vae": mean, "vae_sd": np.exp(log_variance.astype(float) / 2).astype(np.float32)}
    assert list(columns) == ["image", "class", *(f"{name}_{k}" for name in parts for k in range(1, d + 1))]
    assert columns["image"] == [str(image) for image in range(n)]
    assert columns["class"] == [names[each] for each in digit]
    for name, part in parts.items():
        table = np.array([columns[f"{name}_{k}"] for k in range(1, d + 1)]).T
        np.testing.assert_array_equal(table.astype(np.float32), part)


def test_curves_are_read_back_exactly() -> None:
    rng = np.random.default_rng(1)

    def curve(points: int, kl: bool) -> Curve:
        epoch, seconds, reconstruction = rng.normal(size=(3, points))
        update = np.cumsum(rng.integers(1, 1000, points)).astype(float)
        return Curve(update, epoch, seconds, reconstruction, rng.normal(size=points) if kl else None)

    models = {
        model: {"training": curve(9, kl), "validation": curve(4, kl)}
        for model, kl in {"ae": False, "vae": True}.items()
    }
    columns = read(tables.curves(models))
    assert list(columns) == ["model", "split", "update", "epoch", "seconds", "reconstruction", "kl", "elbo"]
    assert len(columns["model"]) == 2 * (9 + 4)
    for model, splits in models.items():
        for split, given in splits.items():
            keys = zip(columns["model"], columns["split"], strict=True)
            mine = [i for i, key in enumerate(keys) if key == (model, split)]
            for name in list(columns)[2:]:
                values = [columns[name][i] for i in mine]
                expected = getattr(given, name)
                if expected is None:
                    assert values == [""] * len(given.update)
                else:
                    np.testing.assert_array_equal(np.array(values, float), expected)
    assert all(update.isdigit() for update in columns["update"])
