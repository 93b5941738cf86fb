"""Posterior."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer import evaluation
from explorer.models import Model, open_models
from explorer.posterior import (
    DecodedGrid,
    Decoder,
    elbo,
)
from explorer.selection import Drawing
from tests.app.conftest import html, shown
from tests.conftest import CPU, brute_force, rewrite
from training.checkpoint import MODEL_NAMES, checkpoint_path
from training.datasets import Data, binarise
from training.experiments import Experiment
from training.fit import fit
from training.objective import EVALUATION_SEED, evaluate_per_image


@pytest.fixture(scope="module")
def vae(fitted: Path, experiment: Experiment) -> Model:
    return open_models(fitted / experiment.name).vae


@pytest.fixture(scope="module")
def decode(vae: Model) -> Decoder:
    return evaluation.decoder(vae)


@pytest.fixture(scope="module")
def coarse(vae: Model) -> DecodedGrid:
    return evaluation.decode_grid(vae)


@pytest.fixture(scope="module")
def seen(digits: Data) -> np.ndarray:
    """The test images as `evaluate_per_image` binarises them."""
    return binarise(digits.test.images, torch.Generator().manual_seed(EVALUATION_SEED)).numpy()


def told(app: AppTest, name: str) -> float:
    found = re.search(rf"<b>{re.escape(name)} = (−?[\d.]+) nats</b>", html(app))
    assert found, name
    return float(found[1].replace("−", "-"))


def test_tab_shows_the_figures_of_the_image(
    app: AppTest,
    vae: Model,
    decode: Decoder,
    seen: np.ndarray,
) -> None:
    app.query_params.update({"tab": "Posterior", "digit": "17"})
    app.run()
    assert not app.exception
    for image in (17, 4):
        app.number_input("digit").set_value(image).run()
        assert not app.exception
        x = seen[image].ravel()
        evidence = float(brute_force(decode, x, 401)[1].logsumexp(0))
        bound = elbo(decode, x, evaluation.approximate_posteriors(vae, seen[[image]])[0])
        assert told(app, "log p(x)") == pytest.approx(evidence, abs=0.01)
        assert told(app, "ELBO") == pytest.approx(bound, abs=0.006)
        assert told(app, "Gap") == pytest.approx(evidence - bound, abs=0.015)
        np.testing.assert_allclose(shown(app, "subject"), seen[image], atol=0.003)


def test_average_slack_is_that_of_the_chosen_beta(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    folder = checkpoints / experiment.name
    shutil.copy(checkpoint_path(folder, "vae"), other := checkpoint_path(folder, "vae", 0.5))
    rewrite(other, lambda arrays, settings: settings["experiment"].update(beta=0.5))
    for beta, slack in ((None, 1.25), (0.5, 7.75)):
        values = {model: dict.fromkeys(names, 1.0) for model, names in evaluation.METRICS.items()}
        values["vae"] |= dict.fromkeys(evaluation.POSTERIOR_METRICS, 1.0) | {"slack": slack}
        overlap = {model: [0.0] * 10 for model in MODEL_NAMES}
        evaluation.write_evaluation(folder, evaluation.Evaluation(values, overlap, {}, {}), beta)
    app.query_params["tab"] = "Posterior"
    app.run()
    assert "Over 300 test images: 1.25 nats on average" in html(app)
    assert "It is what the fit maximises" in html(app)
    app.select_slider("beta").set_value(0.5).run()
    assert not app.exception
    assert "Over 300 test images: 7.75 nats on average" in html(app)
    assert "maximises" not in html(app)  # that was another sum of the two terms


def test_resample_draws_from_the_belief(app: AppTest, vae: Model, seen: np.ndarray) -> None:
    app.query_params["tab"] = "Posterior"
    app.run()
    q = evaluation.approximate_posteriors(vae, seen[[0]])[0]
    for seed in (0, 1):
        z = q.mean + q.std * np.random.default_rng(seed).standard_normal(2)
        np.testing.assert_allclose(shown(app, "resampled"), vae.decode([z])[0], atol=0.003)
        assert f"z = ({z[0]:.4f}, {z[1]:.4f})".replace("-", "−") in html(app)
        app.button("resample").click().run()
        assert not app.exception
    assert app.number_input("belief_seed").value == 2
    assert app.segmented_control("close_up").options == ["both", "exact posterior p(z|x)", "encoder's guess q(z|x)"]
    for look in ("the truth", "the belief"):  # as links have it
        app.segmented_control("close_up").set_value(look).run()
        assert not app.exception
        assert app.query_params["close_up"] in (look, [look])
    app.segmented_control("close_up").set_value("both").run()
    assert "close_up" not in app.query_params


def test_without_the_images_a_drawing_can_be_shown(
    app: AppTest,
    checkpoints: Path,
    experiment: Experiment,
    digits: Data,
    vae: Model,
    decode: Decoder,
) -> None:
    for model in ("vae", "autoencoder"):
        rewrite(
            checkpoint_path(checkpoints / experiment.name, model), lambda a, s: s["experiment"].update(dataset="mnist")
        )
    app.query_params["tab"] = "Posterior"
    app.run()
    assert not app.exception
    assert "This tool needs the test images" in app.info[0].value
    form = digits.test.images[3].numpy()
    app.session_state["drawing"] = Drawing(image=form)
    app.session_state["subject"] = "what you drew"
    app.run()
    assert not app.exception
    assert not app.info
    x = binarise(torch.as_tensor(form)[None], torch.Generator().manual_seed(EVALUATION_SEED)).numpy()[0]
    np.testing.assert_allclose(shown(app, "subject"), x, atol=0.003)
    assert told(app, "log p(x)") == pytest.approx(float(brute_force(decode, x.ravel(), 401)[1].logsumexp(0)), abs=0.01)


def test_in_more_dimensions_the_belief_and_the_bound_are_left(
    app: AppTest,
    checkpoints: Path,
    experiment: Experiment,
    digits: Data,
    seen: np.ndarray,
) -> None:
    deep = replace(experiment, name="digits-4d", latent_dim=4, epochs=1)
    for model in MODEL_NAMES:
        fit(deep, model, digits, checkpoints / deep.name, device=CPU)
    app.query_params.update({"tab": "Posterior", "experiment": deep.name, "digit": "5"})
    app.run()
    assert not app.exception
    assert "can be computed on a grid in two dimensions only" in app.info[0].value
    vae = open_models(checkpoints / deep.name).vae
    each = evaluate_per_image(vae.checkpoint.load_network(), digits.test, samples=300).elbo
    assert each is not None
    assert told(app, "ELBO") == pytest.approx(float(each[5]), abs=0.5)
    assert "log p(x) =" not in html(app)
    np.testing.assert_allclose(shown(app, "subject"), seen[5], atol=0.003)
