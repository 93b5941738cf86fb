"""Generate."""

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from explorer import evaluation, latent
from explorer.models import open_models
from tests.app.conftest import decode, html, shown
from training.checkpoint import Checkpoint, checkpoint_path
from training.classifier import classifier_path, load_classifier
from training.experiments import Experiment


def test_generate_decodes_the_same_noise_and_says_how_many_are_digits(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    app.query_params["tab"] = "Generate"
    app.run()
    assert not app.exception
    app.number_input("seed").set_value(5).run()
    z = np.random.default_rng(5).standard_normal((10, 2))
    for model in ("vae", "autoencoder"):
        expected = decode(checkpoints, experiment, model, (float(z[3, 0]), float(z[3, 1])))
        np.testing.assert_allclose(shown(app, f"{model}-prior-4"), expected, atol=0.003)
    x, y = latent.match_moments(
        z, Checkpoint(checkpoint_path(checkpoints / experiment.name, "autoencoder")).codes().code
    )[3]
    expected = decode(checkpoints, experiment, "autoencoder", (float(x), float(y)))
    np.testing.assert_allclose(shown(app, "autoencoder-fitted-4"), expected, atol=0.003)
    app.button("again").click().run()
    assert app.number_input("seed").value == 6
    vae = open_models(checkpoints / experiment.name).vae
    decodes = vae.decode(np.random.default_rng(0).standard_normal((2000, 2)))
    share = (evaluation.classify(load_classifier(checkpoints, "digits")[0], decodes).max(axis=1) >= 0.9).mean()
    assert any(f"**{100 * share:.1f} %**" in text.value for text in app.markdown)


def test_generate_without_a_classifier_still_decodes(app: AppTest, checkpoints: Path) -> None:
    classifier_path(checkpoints, "digits").unlink()
    app.query_params["tab"] = "Generate"
    app.run()
    assert not app.exception
    assert 'data-name="vae-prior-1"' in html(app)
    assert all("digits.classifier.safetensors is missing" in error.value for error in app.error)
    assert len(app.error) == 3
