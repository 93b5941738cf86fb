"""Reconstruct."""

import re
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from explorer import evaluation
from explorer.models import ElboTerms
from tests.app.conftest import html, shown
from tests.conftest import ROOT
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment
from training.objective import evaluate_per_image


def test_reconstruct_shows_what_both_models_make_of_each_split(
    app: AppTest, checkpoints: Path, experiment: Experiment, digits: Data
) -> None:
    app.query_params["tab"] = "Reconstruct"
    app.run()
    assert not app.exception
    model = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).load_network()
    for split in ("training", "validation", "test"):
        app.segmented_control("images").set_value(f"{split} images").run()
        assert not app.exception
        number = int(re.findall(r"<small>image (\d+)</small>", html(app))[0])
        grey = getattr(digits, {"training": "train"}.get(split, split)).images[number] / 255
        np.testing.assert_allclose(shown(app, f"original-{number}"), grey, atol=0.003)
        own = model.decode(model.encode(grey[None])).sigmoid()[0]
        np.testing.assert_allclose(shown(app, f"vae-{number}"), own, atol=0.003)
        colours = shown(app, f"vae-error-{number}")[..., :3]
        lost = grey.numpy() - own.detach().numpy()
        assert (colours[lost > 0.05][:, 0] > colours[lost > 0.05][:, 2]).all()  # orange
        assert (colours[lost < -0.05][:, 2] > colours[lost < -0.05][:, 0]).all()  # blue
        np.testing.assert_allclose(colours.max(axis=2), np.abs(lost), atol=0.003)
    # Like stands beside like: both reconstructions below the pictures, the ELBO in a row of its own.
    each = evaluate_per_image(model, digits.test, samples=5)
    assert each.kl is not None
    log_likelihood, kl = float(each.reconstruction[number]), float(each.kl[number])
    assert re.search(rf'data-name="vae-{number}"[^>]*><b>−{-log_likelihood:.1f} nats</b>', html(app))
    bound = f"<b>−{kl - log_likelihood:.1f} nats</b><small>−{-log_likelihood:.1f} − {kl:.1f}</small>"
    assert bound in html(app).split("apart")[1]
    before = html(app)
    app.button("others").click().run()
    assert html(app) != before
    # A link opens the same images.
    other = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    other.query_params.update({"tab": "Reconstruct", "images": "test images", "page": "1"})
    other.run()
    assert re.findall(r"<small>image (\d+)</small>", html(other)) == re.findall(
        r"<small>image (\d+)</small>", html(app)
    )


def test_worst_images_are_the_worst(app: AppTest, fitted: Path, experiment: Experiment, digits: Data) -> None:
    app.query_params["tab"] = "Reconstruct"
    app.query_params["images"] = "worst test images"
    app.query_params["rank"] = "AE reconstruction"
    app.run()
    assert not app.exception
    assert "hardest test images" in app.segmented_control("images").options
    assert app.segmented_control("images").value == "worst test images"  # as links have it
    model = Checkpoint(checkpoint_path(fitted / experiment.name, "autoencoder")).load_network()
    each = evaluate_per_image(model, digits.test).reconstruction
    worst = [int(number) for number in re.findall(r"<small>image (\d+)</small>", html(app))]
    assert worst == each.argsort()[:10].tolist()
    assert f"{each[worst[0]]:.1f} nats".replace("-", "−") in html(app)
    assert f"{-each[worst[0]] / np.log(2):.0f} bits" in html(app)


def test_measured_likelihoods_are_not_computed_again(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    values = {model: dict.fromkeys(names, 1.0) for model, names in evaluation.METRICS.items()}
    overlap = {model: [0.0] * 10 for model in MODEL_NAMES}
    folder = checkpoints / experiment.name
    n = len(Checkpoint(checkpoint_path(folder, "vae")).codes().labels)
    falling = -np.arange(float(n))
    terms = {"autoencoder": ElboTerms(falling, None), "vae": ElboTerms(falling - 1000, np.full(n, 7.0))}
    evaluation.write_evaluation(folder, evaluation.Evaluation(values, overlap, {}, terms))
    app.query_params.update({"tab": "Reconstruct", "images": "worst test images"})
    app.run()
    assert not app.exception
    assert re.findall(r"<small>image (\d+)</small>", html(app)) == [str(n - 1 - place) for place in range(10)]
    assert f"<b>−{n - 1}.0 nats</b>" in html(app)
    assert f"<b>−{n + 1006}.0 nats</b><small>−{n + 999}.0 − 7.0</small>" in html(app)
