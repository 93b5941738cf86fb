"""Training speed: our fit of an AE and a VAE against the loop that everyone starts from, run for one after the other.

The baseline: torchvision's dataset with `ToTensor`, a `DataLoader`, Adam at 1e-3, the grey pixel as the target of
the cross-entropy. Both learn 784-400-2 at batch 128 from the same 55,000 images, as many epochs.
"""

import contextlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from training import folders
from training.checkpoint import MODEL_NAMES, Checkpoint
from training.datasets import Split, load
from training.experiments import EXPERIMENTS, Experiment
from training.models import Autoencoder, VariationalAutoencoder, build
from training.objective import evaluate, gaussian_kl, reparametrise
from training.side_by_side import fit_side_by_side

EPOCHS = 5


def main() -> None:
    """Print seconds an epoch, test losses, and their ratios."""
    experiment = replace(
        EXPERIMENTS["mnist-2d"], hidden_layers=(400,), batch_size=128, epochs=EPOCHS, learning_rate=3e-3
    )
    data_dir = folders.data_dir()
    data = load(experiment.dataset, data_dir)

    usual, ours = {}, {}
    for model_name in MODEL_NAMES:
        usual[model_name] = _baseline(experiment, model_name, data_dir, images=len(data.train))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silence:
        began = time.perf_counter()
        with contextlib.redirect_stderr(silence), contextlib.redirect_stdout(silence):
            paths = list(fit_side_by_side(experiment, data_dir, Path(folder)))
        whole = time.perf_counter() - began
        for checkpoint in map(Checkpoint, paths):
            # Of the loop, with its validation, snapshots and saving.
            ours[checkpoint.model_name] = checkpoint.load_network(), checkpoint.seconds / EPOCHS

    for model_name in MODEL_NAMES:
        for name, (network, seconds) in (("the usual loop", usual[model_name]), ("ours", ours[model_name])):
            print(f"{model_name}, {name}: {seconds:.2f} s an epoch; test loss {_losses(network, data.test)}")
    one_after_the_other = sum(seconds for _, seconds in usual.values())
    side_by_side = max(seconds for _, seconds in ours.values())
    print(
        f"both: the usual loop {one_after_the_other:.2f} s an epoch, ours {side_by_side:.2f}: "
        f"{one_after_the_other / side_by_side:.2f} times as fast ({EPOCHS} epochs each); with the start of the "
        f"processes and the test images {one_after_the_other * EPOCHS / whole:.2f} times"
    )


def _baseline(experiment: Experiment, model_name: str, data_dir: Path, images: int) -> tuple[Autoencoder, float]:
    from torchvision import datasets, transforms

    # It finds the packed files that come along, and unpacks them beside them.
    source = datasets.MNIST(data_dir, train=True, transform=transforms.ToTensor(), download=True)
    loader = DataLoader(Subset(source, range(images)), batch_size=experiment.batch_size, shuffle=True)
    network = build(experiment, model_name)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(experiment.seed)
    started = time.perf_counter()
    for _ in range(experiment.epochs):
        for batch, _ in loader:
            batch = batch[:, 0]
            loss = _grey_loss(network, batch, generator) / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # everyone prints it
    return network, (time.perf_counter() - started) / experiment.epochs


def _grey_loss(network: Autoencoder, images: Tensor, generator: torch.Generator) -> Tensor:
    """Compute the loss that the usual loop minimises and prints, summed over images."""
    if isinstance(network, VariationalAutoencoder):
        mean, log_variance = network.encode_posterior(images)
        logits = network.decode(reparametrise(mean, log_variance, generator))
        return (
            F.binary_cross_entropy_with_logits(logits, images, reduction="sum") + gaussian_kl(mean, log_variance).sum()
        )
    return F.binary_cross_entropy_with_logits(network.decode(network.encode(images)), images, reduction="sum")


@torch.no_grad()
def _losses(network: Autoencoder, test: Split) -> str:
    """Return -ELBO, or -reconstruction, as papers (binarised) and the usual loop (grey targets) print it."""
    terms = evaluate(network, test, samples=1)
    binarised = terms.reconstruction if terms.elbo is None else terms.elbo
    grey = test.images.float() / 255
    loss = _grey_loss(network, grey, torch.Generator().manual_seed(0)) / len(grey)
    return f"{-binarised:.2f} nats (binarised), {loss:.2f} nats (grey)"
