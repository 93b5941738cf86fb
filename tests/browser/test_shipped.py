"""The lens of every shipped map."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from explorer import latent
from explorer.maps import Map
from explorer.models import open_models
from tests.conftest import ROOT
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path

CHECKPOINTS = ROOT / "checkpoints"


SHIPPED = ("mnist-2d", "mnist-14px-8d", "mnist-32d", "mnist-conv-2d", "digits-2d")


BETAS = (0.1, 0.5, 2.0, 5.0, 40.0)  # of the VAEs beside mnist-2d's own


# The models of an experiment, by the beta of the VAE; None: its own.
ALL = [(experiment, None) for experiment in SHIPPED] + [("mnist-2d", beta) for beta in BETAS]


@pytest.mark.browser
@pytest.mark.parametrize(("experiment", "beta"), ALL)
def test_lens_is_right_and_small_enough(experiment: str, beta: float | None, page: Page, shipped: str) -> None:
    page.goto(f"{shipped}/?experiment={experiment}" + (f"&beta={beta:g}" if beta else ""))
    page.wait_for_function("globalThis.latentAtlases?.size === 2", timeout=120_000)  # computed for the first time
    for model in MODEL_NAMES if beta is None else ("vae",):  # the AE is the same at every beta
        checkpoint = Checkpoint(checkpoint_path(CHECKPOINTS / experiment, model, beta))
        codes = checkpoint.codes().code
        plane = latent.principal_plane(codes) if codes.shape[1] > 2 else latent.dimensions_plane(codes, 0, 1)
        pair = open_models(CHECKPOINTS / experiment, beta=beta)
        window = Map(pair.ae if model == "autoencoder" else pair.vae).window
        points = (window.left, window.bottom) + window.side * np.random.default_rng(0).uniform(size=(4000, 2))
        # As text: millions of numbers would take minutes on their way.
        decode = f"([x, y]) => String.fromCharCode(...latentAtlases.get('map_{model}').decode(x, y))"
        text = page.evaluate(f"points => points.map({decode}).join('')", points.tolist())
        shown = np.frombuffer(text.encode("latin-1"), np.uint8).reshape(len(points), -1) / 255
        z = torch.as_tensor(plane.lift(points), dtype=torch.float32)
        network = checkpoint.load_model()
        exact = torch.cat(
            [network.decode(part).sigmoid().flatten(1) for part in z.split(128)]
        )  # they fit into the cache
        error = np.abs(shown - exact.numpy())
        assert error.mean() < 0.002
        assert np.quantile(error, 0.99) < 0.02
        assert page.evaluate(f"latentAtlases.get('map_{model}').data.image.length") < 1e6
