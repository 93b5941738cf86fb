"""Generate."""

import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer import evaluation, latent, metrics
from explorer.models import open_models
from explorer.views.generate import DRAWS
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
    x, y = latent.noise_to_fitted_gaussian(
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
    assert not app.error
    (info,) = app.info
    assert "No classifier reads these pictures yet: measuring fits one." in info.value


def test_a_digit_is_asked_for_by_drawing_until_it_comes(
    app: AppTest, checkpoints: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MIN_CONFIDENCE", 0.4)  # these models are hardly fitted
    vae = open_models(checkpoints / experiment.name).vae
    z = np.random.default_rng(2).standard_normal((DRAWS, 2))
    probabilities = evaluation.classify(load_classifier(checkpoints, "digits")[0], vae.decode(z))
    read = np.where(probabilities.max(axis=1) >= 0.4, probabilities.argmax(axis=1), 10)
    counts = np.bincount(read, minlength=11)[:10]
    common, missing = counts.argmax(), counts.argmin()
    assert counts[common] >= 10
    assert counts[missing] == 0
    kept = np.flatnonzero(read == common)[:10]
    app.query_params.update({"tab": "Generate", "class": str(common), "seed": "2"})
    app.run()
    assert not app.exception
    np.testing.assert_allclose(
        shown(app, "vae-prior-10"), decode(checkpoints, experiment, "vae", tuple(z[kept[9]].tolist())), atol=0.003
    )
    share = f"**10 of {kept[9] + 1:,} draws kept ({100 * 10 / (kept[9] + 1):.2g} %)**: those read as"
    assert any(share in text.value for text in app.markdown)
    # Where it is seen at once: the same shares beside the maps, and that there is no label to ask for.
    (about,) = [text.value for text in app.markdown if text.value.startswith("**Random codes that decode to ")]
    assert re.search(rf"A VAE has no label to ask for.* VAE {100 * 10 / (kept[9] + 1):.2g} %\*\*\.$", about)
    assert "##### VAE, z ~ N(0, I)" in [text.value for text in app.markdown]
    app.selectbox("class").set_value(str(missing)).run()
    assert not app.exception
    assert any(f"**0 of {DRAWS:,} draws kept (0 %)**" in text.value for text in app.markdown)
    assert any("None came up: choose another digit, or another seed." in text.value for text in app.markdown)
    assert "none found" in html(app)


def test_a_classifier_that_comes_while_the_app_runs_reads_what_is_shown(app: AppTest, checkpoints: Path) -> None:
    path = classifier_path(checkpoints, "digits")
    away = path.rename(path.with_suffix(".away"))
    app.query_params["tab"] = "Generate"
    app.run()
    assert "sample 1: " not in html(app)
    away.rename(path)
    app.run()
    assert not app.exception
    assert "sample 1: " in html(app)
