"""Measuring: what is missing is made, how far it is is told, and what hinders it is a sentence."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from explorer import evaluation
from explorer.atlas import read_atlas
from explorer.evaluation import read_evaluation
from explorer.maps import Map
from explorer.measuring import Measuring, measure, measuring, start
from explorer.models import open_models
from tests.conftest import call_mnist
from training import classifier
from training.checkpoint import CheckpointError, checkpoint_path
from training.classifier import classifier_path, load_classifier
from training.datasets import DataError
from training.experiments import Experiment
from training.folders import DATA_VARIABLE


def test_a_classifier_is_fitted_where_there_is_none(
    checkpoints: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "POSTERIORS", 5)  # test images, to save time
    fit_classifier = partial(classifier.fit_classifier, updates=30)
    monkeypatch.setattr(classifier, "fit_classifier", fit_classifier)
    path = classifier_path(checkpoints, "digits")
    path.unlink()
    folder, told = checkpoints / experiment.name, []
    (measured,) = measure(folder, lambda share, label: told.append((share, label)))
    assert load_classifier(checkpoints, "digits")[0].classes == 10
    assert read_evaluation(folder, open_models(folder)).values == measured.evaluation.values
    assert all(read_atlas(map_, map_.window) for map_ in map(Map, measured.pair))
    shares, labels = zip(*told, strict=True)
    assert np.diff(shares).min() >= 0
    assert shares[0] == 0
    assert 0.8 < shares[-1] <= 1
    assert labels[0] == "fitting the classifier"
    assert {"autoencoder: codes", "vae: samples", "vae: posteriors", "vae: decodes"} <= {*labels}


def test_without_images_no_classifier_is_fitted(
    checkpoints: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_mnist(checkpoints, experiment)
    classifier_path(checkpoints, "mnist").unlink()
    monkeypatch.setenv(DATA_VARIABLE, str(checkpoints / "no-data"))
    with pytest.raises(DataError, match="MNIST is not in"):
        measure(checkpoints / experiment.name, lambda share, label: None)


def until_it_is_over(folder: Path) -> Measuring:
    for _ in range(1800):  # a busy machine
        state = measuring(folder)
        assert state is not None
        if state.is_over:
            return state
        time.sleep(0.1)
    raise AssertionError(f"{folder} is still being measured")


def test_beside_the_server_it_ends_well_or_says_why_not(checkpoints: Path, experiment: Experiment) -> None:
    folder = call_mnist(checkpoints, experiment) / experiment.name
    assert measuring(folder) is None
    start(folder)
    start(checkpoints / "nothing")
    first = measuring(folder)
    start(folder)  # it is under way
    assert measuring(folder) is first
    assert until_it_is_over(folder).error == ""
    assert read_evaluation(folder, open_models(folder)).values.keys() == {"autoencoder", "vae"}
    assert "nothing/autoencoder.safetensors is missing" in until_it_is_over(checkpoints / "nothing").error
    folder.rename(checkpoints / "nothing")  # another experiment takes its name
    assert measuring(checkpoints / "nothing") is None


def test_one_model_is_measured_alone(
    checkpoints: Path, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "POSTERIORS", 5)  # test images, to save time
    folder = checkpoints / experiment.name
    ae = checkpoint_path(folder, "autoencoder").rename(tmp_path / "ae")
    told: list[float] = []
    (measured,) = measure(folder, lambda share, label: told.append(share))
    assert measured.evaluation.values.keys() == {"vae"}
    assert read_evaluation(folder, open_models(folder)).values == measured.evaluation.values
    assert 0.8 < told[-1] <= 1
    ae.rename(checkpoint_path(folder, "autoencoder"))
    with pytest.raises(CheckpointError):  # the AE has no numbers yet
        read_evaluation(folder, open_models(folder))
