"""Training speed: our loop against the loop that everyone starts from, same network, same images, same epochs.

The baseline: torchvision's dataset with `ToTensor`, a `DataLoader`, Adam at 1e-3, the grey pixel as the target of
the cross-entropy. Both loops learn 784-400-2 at batch 128 from the same 55,000 images.
"""

import contextlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Subset

from training import folders
from training.checkpoint import Checkpoint
from training.datasets import Split, load
from training.experiments import EXPERIMENTS, Experiment
from training.fit import fit
from training.models import Autoencoder, VariationalAutoencoder, build
from training.objective import evaluate, gaussian_kl, reparametrise

EPOCHS = 5
CPU = torch.device("cpu")


def main() -> None:
    """Print seconds an epoch, test losses, and their ratios."""
    experiment = replace(
        EXPERIMENTS["mnist-2d"], hidden_layers=(400,), batch_size=128, epochs=EPOCHS, learning_rate=3e-3
    )
    data_dir = folders.data_dir()
    data = load(experiment.dataset, data_dir)

    baseline, baseline_seconds = _baseline(experiment, data_dir, images=len(data.train))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silence:
        with contextlib.redirect_stderr(silence), contextlib.redirect_stdout(silence):
            path = fit(experiment, "vae", data, Path(folder), device=CPU)
        checkpoint = Checkpoint(path)
        seconds = checkpoint.seconds / EPOCHS  # of the loop, with its validation, snapshots and saving
        ours = checkpoint.load_network()

    print(f"the usual loop: {baseline_seconds:.2f} s an epoch; test loss {_losses(baseline, data.test)}")
    print(f"ours:           {seconds:.2f} s an epoch; test loss {_losses(ours, data.test)}")
    print(f"ours takes {seconds / baseline_seconds:.2f} of the usual loop's time ({EPOCHS} epochs each)")


def _baseline(experiment: Experiment, data_dir: Path, images: int) -> tuple[Autoencoder, float]:
    from torchvision import datasets, transforms

    # It finds the packed files that come along, and unpacks them beside them.
    source = datasets.MNIST(data_dir, train=True, transform=transforms.ToTensor(), download=True)
    loader = DataLoader(Subset(source, range(images)), batch_size=experiment.batch_size, shuffle=True)
    network = build(experiment, "vae")
    assert isinstance(network, VariationalAutoencoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(experiment.seed)
    started = time.perf_counter()
    for _ in range(experiment.epochs):
        for batch, _ in loader:
            batch = batch[:, 0]
            mean, log_variance = network.encode_posterior(batch)
            logits = network.decode(reparametrise(mean, log_variance, generator))
            loss = F.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
            loss = (loss + gaussian_kl(mean, log_variance).sum()) / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # everyone prints it
    return network, (time.perf_counter() - started) / experiment.epochs


@torch.no_grad()
def _losses(network: Autoencoder, test: Split) -> str:
    """-ELBO as papers report it (binarised), and as the usual loop prints it (grey pixels as targets)."""
    assert isinstance(network, VariationalAutoencoder)
    binarised = evaluate(network, test, samples=1).elbo
    assert binarised is not None
    grey = test.images.float() / 255
    mean, log_variance = network.encode_posterior(grey)
    logits = network.decode(reparametrise(mean, log_variance, torch.Generator().manual_seed(0)))
    loss = F.binary_cross_entropy_with_logits(logits, grey, reduction="sum") + gaussian_kl(mean, log_variance).sum()
    return f"{-binarised:.2f} nats (binarised), {loss / len(grey):.2f} nats (grey)"
