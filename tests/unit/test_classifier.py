"""The classifier that reads decodes."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.conftest import rewrite
from training.array_file import CheckpointError
from training.classifier import Classifier, accuracy, classifier_path, classify, load_classifier
from training.datasets import Data


def test_it_reads_grey_binarised_and_small_images(fitted: Path, digits: Data) -> None:
    classifier, told = load_classifier(fitted, "digits")
    assert accuracy(classifier, digits.test) == pytest.approx(told, abs=0.01)
    assert min(told.values()) > 0.85  # a few seconds' fit; the shipped ones are tested by themselves
    probabilities = classify(classifier, digits.test.images.float() / 255)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(digits.test)))


def test_small_images_are_enlarged(fitted: Path) -> None:
    classifier, _ = load_classifier(fitted, "digits")
    small = torch.rand(3, 14, 14, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(classifier(small), classifier(F.interpolate(small[:, None], scale_factor=2)[:, 0]))


def test_confidence_is_calibrated_on_the_validation_images(fitted: Path, digits: Data) -> None:
    classifier, _ = load_classifier(fitted, "digits")
    grey = digits.validation.images.float() / 255
    logits, expected = classifier(grey), digits.validation.labels.long()
    calibrated = F.cross_entropy(logits, expected)
    # Neither a sharper nor a softer belief fits the images (of all forms together) clearly better.
    for temperature in (0.5, 2.0):
        assert calibrated < F.cross_entropy(logits / temperature, expected) + 0.02


def test_missing_and_foreign_files_are_told(checkpoints: Path) -> None:
    path = classifier_path(checkpoints, "digits")
    with pytest.raises(CheckpointError, match=r"is missing; .* python -m training classifier mnist"):
        load_classifier(checkpoints, "mnist")
    rewrite(path, lambda arrays, settings: arrays.update({"weights.more": arrays.popitem()[1]}))
    with pytest.raises(CheckpointError, match="lacks the array weights"):
        load_classifier(checkpoints, "digits")
    path.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        load_classifier(checkpoints, "digits")


def test_it_is_small() -> None:
    assert 2 * sum(parameter.numel() for parameter in Classifier(10).parameters()) < 1e6  # bytes, in half precision
