"""Checkpoints: what was written is read; each defect is one sentence that names the file; nothing is executed."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.conftest import Arrays, rewrite
from training import array_file
from training.array_file import write_atomically
from training.checkpoint import MODEL_NAMES, Checkpoint, CheckpointError, checkpoint_path, write
from training.datasets import Data
from training.experiments import Experiment
from training.fit import as_dict
from training.models import VariationalAutoencoder
from training.objective import evaluate


@pytest.fixture
def path(checkpoints: Path, experiment: Experiment) -> Path:
    return checkpoint_path(checkpoints / experiment.name, "vae")


def everything_of(path: Path) -> None:
    """Read all that a checkpoint has."""
    checkpoint = Checkpoint(path)
    checkpoint.codes(), checkpoint.history(), checkpoint.snapshots(), checkpoint.load_network()


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_codes_and_figures_are_those_of_the_rounded_weights_in_the_file(
    model: str, checkpoints: Path, experiment: Experiment, digits: Data
) -> None:
    checkpoint = Checkpoint(checkpoint_path(checkpoints / experiment.name, model))
    network = checkpoint.load_network()
    grey = digits.test.images.float() / 255
    codes = checkpoint.codes()
    np.testing.assert_allclose(network.encode(grey).numpy(), codes.code, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(codes.labels, digits.test.labels.numpy())
    if isinstance(network, VariationalAutoencoder):
        assert codes.log_variance is not None
        np.testing.assert_allclose(network.encode_posterior(grey)[1].numpy(), codes.log_variance, rtol=6e-4, atol=1e-4)
    assert as_dict(evaluate(network, digits.test)) == pytest.approx(checkpoint.test, rel=1e-5)
    assert checkpoint.experiment == experiment


def test_round_trip(path: Path, tmp_path: Path) -> None:
    first = Checkpoint(path)
    again = tmp_path / "again" / "vae.safetensors"
    weights = {name: tensor.numpy() for name, tensor in first.load_network().state_dict().items()}
    write(
        again,
        first.experiment,
        dataset=first.dataset,
        seconds=first.seconds,
        test=first.test,
        weights=weights,
        codes=first.codes(),
        history=first.history(),
        snapshots=first.snapshots(),
    )
    assert again.read_bytes() == path.read_bytes()


def _set(name: str, value: np.ndarray) -> Callable[[Arrays, dict[str, Any]], None]:
    return lambda arrays, settings: arrays.update({name: value})


DEFECTS: dict[str, tuple[Callable[[Arrays, dict[str, Any]], Any], str]] = {
    "missing weight": (lambda a, s: a.pop("weights.decoder.0.weight"), r"lacks the array weights\.decoder\.0\.weight"),
    "extra weight": (_set("weights.extra", np.zeros(2, np.float16)), r"does not belong there: weights\.extra"),
    "extra array": (_set("extra", np.zeros(2, np.float16)), "arrays that do not belong there: extra"),
    "wrong shape": (
        _set("weights.decoder.0.weight", np.zeros((2, 2), np.float16)),
        r"weights\.decoder\.0\.weight as F16 \(2, 2\), expected F16",
    ),
    "wrong dtype": (
        lambda a, s: a.update({"codes.code": a["codes.code"].astype(np.float64)}),
        r"codes\.code as F64 .*expected F32",
    ),
    "missing codes": (lambda a, s: a.pop("codes.label"), r"lacks the array codes\.label"),
    "not a number": (
        lambda a, s: a["weights.encoder.0.bias"].__setitem__(0, np.nan),
        r"values in weights\.encoder\.0\.bias that are not finite",
    ),
    "infinite code": (lambda a, s: a["codes.code"].__setitem__((0, 0), np.inf), r"values in codes\.code that are not"),
    "other version": (lambda a, s: s.update(format=99), "has format 99, this program reads format 3"),
    "other model": (lambda a, s: s.update(model="autoencoder"), "holds a model called 'autoencoder', expected 'vae'"),
    "other width": (lambda a, s: s["experiment"].update(hidden_layers=[64, 33]), r"expected F16 \(33,\)"),
    "monstrous width": (lambda a, s: s["experiment"].update(hidden_layers=[65536] * 9), r"expected F16 \(65536,\)"),
    "beyond all": (lambda a, s: s["experiment"].update(hidden_layers=[10**30]), "settings that cannot be read"),
    "foreign recipe": (lambda a, s: s["experiment"].update(flavour="vanilla"), "settings that cannot be read"),
    "fractional width": (lambda a, s: s["experiment"].update(hidden_layers=[64.5]), "settings that cannot be read"),
    "fractional size": (lambda a, s: s["experiment"].update(latent_dim=2.0), "settings that cannot be read"),
    "no title": (lambda a, s: s["experiment"].update(title=None), "settings that cannot be read"),
    "endless fit": (lambda a, s: s.update(seconds=10**400), "settings that cannot be read"),
    "no figures": (lambda a, s: s.update(test={}), "settings that cannot be read"),
    "figure that is none": (lambda a, s: s["test"].update(elbo=float("nan")), "settings that cannot be read"),
    "history of a third split": (
        _set("history.other.update", np.zeros(2)),
        "do not belong there: history.other.update",
    ),
    "eleventh digit": (lambda a, s: a["codes.label"].__setitem__(0, 10), "has a class 10, expected 0 to 9"),
    "snapshots out of order": (lambda a, s: a["snapshots.update"].__setitem__(1, 0), "not in the order of the updates"),
    "code beyond all": (
        lambda a, s: a["codes.code"].__setitem__((3, 1), 1e19),
        r"codes of 1e\+19, expected -1e\+06 to",
    ),
    "runaway variance": (
        lambda a, s: a["codes.log_variance"].__setitem__((3, 1), -210),
        "log-variances of -210, expected -20 to 4",
    ),
    "exploding decoder": (
        lambda a, s: a.update({n: np.full_like(a[n], 65504) for n in a if n.startswith("weights.decoder")}),
        r"logits, decoding its codes, of .*, expected -1e\+06 to 1e\+06",
    ),
    "exploding encoder": (
        lambda a, s: a.update({n: np.full_like(a[n], 65504) for n in a if n.startswith("weights.encoder")}),
        r"codes, encoding a black, a grey and a white picture, of .*, expected -1e\+06 to 1e\+06",
    ),
    "a single code": (
        lambda a, s: a.update({name: a[name][:1] for name in a if name.startswith("codes")}),
        r"lacks the array codes\.label, or has fewer than 2 rows of it",
    ),
    "size with a point": (lambda a, s: s["experiment"].update(image_size=28.0), "settings that cannot be read"),
    "half a character": (lambda a, s: s["experiment"].update(dataset="\ud800"), "it has no settings"),
    "layers of no import": (lambda a, s: s["experiment"].update(encoder_layers=["linear 784 2"]), "cannot be read"),
    "recipe of words": (lambda a, s: s["experiment"].update(latent_dim="two"), "settings that cannot be read"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_a_sentence_that_names_the_file(defect: str, path: Path) -> None:
    change, sentence = DEFECTS[defect]
    everything_of(path)
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=sentence) as told:
        everything_of(path)
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)
    assert "python -m training fit digits-2d --model vae" in str(told.value)


@pytest.mark.parametrize("keep", [0, 7, 100, 5000, -1])
def test_truncated_file(keep: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="is no safetensors file, or is cut short"):
        everything_of(path)


def test_missing_file(path: Path) -> None:
    path.unlink()
    with pytest.raises(CheckpointError, match=f"{path} is missing; restore it, or fit it"):
        Checkpoint(path)


def test_foreign_safetensors(path: Path) -> None:
    save_file({"w": np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match=r"holds weights and nothing else; rename it .* import-weights"):
        Checkpoint(path)


class Payload:
    """Unpickling this writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        return open_for_writing, (str(self.mark), "w")


def open_for_writing(name: str, mode: str) -> object:
    return Path(name).open(mode)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_under_the_expected_name_is_never_executed(writer: str, path: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Payload(mark)))
        pickle.loads(path.read_bytes())
        assert mark.exists()  # the payload works
        mark.unlink()
    else:
        torch.save(Payload(mark), path)
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        everything_of(path)
    assert not mark.exists()


def test_full_disk_leaves_what_stood_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(array_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir() if "part" in each.name] == []


def test_of_several_who_write_a_file_at_once_one_stands_whole(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([letter]) * (1000 + 50_000 * letter) for letter in range(8)]
    path.write_bytes(contents[0])

    def keep_writing(content: bytes) -> None:
        for _ in range(30):
            write_atomically(path, content, to_disk=False)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(len(contents)) as threads:
        list(threads.map(keep_writing, contents))
    assert list(tmp_path.iterdir()) == [path]


def test_recipe_with_a_bad_number_is_told(experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="epochs is 0; it must be 1 to"):
        replace(experiment, epochs=0)
    with pytest.raises(ValueError, match="beta is -1; it must be 0 to"):
        replace(experiment, beta=-1)
    with pytest.raises(ValueError, match="it names a folder"):
        replace(experiment, name="../elsewhere")
