"""The classifier, one for each dataset: it scores what decoders make.

It knows the images as they come (grey), as the models are fitted to them (each pixel drawn black or white), and small
(14 x 14, black and white), for those are what decoders make. Its confidence is calibrated on the validation images, by
one temperature that all logits are divided by.

Reference:
    Guo et al. 2017, On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from training.array_file import ArrayFile, finite, write_arrays
from training.checkpoint import load_weights
from training.datasets import IMAGE_SIZE, Data, Split, binarise, preprocess
from training.optimizer import LightAdamW

__all__ = ["Classifier", "accuracy", "classifier_path", "classify", "fit_classifier", "load_classifier"]

FORMAT = 2
MAX_CLASSES = 256  # labels are bytes
UPDATES, BATCH_SIZE, LEARNING_RATE = 3500, 128, 3e-3  # 8 epochs of MNIST
PROGRESS_EVERY = 25  # updates
SMALL = 14  # pixels a side of the small experiments


class Classifier(nn.Module):
    """A small convolutional network: images (n, h, w), pixels in [0, 1] -> logits (n, classes); small ones enlarged."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, IMAGE_SIZE)),
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * (IMAGE_SIZE // 4) ** 2, 96),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(96, classes),
        )

    @property
    def classes(self) -> int:
        """How many classes it tells apart."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        return last.out_features

    def forward(self, images: Tensor) -> Tensor:
        enlarged = IMAGE_SIZE // images.shape[-1]
        return self.layers(images.repeat_interleave(enlarged, 1).repeat_interleave(enlarged, 2))


@torch.inference_mode()
def classify(classifier: Classifier, images: Tensor, batch_size: int = 250) -> Tensor:
    """Return the probability of each class: (n, h, w), pixels in [0, 1] -> (n, classes), rows of sum 1."""
    return torch.cat([classifier(batch).softmax(1) for batch in images.split(batch_size)])


def accuracy(classifier: Classifier, split: Split) -> dict[str, float]:
    """Return the share of images classified rightly, by form: `grey`, `binarised` (with a fixed seed) and `small`."""
    forms = _forms(split.images, torch.Generator().manual_seed(0))
    return {
        form: float((classify(classifier, images).argmax(1) == split.labels).double().mean())
        for form, images in forms.items()
    }


def fit_classifier(
    dataset: str,
    data: Data,
    path: Path,
    *,
    seed: int = 0,
    updates: int = UPDATES,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, float]:
    """Fit, calibrate and write a dataset's classifier; takes a minute or two for MNIST.

    Args:
        dataset: its name.
        data: images of 28 x 28; training and validation images are needed, too.
        path: the file.
        seed: of initial weights, order and binarisation.
        updates: of the weights, at least; the last epoch is finished.
        progress: called now and then with the share of the work that is done, in [0, 1].

    Returns:
        `accuracy` on the test images, of the rounded weights that stand in the file.

    Raises:
        OSError: the file could not be written; what stood there is unharmed.
    """
    classes = len(data.id.classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):  # initial weights and dropout
        torch.manual_seed(seed)
        classifier = Classifier(classes)
        optimizer = LightAdamW(classifier.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
        updates_per_epoch = math.ceil(len(data.train) / BATCH_SIZE)
        epochs = math.ceil(updates / updates_per_epoch)
        total = epochs * updates_per_epoch
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total)
        with tqdm(total=total, unit="update", desc="classifier", dynamic_ncols=True) as bar:
            for _ in range(epochs):
                for batch in torch.randperm(len(data.train), generator=generator).split(BATCH_SIZE):
                    forms = list(_forms(data.train.images[batch], generator).values())
                    chosen = torch.randint(len(forms), (len(batch),), generator=generator)
                    images = torch.stack(forms)[chosen, torch.arange(len(batch))]
                    loss = F.cross_entropy(classifier(images), data.train.labels[batch].long())
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                    if bar.n % PROGRESS_EVERY == 0:
                        progress(bar.n / total)
                    bar.update()
    classifier.eval().requires_grad_(False)
    last = classifier.layers[-1]
    assert isinstance(last, nn.Linear)
    temperature = _temperature(classifier, data.validation, generator)
    for parameter in last.parameters():
        parameter.div_(temperature)
    weights = {name: tensor.half() for name, tensor in classifier.state_dict().items()}
    classifier.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    test = accuracy(classifier, data.test)
    write_arrays(
        path,
        {f"weights.{name}": tensor.numpy() for name, tensor in weights.items()},
        {"format": FORMAT, "dataset": dataset, "classes": classes, "test": test, "temperature": temperature},
    )
    return test


def classifier_path(checkpoints: Path, dataset: str) -> Path:
    """Return the file of a dataset's classifier.

    It holds `weights.*` in half precision; settings: `dataset`, `classes` (their number), `test`.
    """
    return checkpoints / f"{dataset}.classifier.safetensors"


def load_classifier(checkpoints: Path, dataset: str) -> tuple[Classifier, dict[str, float]]:
    """Load a dataset's classifier, in evaluation mode on the CPU, and its accuracy on the test images.

    Raises:
        CheckpointError: missing, foreign or defective.
    """
    path = classifier_path(checkpoints, dataset)
    file = ArrayFile(path, expected_format=FORMAT, verb="fit", command=f"python -m training classifier {dataset}")
    file.expect_groups("weights")
    test = _test(file)
    with torch.device("meta"):
        classifier = Classifier(_classes(file))
    load_weights(classifier, file)
    # Convolutions on a CPU are three times as fast in this order of memory.
    return classifier.to(memory_format=torch.channels_last), test


def _test(file: ArrayFile) -> dict[str, float]:
    try:
        return {form: finite(file.settings["test"][form]) for form in ("grey", "binarised", "small")}
    except (KeyError, TypeError, ValueError) as error:
        raise file.defect_error(f"has settings that cannot be read ({error!r:.200})") from error


def _classes(file: ArrayFile) -> int:
    classes = file.settings.get("classes")
    if type(classes) is not int or not 1 <= classes <= MAX_CLASSES:
        raise file.defect_error(f"has {classes!r:.40} as its number of classes, expected 1 to {MAX_CLASSES}")
    return classes


def _forms(images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return images in all forms that decoders are fitted to: uint8 (n, 28, 28) -> (n, 28, 28), pixels in [0, 1]."""
    enlarged = IMAGE_SIZE // SMALL
    small = preprocess(images, SMALL, binarised=True).float() / 255
    return {
        "grey": images.float() / 255,
        "binarised": binarise(images, generator),
        "small": small.repeat_interleave(enlarged, 1).repeat_interleave(enlarged, 2),
    }


def _temperature(classifier: Classifier, validation: Split, generator: torch.Generator) -> float:
    """Fit the temperature of the logits on the validation images (Guo et al. 2017); 1 if already calibrated."""
    from scipy.optimize import minimize_scalar

    forms = torch.cat(list(_forms(validation.images, generator).values()))
    logits = torch.cat([classifier(batch) for batch in forms.split(1000)]).double()
    labels = validation.labels.long().repeat(len(logits) // len(validation))
    optimum: Any = minimize_scalar(
        lambda log: float(F.cross_entropy(logits / np.exp(log), labels)), bounds=(-3, 3), method="bounded"
    )
    return float(np.exp(optimum.x))
